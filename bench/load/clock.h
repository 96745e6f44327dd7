// Monotonic time in nanoseconds, the only time this program measures in.
#pragma once

#include <time.h>

#include <cstdint>

namespace nuncio::load {

constexpr uint64_t ns_per_s = 1'000'000'000;
constexpr uint64_t ns_per_ms = 1'000'000;

inline uint64_t now_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * ns_per_s + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace nuncio::load
