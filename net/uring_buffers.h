// The receive buffers of a worker as an io_uring provided-buffer ring: the kernel picks one when bytes
// arrive, so an idle connection owns none. Where the kernel has incremental consumption, one buffer serves
// many small receives one behind the other and is given back when it is full. Owned by one worker.
#pragma once

#include <cstdint>
#include <vector>

#include "net/receive_buffers.h"
#include "net/uring_ring.h"

namespace nuncio::net {

class UringBuffers {
 public:
  static constexpr uint16_t group = 0;

  UringBuffers(uint32_t count, uint32_t size);
  ~UringBuffers();
  UringBuffers(const UringBuffers&) = delete;
  UringBuffers& operator=(const UringBuffers&) = delete;

  // Registers all buffers with `ring`; returns 0 or an errno. Once.
  int register_with(UringRing& ring, bool is_incremental);

  // Where the `size` bytes are that a completion says were received into buffer `id`; the bytes stay until
  // give_back(). Call it once for each such completion, in their order.
  char* take(uint16_t id, uint32_t size);

  // Hands the used-up buffers to the kernel again; nothing taken so far is valid any more.
  void give_back();

  // How many receives can surely be begun without running out.
  size_t receives_possible() const;

 private:
  void add(uint16_t id);
  void publish();

  ReceiveBuffers memory_;
  uint32_t entries_;    // of the ring: a power of two
  io_uring_buf* ring_;  // shared with the kernel; the tail lies in the first entry's reserved field
  uint16_t tail_ = 0;
  bool is_incremental_ = false;
  std::vector<uint32_t> consumed_;  // bytes used of each buffer
  std::vector<uint16_t> used_up_;   // to be given back
};

}  // namespace nuncio::net
