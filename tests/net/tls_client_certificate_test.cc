// Who is let in by a certificate, and what is read out of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "net/tls_peer.h"
#include "net/tls_session.h"
#include "tls_client.h"
#include "tls_files.h"

namespace nuncio::net {

using test::AlternativeName;
using test::Authority;
using test::Identity;
using test::TlsClient;
using testing::ElementsAre;
using testing::HasSubstr;
using Handshake = TlsSession::Handshake;

namespace {

std::vector<int> versions() {
  return test::library_has_tls_1_3() ? std::vector{TLS1_2_VERSION, TLS1_3_VERSION}
                                     : std::vector{TLS1_2_VERSION};
}

const Authority& authority() {
  static const Authority ours;
  return ours;
}

const Identity& server() {
  static const Identity ours = authority().issue({.usage = "serverAuth"});
  return ours;
}

tl::expected<auth::PeerCertificate, std::string> read_der(const std::string& der) {
  mbedtls_x509_crt certificate;
  mbedtls_x509_crt_init(&certificate);
  tl::expected<auth::PeerCertificate, std::string> names = tl::unexpected<std::string>("not parsed");
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  if (mbedtls_x509_crt_parse_der(&certificate, bytes, der.size()) == 0)
    names = read_peer_certificate(certificate);
  mbedtls_x509_crt_free(&certificate);
  return names;
}

// `value` has four bytes.
tl::expected<auth::PeerCertificate, std::string> read_with_subject(int encoding, const std::string& value) {
  const std::string stand_in = encoding == V_ASN1_BMPSTRING ? std::string("\0q\0z", 4) : "qzqz";
  const auto identity =
      authority().issue({.subject = {{.type = "CN", .value = stand_in, .encoding = encoding}}});
  std::string der = test::to_der(*identity.certificate);
  // Behind its tag and length.
  const size_t at = der.find(std::string{static_cast<char>(encoding), '\4'} + stand_in);
  EXPECT_NE(at, std::string::npos);
  return read_der(der.replace(at + 2, 4, value));
}

}  // namespace

class TlsClientCertificate : public testing::TestWithParam<int> {
 protected:
  TlsClientCertificate() : files_(server()) { files_.verify_by(authority().pem()); }

  // Whether the client gets in; then problem_ or names_ say more.
  bool is_let_in(const Identity* identity, const std::string& chain = {}) {
    TlsSession session(files_.context());
    TlsClient client({.identity = identity,
                      .chain = chain,
                      .version_min = GetParam(),
                      .version_max = GetParam(),
                      .allows_weak = true});
    const auto state = shake_hands(client, session);
    EXPECT_NE(state, Handshake::wants_input);
    problem_ = session.problem();
    alert_ = client.error();
    names_ = session.peer() != nullptr ? *session.peer() : auth::PeerCertificate();
    return state == Handshake::done;
  }
  bool is_let_in(const test::CertificateRequest& request) {
    const auto identity = authority().issue(request);
    return is_let_in(&identity);
  }
  // The subject as text, in the order of the certificate.
  std::string subject_of(std::vector<test::SubjectAttribute> subject) {
    EXPECT_TRUE(is_let_in({.subject = std::move(subject)})) << problem_;
    std::string text;
    for (const auto& relative : names_.subject.relatives) {
      text += text.empty() ? "" : ",";
      for (size_t i = 0; i < relative.size(); ++i)
        text += (i > 0 ? "+" : "") + relative[i].type + "=" + relative[i].value;
    }
    return text;
  }

