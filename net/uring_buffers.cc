#include "net/uring_buffers.h"

#include <sys/mman.h>

#include <atomic>
#include <bit>
#include <cstddef>

#include "core/assert.h"
#include "net/uring_features.h"

namespace nuncio::net {

char* UringBuffers::take(uint16_t id, uint32_t size) {
  NUNCIO_ASSERT(id < memory_.count() && consumed_[id] + size <= memory_.size());
  char* data = memory_.at(id) + consumed_[id];
  consumed_[id] += size;
  // Counted here, not read from F_BUF_MORE: kernels up to 6.19 leave that flag out at the end of a stream
  // although nothing of the buffer was consumed.
  if (!is_incremental_ || consumed_[id] == memory_.size()) used_up_.push_back(id);
  return data;
}

void UringBuffers::give_back() {
  if (used_up_.empty()) return;
  for (const uint16_t id : used_up_) add(id);
  used_up_.clear();
  publish();
}

size_t UringBuffers::receives_possible() const {
  constexpr uint32_t small_receive = 4096;
  const size_t buffers = memory_.count() - used_up_.size();
  return is_incremental_ && memory_.size() > small_receive ? buffers * (memory_.size() / small_receive)
                                                           : buffers;
}

void UringBuffers::add(uint16_t id) {
  // Field by field: the reserved field of the first entry is the tail.
  io_uring_buf& entry = ring_[tail_++ & (entries_ - 1)];
  entry.addr = reinterpret_cast<uintptr_t>(memory_.at(id));
  entry.len = memory_.size();
  entry.bid = id;
  consumed_[id] = 0;
}

void UringBuffers::publish() {
  static_assert(offsetof(io_uring_buf, resv) == 14, "where the kernel reads the tail");
  std::atomic_ref(ring_[0].resv).store(tail_, std::memory_order_release);
}

int UringBuffers::register_with(UringRing& ring, bool is_incremental) {
  is_incremental_ = is_incremental;
  const int error =
      ring.register_buffers(ring_, entries_, group, is_incremental ? buffer_ring_incremental : uint16_t{0});
  if (error != 0) return error;
  for (uint32_t id = 0; id < memory_.count(); ++id) add(static_cast<uint16_t>(id));
  publish();
  return 0;
}

UringBuffers::UringBuffers(uint32_t count, uint32_t size)
    : memory_(count, size), entries_(std::bit_ceil(count)), consumed_(count, 0) {
  constexpr uint32_t entries_max = 32768;  // the kernel's limit
  NUNCIO_ASSERT(entries_ <= entries_max);
  void* memory = mmap(nullptr, entries_ * sizeof(io_uring_buf), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  NUNCIO_ASSERT(memory != MAP_FAILED);
  ring_ = static_cast<io_uring_buf*>(memory);
  used_up_.reserve(count);
}

UringBuffers::~UringBuffers() {
  munmap(ring_, entries_ * sizeof(io_uring_buf));
}

}  // namespace nuncio::net
