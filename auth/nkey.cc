#include "auth/nkey.h"

#include <sodium.h>

#include <algorithm>

#include "core/assert.h"
#include "core/nkey_text.h"

namespace nuncio::auth {
namespace {

constexpr uint8_t prefix_seed = 18 << 3;  // 'S'
constexpr size_t seed_raw_size = 2 + 32 + 2;
constexpr size_t seed_text_size = 58;

// A seed taken apart. Wiped when it goes.
struct Seed {
  uint8_t prefix = 0;
  std::array<uint8_t, crypto_sign_SEEDBYTES> bytes{};

  Seed() = default;
  Seed(const Seed&) = default;
  ~Seed() { sodium_memzero(bytes.data(), bytes.size()); }
};

std::optional<Seed> parse_seed(std::string_view text);
Secret encode_seed(const Seed& seed);

// What is derived from a seed. Wiped when it goes.
struct SigningKey {
  explicit SigningKey(const Seed& seed) {
    crypto_sign_seed_keypair(public_key.data(), secret_key.data(), seed.bytes.data());
  }
  ~SigningKey() { sodium_memzero(secret_key.data(), secret_key.size()); }
  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;

  PublicKey public_key;
  std::array<uint8_t, crypto_sign_SECRETKEYBYTES> secret_key;
};

bool is_letter_of_a_kind(uint8_t prefix) {
  constexpr std::array kinds{nkey_prefix_server, nkey_prefix_user, nkey_prefix_account, nkey_prefix_cluster,
                             nkey_prefix_operator};
  return std::find(kinds.begin(), kinds.end(), prefix) != kinds.end();
}

}  // namespace

std::optional<PublicKey> parse_user_nkey(std::string_view text) {
  const auto found = decode_nkey(text);
  if (!found || found->prefix != nkey_prefix_user) return std::nullopt;
  return found->key;
}

bool is_usable(const PublicKey& key) noexcept {
  return crypto_core_ed25519_is_valid_point(key.data()) == 1;
}

std::optional<Signature> parse_signature(std::string_view text) {
  if (text.ends_with("==")) text.remove_suffix(2);
  constexpr size_t digits = 86;
  if (text.size() != digits) return std::nullopt;
  const int variant = text.find_first_of("-_") == std::string_view::npos
                          ? sodium_base64_VARIANT_ORIGINAL_NO_PADDING
                          : sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  Signature signature;
  size_t size = 0;
  const char* end = nullptr;
  const int failed = sodium_base642bin(signature.data(), signature.size(), text.data(), text.size(), nullptr,
                                       &size, &end, variant);
  if (failed != 0 || size != signature.size() || end != text.data() + text.size()) return std::nullopt;
  return signature;
}

// libsodium refuses small-order keys and R, non-canonical keys and S, and R that is not what it computes
// itself (crypto_sign/ed25519/ref10/open.c, unless built with ED25519_COMPAT; tests/auth/nkey_test.cc looks).
bool is_signed_by(const PublicKey& key, const Signature& signature, std::string_view message) noexcept {
  return crypto_sign_verify_detached(signature.data(), reinterpret_cast<const unsigned char*>(message.data()),
                                     message.size(), key.data()) == 0;
}

std::string make_nonce() {
  NUNCIO_ASSERT(sodium_init() >= 0);
  std::array<uint8_t, 11> random;
  randombytes_buf(random.data(), random.size());
  std::array<char, sodium_base64_ENCODED_LEN(11, sodium_base64_VARIANT_URLSAFE_NO_PADDING)> text;
  return sodium_bin2base64(text.data(), text.size(), random.data(), random.size(),
                           sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

KeyPair make_key_pair(uint8_t prefix) {
  NUNCIO_ASSERT(sodium_init() >= 0);
  NUNCIO_ASSERT(is_letter_of_a_kind(prefix));
  Seed seed;
  seed.prefix = prefix;
  randombytes_buf(seed.bytes.data(), seed.bytes.size());
  return {encode_seed(seed), encode_public_nkey(prefix, SigningKey(seed).public_key.data())};
}

tl::expected<std::string, std::string> public_key_of(const Secret& text) {
  const auto seed = parse_seed(text.reveal());
  if (!seed) return tl::unexpected(std::string("is not the seed of a key"));
  return encode_public_nkey(seed->prefix, SigningKey(*seed).public_key.data());
}

tl::expected<Signature, std::string> sign(const Secret& text, std::string_view message) {
  const auto seed = parse_seed(text.reveal());
  if (!seed) return tl::unexpected(std::string("is not the seed of a key"));
  const SigningKey key(*seed);
  Signature signature;
  crypto_sign_detached(signature.data(), nullptr, reinterpret_cast<const unsigned char*>(message.data()),
                       message.size(), key.secret_key.data());
  return signature;
}

std::string encode_signature(const Signature& signature) {
  constexpr int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::array<char, sodium_base64_ENCODED_LEN(64, variant)> text;
  return sodium_bin2base64(text.data(), text.size(), signature.data(), signature.size(), variant);
}

namespace {

// The first two bytes are five bits 'S', eight bits of the kind of key, three zeros: so the second letter
// tells the kind.
std::optional<Seed> parse_seed(std::string_view text) {
  std::array<uint8_t, seed_raw_size> raw;
  Seed seed;
  const bool is_text = text.size() == seed_text_size && decode_base32(text, raw.data());
  if (is_text) {
    seed.prefix = static_cast<uint8_t>((raw[0] & 7) << 5 | raw[1] >> 3);
    std::copy_n(&raw[2], seed.bytes.size(), seed.bytes.begin());
  }
  const bool is_seed = is_text && (raw[0] & 0xf8) == prefix_seed && (raw[1] & 7) == 0 &&
                       is_letter_of_a_kind(seed.prefix) &&
                       crc16_xmodem(raw.data(), seed_raw_size - 2) == (raw[34] | raw[35] << 8);
  sodium_memzero(raw.data(), raw.size());
  if (!is_seed) return std::nullopt;
  return seed;
}

Secret encode_seed(const Seed& seed) {
  std::array<uint8_t, seed_raw_size> raw;
  raw[0] = static_cast<uint8_t>(prefix_seed | seed.prefix >> 5);
  raw[1] = static_cast<uint8_t>(seed.prefix << 3);
  std::copy(seed.bytes.begin(), seed.bytes.end(), &raw[2]);
  const uint16_t crc = crc16_xmodem(raw.data(), seed_raw_size - 2);
  raw[34] = static_cast<uint8_t>(crc);
  raw[35] = static_cast<uint8_t>(crc >> 8);
  std::string text = encode_base32(raw.data(), raw.size());
  sodium_memzero(raw.data(), raw.size());
  Secret encoded(text);
  wipe(text);
  return encoded;
}

}  // namespace
}  // namespace nuncio::auth
