#include "core/nkey_text.h"

#include <algorithm>
#include <cstring>

namespace nuncio {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";  // RFC 4648
constexpr size_t raw_size = 1 + 32 + 2;
constexpr size_t text_size = raw_size * 8 / 5;

}  // namespace

std::string encode_public_nkey(uint8_t prefix, const uint8_t* key) {
  std::array<uint8_t, raw_size> raw;
  raw[0] = prefix;
  std::memcpy(&raw[1], key, 32);
  const uint16_t crc = crc16_xmodem(raw.data(), 33);
  raw[33] = static_cast<uint8_t>(crc);
  raw[34] = static_cast<uint8_t>(crc >> 8);
  return encode_base32(raw.data(), raw.size());
}

std::optional<NkeyText> decode_nkey(std::string_view text) {
  std::array<uint8_t, raw_size> raw;
  if (text.size() != text_size || !decode_base32(text, raw.data())) return std::nullopt;
  if (crc16_xmodem(raw.data(), 33) != (raw[33] | raw[34] << 8)) return std::nullopt;
  NkeyText found;
  found.prefix = raw[0];
  std::copy_n(&raw[1], found.key.size(), found.key.begin());
  return found;
}

bool is_user_nkey(std::string_view text) {
  const auto found = decode_nkey(text);
  return found && found->prefix == nkey_prefix_user;
}

uint16_t crc16_xmodem(const uint8_t* bytes, size_t size) noexcept {
  unsigned crc = 0;
  for (size_t i = 0; i < size; ++i) {
    crc ^= static_cast<unsigned>(bytes[i]) << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
  }
  return static_cast<uint16_t>(crc);
}

std::string encode_base32(const uint8_t* bytes, size_t size) {
  std::string text;
  unsigned buffer = 0;
  unsigned bits = 0;
  for (size_t i = 0; i < size; ++i) {
    buffer = buffer << 8 | bytes[i];
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet[buffer >> (bits - 5) & 31];
    buffer &= (1u << bits) - 1;
  }
  if (bits > 0) text += alphabet[buffer << (5 - bits) & 31];
  return text;
}

bool decode_base32(std::string_view text, uint8_t* out) noexcept {
  unsigned buffer = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const size_t digit = alphabet.find(c);
    if (digit == std::string_view::npos) return false;
    buffer = buffer << 5 | static_cast<unsigned>(digit);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    *out++ = static_cast<uint8_t>(buffer >> bits);
    buffer &= (1u << bits) - 1;
  }
  return buffer == 0 && bits < 5;
}

}  // namespace nuncio
