// One io_uring: set up with the best flags this kernel takes (found by trying), submission entries, and one
// system call per turn that submits, runs the completion work and waits. A thin layer over liburing; what the
// completions mean is the caller's business. Lives on the thread that set it up.
#pragma once

#include <liburing.h>

#include <cstdint>
#include <string>

namespace nuncio::net {

struct UringLimits;

class UringRing {
 public:
  UringRing() = default;
  ~UringRing();
  UringRing(const UringRing&) = delete;
  UringRing& operator=(const UringRing&) = delete;

  // Returns false, with a reason, where the kernel or a sandbox refuses. Call once, before anything else.
  bool set_up(const UringLimits& limits, std::string& why_not);

  // A zeroed submission entry, or null when the queue is full: enter() and take completions, then ask again.
  io_uring_sqe* try_sqe();

  // Submits what was filled in and waits until `complete_min` completions are there, at most `timeout_ns`
  // (negative: no limit). One system call. Returns early on a signal or an overfull completion queue. Returns
  // 0, or the errno of a failure that no repetition mends.
  int enter(unsigned complete_min, int64_t timeout_ns);

  // Whether the kernel has completion work that the next enter() would run.
  bool has_work() const {
    const unsigned* flags = ring_.sq.kflags;
    return (__atomic_load_n(flags, __ATOMIC_RELAXED) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
  }

  // Calls `take(const io_uring_cqe&)` for each completion that is there; `take` must not ask for completions
  // itself.
  template <typename Take>
  void for_each_completion(Take&& take) {
    const unsigned mask = *ring_.cq.kring_mask;
    unsigned head = *ring_.cq.khead;
    const unsigned tail = io_uring_smp_load_acquire(ring_.cq.ktail);
    for (; head != tail; ++head) take(static_cast<const io_uring_cqe&>(ring_.cq.cqes[head & mask]));
    io_uring_smp_store_release(ring_.cq.khead, head);
  }

  // Provided-buffer registration; `flags` as in uring_features.h. Returns 0 or an errno.
  int register_buffers(io_uring_buf* buffers, uint32_t entries, uint16_t group, uint16_t flags);

 private:
  bool try_flags(unsigned flags, unsigned completion_entries, int& error);
  unsigned flush();

  io_uring ring_{};
  int enter_fd_ = -1;
  unsigned enter_flags_ = 0;
  bool is_set_up_ = false;
};

}  // namespace nuncio::net
