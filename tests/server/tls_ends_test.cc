// TLS where it goes wrong half-way: what is queued when a record is refused, handshakes that stall or that a
// reload overtakes.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tls_server.h"

namespace nuncio::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class TlsEnds : public TlsTest {};
NUNCIO_ON_EVERY_BACKEND(TlsEnds);

std::string damaged(std::string record) {
  record.back() ^= 1;
  return record;
}

// Answers that wait when a record is refused cannot be encrypted any more: they are dropped, and the alert
// takes their place, not they that of the alert.
TEST_P(TlsEnds, AT_43_NothingLeavesInClearBehindADamagedRecord) {
  start_tls();
  for (const char* version : {"1.2", "1.3"}) {
    SCOPED_TRACE(version);
    TlsSettings settings{.version_max = version};
    Client one = tls_connected(Json::object(), settings);
    std::string pings;
    for (int i = 0; i < 100; ++i) pings += "PING\r\n";
    std::string out = one.sealed(pings);
    out += damaged(one.sealed("PING\r\n"));
    one.send_raw(out);
    const std::string wire = one.wire_to_end();
    EXPECT_THAT(wire, Not(HasSubstr("PONG")));
    EXPECT_FALSE(wire.empty());  // the alert
    tls_connected().ping();
  }
}

// Before any login: INFO is what waits there.
TEST_P(TlsEnds, AT_43_NothingLeavesInClearBehindADamagedFirstRecord) {
  NUNCIO_OURS_ONLY();  // 2.9.10 has no handshake_first
  start_tls("handshake_first: true", "authorization { user: anna, password: S3cret }\n");
  TlsSettings settings;
  settings.is_handshake_first = true;
  settings.version_max = "1.2";
  Client first = tls_client(settings);
  settings.ticket = first.tls().ticket();  // then the client is the one to finish, and may go on at once
  Client one = client();
  one.send_raw(one.client_hello(settings));
  one.finish_tls();
  one.send_raw(damaged(one.sealed("PING\r\n")));
  EXPECT_THAT(one.wire_to_end(), Not(HasSubstr("INFO")));
  first.connect_ok(user("anna", "S3cret"));
}

TEST_P(TlsEnds, AT_18_AStalledHandshakeEndsWhereInfoMayComeInClear) {
  NUNCIO_OURS_ONLY();  // 2.9.10 has no handshake_first
  start_tls("timeout: 1, handshake_first: \"500ms\"");
  Client one = client();
  one.send_raw("\x16");
  server().wait_for_log("TLS handshake timeout");
  EXPECT_EQ(one.wire_to_end(), "");
}

TEST_P(TlsEnds, AU_39_AReloadThatPinsConcernsHandshakesUnderWay) {
  NUNCIO_OURS_ONLY();
  const Certificate own = authority().client("/CN=anna");
  start_tls("verify: true, timeout: 30");
  TlsSettings settings;
  settings.certificate = own;
  Client one = client();
  one.send_raw(one.client_hello(settings));
  server().reload_config(
      tls_block(fmt::format("verify: true, timeout: 30, pinned_certs: [\"{}\"]", std::string(64, 'a'))));
  one.finish_tls("PING\r\n");
  one.read_to_end();
  server().wait_for_log("not pinned");
}

// Where the client has the last word in the handshake, its FIN may be there before that is looked at: what
// came in between counts.
TEST_P(TlsEnds, CP_55_TheEndRightBehindTheHandshake) {
  start_tls();
  Client other = tls_connected();
  other.send("SUB a 1\r\n");
  other.ping();
  for (const char* version : {"1.2", "1.3"}) {
    SCOPED_TRACE(version);
    TlsSettings settings{.version_max = version};
    const Client first = tls_connected(Json::object(), settings);
    settings.ticket = first.tls().ticket();
    for (const size_t size : {1, 10, 1000, 30'000, 100'000, 200'000}) {
      Client one = client();
      one.send_raw(one.client_hello(settings));
      const std::string payload(size, 'x');
      one.finish_tls(fmt::format("CONNECT {{}}\r\nPUB a {}\r\n{}\r\n", size, payload));
      one.shutdown_send();
      other.expect(fmt::format("MSG a 1 {}\r\n{}\r\n", size, payload));
      one.read_to_end();
    }
  }
}

// Nobody waits for more of a handshake than came.
TEST_P(TlsEnds, AT_18_TheEndAmidAHandshake) {
  start_tls();
  for (const char* version : {"1.2", "1.3"}) {
    SCOPED_TRACE(version);
    TlsSettings settings{.version_max = version};
    Client one = client();
    one.send_raw(one.client_hello(settings));
    one.shutdown_send();
    one.wire_to_end();
  }
}

}  // namespace
}  // namespace nuncio::test
