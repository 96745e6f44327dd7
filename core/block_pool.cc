#include "core/block_pool.h"

#include <algorithm>
#include <new>

namespace nuncio {
namespace {

constexpr size_t slab_size_min = 1024;  // there may be thousands of accounts with few subscriptions
constexpr size_t slab_size_max = 64 * 1024;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_pooling = false;
#else
constexpr bool is_pooling = true;
#endif

}  // namespace

void* BlockPool::allocate() {
  if constexpr (!is_pooling) return ::operator new(block_size_);
  if (free_ != nullptr) {
    Free* block = free_;
    free_ = block->next;
    return block;
  }
  if (fresh_ == fresh_end_) add_slab();
  void* block = fresh_;
  fresh_ += block_size_;
  return block;
}

void BlockPool::release(void* block) {
  if constexpr (!is_pooling) {
    ::operator delete(block);
    return;
  }
  free_ = new (block) Free{free_};
}

void BlockPool::add_slab() {
  const size_t size = std::min(slab_size_min << std::min<size_t>(slabs_.size(), 16), slab_size_max);
  const size_t blocks = size / block_size_;
  slabs_.push_back(std::unique_ptr<std::byte[]>(new std::byte[blocks * block_size_]));
  fresh_ = slabs_.back().get();
  fresh_end_ = fresh_ + blocks * block_size_;
}

}  // namespace nuncio
