// BLAKE2b under a random key that lives only in this process: tells whether two secrets are the same without
// keeping or comparing their text. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace nuncio::auth {

using Digest = std::array<uint8_t, 32>;

// Each part is digested with its length, so that ("ab", "c") and ("a", "bc") differ. The first part names the
// purpose.
Digest keyed_digest(std::initializer_list<std::string_view> parts);
// Constant time.
bool is_equal(const Digest&, const Digest&) noexcept;

}  // namespace nuncio::auth
