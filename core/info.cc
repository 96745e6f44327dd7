#include "core/info.h"

#include <fmt/format.h>
#include <sodium.h>

#include <array>
#include <nlohmann/json.hpp>

#include "core/assert.h"
#include "core/nkey_text.h"

namespace nuncio {
namespace {

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
  if (info.tls_required) json["tls_required"] = true;
  if (info.tls_verify) json["tls_verify"] = true;
  if (info.tls_available) json["tls_available"] = true;
  prefix_ = "INFO " + json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  prefix_.back() = ',';  // in place of the closing brace
  prefix_ += "\"client_id\":";
}

std::string InfoTemplate::line(uint64_t client_id, std::string_view client_ip, std::string_view nonce) const {
  const std::string last = nonce.empty() ? "" : fmt::format(",\"nonce\":{}", json_string(nonce));
  return fmt::format("{}{},\"client_ip\":{}{}}} \r\n", prefix_, client_id, json_string(client_ip), last);
}

std::string make_server_id() {
  NUNCIO_ASSERT(sodium_init() >= 0);
  std::array<uint8_t, crypto_sign_PUBLICKEYBYTES> key;
  std::array<uint8_t, crypto_sign_SECRETKEYBYTES> secret_key;
  crypto_sign_keypair(key.data(), secret_key.data());
  sodium_memzero(secret_key.data(), secret_key.size());  // nothing is ever signed with it
  return encode_public_nkey(nkey_prefix_server, key.data());
}

}  // namespace nuncio
