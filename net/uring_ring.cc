#include "net/uring_ring.h"

#include <cerrno>
#include <cstring>
#include <span>

#include "net/uring_features.h"

namespace nuncio::net {

namespace {

constexpr unsigned submission_entries = 512;

// Best first. DEFER_TASKRUN: completion work runs only when we ask for it, in one batch (Linux 6.1).
// COOP_TASKRUN: at least no interrupt for it (5.19).
constexpr unsigned setups[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
        IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
    0,
};

}  // namespace

int UringRing::enter(unsigned complete_min, int64_t timeout_ns) {
  constexpr int64_t second_ns = 1'000'000'000;
  __kernel_timespec timeout{timeout_ns / second_ns, timeout_ns % second_ns};
  io_uring_getevents_arg argument{};
  if (complete_min > 0 && timeout_ns >= 0) argument.ts = reinterpret_cast<uintptr_t>(&timeout);
  const int result = io_uring_enter2(static_cast<unsigned>(enter_fd_), flush(), complete_min,
                                     IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | enter_flags_,
                                     reinterpret_cast<sigset_t*>(&argument), sizeof argument);
  // EBUSY and EAGAIN: the kernel wants completions taken, or memory, first; what was not submitted goes next
  // time.
  const bool is_well =
      result >= 0 || result == -ETIME || result == -EINTR || result == -EBUSY || result == -EAGAIN;
  return is_well ? 0 : -result;
}

io_uring_sqe* UringRing::try_sqe() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (sqe != nullptr) std::memset(sqe, 0, sizeof *sqe);
  return sqe;
}

// Publishes the entries filled in and returns how many the kernel has not taken yet.
unsigned UringRing::flush() {
  io_uring_sq& sq = ring_.sq;
  sq.sqe_head = sq.sqe_tail;
  io_uring_smp_store_release(sq.ktail, sq.sqe_tail);
  return sq.sqe_tail - io_uring_smp_load_acquire(sq.khead);
}

bool UringRing::set_up(const UringLimits& limits, std::string& why_not) {
  int error = 0;
  for (const unsigned flags : std::span(setups).subspan(limits.setups_skipped)) {
    if (try_flags(flags, limits.completion_entries, error)) break;
  }
  if (!is_set_up_) {
    why_not = std::string("io_uring_setup: ") + std::strerror(error);
    return false;
  }
  constexpr unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_SUBMIT_STABLE;
  if ((ring_.features & needed) != needed) {
    why_not = "the kernel's io_uring lacks timeouts in enter or keeps no overflown completions";
    return false;
  }
  // Slots and entries correspond one to one; newer libraries do it themselves or drop the array.
  if (ring_.sq.array != nullptr) {
    for (unsigned i = 0; i < *ring_.sq.kring_entries; ++i) ring_.sq.array[i] = i;
  }
  enter_fd_ = ring_.ring_fd;
  if (io_uring_register_ring_fd(&ring_) == 1) {  // saves the look-up of the descriptor in each call
    enter_fd_ = ring_.enter_ring_fd;
    enter_flags_ = IORING_ENTER_REGISTERED_RING;
  }
  return true;
}

bool UringRing::try_flags(unsigned flags, unsigned completion_entries, int& error) {
  io_uring_params params{};
  params.flags = flags | IORING_SETUP_CQSIZE;
  params.cq_entries = completion_entries;
  error = -io_uring_queue_init_params(submission_entries, &ring_, &params);
  is_set_up_ = error == 0;
  return is_set_up_;
}

int UringRing::register_buffers(io_uring_buf* buffers, uint32_t entries, uint16_t group, uint16_t flags) {
  BufferRingRegistration registration{};
  registration.ring_address = reinterpret_cast<uintptr_t>(buffers);
  registration.ring_entries = entries;
  registration.group = group;
  registration.flags = flags;
  return -io_uring_register(static_cast<unsigned>(ring_.ring_fd), IORING_REGISTER_PBUF_RING, &registration,
                            1);
}

UringRing::~UringRing() {
  if (is_set_up_) io_uring_queue_exit(&ring_);
}

}  // namespace nuncio::net
