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
    ring.enter(1, trial_timeout_ns);
    ring.for_each_completion([&](const io_uring_cqe& completion) {
      if (completion.user_data != receive_tag) return;
      found = {completion.res, completion.flags};
      was_found = true;
    });
  }
  return found;
}

bool receives(UringRing& ring, UringBuffers& buffers, int writer, std::string_view bytes) {
  if (::send(writer, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
    return false;
  const Completion completion = next_receive(ring);
  constexpr unsigned expected = IORING_CQE_F_BUFFER | IORING_CQE_F_MORE;
  if (completion.result != static_cast<int>(bytes.size()) || (completion.flags & expected) != expected)
    return false;
  const auto id = static_cast<uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
  const char* data = buffers.take(id, static_cast<uint32_t>(bytes.size()));
  return std::memcmp(data, bytes.data(), bytes.size()) == 0;
}

bool works(UringRing& ring, UringBuffers& buffers) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return false;
  io_uring_sqe* receive = ring.try_sqe();
  io_uring_prep_recv_multishot(receive, ends[0], nullptr, 0, 0);
  receive->flags |= IOSQE_BUFFER_SELECT;
  receive->buf_group = UringBuffers::group;
  receive->user_data = receive_tag;
  bool is_good = receives(ring, buffers, ends[1], "a") && receives(ring, buffers, ends[1], "bc");

  io_uring_sqe* cancel = ring.try_sqe();
  io_uring_prep_cancel64(cancel, receive_tag, 0);
  cancel->flags |= IOSQE_CQE_SKIP_SUCCESS;
  cancel->user_data = cancel_tag;
  is_good = next_receive(ring).result == -ECANCELED && is_good;
  ::close(ends[0]);
  ::close(ends[1]);
  return is_good;
}

}  // namespace

bool try_multishot_receive(UringRing& ring, UringBuffers& buffers, std::string& why_not) {
  for (const bool is_incremental : {true, false}) {
    const int error = buffers.register_with(ring, is_incremental);
    if (error != 0) {
      why_not = std::string("provided buffer rings: ") + std::strerror(error);
      continue;
    }
    if (works(ring, buffers)) return true;
    buffers.unregister_from(ring);
    why_not = "multishot receive does not work as expected";
  }
  return false;
}

}  // namespace nuncio::net
