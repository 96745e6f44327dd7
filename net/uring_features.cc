#include "net/uring_features.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "net/uring_buffers.h"
#include "net/uring_ring.h"

namespace nuncio::net {

namespace {

constexpr uint64_t receive_tag = 1;
constexpr uint64_t cancel_tag = 2;
constexpr int64_t trial_timeout_ns = 1'000'000'000;

// The one completion of the receive that the step before must have caused.
struct Completion {
  int result = -ETIME;
  unsigned flags = 0;
};

Completion next_receive(UringRing& ring) {
  Completion found;
  bool was_found = false;
  constexpr int attempts = 4;  // a cancellation's own completion may come first
  for (int i = 0; i < attempts && !was_found; ++i) {
    const int error = ring.enter(1, trial_timeout_ns);
    if (error != 0) return {-error, 0};
    ring.for_each_completion([&](const io_uring_cqe& completion) {
      if (completion.user_data != receive_tag) return;
      found = {completion.res, completion.flags};
      was_found = true;
    });
  }
  return found;
}

// Empty if well, else what is wrong.
std::string receive(UringRing& ring, UringBuffers& buffers, int writer, std::string_view bytes) {
  const auto size = static_cast<int>(bytes.size());
  if (::send(writer, bytes.data(), bytes.size(), MSG_NOSIGNAL) != size) return "cannot send to a socket pair";
  const Completion completion = next_receive(ring);
  if (completion.result < 0) return std::string("multishot receive: ") + std::strerror(-completion.result);
  constexpr unsigned expected = IORING_CQE_F_BUFFER | IORING_CQE_F_MORE;
  if (completion.result != size || (completion.flags & expected) != expected) return "no multishot receive";
  const auto id = static_cast<uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
  const char* data = buffers.take(id, static_cast<uint32_t>(size));
  return std::memcmp(data, bytes.data(), bytes.size()) == 0 ? "" : "multishot receive gives wrong bytes";
}

std::string receive_and_cancel(UringRing& ring, UringBuffers& buffers, const int (&ends)[2]) {
  io_uring_sqe* entry = ring.try_sqe();
  io_uring_prep_recv_multishot(entry, ends[0], nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = UringBuffers::group;
  entry->user_data = receive_tag;
  // A cache line each, so that what follows in the same buffer is aligned.
  for (const std::string& bytes : {std::string(64, 'a'), std::string(64, 'b')}) {
    std::string trouble = receive(ring, buffers, ends[1], bytes);
    if (!trouble.empty()) return trouble;
  }
  entry = ring.try_sqe();
  io_uring_prep_cancel64(entry, receive_tag, 0);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = cancel_tag;
  return next_receive(ring).result == -ECANCELED ? "" : "a multishot receive cannot be cancelled";
}

std::string try_on_socket_pair(UringRing& ring, UringBuffers& buffers) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return std::string("socketpair: ") + std::strerror(errno);
  }
  std::string trouble = receive_and_cancel(ring, buffers, ends);
  ::close(ends[0]);
  ::close(ends[1]);
  return trouble;
}

}  // namespace

bool try_multishot_receive(UringRing& ring, UringBuffers& buffers, const UringLimits& limits,
                           std::string& why_not) {
  const int error = buffers.register_with(ring, limits.may_be_incremental);
  why_not = error != 0 ? std::string("provided buffer rings: ") + std::strerror(error)
                       : try_on_socket_pair(ring, buffers);
  return why_not.empty();
}

}  // namespace nuncio::net