  test::TlsFiles files_;
  std::string problem_, alert_;
  auth::PeerCertificate names_;
};

INSTANTIATE_TEST_SUITE_P(Versions, TlsClientCertificate, testing::ValuesIn(versions()),
                         [](const auto& version) {
                           return version.param == TLS1_3_VERSION ? "Tls1_3" : "Tls1_2";
                         });

TEST_P(TlsClientCertificate, AGoodOneIsLetIn) {
  EXPECT_TRUE(is_let_in(test::CertificateRequest())) << problem_;
  EXPECT_TRUE(is_let_in({.usage = ""})) << problem_;
  EXPECT_TRUE(is_let_in({.usage = "serverAuth,clientAuth"})) << problem_;
  EXPECT_TRUE(is_let_in({.usage = "anyExtendedKeyUsage"})) << problem_;
  EXPECT_TRUE(is_let_in({.key_usage = "digitalSignature"})) << problem_;
  EXPECT_TRUE(is_let_in({.key = test::KeyKind::p384})) << problem_;
  EXPECT_TRUE(is_let_in({.key = test::KeyKind::rsa2048})) << problem_;
}

TEST_P(TlsClientCertificate, AT_42_NoneIsRefused) {
  EXPECT_FALSE(is_let_in(nullptr));
  EXPECT_EQ(problem_, "the client gave no certificate");
  EXPECT_THAT(alert_, HasSubstr(GetParam() == TLS1_3_VERSION ? "certificate required" : "handshake failure"));
}

TEST_P(TlsClientCertificate, NoneIsAskedForUnlessVerifying) {
  files_.options.is_verifying = false;
  EXPECT_TRUE(is_let_in(test::CertificateRequest()));
  EXPECT_EQ(names_.key_digest, "");
}

TEST_P(TlsClientCertificate, AT_42_ExpiredIsRefused) {
  EXPECT_FALSE(is_let_in({.valid_from_s = -7200, .valid_to_s = -3600}));
  EXPECT_THAT(problem_, HasSubstr("expired"));
  EXPECT_THAT(alert_, HasSubstr("expired"));
}

TEST_P(TlsClientCertificate, AT_42_NotYetValidIsRefused) {
  EXPECT_FALSE(is_let_in({.valid_from_s = 3600, .valid_to_s = 7200}));
  EXPECT_THAT(problem_, HasSubstr("future"));
}

TEST_P(TlsClientCertificate, AT_42_OfAnotherAuthorityIsRefused) {
  const auto stranger = Authority("Other CA").issue();
  EXPECT_FALSE(is_let_in(&stranger));
  EXPECT_THAT(problem_, HasSubstr("trusted CA"));
  EXPECT_THAT(alert_, HasSubstr("unknown ca"));
  // An authority of the same name with another key is another.
  const auto impostor = Authority().issue();
  EXPECT_FALSE(is_let_in(&impostor));
}

TEST_P(TlsClientCertificate, AT_42_SelfSignedIsRefused) {
  const auto alone = test::self_signed({});
  EXPECT_FALSE(is_let_in(&alone));
  EXPECT_THAT(problem_, HasSubstr("trusted CA"));
}

TEST_P(TlsClientCertificate, AT_42_ForOtherUsesIsRefused) {
  EXPECT_FALSE(is_let_in({.usage = "serverAuth"}));
  EXPECT_THAT(problem_, HasSubstr("extendedKeyUsage"));
  EXPECT_FALSE(is_let_in({.usage = "emailProtection"}));
  EXPECT_FALSE(is_let_in({.key_usage = "keyEncipherment"}));
  EXPECT_THAT(problem_, HasSubstr("keyUsage"));
}

TEST_P(TlsClientCertificate, AT_42_RevokedIsRefused) {
  const auto good = authority().issue(), bad = authority().issue();
  files_.revoke(authority().revoke({&bad}));
  EXPECT_TRUE(is_let_in(&good)) << problem_;
  EXPECT_FALSE(is_let_in(&bad));
  EXPECT_THAT(problem_, HasSubstr("revoked"));
  EXPECT_THAT(alert_, HasSubstr("revoked"));
}

TEST_P(TlsClientCertificate, AT_42_AnExpiredRevocationListLetsNobodyIn) {
  files_.revoke(authority().revoke({}, -60));
  EXPECT_FALSE(is_let_in(test::CertificateRequest()));
  EXPECT_THAT(problem_, HasSubstr("CRL"));
}

TEST_P(TlsClientCertificate, AT_42_WeakSignaturesAreRefused) {
  EXPECT_FALSE(is_let_in({.digest = "SHA1"}));
}

// The client sends a certificate and has not its key.
TEST_P(TlsClientCertificate, AT_42_WithoutItsKeyIsRefused) {
  const auto owner = authority().issue();
  Identity thief = authority().issue();
  X509_up_ref(owner.certificate.get());
  thief.certificate.reset(owner.certificate.get());
  TlsSession session(files_.context());
  TlsClient client({.version_min = GetParam(), .version_max = GetParam()});
  EXPECT_EQ(SSL_use_PrivateKey(client.ssl(), thief.key.get()), 1);
  SSL_use_certificate(client.ssl(), owner.certificate.get());
  EXPECT_EQ(shake_hands(client, session), Handshake::failed) << session.problem();
}

TEST_P(TlsClientCertificate, AChainIsFollowed) {
  const Authority middle(
      authority().issue({.subject = {{.type = "CN", .value = "Middle"}}, .usage = "", .is_authority = true}));
  const auto identity = middle.issue();
  EXPECT_TRUE(is_let_in(&identity, middle.pem())) << problem_;
  EXPECT_FALSE(is_let_in(&identity));
  // Not by who is no authority.
  const Authority impostor(authority().issue({.subject = {{.type = "CN", .value = "Impostor"}}}));
  const auto forged = impostor.issue();
  EXPECT_FALSE(is_let_in(&forged, impostor.pem()));
}

// As Go does: what the whole chain is for counts.
TEST_P(TlsClientCertificate, AT_42_AnIssuerForOtherUsesIsRefused) {
  for (const auto& [usage, is_good] : {std::pair{"clientAuth", true}, {"serverAuth", false}}) {
    const Authority middle(authority().issue(
        {.subject = {{.type = "CN", .value = "Middle"}}, .usage = usage, .is_authority = true}));
    const auto identity = middle.issue();
    EXPECT_EQ(is_let_in(&identity, middle.pem()), is_good) << usage << problem_;
  }
}

TEST_P(TlsClientCertificate, AT_42_AnIssuerThatConstrainsNamesIsRefused) {
  const Authority middle(authority().issue({.subject = {{.type = "CN", .value = "Middle"}},
                                            .usage = "",
                                            .is_authority = true,
                                            .name_constraints = "permitted;email:example.com"}));
  const auto identity = middle.issue({.names = {{AlternativeName::email, "joe@other.com"}}});
  EXPECT_FALSE(is_let_in(&identity, middle.pem()));
  EXPECT_THAT(problem_, HasSubstr("constrains names"));
}

TEST_P(TlsClientCertificate, AT_18_ALongChainIsRefused) {
  std::string chain;
  auto last = std::make_unique<Authority>(authority().issue({.usage = "", .is_authority = true}));
  bool was_let_in = true;
  int length = 1;
  for (; length < 20 && was_let_in; ++length) {
    chain = last->pem() + chain;
    const auto identity = last->issue();
    was_let_in = is_let_in(&identity, chain);
    last = std::make_unique<Authority>(
        last->issue({.subject = {{.type = "CN", .value = "CA " + std::to_string(length)}},
                     .usage = "",
                     .is_authority = true}));
  }
  EXPECT_FALSE(was_let_in);
  EXPECT_GT(length, 5);
}

TEST_P(TlsClientCertificate, AT_18_AHugeChainIsRefused) {
  const auto identity = authority().issue();
  std::string chain;
  for (int i = 0; i < 60; ++i) chain += authority().pem();
  EXPECT_FALSE(is_let_in(&identity, chain));
}

// Go refuses it too.
TEST_P(TlsClientCertificate, AT_18_AnRsaKeyWithAWideExponentIsRefused) {
  const test::CertificateRequest costly{
      .usage = "", .key = test::KeyKind::rsa2048_wide_exponent, .is_authority = true};
  EXPECT_FALSE(is_let_in(costly));
  EXPECT_EQ(problem_, "client certificate: an RSA exponent of more than 31 bits");
  EXPECT_THAT(alert_, HasSubstr("bad certificate"));
  const Authority middle(authority().issue(costly));
  const auto identity = middle.issue();
  EXPECT_FALSE(is_let_in(&identity, middle.pem()));
  EXPECT_EQ(problem_, "client certificate: an RSA exponent of more than 31 bits");
  // The library ignores one whose signature it does not know.
  const auto unreadable = test::self_signed({.key = test::KeyKind::ed25519});
  EXPECT_FALSE(is_let_in(&identity, unreadable.certificate_pem + middle.pem()));
  EXPECT_EQ(problem_, "client certificate: an RSA exponent of more than 31 bits");
}

TEST_P(TlsClientCertificate, AT_18_ACertificateThatCannotBeReadIsIgnoredBehindTheFirst) {
  const auto identity = authority().issue();
  const auto unreadable = test::self_signed({.key = test::KeyKind::ed25519});
  // Not as the last: there 1.3 of mbedTLS 3.6 takes it amiss.
  EXPECT_TRUE(is_let_in(&identity, unreadable.certificate_pem + authority().pem())) << problem_;
}

TEST_P(TlsClientCertificate, AT_18_AnIssuerOnASlowCurveIsRefused) {
  const Authority middle(
      authority().issue({.usage = "", .key = test::KeyKind::brainpool512, .is_authority = true}));
  const auto identity = middle.issue();
  EXPECT_FALSE(is_let_in(&identity, middle.pem()));
  EXPECT_EQ(problem_, "client certificate: a key on a curve that is not one of NIST");
  EXPECT_THAT(alert_, HasSubstr("bad certificate"));
}

// A client may bring what an authority has replaced, but not many that all have to be tried.
TEST_P(TlsClientCertificate, AT_18_OneIssuerMayHaveExpired) {
  test::CertificateRequest request{
      .subject = {{.type = "CN", .value = "Middle"}}, .usage = "", .is_authority = true};
  const Authority middle(authority().issue(request));
  const auto identity = middle.issue();
  request.valid_from_s = -7200;
  request.valid_to_s = -3600;
  const std::string expired = authority().issue(request).certificate_pem;
  EXPECT_TRUE(is_let_in(&identity, expired + middle.pem())) << problem_;
  EXPECT_FALSE(is_let_in(&identity, expired + expired + middle.pem()));
  EXPECT_EQ(problem_, "client certificate: more than one of its issuers has expired or is not yet valid");
}

TEST_P(TlsClientCertificate, AT_44_ANameWithANulIsRefused) {
  using namespace std::string_literals;
  for (const auto kind : {AlternativeName::email, AlternativeName::dns, AlternativeName::uri}) {
    EXPECT_FALSE(is_let_in({.names = {{kind, "admin@example.com\0.evil.com"s}}}));
    EXPECT_THAT(problem_, HasSubstr("NUL"));
  }
  EXPECT_FALSE(is_let_in({.subject = {{.type = "CN", .value = "admin\0evil"s}}}));
  EXPECT_THAT(problem_, HasSubstr("NUL"));
  EXPECT_FALSE(
      is_let_in({.subject = {{.type = "CN", .value = "\0a\0\0\0b"s, .encoding = V_ASN1_BMPSTRING}}}));
}

TEST_P(TlsClientCertificate, AT_44_NamesThatAreNoTextAreRefused) {
  EXPECT_FALSE(is_let_in({.names = {{AlternativeName::email, "j\xf6rg@example.com"}}}));
}

TEST_P(TlsClientCertificate, AU_38_AlternativeNamesKeepTheirOrder) {
  EXPECT_TRUE(is_let_in({.names = {{AlternativeName::dns, "b.example.com"},
                                   {AlternativeName::email, "two@example.com"},
                                   {AlternativeName::uri, "spiffe://example.com/x"},
                                   {AlternativeName::email, "one@example.com"},
                                   {AlternativeName::dns, "a.example.com"}}}));
  EXPECT_THAT(names_.emails, ElementsAre("two@example.com", "one@example.com"));
  EXPECT_THAT(names_.dns_names, ElementsAre("b.example.com", "a.example.com"));
  EXPECT_THAT(names_.uris, ElementsAre("spiffe://example.com/x"));
}

TEST_P(TlsClientCertificate, AU_38_TheSubjectKeepsItsOrderAndItsJoints) {
  EXPECT_EQ(subject_of({{.type = "DC", .value = "com"},
                        {.type = "DC", .value = "example"},
                        {.type = "O", .value = "Some, Inc."},
                        {.type = "OU", .value = "a+b"},
                        {.type = "CN", .value = "joe"},
                        {.type = "UID", .value = "17", .is_same_relative = true},
                        {.type = "emailAddress", .value = "joe@example.com"}}),
            // In a set, DER puts the shorter one first.
            "DC=com,DC=example,O=Some, Inc.,OU=a+b,CN=joe+UID=17,emailAddress=joe@example.com");
}

TEST_P(TlsClientCertificate, AU_38_ShortNamesOfTheSubject) {
  EXPECT_EQ(subject_of({{.type = "C", .value = "DE"},
                        {.type = "ST", .value = "BW"},
                        {.type = "L", .value = "Ulm"},
                        {.type = "street", .value = "1 Way"},
                        {.type = "postalCode", .value = "89073"},
                        {.type = "serialNumber", .value = "42"},
                        {.type = "title", .value = "Dr"}}),
            "C=DE,ST=BW,L=Ulm,STREET=1 Way,POSTALCODE=89073,SERIALNUMBER=42,2.5.4.12=Dr");
}

TEST_P(TlsClientCertificate, AT_44_EncodingsOfTheSubjectBecomeUtf8) {
  using namespace std::string_literals;
  EXPECT_EQ(subject_of({{.type = "CN", .value = "J\xc3\xb6rg", .encoding = V_ASN1_UTF8STRING}}),
            "CN=J\xc3\xb6rg");
  EXPECT_EQ(subject_of({{.type = "CN", .value = "\0J\0\xf6\x20\xac"s, .encoding = V_ASN1_BMPSTRING}}),
            "CN=J\xc3\xb6\xe2\x82\xac");
  EXPECT_EQ(subject_of({{.type = "CN", .value = "joe", .encoding = V_ASN1_PRINTABLESTRING}}), "CN=joe");
  EXPECT_EQ(subject_of({{.type = "CN", .value = "joe", .encoding = V_ASN1_IA5STRING}}), "CN=joe");
}

TEST_P(TlsClientCertificate, AU_39_TheDigestIsOfTheKeyInfo) {
  for (const auto key : {test::KeyKind::p256, test::KeyKind::rsa2048}) {
    const auto identity = authority().issue({.key = key});
    EXPECT_TRUE(is_let_in(&identity));
    EXPECT_EQ(names_.key_digest, identity.key_digest());
  }
}

// Values that OpenSSL does not put into a certificate: put into the finished one, which nobody verifies here.
TEST(TlsPeer, AT_44_TextMustBeValidInItsEncoding) {
  using namespace std::string_literals;
  struct Case {
    int encoding;
    std::string value;
    std::optional<std::string> text;
  };
  for (const auto& [encoding, value, text] : {
           Case{V_ASN1_BMPSTRING, "\xd8\x3d\xde\x00"s, "\xf0\x9f\x98\x80"},  // a pair of surrogates
           Case{V_ASN1_BMPSTRING, "\xd8\x3d\x00\x61"s, std::nullopt},        // half of one
           Case{V_ASN1_BMPSTRING, "\x00\x61\xd8\x3d"s, std::nullopt},
           Case{V_ASN1_BMPSTRING, "\x00\x61\x00\x00"s, "a"},  // with a terminator
           Case{V_ASN1_BMPSTRING, "\x00\x00\x00\x61"s, std::nullopt},
           Case{V_ASN1_UTF8STRING,
                "a\xc0\xaf"
                "b"s,
                std::nullopt},                                          // longer than needed
           Case{V_ASN1_UTF8STRING, "a\xed\xa0\x80"s, std::nullopt},     // a surrogate
           Case{V_ASN1_UTF8STRING, "\xf4\x90\x80\x80"s, std::nullopt},  // beyond the last
           Case{V_ASN1_UTF8STRING, "ab\xe2\x82"s, std::nullopt},        // cut
           Case{V_ASN1_UTF8STRING, "a\xe2\x82\xac"s, "a\xe2\x82\xac"},
           Case{V_ASN1_UTF8STRING, "adm\x00"s, std::nullopt},
           Case{V_ASN1_IA5STRING, "j\xf6rg"s, std::nullopt},
           Case{V_ASN1_PRINTABLESTRING, "j\xf6rg"s, std::nullopt},
       }) {
    const auto names = read_with_subject(encoding, value);
    EXPECT_EQ(names.has_value(), text.has_value()) << value;
    if (names && text) {
      EXPECT_EQ(names->subject.relatives.at(0).at(0).value, *text);
    }
  }
}

TEST(TlsPeer, AT_44_AMalformedCertificateIsRefusedOrRead) {
  const auto identity =
      authority().issue({.subject = {{.type = "CN", .value = "joe"}, {.type = "DC", .value = "example"}},
                         .names = {{AlternativeName::email, "joe@example.com"}}});
  const std::string der = test::to_der(*identity.certificate);
  for (size_t at = 0; at < der.size(); ++at) {
    for (const int value : {0x00, 0x7f, 0x80, 0xff, static_cast<uint8_t>(der[at]) ^ 1}) {
      auto changed = der;
      changed[at] = static_cast<char>(value);
      read_der(changed);
    }
  }
}

}  // namespace nuncio::net
