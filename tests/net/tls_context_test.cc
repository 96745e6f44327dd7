// What is loaded from files and options, and the errors that name what cannot be.
#include "net/tls_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/tls_session.h"
#include "tls_client.h"
#include "tls_files.h"

namespace nuncio::net {

using test::Authority;
using test::TlsClient;
using test::to_pem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

namespace {

const Authority& authority() {
  static const Authority ours;
  return ours;
}

const test::Identity& server() {
  static const test::Identity ours =
      authority().issue({.subject = {{.type = "CN", .value = "server"}}, .usage = "serverAuth"});
  return ours;
}

std::vector<std::string> errors_of(const TlsOptions& options) {
  TlsContext::Findings findings;
  const auto context = TlsContext::make(options, findings);
  EXPECT_EQ(context == nullptr, !findings.errors.empty());
  return findings.errors;
}

std::vector<std::string> warnings_of(const TlsOptions& options) {
  TlsContext::Findings findings;
  EXPECT_NE(TlsContext::make(options, findings), nullptr);
  return findings.warnings;
}

// Which certificate a client is shown.
std::string shown(const test::TlsFiles& files, const test::TlsClientSettings& settings) {
  TlsSession session(files.context());
  TlsClient client(settings);
  EXPECT_EQ(shake_hands(client, session), TlsSession::Handshake::done) << session.problem();
  return client.server_certificate();
}

test::CertificateRequest for_names(std::string common_name, std::vector<std::string> names,
                                   test::KeyKind key = test::KeyKind::p256) {
  test::CertificateRequest request{
      .subject = {{.type = "CN", .value = std::move(common_name)}}, .usage = "serverAuth", .key = key};
  for (auto& name : names) request.names.push_back({test::AlternativeName::dns, std::move(name)});
  return request;
}

}  // namespace

TEST(TlsContext, CF_58_MissingFilesAreNamed) {
  test::TlsFiles files(server());
  files.verify_by(authority().pem());
  files.options.pairs[0] = {"/nowhere/cert.pem", "/nowhere/key.pem", "a.conf:3:5"};
  files.options.ca_file = "/nowhere/ca.pem";
  files.options.revocation_file = "/nowhere/crl.pem";
  files.options.position = "a.conf:2:1";
  EXPECT_THAT(
      errors_of(files.options),
      ElementsAre(
          AllOf(HasSubstr("a.conf:3:5: "), HasSubstr("/nowhere/cert.pem"), HasSubstr("No such file")),
          AllOf(HasSubstr("a.conf:3:5: "), HasSubstr("/nowhere/key.pem"), HasSubstr("No such file")),
          AllOf(HasSubstr("a.conf:2:1: "), HasSubstr("/nowhere/ca.pem"), HasSubstr("No such file")),
          AllOf(HasSubstr("a.conf:2:1: "), HasSubstr("/nowhere/crl.pem"), HasSubstr("No such file"))));
}

TEST(TlsContext, CF_58_UnreadableFilesAreNamed) {
  test::TlsFiles files(server());
  files.options.pairs[0].cert_file = "/";
  files.options.pairs[0].key_file = "/dev/zero";
  EXPECT_THAT(errors_of(files.options), ElementsAre(AllOf(HasSubstr("\"/\""), HasSubstr("directory")),
                                                    AllOf(HasSubstr("/dev/zero"), HasSubstr("longer than"))));
}

TEST(TlsContext, CF_58_MalformedFilesAreNamed) {
  const std::string cut = server().certificate_pem.substr(0, 200) + "\n-----END CERTIFICATE-----\n";
  const std::string secret = server().key_pem.substr(30, 40);
  const std::string cut_key = server().key_pem.substr(0, 80) + "\n-----END PRIVATE KEY-----\n";
  for (const auto& [content, why] : {std::pair<std::string, const char*>{"", "no certificate"},
                                     {"hello", "no certificate"},
                                     {cut, "(-0x"}}) {
    test::TlsFiles files(server());
    files.verify_by(content);
    files.options.pairs[0].cert_file = files.add("bad.pem", content);
    EXPECT_THAT(errors_of(files.options), ElementsAre(AllOf(HasSubstr("bad.pem"), HasSubstr(why)),
                                                      AllOf(HasSubstr("ca.pem"), HasSubstr(why))));
  }
  for (const auto& [content, why] : {std::pair<std::string, const char*>{"", "no private key"},
                                     {server().certificate_pem, "no private key"},
                                     {cut_key, "(-0x"}}) {
    test::TlsFiles files(server());
    files.options.pairs[0].key_file = files.add("bad.key", content);
    EXPECT_THAT(errors_of(files.options),
                ElementsAre(AllOf(HasSubstr("bad.key"), HasSubstr(why), Not(HasSubstr(secret)))));
  }
  test::TlsFiles files(server());
  files.revoke("nothing");
  EXPECT_THAT(errors_of(files.options),
              ElementsAre(AllOf(HasSubstr("crl.pem"), HasSubstr("no revocation list"))));
}

TEST(TlsContext, CF_58_AKeyOfAnotherCertificateIsAnError) {
  for (const auto key : {test::KeyKind::p256, test::KeyKind::p384, test::KeyKind::rsa2048}) {
    test::TlsFiles files(server());
    files.options.pairs[0].key_file = files.add("other.key", to_pem(*test::make_key(key)));
    EXPECT_THAT(
        errors_of(files.options),
        ElementsAre(AllOf(HasSubstr("other.key"), HasSubstr("does not match"), HasSubstr("cert0.pem"))));
  }
}

TEST(TlsContext, CF_58_AnEncryptedKeyIsAnError) {
  test::TlsFiles files(server());
  files.options.pairs[0].key_file = files.add("locked.key", to_pem(*server().key, "secret"));
  EXPECT_THAT(errors_of(files.options), ElementsAre(AllOf(HasSubstr("locked.key"), HasSubstr("encrypted"))));
}

TEST(TlsContext, CF_58_AKindOfKeyThatTheLibraryLacksIsAnError) {
  test::TlsFiles files;
  files.add_pair(authority().issue({.usage = "serverAuth", .key = test::KeyKind::ed25519}));
  EXPECT_THAT(errors_of(files.options),
              testing::Contains(AllOf(HasSubstr("key0.pem"), HasSubstr("RSA and ECDSA"))));
}

TEST(TlsContext, CF_58_ACertificateThatIsNotForServersIsAnError) {
  for (const auto& request : {test::CertificateRequest{.usage = "clientAuth"},
                              test::CertificateRequest{.usage = "", .key_usage = "keyEncipherment"}}) {
    const test::TlsFiles files(authority().issue(request));
    EXPECT_THAT(errors_of(files.options),
                ElementsAre(AllOf(HasSubstr("cert0.pem"), HasSubstr("not for a server"))));
  }
  for (const auto& request :
       {test::CertificateRequest{.usage = ""},
        test::CertificateRequest{.usage = "clientAuth,serverAuth", .key_usage = "digitalSignature"}})
    EXPECT_THAT(errors_of(test::TlsFiles(authority().issue(request)).options), IsEmpty());
}

TEST(TlsContext, CurvesThatExcludeClientsCertificatesAreAWarning) {
  test::TlsFiles files(server());
  files.options.curves = {"CurveP384"};
  EXPECT_THAT(warnings_of(files.options), IsEmpty());
  files.verify_by(authority().pem());
  EXPECT_THAT(warnings_of(files.options), ElementsAre(HasSubstr("without CurveP256")));
  TlsSession session(files.context());
  const auto identity = authority().issue();
  // 1.3 of the library does not mind.
  TlsClient client({.identity = &identity, .curves = "P-256:P-384", .version_max = TLS1_2_VERSION});
  EXPECT_EQ(shake_hands(client, session), TlsSession::Handshake::failed);
}

TEST(TlsContext, CF_58_KeyAndCertificateMayShareAFile) {
  test::TlsFiles files(server());
  files.options.pairs[0].cert_file = files.options.pairs[0].key_file =
      files.add("both.pem", server().key_pem + server().certificate_pem);
  EXPECT_THAT(errors_of(files.options), IsEmpty());
}

TEST(TlsContext, CF_58_ChoicesThatTheLibraryLacksAreNamed) {
  test::TlsFiles files(server());
  files.options.position = "a.conf:2:1";
  files.options.curves = {"CurveP256", "X25519MLKEM768"};
  files.options.cipher_suites = {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
                                 "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"};
  EXPECT_THAT(
      errors_of(files.options),
      ElementsAre(AllOf(HasSubstr("a.conf:2:1: "), HasSubstr("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA")),
                  AllOf(HasSubstr("a.conf:2:1: "), HasSubstr("X25519MLKEM768"), HasSubstr("mbedTLS"))));
}

TEST(TlsContext, CF_58_AVersionThatTheLibraryLacksIsNamed) {
  test::TlsFiles files(server());
  files.options.version_min = TlsVersion::tls_1_3;
  if (test::library_has_tls_1_3()) {
    EXPECT_THAT(errors_of(files.options), IsEmpty());
  } else {
    EXPECT_THAT(errors_of(files.options),
                ElementsAre(AllOf(HasSubstr("min_version \"1.3\""), HasSubstr("mbedTLS 2."))));
    files.options.version_min = TlsVersion::tls_1_2;
    files.options.cipher_suites = {"TLS_AES_128_GCM_SHA256"};
    EXPECT_THAT(errors_of(files.options), ElementsAre(HasSubstr("TLS_AES_128_GCM_SHA256")));
  }
}

TEST(TlsContext, ACertificateThatIsNotValidNowIsAWarning) {
  for (const auto& [from, to, why] :
       {std::tuple{-7200L, -3600L, "expired on"}, {3600L, 7200L, "not valid before"}}) {
    const test::TlsFiles files(
        authority().issue({.usage = "serverAuth", .valid_from_s = from, .valid_to_s = to}));
    EXPECT_THAT(warnings_of(files.options), ElementsAre(AllOf(HasSubstr("cert0.pem"), HasSubstr(why))));
  }
  EXPECT_THAT(warnings_of(test::TlsFiles(server()).options), IsEmpty());
}

TEST(TlsContext, AnExpiredRevocationListIsAWarning) {
  test::TlsFiles files(server());
  files.verify_by(authority().pem());
  files.revoke(authority().revoke({}, -60));
  EXPECT_THAT(warnings_of(files.options), ElementsAre(AllOf(HasSubstr("crl.pem"), HasSubstr("expired on"))));
}

TEST(TlsContext, DescribesItsCertificates) {
  test::TlsFiles files(server());
  files.add_pair(authority().issue(for_names("second", {"second.example.com"})));
  EXPECT_THAT(files.context()->describe(),
              ElementsAre(AllOf(HasSubstr("CN=server"), HasSubstr("expires on 2")), HasSubstr("CN=second")));
}

TEST(TlsContext, OP_37_TheFingerprintIsOfTheMaterial) {
  const test::TlsFiles here(server()), there(server());
  EXPECT_EQ(here.context()->fingerprint(), there.context()->fingerprint());
  const test::TlsFiles other(authority().issue({.usage = "serverAuth"}));
  EXPECT_NE(here.context()->fingerprint(), other.context()->fingerprint());

  test::TlsFiles verifying(server());
  verifying.verify_by(authority().pem());
  EXPECT_NE(here.context()->fingerprint(), verifying.context()->fingerprint());
  const auto before = verifying.context()->fingerprint();
  const auto identity = authority().issue();
  verifying.revoke(authority().revoke({&identity}));
  EXPECT_NE(verifying.context()->fingerprint(), before);
}

TEST(TlsContext, AU_39_PinnedKeys) {
  test::TlsFiles files(server());
  EXPECT_TRUE(files.context()->is_pinned("ab"));
  files.options.pinned_certs = {"ab", "cd"};
  EXPECT_TRUE(files.context()->is_pinned("cd"));
  EXPECT_FALSE(files.context()->is_pinned("ef"));
}

TEST(TlsContext, TheSystemsAuthoritiesWhenNoneAreNamed) {
  if (!std::filesystem::exists("/etc/ssl/certs/ca-certificates.crt")) GTEST_SKIP() << "this system has none";
  test::TlsFiles files(server());
  files.options.is_verifying = true;
  TlsSession session(files.context());
  const auto stranger = authority().issue();
  TlsClient client({.identity = &stranger});
  EXPECT_EQ(shake_hands(client, session), TlsSession::Handshake::failed);
  EXPECT_THAT(session.problem(), HasSubstr("trusted CA"));
}

TEST(TlsContext, OfSeveralCertificatesTheServerNameChooses) {
  test::TlsFiles files(authority().issue(for_names("first", {"one.example.com"})));
  files.add_pair(authority().issue(for_names("second", {"two.example.com", "*.wild.example.com"})));
  EXPECT_EQ(shown(files, {}), "first");
  EXPECT_EQ(shown(files, {.server_name = "one.example.com"}), "first");
  EXPECT_EQ(shown(files, {.server_name = "TWO.example.com"}), "second");
  EXPECT_EQ(shown(files, {.server_name = "a.wild.example.com"}), "second");
  EXPECT_EQ(shown(files, {.server_name = "a.b.wild.example.com"}), "first");
  EXPECT_EQ(shown(files, {.server_name = "elsewhere.org"}), "first");
}

TEST(TlsContext, OfSeveralCertificatesTheAlgorithmsChoose) {
  test::TlsFiles files(authority().issue(for_names("rsa", {"one.example.com"}, test::KeyKind::rsa2048)));
  files.add_pair(authority().issue(for_names("ecdsa", {"one.example.com"})));
  for (const char* name : {"", "one.example.com"}) {
    EXPECT_EQ(
        shown(files,
              {.server_name = name, .suites = "ECDHE-RSA-AES256-GCM-SHA384", .version_max = TLS1_2_VERSION}),
        "rsa");
    EXPECT_EQ(shown(files, {.server_name = name,
                            .suites = "ECDHE-ECDSA-AES256-GCM-SHA384",
                            .version_max = TLS1_2_VERSION}),
              "ecdsa");
  }
}

TEST(TlsContext, TheChainBehindTheCertificateIsSent) {
  const Authority middle(
      authority().issue({.subject = {{.type = "CN", .value = "Middle"}}, .usage = "", .is_authority = true}));
  test::TlsFiles files;
  files.add_pair(middle.issue({.subject = {{.type = "CN", .value = "behind"}}, .usage = "serverAuth"}),
                 middle.pem());
  EXPECT_EQ(shown(files, {.trust = authority().pem()}), "behind");
}

}  // namespace nuncio::net
