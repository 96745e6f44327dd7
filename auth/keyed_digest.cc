#include "auth/keyed_digest.h"

#include <sodium.h>

#include "core/assert.h"

namespace nuncio::auth {
namespace {

const Digest& process_key() {
  static const Digest key = [] {
    NUNCIO_ASSERT(sodium_init() >= 0);
    Digest random;
    randombytes_buf(random.data(), random.size());
    return random;
  }();
  return key;
}

}  // namespace

Digest keyed_digest(std::initializer_list<std::string_view> parts) {
  const Digest& key = process_key();
  crypto_generichash_state state;
  crypto_generichash_init(&state, key.data(), key.size(), Digest{}.size());
  for (const std::string_view part : parts) {
    const uint64_t size = part.size();
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(&size), sizeof size);
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(part.data()), part.size());
  }
  Digest digest;
  crypto_generichash_final(&state, digest.data(), digest.size());
  sodium_memzero(&state, sizeof state);  // it buffers the end of the text
  return digest;
}

bool is_equal(const Digest& a, const Digest& b) noexcept {
  return sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace nuncio::auth
