// Equality of short texts on the hot path, without the call that memcmp is and without a byte loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace nuncio {

template <typename Word>
bool is_equal_word(const char* a, const char* b) noexcept {
  Word x, y;
  std::memcpy(&x, a, sizeof(x));
  std::memcpy(&y, b, sizeof(y));
  return x == y;
}

// Both have `size` bytes. Compares first and last word, which may overlap, and what lies between.
[[gnu::always_inline]] inline bool is_equal_text(const char* a, const char* b, size_t size) noexcept {
  if (size >= 8) {
    for (size_t i = 0; i + 8 < size; i += 8) {
      if (!is_equal_word<uint64_t>(a + i, b + i)) return false;
    }
    return is_equal_word<uint64_t>(a + size - 8, b + size - 8);
  }
  if (size >= 4) return is_equal_word<uint32_t>(a, b) && is_equal_word<uint32_t>(a + size - 4, b + size - 4);
  if (size >= 2) return is_equal_word<uint16_t>(a, b) && a[size - 1] == b[size - 1];
  return size == 0 || a[0] == b[0];
}

}  // namespace nuncio
