// The INFO operation a client gets first (CP-1…CP-4, CP-8), and the identity of a server run in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nuncio {

// The nats-server version whose behaviour we follow; clients compare it (CP-2).
inline constexpr std::string_view followed_version = "2.9.10";

struct ServerInfo {
  std::string server_id;    // make_server_id()
  std::string server_name;  // empty: the id
  std::string host;         // as listening or as advertised
  int port = 0;
  uint32_t payload_max = 0;  // bytes
  bool headers = true;
  // Left out when false (CP-3, CP-4).
  bool auth_required = false;
  bool tls_required = false, tls_verify = false, tls_available = false;
};

// The INFO line of one server state, all of it prepared but for what differs by connection. Immutable; any
// thread.
class InfoTemplate {
 public:
  explicit InfoTemplate(const ServerInfo&);
  // "INFO {…} \r\n". `client_ip` is a textual address without brackets or port; `nonce` is left out when empty (AU-31).
  std::string line(uint64_t client_id, std::string_view client_ip, std::string_view nonce = {}) const;

 private:
  std::string prefix_;  // up to the value of client_id
};

// 56 characters, "N…": a fresh Ed25519 public key as a server's public nkey. Any thread.
std::string make_server_id();

}  // namespace nuncio
