// What a block `tls` may ask for: versions, suites, curves, times, rates, pins, plain text beside it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tls_server.h"

namespace nuncio::test {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

class TlsBlock : public TlsTest {
 protected:
  static TlsSettings version(std::string_view text) {
    TlsSettings settings;
    settings.version_min = settings.version_max = text;
    return settings;
  }
  static TlsSettings certified(const Certificate& certificate) {
    TlsSettings settings;
    settings.certificate = certificate;
    return settings;
  }
};
NUNCIO_ON_EVERY_BACKEND(TlsBlock);

TEST_P(TlsBlock, CF_58_VersionsBelow12AreRefused) {
  start_tls();
  EXPECT_EQ(client().expect_handshake_refused(version("1.0")), "protocol version");
  EXPECT_EQ(client().expect_handshake_refused(version("1.1")), "protocol version");
  tls_connected(Json::object(), version("1.2"));
}

// Newer than 2.9.10. A library without TLS 1.3 says so at the start.
TEST_P(TlsBlock, CF_58_MinVersion) {
  NUNCIO_OURS_ONLY();
  start_tls("min_version: \"1.2\"");
  const bool has_1_3 = tls_connected().tls().version() == "TLSv1.3";
  tls_connected(Json::object(), version("1.2"));
  if (!has_1_3) {
    const Finished end = run_server({.flags = {"-p", "-1"}, .config = tls_block("min_version: \"1.3\"")});
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_THAT(end.err, HasSubstr("1.3"));
    return;
  }
  start_tls("min_version: \"1.3\"");
  EXPECT_EQ(tls_connected().tls().version(), "TLSv1.3");
  EXPECT_EQ(client().expect_handshake_refused(version("1.2")), "protocol version");
}

TEST_P(TlsBlock, CF_58_MinVersionsBelow12AreErrors) {
  NUNCIO_OURS_ONLY();
  for (const char* value : {"\"1.1\"", "\"1.0\"", "\"TLSv1.2\"", "\"\"", "true"}) {
    SCOPED_TRACE(value);
    const Finished end =
        run_server({.flags = {"-t"}, .config = tls_block(fmt::format("min_version: {}", value))});
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_THAT(end.err, HasSubstr("min_version"));
  }
}

struct Suite {
  const char* name;     // in the configuration, and the standard's
  const char* openssl;  // OpenSSL's
};

TEST_P(TlsBlock, CF_58_OnlyTheCipherSuitesConfigured) {
  for (const Suite& suite :
       {Suite{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
        Suite{"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
        Suite{"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"}}) {
    SCOPED_TRACE(suite.name);
    std::string name = suite.name;
    if (is_oracle() && name.ends_with("POLY1305_SHA256")) name.resize(name.rfind('_'));  // until 2.11
    start_tls(fmt::format("cipher_suites: [ \"{}\" ]", name));
    TlsSettings settings = version("1.2");
    Client any = tls_connected(Json::object(), settings);
    EXPECT_EQ(any.tls().cipher_suite(), suite.name);
    any.send("SUB a 1\r\nPUB a 2\r\nhi\r\n");
    any.expect("MSG a 1 2\r\nhi\r\n");
    settings.ciphers = fmt::format("ALL:!{}", suite.openssl);
    EXPECT_EQ(client().expect_handshake_refused(settings), "handshake failure");
  }
}

TEST_P(TlsBlock, CF_58_SuitesOfRsaCertificates) {
  const Certificate own = authority().server(KeyType::rsa2048);
  for (const char* suite :
       {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"}) {
    SCOPED_TRACE(suite);
    start_config(tls_block(fmt::format("cipher_suites: [ \"{}\" ]", suite), own));
    EXPECT_EQ(tls_connected(Json::object(), version("1.2")).tls().cipher_suite(), suite);
  }
  // The reference's name for it lacks the hash.
  start_config(tls_block("cipher_suites: [ TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305 ]", own));
  EXPECT_EQ(tls_connected(Json::object(), version("1.2")).tls().cipher_suite(),
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256");
}

// Suites without forward secrecy or authenticated encryption, which the reference serves to who names them.
TEST_P(TlsBlock, CF_58_WeakCipherSuitesAreErrors) {
  NUNCIO_OURS_ONLY();
  for (const char* suite : {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "TLS_RSA_WITH_AES_128_GCM_SHA256",
                            "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_WITH_RC4_128_SHA"}) {
    const Finished end =
        run_server({.flags = {"-t"}, .config = tls_block(fmt::format("cipher_suites: [ {} ]", suite))});
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_THAT(end.err, HasSubstr(suite));
  }
}

TEST_P(TlsBlock, CF_58_OnlyTheCurvesConfigured) {
  start_tls("curve_preferences: [ CurveP384 ]");
  TlsSettings settings = version("1.2");
  settings.groups = "P-256:P-384";
  EXPECT_EQ(tls_connected(Json::object(), settings).tls().group(), "secp384r1");
  settings.groups = "X25519:P-521";
  EXPECT_EQ(client().expect_handshake_refused(settings), "handshake failure");
}

TEST_P(TlsBlock, CF_58_UnknownChoicesAreErrors) {
  for (const char* entry :
       {"cipher_suites: [ \"NONSENSE\" ]", "cipher_suites: []", "curve_preferences: [ \"NONSENSE\" ]",
        "curve_preferences: []", "pinned_certs: [ \"NONSENSE\" ]", "timeout: \"NONSENSE\"",
        "verify: \"NONSENSE\"", "NONSENSE: 1"}) {
    SCOPED_TRACE(entry);
    const Finished end = run_server({.flags = {"-t"}, .config = tls_block(entry)});
    EXPECT_EQ(end.exit_status, 1);
    const std::string_view name(entry);
    EXPECT_THAT(end.err,
                AnyOf(HasSubstr("NONSENSE"), HasSubstr(std::string(name.substr(0, name.find(':'))))));
  }
}

// Whatever it waits for: the first byte, the rest of a ClientHello, the client's answer.
TEST_P(TlsBlock, CF_58_TheTimeoutEndsStalledHandshakes) {
  start_tls("timeout: 4", "", {"-D"});
  for (const char* text : {"1.2", "1.3"}) {
    Client silent = client();
    silent.info();
    Client half = client();
    const std::string hello = half.client_hello(version(text));
    half.send_raw(hello.substr(0, hello.size() / 2));
    Client greeted = client();
    greeted.send_raw(greeted.client_hello(version(text)));
    Client quick = tls_connected();
    for (Client* one : {&silent, &half, &greeted}) one->wire_to_end();  // answers nothing
    quick.ping();                                                       // the time is the handshake's only
  }
  server().wait_for_log("TLS Handshake Failure");
}

TEST_P(TlsBlock, CF_58_TimeoutsAreSecondsOrDurations) {
  for (const char* value : {"3.5", "3", "\"3s\""}) {
    SCOPED_TRACE(value);
    start_tls(fmt::format("timeout: {}", value));
    tls_connected().ping();
    Client silent = client();
    silent.info();
    silent.read_to_end();
  }
}

TEST_P(TlsBlock, CF_59_PlainTextBesideTls) {
  start_tls("timeout: 4",
            "allow_non_tls: true\nauthorization { user: anna, password: S3cret, timeout: 6 }\n");
  Client plain = connected(user("anna", "S3cret"));
  Client sealed = tls_connected(user("anna", "S3cret"));
  client().connect_refused(user("anna", "wrong"));
  tls_client().connect_refused(user("anna", "wrong"));
  // The time of a handshake is no limit to who starts none: here the login's is, and it is in clear.
  client().expect_error_and_close("Authentication Timeout");
  plain.ping();
  sealed.ping();
}

TEST_P(TlsBlock, CF_59_TheFirstByteDecidesAndMayComeAlone) {
  start_tls("", "allow_non_tls: true\nauthorization { user: anna, password: S3cret, timeout: 60 }\n");
  Client slow = client();
  slow.info();
  for (const char byte : std::string("CONNECT {\"user\":\"anna\",\"pass\":\"S3cret\",\"verbose\":false}\r\n"))
    slow.send({&byte, 1});
  slow.ping();
  Client slow_hello = client();
  for (const char byte : slow_hello.client_hello()) slow_hello.send_raw({&byte, 1});
  slow_hello.finish_tls();
  slow_hello.connect_ok(user("anna", "S3cret"));
}

TEST_P(TlsBlock, CF_59_AStalledHandshakeEndsHereToo) {
  start_tls("timeout: 0.3", "allow_non_tls: true\n");
  Client plain = connected();
  Client half = client();
  half.send_raw(half.client_hello().substr(0, 1));
  half.wire_to_end();
  plain.ping();
}

TEST_P(TlsBlock, CF_59_AClientHelloBehindPlainTextIsNoUpgrade) {
  start_tls("", "allow_non_tls: true\n");
  Client one = connected();
  one.send_raw(one.client_hello());
  EXPECT_EQ(one.wire_to_end(), "-ERR 'Unknown Protocol Operation'\r\n");
}

TEST_P(TlsBlock, CF_59_WithoutTlsItMeansNothing) {
  start_config("allow_non_tls: true\n");
  EXPECT_FALSE(client().info().contains("tls_available"));
  connected();
}

// A pin does not stand for the authority's word.
TEST_P(TlsBlock, AU_39_APinnedCertificateIsVerifiedToo) {
  const Certificate stranger = self_signed({.subject = "/CN=pinned"});
  start_tls(fmt::format("verify: true, pinned_certs: [ \"{}\" ]", stranger.key_digest));
  client().expect_handshake_refused(certified(stranger));
}

// Newer than 2.9.10: of several the client's algorithms and the name it asks for choose.
TEST_P(TlsBlock, CF_58_SeveralCertificates) {
  NUNCIO_OURS_ONLY();
  const Certificate rsa = authority().server(KeyType::rsa2048);
  const Certificate other = authority().issue({.subject = "/CN=other", .names = {"DNS:other.example"}});
  start_config(fmt::format(
      "tls {{ certs: [ {{ cert_file: \"{}\", key_file: \"{}\" }}, {{ cert_file: \"{}\", key_file: \"{}\" }}, "
      "{{ cert_file: \"{}\", key_file: \"{}\" }} ], {} }}\n",
      server_certificate().file, server_certificate().key_file, rsa.file, rsa.key_file, other.file,
      other.key_file, patient));
  TlsSettings settings = version("1.2");
  settings.ciphers = "ECDHE-RSA-AES128-GCM-SHA256";
  EXPECT_EQ(tls_connected(Json::object(), settings).tls().cipher_suite(),
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
  settings.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
  EXPECT_EQ(tls_connected(Json::object(), settings).tls().server_subject(), "CN=localhost,O=Nuncio tests");
  settings.server_name = "other.example";
  EXPECT_EQ(tls_connected(Json::object(), settings).tls().server_subject(), "CN=other");
}

// Newer than 2.9.10.
TEST_P(TlsBlock, CF_58_HandshakeFirst) {
  NUNCIO_OURS_ONLY();
  start_tls("handshake_first: true, timeout: 4");
  TlsSettings first;
  first.is_handshake_first = true;
  Client one = tls_client(first);
  EXPECT_EQ(one.info()["tls_required"], true);
  one.connect_ok();
  // Who waits for INFO waits for nothing.
  Client polite = client();
  EXPECT_EQ(polite.wire_to_end(), "");
  // INFO comes once, behind the handshake, also beside what the client sends at once.
  Client eager = client();
  eager.send_raw(eager.client_hello(first));
  eager.finish_tls("CONNECT {\"verbose\":false}\r\nPING\r\n");
  eager.expect("PONG\r\n");
  eager.ping();
}

TEST_P(TlsBlock, CF_58_HandshakeFirstFallsBackToInfo) {
  NUNCIO_OURS_ONLY();
  for (const char* value : {"auto", "\"100ms\""}) {
    SCOPED_TRACE(value);
    start_tls(fmt::format("handshake_first: {}", value));
    Client polite = client();
    EXPECT_EQ(polite.info()["tls_required"], true);
    polite.start_tls();
    polite.connect_ok();
    polite.ping();
  }
  // So long a wait that only clients who come first can pass.
  start_tls("handshake_first: \"60s\"");
  TlsSettings first;
  first.is_handshake_first = true;
  tls_connected(Json::object(), first).ping();
}

// Who comes first gets TLS; who waited for INFO may speak either.
TEST_P(TlsBlock, CF_59_PlainTextAfterTheFallback) {
  NUNCIO_OURS_ONLY();
  start_tls("handshake_first: \"200ms\"", "allow_non_tls: true\n");
  TlsSettings first;
  first.is_handshake_first = true;
  tls_connected(Json::object(), first).ping();
  Client plain = client();
  EXPECT_EQ(plain.info().value("tls_available", false), true);
  EXPECT_FALSE(plain.info().contains("tls_required"));
  plain.connect_ok();
  tls_connected().ping();
}

// Without a fallback nobody is told that plain text would do, and so it does not.
TEST_P(TlsBlock, CF_59_HandshakeFirstLeavesNoPlainText) {
  NUNCIO_OURS_ONLY();
  start_tls("handshake_first: true, timeout: 4", "allow_non_tls: true\n");
  TlsSettings first;
  first.is_handshake_first = true;
  Client sealed = tls_client(first);
  EXPECT_EQ(sealed.info().value("tls_required", false), true);
  sealed.connect_ok();
  Client eager = client();
  eager.send_raw("CONNECT {\"verbose\":true}\r\nPING\r\n");
  EXPECT_EQ(eager.wire_to_end(), "");
  EXPECT_EQ(client().wire_to_end(), "");
}

// They could read nothing but TLS.
TEST_P(TlsBlock, CP_59_TooManyConnectionsBeforeInfo) {
  NUNCIO_OURS_ONLY();
  start_tls("handshake_first: true", "max_connections: 1\n");
  TlsSettings first;
  first.is_handshake_first = true;
  Client one = tls_connected(Json::object(), first);
  EXPECT_EQ(client().wire_to_end(), "");
  server().wait_for_log("maximum connections exceeded");
  one.ping();
}

}  // namespace
}  // namespace nuncio::test
