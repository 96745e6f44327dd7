// What the suites about client certificates, reloads and storms of TLS share: what becomes of a client.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tls_server.h"

namespace nuncio::test {

// A text of the configuration, in quotes.
std::string config_text(std::string_view text);

// What servers may tell a client about its certificate: nats-server always says "bad certificate".
extern const std::vector<std::string> certificate_alerts;

class MutualTlsTest : public TlsTest {
 protected:
  Server& start_mutual(std::string_view more, std::string_view config = "",
                       const std::vector<std::string>& flags = {}) {
    return start_config(tls_block(more) + std::string(config), flags);
  }
  // Logged in.
  Client connected_by(const Certificate& certificate, const Json& fields = Json::object(),
                      Where where = Where::current()) {
    return tls_connected(fields, {.certificate = certificate}, where);
  }
  // What becomes of a client: "PONG"; the text of the -ERR in front of the end; or how its handshake was
  // refused: an alert or "closed".
  std::string outcome(const TlsSettings& settings = {}, const Json& connect = Json::object(),
                      Where where = Where::current());
  std::string outcome(const Certificate& certificate, const Json& connect = Json::object(),
                      Where where = Where::current()) {
    return outcome(TlsSettings{.certificate = certificate}, connect, where);
  }
  // Users for verify_and_map, who are told apart by the one subject that each may publish to.
  static std::string users(const std::vector<std::string>& names);
  // Which of them somebody is that is logged in.
  static size_t who(Client& one);
};

}  // namespace nuncio::test
