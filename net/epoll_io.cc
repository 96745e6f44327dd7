// The epoll back end: readiness turned into completions. Every socket is registered once, edge-triggered for
// both directions, so a message costs no epoll_ctl. Receives and sends are plain calls made inside wait(), in
// the worker's thread. What was ready and did not fit into this turn's buffers stays on a list for the next.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <vector>

#include "core/assert.h"
#include "net/io.h"
#include "net/receive_buffers.h"
#include "net/send_pool.h"

namespace nuncio::net {

namespace {

constexpr uint64_t wake_tag = UINT64_MAX;
constexpr uint32_t ready_events_max = 1024;  // of one epoll_wait; the rest is reported by the next

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

struct Connection {
  int socket = -1;
  uint32_t generation = 0;
  Send* send = nullptr;
  bool is_paused = false;
  bool is_readable = false;  // there may be bytes, or the end of them, to receive
  bool is_listed = false;    // is on the ready list
  bool has_hung_up =
      false;               // a short receive does not mean that nothing is left: the end is still to be read
  bool has_ended = false;  // end_of_stream or receive_failed was reported
  bool is_shutdown_wanted = false;
  bool is_closing = false;
};

class EpollIo final : public Io {
 public:
  EpollIo(const IoSettings& settings, int epoll, int wake);  // takes both descriptors over
  ~EpollIo() override;

  void open(Slot slot, int socket) override;
  void send(Slot slot, const iovec* parts, unsigned count) override;
  void pause_receive(Slot slot) override;
  void resume_receive(Slot slot) override;
  void shutdown_send(Slot slot) override;
  void close(Slot slot) override;
  std::span<const IoEvent> wait(int64_t timeout_ns) override;
  void wake() override;
  std::string_view name() const override { return "epoll"; }

 private:
  struct Request {
    enum class Kind : uint8_t { open, send, shutdown_send, close } kind;
    Slot slot;
  };
  struct Ready {
    Slot slot;
    uint32_t generation;
  };

  Connection& connection(Slot slot);
  void report(IoEvent::Kind kind, Slot slot, int error = 0, uint32_t size = 0, char* data = nullptr);

  void carry_out_requests();
  void begin(Slot slot, Connection& c);
  void go_on_sending(Slot slot, Connection& c);
  void end_send(Slot slot, Connection& c, int error);
  void end(Slot slot, Connection& c);

  bool poll(int64_t timeout_ns);
  int poll_events(int64_t timeout_ns);
  void note_ready(const epoll_event& event);
  void list(Slot slot, Connection& c);

  void receive_from_ready();
  bool receive(Slot slot, Connection& c);
  bool has_room() const { return buffer_ < buffers_.count(); }
  void take_room(uint32_t size);

  IoSettings settings_;
  int epoll_;
  int wake_;
  std::vector<Connection> connections_;
  std::vector<Request> requests_;
  std::vector<Ready> ready_;
  std::vector<Ready> again_;
  std::vector<IoEvent> events_;
  std::array<epoll_event, ready_events_max> polled_;
  SendPool sends_;
  ReceiveBuffers buffers_;
  uint32_t buffer_ = 0;         // the one being filled in this turn
  uint32_t buffer_offset_ = 0;  // and how far
  bool was_poll_skipped_ = false;
  bool has_pwait2_ = true;
};

}  // namespace

std::unique_ptr<Io> make_epoll(const IoSettings& settings, std::string& why_not) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll >= 0 && wake >= 0) return std::make_unique<EpollIo>(settings, epoll, wake);
  why_not = std::string("epoll: ") + std::strerror(errno);
  if (epoll >= 0) ::close(epoll);
  if (wake >= 0) ::close(wake);
  return nullptr;
}

