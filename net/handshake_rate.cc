#include "net/handshake_rate.h"

namespace nuncio::net {

bool HandshakeRate::admits(uint32_t per_second) {
  if (per_second == 0) return true;
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  if (now - second_began_ >= std::chrono::seconds(1)) {
    second_began_ = now;
    begun_ = 0;
  }
  if (begun_ >= per_second) return false;
  ++begun_;
  return true;
}

}  // namespace nuncio::net
