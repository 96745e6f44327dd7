// The text form of nkeys (AU-33): base32 without padding of a prefix byte, 32 bytes of key and their CRC-16
// (XMODEM, little endian). The prefix makes the first letter. Public keys only; seeds are longer. Pure
// functions, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nuncio {

constexpr uint8_t nkey_prefix_server = 13 << 3;    // 'N'
constexpr uint8_t nkey_prefix_user = 20 << 3;      // 'U'
constexpr uint8_t nkey_prefix_account = 0 << 3;    // 'A'
constexpr uint8_t nkey_prefix_cluster = 2 << 3;    // 'C'
constexpr uint8_t nkey_prefix_operator = 14 << 3;  // 'O'

struct NkeyText {
  uint8_t prefix = 0;
  std::array<uint8_t, 32> key{};
};

std::string encode_public_nkey(uint8_t prefix, const uint8_t* key);
// Nullopt: not 56 characters of the alphabet (upper case only), or a wrong checksum. Any prefix.
std::optional<NkeyText> decode_nkey(std::string_view text);
// "U…": a public key of a user, whole.
bool is_user_nkey(std::string_view text);

// For seeds, which have two prefix bytes: the base32 and the checksum by themselves.
uint16_t crc16_xmodem(const uint8_t* bytes, size_t size) noexcept;
std::string encode_base32(const uint8_t* bytes, size_t size);
// Writes floor(text * 5 / 8) bytes to `out`. False: a character outside the alphabet, or bits left over that
// are not zero.
bool decode_base32(std::string_view text, uint8_t* out) noexcept;

}  // namespace nuncio
