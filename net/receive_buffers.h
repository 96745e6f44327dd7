// The memory a worker receives into: `count` buffers of `size` bytes, each followed by io_padding readable
// bytes. What it is not: an allocator. The back ends decide which buffer is filled next; nothing in a buffer
// outlives the turn that received it. Pages that were never received into are not resident. Owned by one
// worker.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nuncio::net {

class ReceiveBuffers {
 public:
  // Reserves the memory; ends the process when there is none (happens at start only).
  ReceiveBuffers(uint32_t count, uint32_t size);
  ~ReceiveBuffers();
  ReceiveBuffers(const ReceiveBuffers&) = delete;
  ReceiveBuffers& operator=(const ReceiveBuffers&) = delete;

  char* at(uint32_t index) const { return memory_ + index * stride_; }
  uint32_t count() const { return count_; }
  uint32_t size() const { return size_; }

 private:
  uint32_t count_;
  uint32_t size_;
  size_t stride_;
  char* memory_;
};

}  // namespace nuncio::net
