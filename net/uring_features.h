// What Debian 12's liburing 2.3 does not know of newer kernels, and the trial at start that tells whether
// this kernel does what we rely on. Never by version: distributions carry features back and sandboxes take
// them away.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "net/io.h"

namespace nuncio::net {

class UringRing;
class UringBuffers;

// Leaves out what newer kernels have, so that tests reach the ways of older ones. The default leaves out
// nothing.
struct UringLimits {
  unsigned setups_skipped = 0;  // 1: no DEFER_TASKRUN; 2: no COOP_TASKRUN either
  unsigned completion_entries = 4096;
  bool may_be_incremental = true;
};

// Flag of a provided-buffer ring: consume buffers piece by piece (IOU_PBUF_RING_INC, Linux 6.12).
inline constexpr uint16_t buffer_ring_incremental = 2;

// Argument of IORING_REGISTER_PBUF_RING; liburing 2.3 calls the flags padding.
struct BufferRingRegistration {
  uint64_t ring_address;
  uint32_t ring_entries;
  uint16_t group;
  uint16_t flags;
  uint64_t reserved[3];
};
static_assert(sizeof(BufferRingRegistration) == 40);

// Registers `buffers` with `ring`, incremental if they may be, and receives over a socket pair of its own:
// multishot, from provided buffers, cancelled at the end. False, with a reason, when something is not as it
// should be; the ring is then of no further use.
bool try_multishot_receive(UringRing& ring, UringBuffers& buffers, const UringLimits& limits,
                           std::string& why_not);

// make_io_uring of io.h with limits.
std::unique_ptr<Io> make_io_uring(const IoSettings& settings, const UringLimits& limits,
                                  std::string& why_not);

}  // namespace nuncio::net
