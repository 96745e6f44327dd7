#include "core/hash.h"

#include <random>

namespace nuncio {

uint64_t hash_seed() noexcept {
  static const uint64_t seed = [] {
    std::random_device device;
    return (uint64_t{device()} << 32) | device();
  }();
  return seed;
}

}  // namespace nuncio
