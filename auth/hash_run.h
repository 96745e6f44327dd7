// Runs the hash functions of libxcrypt. Slow by design: verifier threads, start-up checks and the password
// tool only.
#pragma once

#include <chrono>
#include <string_view>

#include "auth/hash_format.h"
#include "core/secret.h"

namespace nuncio::auth {

// True when `candidate` hashes to `stored`, a text that parse_hash() accepted as `format`. Constant-time
// comparison; working memory is the thread's own and wiped. False for candidates with NUL bytes (AU-22), for
// those of 512 bytes and more (libxcrypt's limit) unless the method is bcrypt, which uses the first 72 bytes
// only (AT-4).
bool hash_matches(std::string_view stored, const HashFormat& format, std::string_view candidate) noexcept;

// A new hash of `password` with a random salt: `prefix` and `cost` as crypt_gensalt(3) takes them. Empty on
// failure.
Secret make_hash(const char* prefix, unsigned long cost, std::string_view password);

// How long one check takes on this machine, extrapolated from a cheap one that is run now (milliseconds).
std::chrono::milliseconds estimated_check_time(const HashFormat& format);

}  // namespace nuncio::auth
