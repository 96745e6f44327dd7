// The io_uring back end: one multishot receive per connection out of shared provided buffers, one send
// operation per send, and one system call per turn that submits, reaps and waits. Requests become submission
// entries in wait(); completions only change state and note follow-up work, so that taking them in the middle
// of submitting is safe. Operations are tagged with kind, generation and slot; a slot is closed after the
// last completion of its operations, since an armed receive keeps the socket open.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

#include "core/assert.h"
#include "net/io.h"
#include "net/send_pool.h"
#include "net/uring_buffers.h"
#include "net/uring_features.h"
#include "net/uring_ring.h"

namespace nuncio::net {

namespace {

enum class Operation : uint8_t { receive, send, cancel, wake };

// user_data of an operation: kind (8 bits), generation (24), slot (32).
constexpr uint32_t generation_mask = 0xffffff;

// A turn that has this much stops asking for more.
constexpr unsigned gathered_rounds_max = 64;
constexpr size_t gathered_events_max = 1024;
constexpr uint32_t gathered_bytes_max = 256 * 1024;

constexpr uint64_t tag(Operation operation, uint32_t generation, Slot slot) {
  return uint64_t{static_cast<uint8_t>(operation)} << 56 | uint64_t{generation & generation_mask} << 32 |
         slot;
}

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
  bool is_armed = false;  // the multishot receive has not had its last completion
  bool is_receive_cancelled = false;
  bool is_starved = false;         // waits on the starved list for buffers
  bool is_send_submitted = false;  // `send` has a completion to come
  bool has_ended = false;          // end_of_stream or receive_failed was reported
  bool is_shutdown_wanted = false;
  bool is_closing = false;      // close() was called
  bool is_close_begun = false;  // and carried out: `closed` follows the last completion
};

class IoUringIo final : public Io {
 public:
  explicit IoUringIo(const IoSettings& settings);
  ~IoUringIo() override;
  bool set_up(const UringLimits& limits, std::string& why_not);

  void open(Slot slot, int socket) override;
  void send(Slot slot, const iovec* parts, unsigned count) override;
  void pause_receive(Slot slot) override;
  void resume_receive(Slot slot) override;
  void shutdown_send(Slot slot) override;
  void close(Slot slot) override;
  std::span<const IoEvent> wait(int64_t timeout_ns) override;
  void wake() override;
  std::string_view name() const override { return "io_uring"; }

 private:
  struct Work {
    enum class Kind : uint8_t { receive, send, shutdown_send, close } kind;
    Slot slot;
    uint32_t generation;
  };
  struct Starved {
    Slot slot;
    uint32_t generation;
  };

  Connection& connection(Slot slot);
  void note(Work::Kind kind, Slot slot);
  void report(IoEvent::Kind kind, Slot slot, int error = 0, uint32_t size = 0, char* data = nullptr);

  void gather();
  void carry_out_work();
  void arm_wake();
  void rearm_starved();
  void adjust_receive(Slot slot, Connection& c);
  void submit_receive(Slot slot, Connection& c);
  void submit_send(Slot slot, Connection& c);
  void submit_cancel(Operation operation, Slot slot, const Connection& c);
  void begin_close(Slot slot, Connection& c);
  io_uring_sqe* sqe();

  void enter(unsigned complete_min, int64_t timeout_ns);
  void reap();
  void take_receive(const io_uring_cqe& completion, Slot slot, Connection& c);
  void end_receive(int result, Slot slot, Connection& c);
  void take_send(int result, Slot slot, Connection& c);
  void take_cancel(int result, Slot slot, Connection& c);
  void end_send(Slot slot, Connection& c, int error);
  void close_when_idle(Slot slot, Connection& c);

  IoSettings settings_;
  int wake_ = -1;
  bool is_wake_armed_ = false;
  bool was_woken_ = false;
  uint32_t received_bytes_ = 0;  // in this turn
  std::vector<Connection> connections_;
  std::vector<Work> work_;
  std::vector<Starved> starved_;
  std::vector<IoEvent> events_;
  SendPool sends_;
  UringBuffers buffers_;  // outlives the ring, which refers to it
  UringRing ring_;
};

}  // namespace

std::unique_ptr<Io> make_io_uring(const IoSettings& settings, std::string& why_not) {
  return make_io_uring(settings, UringLimits{}, why_not);
}

