#include "tests/net/io_driver.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

namespace nuncio::net {

namespace {

SocketPair make_tcp_pair(int buffer_size) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (buffer_size > 0) setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &buffer_size, sizeof buffer_size);
  EXPECT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0);
  EXPECT_EQ(listen(listener, 1), 0);
  EXPECT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  const int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (buffer_size > 0) setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &buffer_size, sizeof buffer_size);
  EXPECT_EQ(connect(peer, reinterpret_cast<sockaddr*>(&address), length), 0);
  const int ours = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  EXPECT_GE(ours, 0);
  ::close(listener);
  const int on = 1;
  setsockopt(ours, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return {ours, peer};
}

}  // namespace

SocketPair tcp_pair() {
  return make_tcp_pair(0);
}
SocketPair tcp_pair_with_small_buffers() {
  return make_tcp_pair(1);
}

SocketPair unix_pair() {
  int ends[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  EXPECT_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
  return {ends[0], ends[1]};
}

void SocketPair::close_peer() {
  if (peer >= 0) ::close(std::exchange(peer, -1));
}

void SocketPair::reset_peer() {
  const linger at_once{1, 0};
  EXPECT_EQ(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  close_peer();
}

void SocketPair::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t size = ::send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ASSERT_GT(size, 0);
    bytes.remove_prefix(static_cast<size_t>(size));
  }
}

std::string SocketPair::read(size_t size) const {
  std::string bytes(size, '\0');
  size_t got = 0;
  while (got < size) {
    const ssize_t n = ::recv(peer, bytes.data() + got, size - got, 0);
    if (n <= 0) break;
    got += static_cast<size_t>(n);
  }
  bytes.resize(got);
  return bytes;
}

bool SocketPair::peer_sees_end() const {
  char byte;
  return ::recv(peer, &byte, 1, 0) == 0;
}

int open_descriptors() {
  DIR* directory = opendir("/proc/self/fd");
  int count = 0;
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

void IoDriver::open(Slot slot, int socket) {
  SlotLog& log = slots_[slot];
  ASSERT_FALSE(log.is_open);
  const uint32_t opened = log.opened + 1;
  const uint32_t closed = log.closed;
  log = SlotLog{};
  log.opened = opened;
  log.closed = closed;
  log.is_open = true;
  io_.open(slot, socket);
}

void IoDriver::send(Slot slot, std::string_view bytes) {
  const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  send(slot, &part, 1);
}

void IoDriver::send(Slot slot, const iovec* parts, unsigned count) {
  ++slots_[slot].sends;
  io_.send(slot, parts, count);
}

void IoDriver::close(Slot slot) {
  slots_[slot].is_closing = true;
  io_.close(slot);
}

size_t IoDriver::turn(int64_t timeout_ns) {
  const auto events = io_.wait(timeout_ns);
  for (const IoEvent& event : events) {
    note(event);
    if (on_event) on_event(event);
  }
  return events.size();
}

bool IoDriver::run_until(const std::function<bool()>& reached) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!reached()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    turn(20'000'000);
  }
  return true;
}

void IoDriver::note(const IoEvent& event) {
  SlotLog& log = slots_[event.slot];
  ASSERT_TRUE(log.is_open) << "an event of a slot that is closed";
  switch (event.kind) {
    case IoEvent::Kind::received: {
      ASSERT_FALSE(log.has_ended);
      ASSERT_GT(event.size, 0u);
      if (log.is_closing) break;  // within the batch in which close() was called
      log.received.append(event.data, event.size);
      ++log.received_events;
      unsigned sum = 0;
      for (size_t i = 0; i < io_padding; ++i) sum += static_cast<unsigned char>(event.data[event.size + i]);
      ASSERT_LE(sum, 255 * io_padding);
      break;
    }
    case IoEvent::Kind::end_of_stream:
    case IoEvent::Kind::receive_failed:
      ASSERT_FALSE(log.has_ended) << "the end was reported twice";
      ASSERT_EQ(event.error != 0, event.kind == IoEvent::Kind::receive_failed);
      log.has_ended = true;
      log.receive_error = event.error;
      break;
    case IoEvent::Kind::sent:
      ++log.sent_events;
      ASSERT_LE(log.sent_events, log.sends);
      log.sent_bytes += event.size;
      log.send_error = event.error;
      break;
    case IoEvent::Kind::closed:
      ASSERT_TRUE(log.is_closing);
      ASSERT_EQ(log.sent_events, log.sends) << "closed before the sent of a send under way";
      log.is_open = false;
      ++log.closed;
      break;
  }
}

}  // namespace nuncio::net
