#include "bench/load/sender.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>

#include "bench/load/clock.h"
#include "bench/load/failure.h"

namespace nuncio::load {

Sender::Sender(std::vector<Publisher>& publishers, FlowProgress& progress, uint64_t timeout_ns,
               uint64_t run_ns)
    : publishers_(publishers),
      progress_(progress),
      timeout_ns_(timeout_ns),
      run_ns_(run_ns),
      poller_(epoll_create1(EPOLL_CLOEXEC)),
      unfinished_(publishers.size()) {
  for (Publisher& publisher : publishers_) {
    epoll_event wanted{EPOLLIN | EPOLLOUT, {.ptr = &publisher}};
    epoll_ctl(poller_.fd(), EPOLL_CTL_ADD, publisher.connection.fd(), &wanted);
  }
}

void Sender::run() noexcept {
  try {
    first_sent_ns_ = now_ns();
    if (run_ns_ == 0) note_published();
    loop();
  } catch (const std::exception& failure) {
    problem_ = fmt::format("publisher: {}", failure.what());
    progress_.is_stopped = true;
  }
}

void Sender::loop() {
  std::array<epoll_event, 64> events;
  uint64_t moved_ns = first_sent_ns_;
  while (unfinished_ > 0 && !progress_.is_stopped.load(std::memory_order_relaxed)) {
    const int ready = epoll_wait(poller_.fd(), events.data(), static_cast<int>(events.size()), 20);
    const uint64_t now = now_ns();
    if (run_ns_ > 0 && now - first_sent_ns_ >= run_ns_) end_by_time();
    bool has_moved = false;
    for (int i = 0; i < ready; ++i) {
      auto& publisher = *static_cast<Publisher*>(events[static_cast<size_t>(i)].data.ptr);
      const uint32_t what = events[static_cast<size_t>(i)].events;
      if ((what & ~static_cast<uint32_t>(EPOLLOUT)) != 0) has_moved |= read_all(publisher);
      if ((what & EPOLLOUT) != 0) has_moved |= send_some(publisher);
    }
    if (has_moved) moved_ns = now;
    if (now - moved_ns > timeout_ns_) throw Failure("the server takes nothing more");
  }
}

// The time is up: each publisher ends with the message it is in.
void Sender::end_by_time() {
  run_ns_ = 0;
  for (Publisher& publisher : publishers_) {
    const uint64_t begun = (publisher.bytes_sent + publisher.message_bytes - 1) / publisher.message_bytes;
    publisher.bytes_total = begun * publisher.message_bytes;
  }
  note_published();
}

void Sender::note_published() {
  uint64_t messages = 0;
  for (const Publisher& publisher : publishers_) messages += publisher.bytes_total / publisher.message_bytes;
  progress_.published.store(messages, std::memory_order_release);
}

bool Sender::send_some(Publisher& publisher) {
  if (publisher.bytes_sent == publisher.bytes_total) {
    if (publisher.has_pinged) return false;
    publisher.connection.send("PING\r\n");
    publisher.has_pinged = true;
    epoll_event wanted{EPOLLIN, {.ptr = &publisher}};
    epoll_ctl(poller_.fd(), EPOLL_CTL_MOD, publisher.connection.fd(), &wanted);
    return true;
  }
  answer_pings(publisher);
  const uint64_t offset = publisher.bytes_sent % publisher.block.size();
  uint64_t chunk = std::min(publisher.block.size() - offset, publisher.bytes_total - publisher.bytes_sent);
  if (publisher.inbound.control().pings_unanswered > 0) {
    chunk = publisher.message_bytes - publisher.bytes_sent % publisher.message_bytes;
  }
  try {
    const size_t n = publisher.connection.send_some({publisher.block.data() + offset, chunk});
    publisher.bytes_sent += n;
    return n > 0;
  } catch (const Failure&) {
    read_all(publisher);  // an -ERR that explains it may lie there
    throw;
  }
}

bool Sender::read_all(Publisher& publisher) {
  bool has_read = read_some(publisher);
  while (publisher.connection.has_unread()) has_read |= read_some(publisher);
  return has_read;
}

bool Sender::read_some(Publisher& publisher) {
  std::array<char, 4096> buffer;
  const std::string_view arrived = publisher.connection.try_receive(buffer);
  if (arrived.empty()) return false;
  publisher.inbound.feed(arrived);
  if (publisher.inbound.next()) throw Failure("got a message without a subscription");
  ControlSeen& seen = publisher.inbound.control();
  if (!seen.error.empty()) throw Failure(seen.error);
  answer_pings(publisher);
  if (seen.pongs == 0) return true;
  seen.pongs = 0;
  last_pong_ns_ = now_ns();
  --unfinished_;
  return true;
}

// A PONG may only stand between two messages; while one is owed, send_some stops at the end of the present
// one.
void Sender::answer_pings(Publisher& publisher) {
  if (publisher.bytes_sent % publisher.message_bytes != 0) return;
  uint64_t& owed = publisher.inbound.control().pings_unanswered;
  for (; owed > 0; --owed) publisher.connection.send("PONG\r\n");
}

}  // namespace nuncio::load
