// The hash of subjects, tokens and sids. Seeded at start, so that nobody outside can prepare names that
// collide.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdint>
#include <string_view>

namespace nuncio {

uint64_t hash_seed() noexcept;  // random, one for the process

inline uint64_t hash_bytes(std::string_view bytes, uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace nuncio
