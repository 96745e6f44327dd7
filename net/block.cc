#include "net/block.h"

#include <cstdlib>
#include <new>

#include "core/assert.h"

namespace nuncio::net {
namespace {

std::atomic<uint64_t> bytes{0};

}  // namespace

Block* Block::make(uint32_t capacity) {
  void* memory = std::malloc(sizeof(Block) + capacity + padding);
  NUNCIO_ASSERT(memory != nullptr);
  bytes.fetch_add(capacity, std::memory_order_relaxed);
  return new (memory) Block(capacity);
}

void Block::free() noexcept {
  bytes.fetch_sub(capacity_, std::memory_order_relaxed);
  this->~Block();
  std::free(this);
}

uint64_t Block::bytes_in_use() noexcept {
  return bytes.load(std::memory_order_relaxed);
}

}  // namespace nuncio::net
