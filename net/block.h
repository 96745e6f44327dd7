// A reference-counted piece of memory for what must outlive the turn that received it: a large payload, a
// partial operation, the rest of a paused publisher. Outboxes and rings on any worker may hold a reference;
// the bytes do not change once a second reference exists.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace nuncio::net {

class Block {
 public:
  // Capacity in bytes; `padding` more are readable behind it. Throws nothing; ends the process when memory is
  // out.
  static Block* make(uint32_t capacity);

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) free();
  }
  // False: the caller's reference is the only one, and will be while it makes no other.
  bool is_shared() const noexcept { return references_.load(std::memory_order_acquire) != 1; }
  char* data() noexcept { return reinterpret_cast<char*>(this + 1); }
  uint32_t capacity() const noexcept { return capacity_; }

  static constexpr uint32_t padding = 64;
  // Bytes in all blocks of the process (I6). Any thread.
  static uint64_t bytes_in_use() noexcept;

 private:
  explicit Block(uint32_t capacity) : capacity_(capacity) {}
  void free() noexcept;

  std::atomic<uint32_t> references_{1};
  uint32_t capacity_;
};

// One reference. Movable, copied only by share(), so that every count is visible in the code.
class BlockRef {
 public:
  BlockRef() = default;
  explicit BlockRef(Block* adopted) : block_(adopted) {}
  BlockRef(BlockRef&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  BlockRef& operator=(BlockRef&& other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~BlockRef() {
    if (block_ != nullptr) block_->release();
  }
  BlockRef share() const {
    if (block_ != nullptr) block_->retain();
    return BlockRef(block_);
  }
  void reset() { BlockRef().swap(*this); }
  void swap(BlockRef& other) noexcept { std::swap(block_, other.block_); }
  Block* detach() { return std::exchange(block_, nullptr); }
  Block* get() const { return block_; }
  Block* operator->() const { return block_; }
  explicit operator bool() const { return block_ != nullptr; }

 private:
  Block* block_ = nullptr;
};

}  // namespace nuncio::net
