// Servers with TLS on client connections, as the suites about it need them.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "certificates.h"
#include "harness.h"
#include "logins.h"

namespace nuncio::test {

// The entries of a block `tls` that name this certificate and whom clients are verified by.
inline std::string tls_files(const Certificate& own = server_certificate(),
                             const std::string& ca_file = authority().file()) {
  return fmt::format("cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\"", own.file, own.key_file, ca_file);
}

// Handshakes, and with them logins, end late where a test is not about it: machines are slow.
inline constexpr std::string_view patient = "timeout: 60";

// A block `tls` of these files and further entries; patient, unless they name a timeout.
inline std::string tls_block(std::string_view more = "", const Certificate& own = server_certificate(),
                             const std::string& ca_file = authority().file()) {
  const std::string_view timeout = more.find("timeout:") == std::string_view::npos ? patient : "";
  return fmt::format("tls {{ {}\n{}\n{} }}\n", tls_files(own, ca_file), timeout, more);
}

class TlsTest : public ServerTest {
 protected:
  // `more` is for the block, `config` stands beside it.
  Server& start_tls(std::string_view more = "", std::string_view config = "",
                    const std::vector<std::string>& flags = {}) {
    return start_config(tls_block(more) + std::string(config), flags);
  }
  // A connection whose handshake is done and that has said nothing else yet.
  Client tls_client(const TlsSettings& settings = {}, Where where = Where::current()) {
    Client result = client(where);
    result.start_tls(settings, where);
    return result;
  }
  // One that is logged in.
  Client tls_connected(const Json& fields = Json::object(), const TlsSettings& settings = {},
                       Where where = Where::current()) {
    Client result = tls_client(settings, where);
    result.connect_ok(fields, where);
    return result;
  }
};

}  // namespace nuncio::test
