#include "net/tls_aead.h"

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

}  // namespace

std::array<TlsAead::Cipher, 3> TlsAead::by_speed() {
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

void TlsAead::FreeGcm::operator()(mbedtls_gcm_context* gcm) const {
  mbedtls_gcm_free(gcm);  // wipes it
  delete gcm;
}

void TlsAead::set_key(std::span<const uint8_t> key) {
  NUNCIO_ASSERT(key.size() == key_size(cipher_));
  if (is_of_sodium(cipher_)) {
    std::ranges::copy(key, key_.begin());
    return;
  }
  gcm_.reset(new mbedtls_gcm_context);
  mbedtls_gcm_init(gcm_.get());
  // Fails for want of memory only.
  NUNCIO_ASSERT(mbedtls_gcm_setkey(gcm_.get(), MBEDTLS_CIPHER_ID_AES, key.data(),
                                   static_cast<unsigned>(key.size() * 8)) == 0);
}

bool TlsAead::seal(const Nonce& nonce, std::span<const uint8_t> context, std::span<const uint8_t> plain,
                   uint8_t* sealed) {
  uint8_t* const tag = sealed + plain.size();
  if (gcm_)
    return mbedtls_gcm_crypt_and_tag(gcm_.get(), MBEDTLS_GCM_ENCRYPT, plain.size(), nonce.data(),
                                     nonce.size(), context.data(), context.size(), plain.data(), sealed,
                                     tag_size, tag) == 0;
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
  if (gcm_)
    return mbedtls_gcm_auth_decrypt(gcm_.get(), size, nonce.data(), nonce.size(), context.data(),
                                    context.size(), tag, tag_size, sealed.data(), plain) == 0;
  const auto decrypt = cipher_ == Cipher::aes_256_gcm ? crypto_aead_aes256gcm_decrypt_detached
                                                      : crypto_aead_chacha20poly1305_ietf_decrypt_detached;
  return decrypt(plain, nullptr, sealed.data(), size, tag, context.data(), context.size(), nonce.data(),
                 key_.data()) == 0;
}

}  // namespace nuncio::net