namespace {

// A turn that sent something returns its `sent` events without asking for readiness, at most every second
// time: a request/reply turn then costs three system calls (epoll_wait, recv, send) instead of four.
std::span<const IoEvent> EpollIo::wait(int64_t timeout_ns) {
  events_.clear();
  buffer_ = 0;
  buffer_offset_ = 0;
  carry_out_requests();
  if (!events_.empty() && !was_poll_skipped_) {
    was_poll_skipped_ = true;
    return events_;
  }
  was_poll_skipped_ = false;

  const int64_t deadline_ns = timeout_ns > 0 ? now_ns() + timeout_ns : 0;
  int64_t left_ns = timeout_ns;
  for (;;) {
    const bool may_sleep = events_.empty() && ready_.empty();
    const bool was_woken = poll(may_sleep ? left_ns : 0);
    receive_from_ready();
    if (!events_.empty() || was_woken || timeout_ns == 0) break;
    if (timeout_ns < 0) continue;
    left_ns = deadline_ns - now_ns();
    if (left_ns <= 0) break;
  }
  return events_;
}

void EpollIo::carry_out_requests() {
  for (const Request& request : requests_) {
    Connection& c = connections_[request.slot];
    switch (request.kind) {
      case Request::Kind::open:
        begin(request.slot, c);
        break;
      case Request::Kind::send:
        go_on_sending(request.slot, c);
        break;
      case Request::Kind::shutdown_send:
        if (c.send == nullptr) ::shutdown(c.socket, SHUT_WR);  // else when the send is over
        break;
      case Request::Kind::close:
        end(request.slot, c);
        break;
    }
  }
  requests_.clear();
}

void EpollIo::begin(Slot slot, Connection& c) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = uint64_t{c.generation} << 32 | slot;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, c.socket, &event) == 0) return;
  c.has_ended = true;
  report(IoEvent::Kind::receive_failed, slot, errno);
}

void EpollIo::go_on_sending(Slot slot, Connection& c) {
  while (c.send != nullptr) {
    Send& send = *c.send;
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    const iovec& part = send.parts[send.first];
    const ssize_t size = send.is_single() ? ::send(c.socket, part.iov_base, part.iov_len, flags)
                                          : ::sendmsg(c.socket, send.rest(), flags);
    if (size < 0) {
      if (errno == EAGAIN) return;  // EPOLLOUT follows
      if (errno == EINTR) continue;
      return end_send(slot, c, errno);
    }
    send.advance(static_cast<uint32_t>(size));
    if (send.is_complete()) end_send(slot, c, 0);
  }
}

void EpollIo::end_send(Slot slot, Connection& c, int error) {
  report(IoEvent::Kind::sent, slot, error, c.send->done);
  sends_.release(c.send);
  c.send = nullptr;
  if (c.is_shutdown_wanted) ::shutdown(c.socket, SHUT_WR);
}

void EpollIo::end(Slot slot, Connection& c) {
  c.is_shutdown_wanted = false;
  if (c.send != nullptr) end_send(slot, c, ECANCELED);
  ::close(c.socket);
  c.socket = -1;
  c.is_readable = false;
  report(IoEvent::Kind::closed, slot);
}

// Returns whether wake() was called.
bool EpollIo::poll(int64_t timeout_ns) {
  const int count = poll_events(timeout_ns);
  bool was_woken = false;
  for (int i = 0; i < count; ++i) {
    if (polled_[static_cast<size_t>(i)].data.u64 == wake_tag) {
      was_woken = true;  // edge-triggered: the counter is never read, each write is reported once
    } else {
      note_ready(polled_[static_cast<size_t>(i)]);
    }
  }
  return was_woken;
}

int EpollIo::poll_events(int64_t timeout_ns) {
  constexpr int64_t second_ns = 1'000'000'000;
  constexpr int64_t millisecond_ns = 1'000'000;
  if (timeout_ns > 0 && has_pwait2_) {
    const timespec timeout{timeout_ns / second_ns, timeout_ns % second_ns};
    const int count = epoll_pwait2(epoll_, polled_.data(), ready_events_max, &timeout, nullptr);
    if (count >= 0 || errno == EINTR) return count;
    has_pwait2_ = false;  // Linux before 5.11, or a sandbox that does not know the call
  }
  constexpr int64_t wait_ms_max = 3'600'000;
  const int64_t timeout_ms =
      timeout_ns <= 0 ? timeout_ns : (timeout_ns + millisecond_ns - 1) / millisecond_ns;
  const int count = epoll_wait(epoll_, polled_.data(), ready_events_max,
                               timeout_ns < 0 ? -1 : static_cast<int>(std::min(timeout_ms, wait_ms_max)));
  NUNCIO_ASSERT(count >= 0 || errno == EINTR);
  return count;
}

