// Texts of keys, seeds and signatures of any shape: what is taken has one text only, and a forged signature
// never holds.
#include <cstdint>
#include <string>
#include <string_view>

#include "auth/nkey.h"
#include "core/assert.h"
#include "core/nkey_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace nuncio;
  using namespace nuncio::auth;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto decoded = decode_nkey(text);
  if (decoded) NUNCIO_ASSERT(encode_public_nkey(decoded->prefix, decoded->key.data()) == text);
  const auto key = parse_user_nkey(text);
  NUNCIO_ASSERT(key.has_value() == (decoded && decoded->prefix == nkey_prefix_user));
  if (key) is_usable(*key);

  static const KeyPair pair = make_key_pair(nkey_prefix_user);
  static const PublicKey ours = *parse_user_nkey(pair.public_key);
  if (const auto signature = parse_signature(text)) {
    NUNCIO_ASSERT(*parse_signature(encode_signature(*signature)) == *signature);
    NUNCIO_ASSERT(!is_signed_by(ours, *signature, text));
    if (key) NUNCIO_ASSERT(!is_signed_by(*key, *signature, text));
  }

  const auto public_key = public_key_of(Secret(text));
  if (!public_key) {
    NUNCIO_ASSERT(!public_key.error().empty());
    return 0;
  }
  const auto seeds_key = decode_nkey(*public_key);
  NUNCIO_ASSERT(seeds_key && text[0] == 'S' && text[1] == (*public_key)[0]);
  NUNCIO_ASSERT(is_signed_by(seeds_key->key, *sign(Secret(text), "a message"), "a message"));
  return 0;
}