std::unique_ptr<Io> make_io_uring(const IoSettings& settings, const UringLimits& limits,
                                  std::string& why_not) {
  auto io = std::make_unique<IoUringIo>(settings);
  if (io->set_up(limits, why_not)) return io;
  if (!limits.may_be_incremental) return nullptr;
  UringLimits without = limits;
  without.may_be_incremental = false;
  return make_io_uring(settings, without, why_not);  // with a new ring: the first one's trial may linger
}

namespace {

std::span<const IoEvent> IoUringIo::wait(int64_t timeout_ns) {
  events_.clear();
  received_bytes_ = 0;
  was_woken_ = false;
  const int64_t deadline_ns = timeout_ns > 0 ? now_ns() + timeout_ns : 0;
  int64_t left_ns = timeout_ns;
  for (;;) {
    buffers_.give_back();
    rearm_starved();
    carry_out_work();
    const bool may_sleep = timeout_ns != 0 && events_.empty() && starved_.empty();
    enter(may_sleep ? 1 : 0, left_ns);
    gather();
    if (!events_.empty() || was_woken_ || timeout_ns == 0) break;
    if (timeout_ns < 0) continue;
    left_ns = deadline_ns - now_ns();
    if (left_ns <= 0) break;
  }
  return events_;
}

// One enter() runs about 20 pieces of completion work (since Linux 6.13). A turn wants all that is ready,
// since what one turn takes in leaves in one send per receiver.
void IoUringIo::gather() {
  for (unsigned round = 0; round < gathered_rounds_max && ring_.has_work(); ++round) {
    if (events_.size() >= gathered_events_max || received_bytes_ >= gathered_bytes_max) return;
    enter(0, 0);
  }
}

void IoUringIo::carry_out_work() {
  if (!is_wake_armed_) arm_wake();
  for (size_t i = 0; i < work_.size(); ++i) {  // grows when completions are taken in between
    const Work work = work_[i];
    Connection& c = connections_[work.slot];
    if (c.socket < 0 || c.generation != work.generation) continue;
    switch (work.kind) {
      case Work::Kind::receive:
        adjust_receive(work.slot, c);
        break;
      case Work::Kind::send:
        if (c.send != nullptr && !c.is_send_submitted) submit_send(work.slot, c);
        break;
      case Work::Kind::shutdown_send:
        if (c.send == nullptr) ::shutdown(c.socket, SHUT_WR);  // else when the send is over
        break;
      case Work::Kind::close:
        begin_close(work.slot, c);
        break;
    }
  }
  work_.clear();
}

// Makes the state of the receive what it should be: pausing and resuming within one turn costs nothing.
void IoUringIo::adjust_receive(Slot slot, Connection& c) {
  const bool is_wanted = !c.is_paused && !c.is_close_begun && !c.has_ended;
  if (is_wanted && !c.is_armed && !c.is_starved) submit_receive(slot, c);
  if (!is_wanted && c.is_armed && !c.is_receive_cancelled) {
    c.is_receive_cancelled = true;
    submit_cancel(Operation::receive, slot, c);
  }
}

void IoUringIo::submit_receive(Slot slot, Connection& c) {
  io_uring_sqe* entry = sqe();
  io_uring_prep_recv_multishot(entry, c.socket, nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = UringBuffers::group;
  entry->user_data = tag(Operation::receive, c.generation, slot);
  c.is_armed = true;
  c.is_receive_cancelled = false;
}

void IoUringIo::submit_send(Slot slot, Connection& c) {
  constexpr int flags = MSG_NOSIGNAL | MSG_WAITALL;
  io_uring_sqe* entry = sqe();
  Send& send = *c.send;
  if (send.is_single()) {
    io_uring_prep_send(entry, c.socket, send.parts[send.first].iov_base, send.parts[send.first].iov_len,
                       flags);
  } else {
    io_uring_prep_sendmsg(entry, c.socket, send.rest(), flags);
  }
  entry->user_data = tag(Operation::send, c.generation, slot);
  c.is_send_submitted = true;
}

void IoUringIo::submit_cancel(Operation operation, Slot slot, const Connection& c) {
  io_uring_sqe* entry = sqe();
  io_uring_prep_cancel64(entry, tag(operation, c.generation, slot), 0);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = tag(Operation::cancel, c.generation, slot);
}

void IoUringIo::begin_close(Slot slot, Connection& c) {
  c.is_close_begun = true;
  c.is_shutdown_wanted = false;
  adjust_receive(slot, c);
  if (c.is_send_submitted) {
    submit_cancel(Operation::send, slot, c);
  } else if (c.send != nullptr) {
    end_send(slot, c, ECANCELED);
  }
  close_when_idle(slot, c);
}

void IoUringIo::close_when_idle(Slot slot, Connection& c) {
  if (!c.is_close_begun || c.is_armed || c.send != nullptr || c.socket < 0) return;
  ::close(c.socket);
  c.socket = -1;
  report(IoEvent::Kind::closed, slot);
}

// No more at a time than there are buffers for: the others would only be turned away again.
void IoUringIo::rearm_starved() {
  const size_t count = std::min(starved_.size(), buffers_.receives_possible());
  for (size_t i = 0; i < count; ++i) {
    const Starved starved = starved_[i];
    Connection& c = connections_[starved.slot];
    if (c.socket < 0 || c.generation != starved.generation) continue;
    c.is_starved = false;
    note(Work::Kind::receive, starved.slot);
  }
  starved_.erase(starved_.begin(), starved_.begin() + static_cast<ptrdiff_t>(count));
}

io_uring_sqe* IoUringIo::sqe() {
  for (;;) {
    io_uring_sqe* entry = ring_.try_sqe();
    if (entry != nullptr) return entry;
    enter(0, 0);
  }
}

void IoUringIo::enter(unsigned complete_min, int64_t timeout_ns) {
  const int error = ring_.enter(complete_min, timeout_ns);
  NUNCIO_ASSERT(error == 0);  // EEXIST: not the thread that made us
  reap();
}

void IoUringIo::reap() {
  ring_.for_each_completion([this](const io_uring_cqe& completion) {
    const auto operation = static_cast<Operation>(completion.user_data >> 56);
    if (operation == Operation::wake) {
      was_woken_ = true;
      if ((completion.flags & IORING_CQE_F_MORE) == 0) is_wake_armed_ = false;
      return;
    }
    const Slot slot = static_cast<Slot>(completion.user_data);
    Connection& c = connections_[slot];
    const uint32_t generation = static_cast<uint32_t>(completion.user_data >> 32) & generation_mask;
    const bool is_current = c.socket >= 0 && (c.generation & generation_mask) == generation;
    if (operation == Operation::cancel) {
      if (is_current) take_cancel(completion.res, slot, c);
      return;
    }
    NUNCIO_ASSERT(is_current);  // a slot is not closed before the last completion of its operations
    if (operation == Operation::receive) {
      take_receive(completion, slot, c);
    } else {
      take_send(completion.res, slot, c);
    }
  });
}

void IoUringIo::take_receive(const io_uring_cqe& completion, Slot slot, Connection& c) {
  if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
    const auto size = static_cast<uint32_t>(std::max(completion.res, 0));
    char* data = buffers_.take(static_cast<uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT), size);
    received_bytes_ += size;
    if (size > 0 && !c.is_closing) report(IoEvent::Kind::received, slot, 0, size, data);
  }
  if ((completion.flags & IORING_CQE_F_MORE) == 0) end_receive(completion.res, slot, c);
}

