// Client connections over TLS: what INFO says of it, the upgrade, logins, and how such connections end.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "nkey_client.h"
#include "tls_server.h"

namespace nuncio::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class ClientTls : public TlsTest {};
NUNCIO_ON_EVERY_BACKEND(ClientTls);

TEST_P(ClientTls, CP_3_TlsRequiredIsSaid) {
  start_tls();
  Client one = client();
  EXPECT_EQ(one.info()["tls_required"], true);
  EXPECT_FALSE(one.info().contains("tls_verify"));
  EXPECT_FALSE(one.info().contains("tls_available"));
  EXPECT_THAT(server().log(), HasSubstr("TLS required for client connections"));
}

TEST_P(ClientTls, CP_3_TlsVerifyIsSaid) {
  start_tls("verify: true");
  EXPECT_EQ(client().info()["tls_required"], true);
  EXPECT_EQ(client().info()["tls_verify"], true);
}

TEST_P(ClientTls, CP_3_TlsIsAvailableWherePlainTextIsAllowed) {
  start_tls("", "allow_non_tls: true\n");
  Client one = client();
  EXPECT_EQ(one.info()["tls_available"], true);
  EXPECT_FALSE(one.info().contains("tls_required"));
}

// These fields and no others.
TEST_P(ClientTls, CP_3_WhatInfoSaysOfTls) {
  for (const char* block : {"", "verify: true", "verify_and_map: true"}) {
    for (const bool is_plain_allowed : {false, true}) {
      SCOPED_TRACE(fmt::format("{} {}", block, is_plain_allowed));
      start_tls(block, fmt::format("allow_non_tls: {}\nauthorization {{ users = [ {{user: anna}} ] }}\n",
                                   is_plain_allowed));
      Json wanted{{is_plain_allowed ? "tls_available" : "tls_required", true}};
      if (*block != '\0') wanted["tls_verify"] = true;
      Client one = client();
      Json said = Json::object();
      for (const auto& [key, value] : one.info().items())
        if (key.starts_with("tls_")) said[key] = value;
      EXPECT_EQ(said, wanted);
    }
  }
}

// INFO came in clear; there is no second one.
TEST_P(ClientTls, CP_3_TheUpgradeFollowsInfo) {
  start_tls();
  Client one = client();
  one.start_tls();
  EXPECT_EQ(one.tls().server_subject(), "CN=localhost,O=Nuncio tests");
  one.send("CONNECT {\"verbose\":true}\r\nSUB a 1\r\nPUB a 2\r\nhi\r\n");
  one.expect("+OK\r\n+OK\r\n+OK\r\nMSG a 1 2\r\nhi\r\n");
  one.ping();
}

TEST_P(ClientTls, CP_3_EveryVersionThatClientsSpeakIsServed) {
  start_tls();
  TlsSettings settings;
  settings.version_max = "1.2";
  Client old = tls_connected(Json::object(), settings);
  EXPECT_EQ(old.tls().version(), "TLSv1.2");
  Client any = tls_connected();
  EXPECT_THAT(any.tls().version(), testing::AnyOf("TLSv1.2", "TLSv1.3"));
}

TEST_P(ClientTls, CP_76_TlsRequiredInConnectIsInformational) {
  start_tls("", "allow_non_tls: true\n");
  for (const bool is_required : {true, false}) {
    tls_connected({{"tls_required", is_required}}).ping();
    connected({{"tls_required", is_required}}).ping();
  }
}

TEST_P(ClientTls, CP_18_WithoutAuthenticationNoConnectIsNeeded) {
  start_tls();
  Client one = tls_client();
  one.send("SUB a 1\r\nPUB a 2\r\nhi\r\n");
  one.expect("+OK\r\n+OK\r\nMSG a 1 2\r\nhi\r\n");
}

TEST_P(ClientTls, AU_9_EveryKindOfLogin) {
  const UserKey key;
  start_tls("", fmt::format("authorization {{ users = [ {{user: anna, password: S3cret}}, {{user: bob, "
                            "password: \"{}\"}}, {{nkey: {}}} ] }}\n",
                            bcrypt("S3cret"), key.text()));
  tls_connected(user("anna", "S3cret"));
  tls_connected(user("bob", "S3cret"));
  Client signer = tls_client();
  signer.connect_ok(key.login(signer.info()["nonce"].get<std::string>()));
  tls_client().connect_refused(user("anna", "wrong"));
  tls_client().connect_refused(user("bob", "wrong"));
  tls_client().connect_refused(UserKey().login(client().info()["nonce"].get<std::string>()));
  start_tls("", "authorization { token: S3cret }\n");
  tls_connected(token("S3cret"));
  tls_client().connect_refused(token("wrong"));
}

// A certificate that nobody asked for changes nothing.
TEST_P(ClientTls, AU_9_APasswordCountsBesideAVerifiedCertificate) {
  start_tls("verify: true", "authorization { user: anna, password: S3cret }\n");
  TlsSettings settings;
  settings.certificate = authority().client("/CN=anna");
  tls_connected(user("anna", "S3cret"), settings);
  tls_client(settings).connect_refused(user("anna", "wrong"));
  tls_client(settings).connect_refused(Json::object());
}

