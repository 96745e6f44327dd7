#include "net/receive_buffers.h"

#include <sys/mman.h>

#include "core/assert.h"
#include "net/io.h"

namespace nuncio::net {

namespace {

constexpr size_t cache_line = 64;

size_t rounded_up(size_t size) {
  return (size + cache_line - 1) & ~(cache_line - 1);
}

}  // namespace

ReceiveBuffers::ReceiveBuffers(uint32_t count, uint32_t size)
    : count_(count), size_(size), stride_(rounded_up(size + io_padding)) {
  NUNCIO_ASSERT(count > 0 && size > 0);
  void* memory = mmap(nullptr, count_ * stride_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  NUNCIO_ASSERT(memory != MAP_FAILED);
  memory_ = static_cast<char*>(memory);
}

ReceiveBuffers::~ReceiveBuffers() {
  munmap(memory_, count_ * stride_);
}

}  // namespace nuncio::net
