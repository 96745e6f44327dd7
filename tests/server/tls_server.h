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

// A block `tls` with the usual files and further entries.
inline std::string tls_block(std::string_view more = "") {
  return fmt::format("tls {{ {}\n{} }}\n", tls_files(), more);
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