TEST_P(ClientTls, AU_6_NoConnectBehindTheHandshake) {
  start_tls("", "authorization { user: anna, password: S3cret, timeout: 0.3 }\n");
  tls_client().expect_error_and_close("Authentication Timeout");
  Client half = tls_client();
  half.send("CONNECT {\"user\":\"anna\",");
  half.expect_error_and_close("Authentication Timeout");
}

// The time runs from the end of the handshake: a slow one has its own limit. Another client's login timeout
// says when one that ran from the accept would be over.
TEST_P(ClientTls, AU_6_TheHandshakeIsNotCounted) {
  start_tls("timeout: 15", "authorization { user: anna, password: S3cret, timeout: 0.3 }\n");
  Client slow = client();
  const std::string hello = slow.client_hello();
  slow.send_raw(hello.substr(0, 50));
  for (int i = 0; i < 2; ++i) tls_client().expect_error_and_close("Authentication Timeout");
  slow.send_raw(hello.substr(50));
  slow.finish_tls();
  slow.connect_ok(user("anna", "S3cret"));
}

TEST_P(ClientTls, CP_22_CP_24_PingsAndStaleConnections) {
  start_tls("", "ping_interval: \"100ms\"\nping_max: 2\n");
  Client lively = tls_connected();
  Client stale = tls_connected();
  for (int i = 0; i < 3; ++i) {
    lively.expect("PING\r\n");
    lively.send("PONG\r\n");
  }
  stale.expect("PING\r\nPING\r\n");
  stale.expect_error_and_close("Stale Connection");
}

// The reference's word: surplus connections are told before any handshake, in clear.
TEST_P(ClientTls, CP_59_MaximumConnectionsAreToldInClear) {
  start_tls("", "max_connections: 1\n");
  Client one = tls_connected();
  client().expect_error_and_close("maximum connections exceeded");
  one.ping();
}

TEST_P(ClientTls, CP_64_TheErrorArrivesBehindQueuedDataAndBeforeCloseNotify) {
  start_tls();
  Client one = tls_connected();
  const std::string payload(1000000, 'x');
  const std::string out = fmt::format("PUB a {}\r\n{}\r\n", payload.size(), payload);
  const std::string in = fmt::format("MSG a 1 {}\r\n{}\r\n", payload.size(), payload);
  one.send("SUB a 1\r\n" + out + out + "nonsense\r\nPUB a 1\r\nx\r\n");
  one.expect(in + in);
  one.expect_error_and_close("Unknown Protocol Operation");
  EXPECT_TRUE(one.tls().has_ended_well());
}

TEST_P(ClientTls, CP_64_CloseNotifyOfAClientEndsTheConnection) {
  start_tls();
  Client other = tls_connected();
  other.send("SUB a 1\r\n");
  other.ping();
  Client one = tls_connected();
  one.send("PUB a 2\r\nhi\r\n");
  one.close_tls();
  one.expect_closed();
  other.expect("MSG a 1 2\r\nhi\r\n");
  other.ping();
}

// FIN without close_notify: an end like any other, and what came before it counts.
TEST_P(ClientTls, CP_64_HalfClosedConnectionsEnd) {
  start_tls();
  Client other = tls_connected();
  other.send("SUB a 1\r\n");
  other.ping();
  Client one = tls_connected();
  one.send("PUB a 2\r\nhi\r\n");
  one.shutdown_send();
  one.read_to_end();
  other.expect("MSG a 1 2\r\nhi\r\n");
}

TEST_P(ClientTls, OP_3_TheServersEndIsOrderly) {
  start_tls("", "", {"-D"});
  Client silent = tls_client();
  server().wait_for_log("TLS handshake complete");  // in 1.3 the client is done before the server
  Client one = tls_connected();
  server().stop();
  one.expect_closed();
  silent.expect_closed();
}

TEST_P(ClientTls, AU_43_AT_39_TracesShowLinesAndNoSecrets) {
  start_tls("", "authorization { user: anna, password: Pa55word1 }\n", {"-DV"});
  Client one = tls_connected(user("anna", "Pa55word1"));
  one.send("PUB traced 2\r\nhi\r\n");
  one.ping();
  tls_client().connect_refused(user("anna", "Wr0ngPass"));
  server().stop();
  const std::string log = server().log();
  EXPECT_THAT(log, HasSubstr("<<- [PUB traced 2]"));
  EXPECT_THAT(log, HasSubstr("TLS handshake complete"));
  EXPECT_THAT(log, HasSubstr("TLS version 1."));
  EXPECT_THAT(log, Not(HasSubstr("Pa55word1")));
  EXPECT_THAT(log, Not(HasSubstr("Wr0ngPass")));
}

TEST_P(ClientTls, CF_58_SessionsAreResumed) {
  start_tls();
  for (const char* version : {"1.2", "1.3"}) {
    SCOPED_TRACE(version);
    TlsSettings settings;
    settings.version_max = version;
    Client first = tls_connected(Json::object(), settings);  // PONG: the tickets of TLS 1.3 have come too
    EXPECT_FALSE(first.tls().is_resumed());
    settings.ticket = first.tls().ticket();
    Client second = tls_connected(Json::object(), settings);
    EXPECT_TRUE(second.tls().is_resumed());
    second.ping();
  }
}

}  // namespace
}  // namespace nuncio::test
