#include "core/info.h"

#include <fmt/format.h>
#include <sodium.h>

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/assert.h"

namespace nuncio {
namespace {

uint16_t crc16_xmodem(const uint8_t* bytes, size_t size) noexcept;
std::string base32(const uint8_t* bytes, size_t size);

// JSON text of a string; what is no UTF-8 becomes U+FFFD.
std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

InfoTemplate::InfoTemplate(const ServerInfo& info) {
  nlohmann::ordered_json json{
      {"server_id", info.server_id},
      {"server_name", info.server_name.empty() ? info.server_id : info.server_name},
      {"version", followed_version},
      {"nuncio", NUNCIO_VERSION},
      {"proto", 1},
      {"go", "none"},  // not written in Go, but clients expect the key
      {"host", info.host},
      {"port", info.port},
      {"headers", info.headers},
      {"max_payload", info.payload_max},
  };
  if (info.auth_required) json["auth_required"] = true;
  prefix_ = "INFO " + json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  prefix_.back() = ',';  // in place of the closing brace
  prefix_ += "\"client_id\":";
}

std::string InfoTemplate::line(uint64_t client_id, std::string_view client_ip) const {
  return fmt::format("{}{},\"client_ip\":{}}} \r\n", prefix_, client_id, json_string(client_ip));
}

std::string make_server_id() {
  constexpr uint8_t prefix_server = 13 << 3;  // 'N'
  NUNCIO_ASSERT(sodium_init() >= 0);
  std::array<uint8_t, crypto_sign_PUBLICKEYBYTES> key;
  std::array<uint8_t, crypto_sign_SECRETKEYBYTES> secret_key;
  crypto_sign_keypair(key.data(), secret_key.data());
  sodium_memzero(secret_key.data(), secret_key.size());  // nothing is ever signed with it
  return encode_public_nkey(prefix_server, key.data());
}

std::string encode_public_nkey(uint8_t prefix, const uint8_t* key) {
  std::array<uint8_t, 35> raw;
  raw[0] = prefix;
  std::memcpy(&raw[1], key, 32);
  const uint16_t crc = crc16_xmodem(raw.data(), 33);
  raw[33] = static_cast<uint8_t>(crc);
  raw[34] = static_cast<uint8_t>(crc >> 8);
  return base32(raw.data(), raw.size());
}

namespace {

uint16_t crc16_xmodem(const uint8_t* bytes, size_t size) noexcept {
  unsigned crc = 0;
  for (size_t i = 0; i < size; ++i) {
    crc ^= static_cast<unsigned>(bytes[i]) << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
  }
  return static_cast<uint16_t>(crc);
}

// RFC 4648 without padding.
std::string base32(const uint8_t* bytes, size_t size) {
  static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
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

}  // namespace
}  // namespace nuncio
