// TLS as files and flags ask for it (CF-58, CF-59, CF-71). Whether certificates and keys can be used is
// tested where they are loaded.
#include <cstdlib>

#include "tests/core/config_files.h"

namespace nuncio::config {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;

const std::string files = "cert_file: \"s.pem\", key_file: \"s.key\"";
const std::string users = "\nauthorization { users: [{user: a, password: \"x\"}] }";
const std::string digest = std::string(32, 'a') + std::string(32, '0');

std::string block(const std::string& rest) {
  return "tls { " + files + (rest.empty() ? "" : ", ") + rest + " }";
}

class ConfigTls : public ConfigFiles {
 protected:
  // Of a file that must be good, whatever it is warned about.
  TlsOptions tls(const std::string& text, std::vector<const char*> flags = {}) {
    const auto loaded = load(text, std::move(flags));
    EXPECT_THAT(loaded.errors, IsEmpty()) << text;
    EXPECT_TRUE(loaded.options.tls) << text;
    return loaded.options.tls.value_or(TlsOptions());
  }
  std::string error(const std::string& text, std::vector<const char*> flags = {}) {
    const auto loaded = load(text, std::move(flags));
    EXPECT_THAT(loaded.errors, SizeIs(1)) << text << "\n" << all(loaded);
    return loaded.errors.empty() ? "" : loaded.errors[0];
  }
  std::string warning(const std::string& text, std::vector<const char*> flags = {}) {
    const auto loaded = load(text, std::move(flags));
    EXPECT_THAT(loaded.errors, IsEmpty()) << text;
    EXPECT_THAT(loaded.warnings, SizeIs(1)) << text << "\n" << all(loaded);
    return loaded.warnings.empty() ? "" : loaded.warnings[0];
  }
};

TEST_F(ConfigTls, CF_58_EveryOptionOfABlock) {
  const auto loaded = load(R"(tls {
    cert_file: "s.pem"
    KEY_FILE: "s.key"
    ca_file: "ca.pem"
    verify: true
    timeout: 1.5
    cipher_suites: [ "TLS_AES_128_GCM_SHA256", TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305, "TLS_AES_128_GCM_SHA256" ]
    curve_preferences: [ "X25519", CurveP256 ]
    min_version: "1.3"
    pinned_certs: [ ")" + digest +
                           "\", " + std::string(64, 'F') +
                           R"( ]
    handshake_first: auto
    connection_rate_limit: 100
    insecure: false
    ocsp_peer: false
    allow_insecure_cipher_suites: false
    verify_cert_and_check_known_urls: false
  })");
  ASSERT_THAT(loaded.errors, IsEmpty());
  EXPECT_THAT(loaded.warnings, IsEmpty());
  ASSERT_TRUE(loaded.options.tls);
  const TlsOptions& tls = *loaded.options.tls;
  ASSERT_THAT(tls.pairs, SizeIs(1));
  EXPECT_EQ(tls.pairs[0].cert_file, "s.pem");
  EXPECT_EQ(tls.pairs[0].key_file, "s.key");
  EXPECT_THAT(tls.pairs[0].position, HasSubstr("t.conf:2:16"));
  EXPECT_EQ(tls.ca_file, "ca.pem");
  EXPECT_TRUE(tls.is_verifying);
  EXPECT_FALSE(tls.maps_users);
  EXPECT_EQ(tls.timeout, milliseconds(1500));
  EXPECT_THAT(tls.cipher_suites,
              ElementsAre("TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"));
  EXPECT_THAT(tls.curves, ElementsAre("X25519", "CurveP256"));
  EXPECT_EQ(tls.version_min, TlsVersion::tls_1_3);
  EXPECT_THAT(tls.pinned_certs, ElementsAre(digest, std::string(64, 'f')));
  EXPECT_TRUE(tls.is_handshake_first);
  EXPECT_EQ(tls.handshake_first_fallback, milliseconds(50));
  EXPECT_EQ(tls.handshakes_per_second, 100u);
  EXPECT_THAT(tls.position, HasSubstr("t.conf:1:5"));
  EXPECT_FALSE(loaded.options.allow_non_tls);
}

TEST_F(ConfigTls, CF_58_DefaultsOfABlock) {
  EXPECT_FALSE(load("port: 1").options.tls);
  TlsOptions expected;
  const TlsOptions tls = this->tls(block(""));
  expected.pairs = tls.pairs;
  expected.position = tls.position;
  EXPECT_EQ(tls, expected);
  EXPECT_EQ(tls.timeout, seconds(2));
  EXPECT_EQ(tls.version_min, TlsVersion::tls_1_2);
}

TEST_F(ConfigTls, CF_58_TomlGivesTheSame) {
  const std::string path = write("t.toml", R"(
    allow_non_tls = true
    [tls]
    certs = [ { cert_file = "a.pem", key_file = "a.key" }, { cert_file = "b.pem", key_file = "b.key" } ]
    ca_file = "ca.pem"
    verify = true
    timeout = "3s"
    min_version = "1.2"
    first = "200ms"
    cipher_suites = [ "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" ]
    [nuncio]
    tls_revocation_file = "crl.pem"
  )");
  const auto loaded = load_file(path);
  ASSERT_THAT(loaded.errors, IsEmpty());
  ASSERT_TRUE(loaded.options.tls);
  const TlsOptions& tls = *loaded.options.tls;
  ASSERT_THAT(tls.pairs, SizeIs(2));
  EXPECT_EQ(tls.pairs[1].cert_file, "b.pem");
  EXPECT_EQ(tls.pairs[1].key_file, "b.key");
  EXPECT_EQ(tls.timeout, seconds(3));
  EXPECT_EQ(tls.handshake_first_fallback, milliseconds(200));
  EXPECT_EQ(tls.revocation_file, "crl.pem");
  EXPECT_THAT(tls.cipher_suites, ElementsAre("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"));
  EXPECT_TRUE(loaded.options.allow_non_tls);
  const std::string bad = write("b.toml", "[tls]\ncert_file = 1\n");
  EXPECT_THAT(load_file(bad).errors,
              ElementsAre("b.toml:2:13: expected a string for \"cert_file\", got a number"));
}

TEST_F(ConfigTls, CF_58_CertificatesAndKeysComeInPairs) {
  EXPECT_EQ(error("tls: {}"), "t.conf:1:6: the tls block needs cert_file and key_file");
  EXPECT_EQ(error("tls { cert_file: \"\", key_file: \"\" }"),
            "t.conf:1:5: the tls block needs cert_file and key_file");
  EXPECT_EQ(error("tls { cert_file: \"a\" }"), "t.conf:1:5: missing 'key_file' in TLS configuration");
  EXPECT_EQ(error("tls { key_file: \"a\" }"), "t.conf:1:5: missing 'cert_file' in TLS configuration");
  EXPECT_THAT(error(block("certs: [{cert_file: a, key_file: b}]")),
              HasSubstr("cannot combine 'cert_file' option with 'certs' option"));
  EXPECT_EQ(tls(block("certs: []")).pairs.size(), 1u);
  EXPECT_EQ(error("tls { certs: [{cert_file: a, key_file: b}, {cert_file: c}] }"),
            "t.conf:1:44: an entry of certs needs both 'cert_file' and 'key_file'");
  EXPECT_THAT(error("tls { certs: [] }"), HasSubstr("needs cert_file and key_file"));
  EXPECT_THAT(error("tls { certs: [a] }"), HasSubstr("t.conf:1:15: an entry of certs needs both"));
  EXPECT_THAT(tls("tls { certificates: [{cert_file: a, key_file: b}] }").pairs, SizeIs(1));
}

TEST_F(ConfigTls, CF_58_ValuesOfTheWrongKindAreErrorsAtTheirPlace) {
  for (const char* value : {"true", "\"x\"", "[]", "1"})
    EXPECT_THAT(error(std::string("tls: ") + value), HasSubstr("t.conf:1:6: expected a map for \"tls\""));
  for (const auto& [rest, text] : {
           std::pair("ca_file: 1", "expected a string for \"ca_file\""),
           {"verify: \"true\"", "expected true or false for \"verify\""},
           {"verify_and_map: 1", "expected true or false for \"verify_and_map\""},
           {"timeout: true", "expected seconds or a duration like \"2s\" for \"timeout\""},
           {"timeout: \"abc\"", "error parsing timeout"},
           {"timeout: -1", "invalid timeout, needs to be positive"},
           {"timeout: \"-5s\"", "invalid timeout, needs to be positive"},
           {"cipher_suites: \"TLS_AES_128_GCM_SHA256\"", "expected an array for \"cipher_suites\""},
           {"cipher_suites: []", "'cipher_suites' cannot be empty"},
           {"cipher_suites: [ 1, 2 ]", "expected a string in \"cipher_suites\""},
           {"curve_preferences: []", "'curve_preferences' cannot be empty"},
           {"min_version: 1.2", "min_version must be in quotes"},
           {"min_version: \"1.1\"", "unsupported TLS version \"1.1\""},
           {"min_version: \"x\"", "unsupported TLS version \"x\""},
           {"connection_rate_limit: 1.5", "expected a number for \"connection_rate_limit\""},
           {"connection_rate_limit: 5000000000", "connection_rate_limit value is too big"},
           {"pinned_certs: \"ab\"", "expected an array for \"pinned_certs\""},
           {"handshake_first: 5", "handshake_first must be true, false, \"auto\" or a duration"},
           {"immediate: \"soon\"", "immediate must be true, false, \"auto\" or a duration"},
           {"first: \"-5ms\"", "first must be true, false, \"auto\" or a duration"},
           {"certs: 1", "expected an array for \"certs\""},
           {"insecure: 1", "expected true or false for \"insecure\""},
           {"verfy: true", "unknown field \"verfy\", did you mean \"verify\"?"},
       }) {
    const auto found = load(block(rest)).errors;
    ASSERT_FALSE(found.empty()) << rest;
    EXPECT_THAT(found[0], AllOf(HasSubstr("t.conf:1:"), HasSubstr(text))) << rest;
  }
  EXPECT_THAT(error("tls { cert_file: \"a\\x00b\", key_file: c }"), HasSubstr("cert_file must name a file"));
}

TEST_F(ConfigTls, CF_58_NamesOfSuitesAndCurvesAreThoseOfNatsServer) {
  EXPECT_EQ(error(block("cipher_suites: [TLS_FOO]")), "t.conf:1:62: unrecognized cipher \"TLS_FOO\"");
  EXPECT_THAT(error(block("cipher_suites: [tls_aes_128_gcm_sha256]")), HasSubstr("unrecognized cipher"));
  for (const std::string name : {"TLS_RSA_WITH_RC4_128_SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"}) {
    EXPECT_EQ(
        error(block("cipher_suites: [TLS_AES_128_GCM_SHA256, " + name + "]")),
        "t.conf:1:86: " + name +
            " is refused: only cipher suites with forward secrecy and authenticated encryption are offered");
  }
  EXPECT_THAT(error(block("allow_insecure_cipher_suites: true")), HasSubstr("are not supported by nuncio"));
  EXPECT_EQ(error(block("curve_preferences: [X25519, P256]")),
            "t.conf:1:74: unrecognized curve preference \"P256\"");
}

TEST_F(ConfigTls, CF_58_WhatIsForOthersIsNamedSo) {
  EXPECT_EQ(
      error(block("verify_cert_and_check_known_urls: true")),
      "t.conf:1:80: verify_cert_and_check_known_urls not supported in this context: it is for routes and "
      "gateways only");
  for (const std::string key :
       {"cert_store", "cert_match_by", "cert_match", "ca_certs_match", "cert_match_skip_invalid"}) {
    EXPECT_EQ(
        error(block(key + ": x")),
        "t.conf:1:46: \"" + key + "\" is about the certificate stores of Windows and has no meaning here");
  }
  for (const std::string value : {"true", "{ mode: x }"})
    EXPECT_THAT(error(block("ocsp_peer: " + value)), HasSubstr("\"ocsp_peer\" is not supported"));
  EXPECT_THAT(warning(block("insecure: true")), HasSubstr("t.conf:1:56: \"insecure\" has no effect here"));
}

TEST_F(ConfigTls, CF_58_HandshakeFirstIsYesNoOrAWait) {
  struct Form {
    const char* text;
    bool is_first;
    int wait_ms;
  };
  for (const Form& form : {Form{"true", true, 0},
                           {"false", false, 0},
                           {"on", true, 0},
                           {"off", false, 0},
                           {"\"true\"", true, 0},
                           {"\"off\"", false, 0},
                           {"\"ON\"", true, 0},
                           {"auto", true, 50},
                           {"\"Auto_Fallback\"", true, 50},
                           {"\"300ms\"", true, 300},
                           {"1s", true, 1000},
                           {"\"0s\"", true, 0}}) {
    for (const std::string name : {"handshake_first", "first", "immediate"}) {
      const TlsOptions tls = this->tls(block(name + ": " + form.text));
      EXPECT_EQ(tls.is_handshake_first, form.is_first) << name << form.text;
      EXPECT_EQ(tls.handshake_first_fallback, milliseconds(form.wait_ms)) << name << form.text;
    }
  }
}

TEST_F(ConfigTls, CF_58_TimeoutsInSecondsOrAsDurations) {
  for (const auto& [text, expected] : {std::pair("5", 5000), {"0.25", 250}, {"\"700ms\"", 700}, {"0", 2000}})
    EXPECT_EQ(tls(block(std::string("timeout: ") + text)).timeout, milliseconds(expected)) << text;
  EXPECT_THAT(load(block("timeout: 5")).warnings, IsEmpty());
  EXPECT_THAT(warning(block("timeout: 1m")), HasSubstr("timeout of 1000000 seconds is high"));
}

TEST_F(ConfigTls, CF_58_RateLimitsBelowOneAreNone) {
  EXPECT_EQ(tls(block("connection_rate_limit: -1")).handshakes_per_second, 0u);
  EXPECT_EQ(tls(block("connection_rate_limit: 0")).handshakes_per_second, 0u);
}

TEST_F(ConfigTls, AU_39_PinnedCertificatesAreASetOfDigests) {
  const std::string ca = "verify: true, ca_file: ca, ";
  EXPECT_THAT(tls(block(ca + "pinned_certs: [" + std::string(64, 'b') + ", " + std::string(64, 'A') + ", " +
                        std::string(64, 'B') + "]"))
                  .pinned_certs,
              ElementsAre(std::string(64, 'a'), std::string(64, 'b')));
  EXPECT_THAT(tls(block("pinned_certs: []")).pinned_certs, IsEmpty());
  for (const std::string& text :
       {std::string("ab"), std::string(), "g" + std::string(63, '0'), std::string(65, 'a')})
    EXPECT_THAT(error(block(ca + "pinned_certs: [\"" + text + "\"]")),
                HasSubstr("does not look like the SHA-256"));
  EXPECT_THAT(error(block("pinned_certs: [" + digest + "]")),
              HasSubstr("t.conf:1:5: pinned_certs without verify would let nobody in"));
}

TEST_F(ConfigTls, AU_38_MappingVerifiesToo) {
  const std::string ca = "ca_file: ca, ";
  for (const std::string rest : {"verify_and_map: true", "verify_and_map: true, verify: true"}) {
    const auto loaded = load(block(ca + rest) + users);
    EXPECT_THAT(all(loaded), IsEmpty());
    EXPECT_TRUE(loaded.options.tls->is_verifying && loaded.options.tls->maps_users) << rest;
    EXPECT_TRUE(loaded.options.authorization.maps_certificates) << rest;
  }
  // nats-server decides this by chance.
  for (const std::string rest :
       {"verify: false, verify_and_map: true", "verify_and_map: true, verify: false"}) {
    EXPECT_THAT(warning(block(ca + rest) + users), HasSubstr("\"verify: false\" is ignored"));
    EXPECT_TRUE(tls(block(ca + rest) + users).is_verifying);
  }
  const auto plain = load(block(ca + "verify: true, verify_and_map: false") + users);
  EXPECT_FALSE(plain.options.tls->maps_users || plain.options.authorization.maps_certificates);
  EXPECT_TRUE(plain.options.tls->is_verifying);
}

TEST_F(ConfigTls, AU_38_MappingNeedsUsersToMapTo) {
  const std::string mapping = block("ca_file: ca, verify_and_map: true");
  EXPECT_EQ(error(mapping),
            "t.conf:1:5: verify_and_map needs a users array: without, every certificate would "
            "let its client in");
  for (const auto& [way, text] : {std::pair("user: a, password: \"x\"", "user and password decides"),
                                  {"token: \"x\"", "token decides"}}) {
    const auto loaded = load(mapping + "\nauthorization { " + way + " }");
    EXPECT_THAT(loaded.warnings, ElementsAre(HasSubstr(text)));
    EXPECT_FALSE(loaded.options.authorization.maps_certificates) << "then nobody could log in";
    EXPECT_FALSE(loaded.options.tls->maps_users);
    EXPECT_TRUE(loaded.options.tls->is_verifying);
  }
  EXPECT_THAT(load(mapping + "\naccounts { A { users: [{user: a}] } }").errors, IsEmpty());
  EXPECT_THAT(load(mapping + "\nauthorization { users: [{}] }").errors,
              ElementsAre(HasSubstr("User entry requires a user")))
      << "one mistake, one message";
}

TEST_F(ConfigTls, CF_58_VerificationThatDoesLittleIsWarnedAbout) {
  EXPECT_THAT(warning(block("verify: true")),
              HasSubstr("t.conf:1:5: clients are verified by the authorities that this system trusts"));
  EXPECT_THAT(warning(block("ca_file: ca")), HasSubstr("ca_file has no effect without verify"));
}

TEST_F(ConfigTls, CF_59_AllowNonTls) {
  const auto loaded = load(block("") + "\nallow_non_tls: true");
  EXPECT_THAT(all(loaded), IsEmpty());
  EXPECT_TRUE(loaded.options.allow_non_tls);
  EXPECT_EQ(error("allow_non_tls: 1"),
            "t.conf:1:16: expected true or false for \"allow_non_tls\", got a number");
  EXPECT_EQ(warning("allow_non_tls: true"), "t.conf:1:16: allow_non_tls has no effect without a tls block");
  EXPECT_THAT(load("allow_non_tls: false").warnings, IsEmpty());
  EXPECT_THAT(warning("allow_non_tls: true\n" + block("handshake_first: true")),
              HasSubstr("has no effect with"));
  EXPECT_THAT(load("allow_non_tls: true\n" + block("handshake_first: auto")).warnings, IsEmpty());
  EXPECT_THAT(warning("allow_non_tls: true\n" + block("verify: true, ca_file: ca")),
              HasSubstr("without a certificate"));
}

TEST_F(ConfigTls, AT_42_RevocationListsNeedVerification) {
  const std::string list = "\nnuncio { tls_revocation_file: \"crl.pem\" }";
  EXPECT_EQ(tls(block("verify: true, ca_file: ca") + list).revocation_file, "crl.pem");
  EXPECT_EQ(tls("nuncio { tls_revocation_file: \"crl.pem\" }\n" + block("verify: true, ca_file: ca"))
                .revocation_file,
            "crl.pem");
  for (const std::string& text : {std::string(), block("")})
    EXPECT_THAT(error(text + list),
                HasSubstr("t.conf:2:31: tls_revocation_file needs a tls block that verifies clients"));
}

TEST_F(ConfigTls, CF_47_TheTimeoutOfLoginsLeavesTimeForTheHandshake) {
  const auto timeout = [&](const std::string& text) { return load(text).options.authorization.timeout; };
  EXPECT_EQ(timeout("port: 1"), seconds(2));
  EXPECT_EQ(timeout(block("")), seconds(3));
  EXPECT_EQ(timeout(block("timeout: 5.5") + users), milliseconds(6500));
  EXPECT_EQ(timeout(block("timeout: 5") + "\nauthorization { user: a, password: \"x\", timeout: 1 }"),
            seconds(1));
  EXPECT_EQ(timeout("authorization { user: a, password: \"x\", timeout: 0 }\n" + block("timeout: 5")),
            seconds(6));
}

TEST_F(ConfigTls, CF_37_KeysThatOthersCanReadAreWarnedAbout) {
  const std::string key = write("s.key", "k"), other = write("o.key", "k");
  const std::string text = "tls { certs: [{cert_file: c, key_file: \"" + key +
                           "\"}, {cert_file: d, key_file: \"" + other + "\"}] }";
  EXPECT_THAT(load(text).warnings, IsEmpty());
  ::chmod(key.c_str(), 0644);
  EXPECT_EQ(warning(text), "s.key: the file holds secrets and everybody can read it (mode 0644)");
  EXPECT_EQ(warning("port: 1", {"--tlscert", "c", "--tlskey", key.c_str()}),
            "s.key: the file holds secrets and everybody can read it (mode 0644)");
  EXPECT_THAT(load(text, {"--tls=false"}).warnings, IsEmpty()) << "a key that is not used";
}

TEST_F(ConfigTls, CF_38_TheDigestKnowsTheBlock) {
  const auto digest_of = [&](const std::string& text) { return load(text).options.config_digest; };
  const std::string plain = digest_of(block(""));
  std::vector<std::string> others = {digest_of("port: 1"), digest_of(block("") + "\nallow_non_tls: true")};
  for (const std::string rest :
       {"verify: true", "ca_file: x", "timeout: 3", "min_version: \"1.3\"", "handshake_first: true",
        "handshake_first: \"70ms\"", "connection_rate_limit: 1", "curve_preferences: [X25519]",
        "cipher_suites: [TLS_AES_128_GCM_SHA256]"})
    others.push_back(digest_of(block(rest)));
  for (size_t i = 0; i < others.size(); ++i) {
    EXPECT_NE(others[i], plain) << i;
    EXPECT_EQ(std::ranges::count(others, others[i]), 1) << i;
  }
  EXPECT_EQ(digest_of(block("first: true")), digest_of(block("handshake_first: \"true\"")));
}

TEST_F(ConfigTls, CF_71_FlagsAlone) {
  const auto loaded =
      load_options(arguments({"--tlscert", "s.pem", "--tlskey=s.key", "-tlsverify", "--tlscacert", "ca"}));
  ASSERT_THAT(all(loaded), IsEmpty());
  ASSERT_TRUE(loaded.options.tls);
  const TlsOptions& tls = *loaded.options.tls;
  ASSERT_THAT(tls.pairs, SizeIs(1));
  EXPECT_EQ(tls.pairs[0].cert_file, "s.pem");
  EXPECT_EQ(tls.pairs[0].key_file, "s.key");
  EXPECT_EQ(tls.ca_file, "ca");
  EXPECT_TRUE(tls.is_verifying);
  EXPECT_EQ(tls.position, "command line");
  EXPECT_EQ(loaded.options.authorization.timeout, seconds(3));
  EXPECT_FALSE(load_options(arguments({"--tls=false"})).options.tls);
  EXPECT_FALSE(load_options(arguments({})).options.tls);
}

TEST_F(ConfigTls, CF_71_FlagsWithoutACertificateAreErrors) {
  const std::string cert =
      "command line: TLS Server certificate must be present and valid: --tlscert is missing";
  const std::string key =
      "command line: TLS Server private key must be present and valid: --tlskey is missing";
  for (const auto& [flags, text] : std::vector<std::pair<std::vector<const char*>, std::string>>{
           {{"--tls"}, cert},
           {{"--tlskey", "s.key"}, cert},
           {{"--tlscert", "s.pem"}, key},
           {{"--tlsverify=false"}, cert},
           {{"--tls", "--tlscert", ""}, cert},
           {{"--tls=true", "--tlscert", "s.pem", "--tlskey", ""}, key}})
    EXPECT_THAT(load_options(arguments(flags)).errors, ElementsAre(text)) << flags.back();
  EXPECT_THAT(load_options(arguments({"--tls=false", "--tlscert", "s.pem"})).errors, IsEmpty());
}

TEST_F(ConfigTls, CF_71_FalseSwitchesOffWhatTheFileHas) {
  const auto loaded = load(block("verify: true, ca_file: ca") + users +
                               "\nallow_non_tls: true\nnuncio { tls_revocation_file: \"crl.pem\" }",
                           {"--tls=false"});
  EXPECT_THAT(all(loaded), IsEmpty());
  EXPECT_FALSE(loaded.options.tls);
  EXPECT_FALSE(loaded.options.allow_non_tls);
  EXPECT_EQ(loaded.options.authorization.timeout, seconds(2));
  EXPECT_THAT(error("tls { verify: 1 }", {"--tls=false"}), HasSubstr("expected true or false"));
  // Users that are known by certificates have no passwords: anybody could log in as them.
  EXPECT_THAT(error(block("verify_and_map: true, ca_file: ca") + users, {"--tls=false"}),
              HasSubstr("command line: --tls=false leaves no way to log in"));
}

TEST_F(ConfigTls, CF_71_FlagsReplaceWhatTheyGiveAndKeepTheRest) {
  const std::string file = block("verify: true, ca_file: ca, timeout: 5, min_version: \"1.3\"");
  const auto replaced = tls(file, {"--tlscert", "n.pem", "--tlskey", "n.key"});
  ASSERT_THAT(replaced.pairs, SizeIs(1));
  EXPECT_EQ(replaced.pairs[0].cert_file, "n.pem");
  EXPECT_EQ(replaced.pairs[0].position, "command line");
  EXPECT_TRUE(replaced.is_verifying) << "nats-server would verify nobody any more";
  EXPECT_EQ(replaced.ca_file, "ca");
  EXPECT_EQ(replaced.timeout, seconds(5));
  EXPECT_EQ(replaced.version_min, TlsVersion::tls_1_3);
  EXPECT_EQ(tls(file, {"--tls"}).pairs[0].cert_file, "s.pem");
  EXPECT_EQ(tls(file, {"--tlscacert", "other"}).ca_file, "other");
  EXPECT_FALSE(tls(file, {"--tlsverify=false"}).is_verifying);
  EXPECT_TRUE(tls(block("ca_file: ca"), {"--tlsverify"}).is_verifying);
  EXPECT_THAT(error(file, {"--tlscert", "n.pem"}), HasSubstr("--tlskey is missing"));
  EXPECT_EQ(tls("tls { timeout: 5 }", {"--tlscert", "n.pem", "--tlskey", "n.key"}).timeout, seconds(5))
      << "flags complete a block";
  EXPECT_THAT(error(block("verify_and_map: true, ca_file: ca") + users, {"--tlsverify=false"}),
              HasSubstr("--tlsverify=false contradicts verify_and_map"));
}

TEST_F(ConfigTls, CF_31_ABadBlockIsComplainedAboutOnce) {
  EXPECT_THAT(load("tls { verfy: true }\nallow_non_tls: true\nnuncio { tls_revocation_file: x }").errors,
              ElementsAre(HasSubstr("unknown field")));
  EXPECT_THAT(load("tls { verify: 1, timeout: true, foo: 1, cert_file: 2 }").errors, SizeIs(4));
}

// What that version does with the same blocks. It also reads the files.
TEST_F(ConfigTls, CF_58_NatsServerAcceptsTheSameBlocks) {
  if (std::system("nats-server -v 2>/dev/null | grep -q 'v2\\.9\\.10$'") != 0)
    GTEST_SKIP() << "needs nats-server 2.9.10";
  const std::string cert = (folder_ / "s.pem").string(), key = (folder_ / "s.key").string();
  ASSERT_EQ(
      std::system(
          ("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=s -keyout '" +
           key + "' -out '" + cert + "' 2>/dev/null")
              .c_str()),
      0);
  const std::string pair = "cert_file: \"" + cert + "\", key_file: \"" + key + "\"";
  struct Case {
    std::string rest;
    bool is_accepted, is_accepted_by_reference;
  };
  const std::string pin = "pinned_certs: [" + digest + "]";
  for (const Case& one : {Case{"", true, true},
                          {"verify: true, ca_file: \"" + cert + "\"", true, true},
                          {"verify: yes", true, true},
                          {"Verify: true, TIMEOUT: 0.5", true, true},
                          {"timeout: \"500ms\"", true, true},
                          {"timeout: 5s", true, true},
                          {"timeout: \"x\"", false, false},
                          {"timeout: -1", false, true},
                          {"ca_file: \"\"", true, true},
                          {"cipher_suites: [TLS_AES_128_GCM_SHA256]", true, true},
                          {"cipher_suites: [TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305]", true, true},
                          {"cipher_suites: [TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256]", true, false},
                          {"cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]", false, true},
                          {"curve_preferences: [X25519, CurveP256, X25519]", true, true},
                          {"verify: true, " + pin, true, true},
                          {pin, false, true},
                          {"pinned_certs: []", true, true},
                          {"insecure: true", true, true},
                          {"connection_rate_limit: -1", true, true},
                          {"verify_cert_and_check_known_urls: true", false, false},
                          {"verify_cert_and_check_known_urls: false", true, true},
                          {"min_version: \"1.2\"", true, false},
                          {"handshake_first: auto", true, false},
                          {"verify_and_map: true", false, true}}) {
    const std::string text = "tls { " + pair + (one.rest.empty() ? "" : ", ") + one.rest + " }\n";
    const auto loaded = load(text);
    EXPECT_EQ(loaded.errors.empty(), one.is_accepted) << one.rest << "\n" << all(loaded);
    const std::string command = "nats-server -t -c '" + write("r.conf", text) + "' >/dev/null 2>&1";
    EXPECT_EQ(std::system(command.c_str()) == 0, one.is_accepted_by_reference) << one.rest;
  }
}

}  // namespace
}  // namespace nuncio::config
