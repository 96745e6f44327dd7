#include "nkey_client.h"

#include <sodium.h>

#include <stdexcept>
#include <vector>

namespace nuncio::test {
namespace {

constexpr unsigned char user_prefix = 20 << 3;

uint16_t crc16_xmodem(const std::vector<unsigned char>& bytes) {
  unsigned crc = 0;
  for (const unsigned char byte : bytes) {
    crc ^= static_cast<unsigned>(byte) << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
  }
  return static_cast<uint16_t>(crc);
}

std::string base32(const std::vector<unsigned char>& bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string result;
  unsigned bits = 0;
  int count = 0;
  for (const unsigned char byte : bytes) {
    bits = (bits << 8 | byte) & 0xffff;
    for (count += 8; count >= 5; count -= 5) result += alphabet[bits >> (count - 5) & 31];
  }
  if (count > 0) result += alphabet[bits << (5 - count) & 31];
  return result;
}

std::string base64(const std::array<unsigned char, 64>& bytes, int variant) {
  std::string result(sodium_base64_ENCODED_LEN(bytes.size(), variant), '\0');
  sodium_bin2base64(result.data(), result.size(), bytes.data(), bytes.size(), variant);
  result.resize(result.find('\0'));
  return result;
}

}  // namespace

UserKey::UserKey() {
  if (sodium_init() < 0) throw std::runtime_error("libsodium does not start");
  std::array<unsigned char, 32> key;
  crypto_sign_keypair(key.data(), secret_.data());
  text_ = nkey_text(user_prefix, key);
}

std::array<unsigned char, 64> UserKey::sign(std::string_view message) const {
  std::array<unsigned char, 64> signature;
  crypto_sign_detached(signature.data(), nullptr, reinterpret_cast<const unsigned char*>(message.data()),
                       message.size(), secret_.data());
  return signature;
}

Json UserKey::login(std::string_view nonce) const {
  return {{"nkey", text_}, {"sig", base64_url(sign(nonce))}};
}

std::string nkey_text(unsigned char prefix, const std::array<unsigned char, 32>& key) {
  std::vector<unsigned char> bytes{prefix};
  bytes.insert(bytes.end(), key.begin(), key.end());
  const uint16_t checksum = crc16_xmodem(bytes);
  bytes.push_back(static_cast<unsigned char>(checksum & 0xff));
  bytes.push_back(static_cast<unsigned char>(checksum >> 8));
  return base32(bytes);
}

std::string base64_url(const std::array<unsigned char, 64>& bytes) {
  return base64(bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

std::string base64_standard(const std::array<unsigned char, 64>& bytes) {
  return base64(bytes, sodium_base64_VARIANT_ORIGINAL);
}

}  // namespace nuncio::test
