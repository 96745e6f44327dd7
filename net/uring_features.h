// What Debian 12's liburing 2.3 does not know of newer kernels, and the trial at start that tells whether
// this kernel does what we rely on. Never by version: distributions carry features back and sandboxes take
// them away.
#pragma once

#include <cstdint>
#include <string>

namespace nuncio::net {

class UringRing;
class UringBuffers;

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

// Registers `buffers` with `ring` and receives over a socket pair of its own: multishot, from provided
// buffers, cancelled at the end; tries incremental consumption first. False, with a reason, when neither way
// works.
bool try_multishot_receive(UringRing& ring, UringBuffers& buffers, std::string& why_not);

}  // namespace nuncio::net
