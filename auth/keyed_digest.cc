#include "auth/keyed_digest.h"

#include <sodium.h>

#include "core/assert.h"

namespace nuncio::auth {
namespace {

constexpr size_t stack_of_compression = 2048;

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
  // The compression leaves registers full of text on the stack (256 bytes of it at a time); a thread that
  // sleeps now would keep them for as long.
  sodium_stackzero(stack_of_compression);
  return digest;
}

bool is_equal(const Digest& a, const Digest& b) noexcept {
  return sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace nuncio::auth
