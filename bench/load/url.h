// Where a server is and how to log in there: (nats|tls)://[user:pass@|token@]host[:port]. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nuncio::load {

struct Credentials {
  std::string user;
  std::string password;
  std::string token;
};

struct Url {
  std::string host;
  uint16_t port = 4222;
  bool is_tls = false;
  Credentials credentials;
};

// The scheme may be left out; user, password and token may be percent-encoded; an IPv6 host stands in
// brackets. Nothing when the text is no such address or asks for another scheme.
std::optional<Url> parse_url(std::string_view text);

}  // namespace nuncio::load
