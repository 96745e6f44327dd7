// Equal small blocks for one thread, without a header each. Blocks go back to the pool, not to the system,
// until the pool goes. A pool may be left by its owner while blocks wait in Epochs: the last of those frees
// it. Under a sanitizer each block is an allocation of its own, so that a stale pointer is seen.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

namespace nuncio {

class BlockPool {
 public:
  explicit BlockPool(size_t block_size) : block_size_(block_size) {}
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // The owning thread. allocate() allocates now and then.
  void* allocate();
  void release(void* block);

  // References beside the owner's, for blocks that are released later. Any thread.
  void hold() { references_.fetch_add(1, std::memory_order_relaxed); }
  static void let_go(BlockPool* pool) {
    if (pool->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete pool;
  }

 private:
  struct Free {
    Free* next;
  };

  ~BlockPool() = default;
  void add_slab();

  const size_t block_size_;
  Free* free_ = nullptr;
  std::byte* fresh_ = nullptr;  // the rest of the newest slab, never used yet
  std::byte* fresh_end_ = nullptr;
  std::vector<std::unique_ptr<std::byte[]>> slabs_;
  std::atomic<size_t> references_{1};
};

}  // namespace nuncio
