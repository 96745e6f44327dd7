// TLS where it goes wrong half-way: what is queued when a record is refused, handshakes that stall or that a
// reload overtakes, clients with little room for records.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <memory>

#include "tls_server.h"

namespace nuncio::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class TlsEnds : public TlsTest {};
NUNCIO_ON_EVERY_BACKEND(TlsEnds);

// All that still comes, as it is on the wire.
std::string wire_of(const Client& client) {
  std::string bytes;
  char chunk[4096];
  for (ssize_t size; (size = ::recv(client.descriptor(), chunk, sizeof chunk, 0)) > 0;)
    bytes.append(chunk, static_cast<size_t>(size));
  return bytes;
}

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
    TlsSettings settings;
    settings.version_max = version;
    Client one = tls_connected(Json::object(), settings);
    std::string pings;
    for (int i = 0; i < 100; ++i) pings += "PING\r\n";
    std::string out = one.sealed(pings);
    out += damaged(one.sealed("PING\r\n"));
    one.send_raw(out);
    const std::string wire = wire_of(one);
    EXPECT_THAT(wire, Not(HasSubstr("PONG")));
    EXPECT_FALSE(wire.empty());  // the alert
    tls_connected().ping();
  }
}

// Before any login: INFO is what waits there.
TEST_P(TlsEnds, AT_43_NothingLeavesInClearBehindADamagedFirstRecord) {
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
  EXPECT_THAT(wire_of(one), Not(HasSubstr("INFO")));
  first.connect_ok(user("anna", "S3cret"));
}

TEST_P(TlsEnds, AT_18_AStalledHandshakeEndsWhereInfoMayComeInClear) {
  start_tls("timeout: 1, handshake_first: \"500ms\"");
  Client one = client();
  one.send_raw("\x16");
  server().wait_for_log("TLS handshake timeout");
  EXPECT_EQ(wire_of(one), "");
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

TEST_P(TlsEnds, CP_3_RecordsAreAsSmallAsTheClientAsks) {
  start_tls();
  Client one = client();
  one.info();
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  SSL_CTX_free);
  SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), SSL_free);
  SSL_set_tlsext_max_fragment_length(ssl.get(), TLSEXT_max_fragment_length_512);
  SSL_set_fd(ssl.get(), one.descriptor());
  ASSERT_EQ(SSL_connect(ssl.get()), 1);
  const std::string payload(300'000, 'x');
  const std::string out =
      fmt::format("CONNECT {{\"verbose\":false}}\r\nSUB a 1\r\nPUB a {}\r\n{}\r\n", payload.size(), payload);
  ASSERT_EQ(SSL_write(ssl.get(), out.data(), static_cast<int>(out.size())), static_cast<int>(out.size()));
  const std::string wanted = fmt::format("MSG a 1 {}\r\n{}\r\n", payload.size(), payload);
  std::string got;
  char record[16 * 1024];  // OpenSSL refuses records that are longer than what it asked for
  while (got.size() < wanted.size()) {
    const int size = SSL_read(ssl.get(), record, sizeof record);
    ASSERT_GT(size, 0) << got.size();
    got.append(record, static_cast<size_t>(size));
  }
  EXPECT_TRUE(got == wanted);
}

}  // namespace
}  // namespace nuncio::test