// The multishot is over: by its nature (out of buffers, a full completion queue), by our cancel, or for good.
void IoUringIo::end_receive(int result, Slot slot, Connection& c) {
  c.is_armed = false;
  c.is_receive_cancelled = false;
  if (c.is_close_begun) return close_when_idle(slot, c);
  if (result == -ENOBUFS) {
    c.is_starved = true;
    starved_.push_back({slot, c.generation});
    return;
  }
  if (result > 0 || result == -ECANCELED || result == -EINTR || result == -EAGAIN) {
    return note(Work::Kind::receive, slot);
  }
  c.has_ended = true;
  if (c.is_closing) return;
  report(result == 0 ? IoEvent::Kind::end_of_stream : IoEvent::Kind::receive_failed, slot, -result);
}

void IoUringIo::take_send(int result, Slot slot, Connection& c) {
  c.is_send_submitted = false;
  if (result > 0) c.send->advance(static_cast<uint32_t>(result));
  if (c.send->is_complete()) {
    end_send(slot, c, 0);
  } else if (c.is_close_begun) {
    end_send(slot, c, ECANCELED);
  } else if (result > 0 || result == -EINTR || result == -EAGAIN) {
    note(Work::Kind::send, slot);
  } else {
    end_send(slot, c, result == 0 ? EPIPE : -result);
  }
  close_when_idle(slot, c);
}