void EpollIo::note_ready(const epoll_event& event) {
  const Slot slot = static_cast<Slot>(event.data.u64);
  Connection& c = connections_[slot];
  if (c.socket < 0 || c.generation != static_cast<uint32_t>(event.data.u64 >> 32)) return;
  if ((event.events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) go_on_sending(slot, c);
  if ((event.events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) c.has_hung_up = true;
  if ((event.events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) {
    c.is_readable = true;
    list(slot, c);
  }
}

void EpollIo::list(Slot slot, Connection& c) {
  if (c.is_listed || c.has_ended || c.is_paused) return;
  c.is_listed = true;
  ready_.push_back({slot, c.generation});
}

// Each ready socket is received from once; those left over and those with more go first and last in the next
// turn.
void EpollIo::receive_from_ready() {
  size_t served = 0;
  for (; served < ready_.size() && has_room(); ++served) {
    const Ready ready = ready_[served];
    Connection& c = connections_[ready.slot];
    if (c.socket < 0 || c.generation != ready.generation) continue;
    c.is_listed = false;
    if (c.is_paused || c.has_ended || !receive(ready.slot, c)) continue;
    c.is_listed = true;
    again_.push_back(ready);
  }
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<ptrdiff_t>(served));
  ready_.insert(ready_.end(), again_.begin(), again_.end());
  again_.clear();
}

// Returns whether there may be more.
bool EpollIo::receive(Slot slot, Connection& c) {
  char* data = buffers_.at(buffer_) + buffer_offset_;
  const uint32_t room = buffers_.size() - buffer_offset_;
  const ssize_t size = recv(c.socket, data, room, MSG_DONTWAIT);
  if (size > 0) {
    report(IoEvent::Kind::received, slot, 0, static_cast<uint32_t>(size), data);
    take_room(static_cast<uint32_t>(size));
    // A short receive has emptied a stream socket; what comes later is a new edge.
    c.is_readable = size == room || c.has_hung_up;
    return c.is_readable;
  }
  if (size < 0 && errno == EINTR) return true;
  c.is_readable = false;
  if (size < 0 && errno == EAGAIN) return false;
  const int error = size < 0 ? errno : 0;
  c.has_ended = true;
  report(size == 0 ? IoEvent::Kind::end_of_stream : IoEvent::Kind::receive_failed, slot, error);
  return false;
}

// Small receives share a buffer as long as half of it is free: many connections then touch little memory.
void EpollIo::take_room(uint32_t size) {
  constexpr uint32_t cache_line = 64;
  buffer_offset_ += (size + cache_line - 1) & ~(cache_line - 1);
  if (buffer_offset_ <= buffers_.size() / 2) return;
  ++buffer_;
  buffer_offset_ = 0;
}

void EpollIo::report(IoEvent::Kind kind, Slot slot, int error, uint32_t size, char* data) {
  events_.push_back({kind, slot, error, size, data});
}

EpollIo::EpollIo(const IoSettings& settings, int epoll, int wake)
    : settings_(settings),
      epoll_(epoll),
      wake_(wake),
      buffers_(settings.receive_buffers, settings.receive_buffer_size) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = wake_tag;
  const int result = epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
  NUNCIO_ASSERT(result == 0);
}

EpollIo::~EpollIo() {
  for (const Connection& c : connections_) {
    if (c.socket >= 0) ::close(c.socket);
  }
  ::close(epoll_);
  ::close(wake_);
}

Connection& EpollIo::connection(Slot slot) {
  NUNCIO_DEBUG_ASSERT(slot < connections_.size() && connections_[slot].socket >= 0 &&
                      !connections_[slot].is_closing);
  return connections_[slot];
}

void EpollIo::open(Slot slot, int socket) {
  NUNCIO_ASSERT(slot < settings_.slots_max && socket >= 0);
  if (slot >= connections_.size()) connections_.resize(slot + 1);
  Connection& c = connections_[slot];
  NUNCIO_ASSERT(c.socket < 0);
  const uint32_t generation = c.generation + 1;
  c = Connection{};
  c.socket = socket;
  c.generation = generation;
  requests_.push_back({Request::Kind::open, slot});
}

void EpollIo::send(Slot slot, const iovec* parts, unsigned count) {
  Connection& c = connection(slot);
  NUNCIO_ASSERT(c.send == nullptr);
  c.send = sends_.acquire(parts, count);
  requests_.push_back({Request::Kind::send, slot});
}

void EpollIo::pause_receive(Slot slot) {
  connection(slot).is_paused = true;
}

void EpollIo::resume_receive(Slot slot) {
  Connection& c = connection(slot);
  c.is_paused = false;
  if (c.is_readable) list(slot, c);
}

void EpollIo::shutdown_send(Slot slot) {
  connection(slot).is_shutdown_wanted = true;
  requests_.push_back({Request::Kind::shutdown_send, slot});
}

void EpollIo::close(Slot slot) {
  connection(slot).is_closing = true;
  requests_.push_back({Request::Kind::close, slot});
}

void EpollIo::wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
}

}  // namespace

}  // namespace nuncio::net
