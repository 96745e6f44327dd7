#include "bench/load/receiver.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <array>

#include "bench/load/clock.h"
#include "bench/load/failure.h"

namespace nuncio::load {
namespace {

// Fits a core's second-level cache, so that counting reads what the kernel has just copied there.
constexpr size_t receive_buffer_bytes = 256 * 1024;

}  // namespace

Receiver::Receiver(std::vector<Subscriber>& subscribers, FlowProgress& progress, uint64_t copies,
                   uint64_t timeout_ns)
    : subscribers_(subscribers),
      progress_(progress),
      copies_(copies),
      timeout_ns_(timeout_ns),
      poller_(epoll_create1(EPOLL_CLOEXEC)),
      buffer_(receive_buffer_bytes) {
  for (Subscriber& subscriber : subscribers_) {
    epoll_event wanted{EPOLLIN, {.ptr = &subscriber}};
    epoll_ctl(poller_.fd(), EPOLL_CTL_ADD, subscriber.connection.fd(), &wanted);
  }
}

void Receiver::run() noexcept {
  try {
    receive_until_complete();
  } catch (const std::exception& failure) {
    fail(failure.what());
  }
}

void Receiver::receive_until_complete() {
  last_received_ns_ = now_ns();
  while (!is_complete() && !progress_.is_stopped.load(std::memory_order_relaxed)) {
    receive_ready();
    if (now_ns() - last_received_ns_ > timeout_ns_)
      throw Failure("messages are missing and none arrives any more");
  }
}

void Receiver::receive_ready() {
  std::array<epoll_event, 128> events;
  const int ready = epoll_wait(poller_.fd(), events.data(), static_cast<int>(events.size()), 20);
  for (int i = 0; i < ready; ++i)
    receive_all_from(*static_cast<Subscriber*>(events[static_cast<size_t>(i)].data.ptr));
}

void Receiver::receive_all_from(Subscriber& subscriber) {
  receive_from(subscriber);
  while (subscriber.connection.has_unread()) receive_from(subscriber);
}

void Receiver::receive_from(Subscriber& subscriber) try {
  const std::string_view arrived = subscriber.connection.try_receive(buffer_);
  if (arrived.empty()) return;
  const uint64_t before = subscriber.counter.messages();
  const bool is_right = subscriber.counter.feed(arrived);
  delivered_ += subscriber.counter.messages() - before;
  last_received_ns_ = now_ns();

  ControlSeen& seen = subscriber.counter.control();
  if (!is_right) throw Failure(seen.error);
  for (; seen.pings_unanswered > 0; --seen.pings_unanswered) subscriber.connection.send("PONG\r\n");
} catch (const Failure& failure) {
  throw Failure(fmt::format("subscriber {} after {} messages: {}", &subscriber - subscribers_.data(),
                            subscriber.counter.messages(), failure.what()));
}

void Receiver::collect_surplus() noexcept {
  try {
    for (Subscriber& subscriber : subscribers_) subscriber.connection.send("PING\r\n");
    const uint64_t start_ns = now_ns();
    for (Subscriber& subscriber : subscribers_) {
      while (subscriber.counter.control().pongs == 0) {
        receive_ready();
        if (now_ns() - start_ns > timeout_ns_)
          throw Failure("no PONG on a subscriber after the last message");
      }
    }
  } catch (const std::exception& failure) {
    fail(failure.what());
  }
}

uint64_t Receiver::delivered() const noexcept {
  return delivered_;
}

bool Receiver::is_complete() const noexcept {
  const uint64_t published = progress_.published.load(std::memory_order_acquire);
  return published != FlowProgress::not_known && delivered_ >= published * copies_;
}

void Receiver::fail(const std::string& text) noexcept {
  problem_ = text;
  progress_.is_stopped = true;
}

}  // namespace nuncio::load