void IoUringIo::end_send(Slot slot, Connection& c, int error) {
  report(IoEvent::Kind::sent, slot, error, c.send->done);
  sends_.release(c.send);
  c.send = nullptr;
  if (c.is_shutdown_wanted) ::shutdown(c.socket, SHUT_WR);
}

// Only failures come here. The operation is about to complete by itself; should it not, the shutdown ends it.
void IoUringIo::take_cancel(int result, Slot slot, Connection& c) {
  if (result >= 0) return;
  if (c.is_close_begun) {
    ::shutdown(c.socket, SHUT_RDWR);
  } else if (c.is_armed && c.is_receive_cancelled) {
    c.is_receive_cancelled = false;
    note(Work::Kind::receive, slot);
  }
}

// A multishot poll of the eventfd, edge-triggered: each write is one completion and the counter is never
// read.
void IoUringIo::arm_wake() {
  io_uring_sqe* entry = sqe();
  io_uring_prep_poll_multishot(entry, wake_, POLLIN);
  entry->user_data = tag(Operation::wake, 0, 0);
  is_wake_armed_ = true;
}

void IoUringIo::report(IoEvent::Kind kind, Slot slot, int error, uint32_t size, char* data) {
  events_.push_back({kind, slot, error, size, data});
}

void IoUringIo::note(Work::Kind kind, Slot slot) {
  work_.push_back({kind, slot, connections_[slot].generation});
}

IoUringIo::IoUringIo(const IoSettings& settings)
    : settings_(settings), buffers_(settings.receive_buffers, settings.receive_buffer_size) {}

bool IoUringIo::set_up(const UringLimits& limits, std::string& why_not) {
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0) {
    why_not = std::string("eventfd: ") + std::strerror(errno);
    return false;
  }
  return ring_.set_up(limits, why_not) && try_multishot_receive(ring_, buffers_, limits, why_not);
}

// Closes what is open the ordinary way, since the kernel ends operations of a ring that went away only later,
// and sockets with them.
IoUringIo::~IoUringIo() {
  size_t open_count = 0;
  for (Slot slot = 0; slot < connections_.size(); ++slot) {
    if (connections_[slot].socket < 0) continue;
    ++open_count;
    if (!connections_[slot].is_closing) close(slot);
  }
  const int64_t deadline_ns = now_ns() + 1'000'000'000;
  while (open_count > 0 && now_ns() < deadline_ns) {
    for (const IoEvent& event : wait(10'000'000)) {
      if (event.kind == IoEvent::Kind::closed) --open_count;
    }
  }
  if (wake_ >= 0) ::close(wake_);
}

Connection& IoUringIo::connection(Slot slot) {
  NUNCIO_DEBUG_ASSERT(slot < connections_.size() && connections_[slot].socket >= 0 &&
                      !connections_[slot].is_closing);
  return connections_[slot];
}

void IoUringIo::open(Slot slot, int socket) {
  NUNCIO_ASSERT(slot < settings_.slots_max && socket >= 0);
  if (slot >= connections_.size()) connections_.resize(slot + 1);
  Connection& c = connections_[slot];
  NUNCIO_ASSERT(c.socket < 0);
  const uint32_t generation = c.generation + 1;
  c = Connection{};
  c.socket = socket;
  c.generation = generation;
  note(Work::Kind::receive, slot);
}

void IoUringIo::send(Slot slot, const iovec* parts, unsigned count) {
  Connection& c = connection(slot);
  NUNCIO_ASSERT(c.send == nullptr);
  c.send = sends_.acquire(parts, count);
  note(Work::Kind::send, slot);
}

void IoUringIo::pause_receive(Slot slot) {
  connection(slot).is_paused = true;
  note(Work::Kind::receive, slot);
}

void IoUringIo::resume_receive(Slot slot) {
  connection(slot).is_paused = false;
  note(Work::Kind::receive, slot);
}

void IoUringIo::shutdown_send(Slot slot) {
  connection(slot).is_shutdown_wanted = true;
  note(Work::Kind::shutdown_send, slot);
}

void IoUringIo::close(Slot slot) {
  connection(slot).is_closing = true;
  note(Work::Kind::close, slot);
}

void IoUringIo::wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
}

}  // namespace

}  // namespace nuncio::net
