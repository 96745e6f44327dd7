#include "net/tls_aead.h"

#include <nettle/gcm.h>
#include <nettle/nettle-meta.h>
#include <sodium.h>

#include <algorithm>

#include "core/assert.h"

namespace nuncio::net {
namespace {

// libsodium has AES only where the processor has, and only with 256 bits.
bool is_of_sodium(TlsAead::Cipher cipher) {
  return cipher == TlsAead::Cipher::chacha20_poly1305 ||
         (cipher == TlsAead::Cipher::aes_256_gcm && crypto_aead_aes256gcm_is_available() == 1);
}

// AES-GCM of nettle. Made anew for each record, which takes some 60 ns: a connection would have to keep 4 KB.
// nettle expands the key with loads that depend on it, from a table of 256 bytes, which whoever shares the
// processor's caches may see a little of; libsodium's ciphers have none.
class Gcm {
 public:
  Gcm(TlsAead::Cipher cipher, const uint8_t* key, const TlsAead::Nonce& nonce,
      std::span<const uint8_t> context)
      : algorithm_(cipher == TlsAead::Cipher::aes_128_gcm ? nettle_gcm_aes128 : nettle_gcm_aes256) {
    algorithm_.set_encrypt_key(&state_, key);  // GCM decrypts with it too
    algorithm_.set_nonce(&state_, nonce.data());
    algorithm_.update(&state_, context.size(), context.data());
  }
  ~Gcm() { sodium_memzero(&state_, sizeof state_); }
  Gcm(const Gcm&) = delete;
  Gcm& operator=(const Gcm&) = delete;

  void encrypt(std::span<const uint8_t> from, uint8_t* to) {
    algorithm_.encrypt(&state_, from.size(), to, from.data());
  }
  void decrypt(std::span<const uint8_t> from, uint8_t* to) {
    algorithm_.decrypt(&state_, from.size(), to, from.data());
  }
  void tag(uint8_t* to) { algorithm_.digest(&state_, TlsAead::tag_size, to); }

 private:
  const nettle_aead& algorithm_;
  union {
    gcm_aes128_ctx of_128;
    gcm_aes256_ctx of_256;
  } state_;
};

}  // namespace

std::array<TlsAead::Cipher, 3> TlsAead::by_preference() {
  using enum Cipher;
  if (is_of_sodium(aes_256_gcm)) return {aes_256_gcm, chacha20_poly1305, aes_128_gcm};
  return {chacha20_poly1305, aes_128_gcm, aes_256_gcm};
}

TlsAead::TlsAead(Cipher cipher, std::span<const uint8_t> key) : cipher_(cipher) {
  set_key(key);
}

TlsAead::~TlsAead() {
  sodium_memzero(key_.data(), key_.size());
}

void TlsAead::set_key(std::span<const uint8_t> key) {
  NUNCIO_ASSERT(key.size() == key_size(cipher_));
  std::ranges::copy(key, key_.begin());
}

bool TlsAead::seal(const Nonce& nonce, std::span<const uint8_t> context, std::span<const uint8_t> plain,
                   uint8_t* sealed) {
  uint8_t* const tag = sealed + plain.size();
  if (!is_of_sodium(cipher_)) {
    Gcm gcm(cipher_, key_.data(), nonce, context);
    gcm.encrypt(plain, sealed);
    gcm.tag(tag);
    return true;
  }
  const auto encrypt = cipher_ == Cipher::aes_256_gcm ? crypto_aead_aes256gcm_encrypt_detached
                                                      : crypto_aead_chacha20poly1305_ietf_encrypt_detached;
  return encrypt(sealed, tag, nullptr, plain.data(), plain.size(), context.data(), context.size(), nullptr,
                 nonce.data(), key_.data()) == 0;
}

bool TlsAead::open(const Nonce& nonce, std::span<const uint8_t> context, std::span<const uint8_t> sealed,
                   uint8_t* plain) {
  NUNCIO_ASSERT(sealed.size() >= tag_size);
  const size_t size = sealed.size() - tag_size;
  const uint8_t* const tag = sealed.data() + size;
  if (!is_of_sodium(cipher_)) {
    Gcm gcm(cipher_, key_.data(), nonce, context);
    gcm.decrypt(sealed.first(size), plain);
    std::array<uint8_t, tag_size> right;
    gcm.tag(right.data());
    // `tag` stands behind `plain` where that is decrypted in place.
    if (sodium_memcmp(right.data(), tag, tag_size) == 0) return true;
    sodium_memzero(plain, size);
    return false;
  }
  const auto decrypt = cipher_ == Cipher::aes_256_gcm ? crypto_aead_aes256gcm_decrypt_detached
                                                      : crypto_aead_chacha20poly1305_ietf_decrypt_detached;
  return decrypt(plain, nullptr, sealed.data(), size, tag, context.data(), context.size(), nonce.data(),
                 key_.data()) == 0;
}

}  // namespace nuncio::net
