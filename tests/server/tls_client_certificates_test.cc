// Client certificates: who is refused during the handshake (AT-42), which keys are pinned (AU-39), and which
// user a certificate stands for (AU-38).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "mutual_tls.h"
#include "nkey_client.h"
#include "rights.h"

namespace nuncio::test {
namespace {

constexpr std::string_view violation = "Authorization Violation";

// The first certificate of a file, without those that lead to the authority.
Certificate alone(const Certificate& whole) {
  constexpr std::string_view end = "-----END CERTIFICATE-----\n";
  const std::string text = read_file(whole.file);
  Certificate result = whole;
  result.file = pem_file(text.substr(0, text.find(end) + end.size()));
  return result;
}

// The same certificate many times behind itself.
Certificate repeated(const Certificate& one, size_t times) {
  Certificate result = one;
  const std::string text = read_file(one.file);
  std::string all;
  for (size_t i = 0; i < times; ++i) all += text;
  result.file = pem_file(all);
  return result;
}

using KeyPtr = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
using X509Ptr = std::unique_ptr<X509, void (*)(X509*)>;
using BioPtr = std::unique_ptr<BIO, int (*)(BIO*)>;

KeyPtr read_key(const Certificate& owner) {
  const BioPtr in(BIO_new_file(owner.key_file.c_str(), "r"), BIO_free);
  return {PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr), EVP_PKEY_free};
}

X509Ptr read_certificate(const Certificate& owner) {
  const BioPtr in(BIO_new_file(owner.file.c_str(), "r"), BIO_free);
  return {PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), X509_free};
}

template <class Write>
std::string written(const Write& write) {
  const BioPtr out(BIO_new(BIO_s_mem()), BIO_free);
  if (write(out.get()) != 1) throw std::runtime_error("OpenSSL writes no PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return pem_file({data, static_cast<size_t>(size)});
}

// A certificate whose owner's key we do not have: the key file holds its public half, for OpenSSL to be
// content, and the secret of another key.
Certificate stolen(const Certificate& victim, const Certificate& thief) {
  const auto der = [](const Certificate& owner) {
    unsigned char* data = nullptr;
    const int size = i2d_PrivateKey(read_key(owner).get(), &data);
    std::string result(reinterpret_cast<char*>(data), static_cast<size_t>(std::max(size, 0)));
    OPENSSL_free(data);
    return result;
  };
  constexpr size_t point_size = 65;  // of P-256, uncompressed, at the end of an EC private key
  std::string key = der(thief);
  const std::string public_half = der(victim);
  key.replace(key.size() - point_size, point_size, public_half, public_half.size() - point_size, point_size);
  Certificate result = victim;
  result.key_file = written([&](BIO* out) {
    return PEM_write_bio(out, "EC PRIVATE KEY", "", reinterpret_cast<const unsigned char*>(key.data()),
                         static_cast<long>(key.size())) > 0;
  });
  return result;
}

// A certificate that somebody made with the key of his own, who is no authority; his comes along.
Certificate issued_by_a_client(const Certificate& issuer, const Certificate& model) {
  const X509Ptr issuer_certificate = read_certificate(issuer);
  const X509Ptr forged(X509_dup(read_certificate(model).get()), X509_free);
  X509_set_issuer_name(forged.get(), X509_get_subject_name(issuer_certificate.get()));
  // What names the real issuer's key has to go.
  if (const int at = X509_get_ext_by_NID(forged.get(), NID_authority_key_identifier, -1); at >= 0)
    X509_EXTENSION_free(X509_delete_ext(forged.get(), at));
  if (X509_sign(forged.get(), read_key(issuer).get(), EVP_sha256()) == 0)
    throw std::runtime_error("OpenSSL signs no certificate");
  Certificate result = model;
  result.file = written([&](BIO* out) {
    return PEM_write_bio_X509(out, forged.get()) == 1 &&
           PEM_write_bio_X509(out, issuer_certificate.get()) == 1;
  });
  return result;
}

class TlsClientCertificates : public MutualTlsTest {
 protected:
  // Refused during the handshake, by an alert. Nothing that is said behind it counts.
  void expect_refused(const TlsSettings& bad, Where where = Where::current()) {
    for (const char* version : {"1.2", "1.3"}) {
      SCOPED_TRACE(version);
      TlsSettings settings = bad;
      settings.version_max = version;
      EXPECT_THAT(client().expect_handshake_refused(settings, where),
                  testing::AnyOfArray(certificate_alerts));
      // With TLS 1.3 a client may speak before the server has judged its certificate.
      Client hasty = client();
      if (!hasty.try_tls(settings, where).empty()) continue;
      hasty.send("CONNECT {\"verbose\":false,\"name\":\"hasty\"}\r\nPUB refused 1\r\nx\r\nPING\r\n");
      EXPECT_EQ(hasty.read_to_end(where), "");
    }
  }
};
NUNCIO_ON_EVERY_BACKEND(TlsClientCertificates);

// --- verify ---

TEST_P(TlsClientCertificates, AT_42_GoodCertificatesAreLetIn) {
  start_mutual("verify: true");
  const Authority sub = authority().intermediate("/CN=below");
  for (const Certificate& good :
       {authority().client("/CN=anna"), authority().issue({.subject = "/CN=no usages"}),
        authority().issue({.subject = "/CN=both", .usages = {"serverAuth", "clientAuth"}}),
        authority().issue({.subject = "/CN=any", .usages = {"anyExtendedKeyUsage"}}),
        authority().issue({.subject = "/CN=rsa", .key = KeyType::rsa2048}), sub.client("/CN=one below"),
        sub.intermediate("/CN=further below").client("/CN=two below")}) {
    SCOPED_TRACE(good.file);
    for (const char* version : {"1.2", "1.3"})
      EXPECT_EQ(outcome({.certificate = good, .version_max = version}), "PONG");
  }
  EXPECT_EQ(client().info().value("tls_verify", false), true);
}

TEST_P(TlsClientCertificates, AT_42_BadCertificatesAreRefusedBeforeConnectIsLookedAt) {
  const Authority ours("/CN=The Authority");
  const Authority other("/CN=Another Authority");
  const Authority impostor("/CN=The Authority");
  start_config(tls_block("verify: true", server_certificate(), ours.file()), {"-V"});
  Client listener = connected_by(ours.client("/CN=listener"));
  subscribe(listener, ">");
  const auto with = [&](std::string_view what, const std::optional<Certificate>& certificate) {
    SCOPED_TRACE(what);
    expect_refused({.certificate = certificate});
  };
  const Certificate victim = ours.client("/CN=victim");
  with("none", std::nullopt);
  with("expired", ours.issue({.subject = "/CN=x", .validity = expired}));
  with("not yet valid", ours.issue({.subject = "/CN=x", .validity = not_yet_valid}));
  with("another authority", other.client("/CN=x"));
  with("another authority of the same name", impostor.client("/CN=x"));
  with("self-signed", self_signed({.subject = "/CN=x"}));
  with("self-signed in the name of the authority", self_signed({.subject = "/CN=The Authority"}));
  with("for servers only", ours.issue({.subject = "/CN=x", .usages = {"serverAuth"}}));
  with("chain not sent", alone(ours.intermediate("/CN=below").client("/CN=x")));
  with("expired in the middle", ours.intermediate("/CN=below", expired).client("/CN=x"));
  with("below another authority", other.intermediate("/CN=below").client("/CN=x"));
  with("issued by a client", issued_by_a_client(victim, ours.client("/CN=x")));
  with("key of somebody else", stolen(victim, ours.client("/CN=thief")));
  listener.ping();
  EXPECT_THAT(server().log(), testing::HasSubstr("TLS handshake error"));
  EXPECT_THAT(server().log(), testing::Not(testing::HasSubstr("hasty")));
}

// What may stand in ca_file.
TEST_P(TlsClientCertificates, AT_42_WhoIsTrusted) {
  start_mutual("verify: true");
  const auto admits = [&](std::string_view ca_file, const Certificate& client) {
    server().reload_config(tls_block("verify: true", server_certificate(), std::string(ca_file)));
    return outcome(client) == "PONG";
  };
  // Only one below an authority, with its certificate sent or not.
  const Authority below = authority().intermediate("/CN=below");
  const std::string below_only = alone({.file = below.file(), .key_file = "", .key_digest = ""}).file;
  EXPECT_TRUE(admits(below_only, below.client("/CN=anna")));
  EXPECT_TRUE(admits(below_only, alone(below.client("/CN=anna"))));
  EXPECT_FALSE(admits(below_only, authority().client("/CN=anna")));
  // An authority that has changed its key and kept its name: both, in either order.
  const Authority before("/CN=The Authority");
  const Authority after("/CN=The Authority");
  for (const auto& both : {read_file(before.file()) + read_file(after.file()),
                           read_file(after.file()) + read_file(before.file())}) {
    EXPECT_TRUE(admits(pem_file(both), before.client("/CN=anna")));
    EXPECT_TRUE(admits(pem_file(both), after.client("/CN=anna")));
  }
  // A client's own certificate, which is then an authority over nobody else.
  const Certificate own = self_signed({.subject = "/CN=anna"});
  EXPECT_TRUE(admits(own.file, own));
  EXPECT_FALSE(admits(own.file, issued_by_a_client(own, authority().client("/CN=berta"))));
  // One that has expired itself.
  const Authority old("/CN=old", expired);
  EXPECT_FALSE(admits(old.file(), old.client("/CN=anna")));
}

// A user's password does not help.
TEST_P(TlsClientCertificates, AT_42_NoCertificateButAPassword) {
  start_mutual("verify: true", "authorization { user: anna, password: p }\n");
  EXPECT_THAT(outcome(TlsSettings{}, user("anna", "p")), testing::AnyOfArray(certificate_alerts));
  EXPECT_THAT(outcome(self_signed({.subject = "/CN=anna"}), user("anna", "p")),
              testing::AnyOfArray(certificate_alerts));
}

TEST_P(TlsClientCertificates, AT_42_CP_68_TheCloseIsAHandshakeFailure) {
  start_mutual("verify: true", "", {"-D"});
  Client one = client();
  const std::string address = one.address();
  one.expect_handshake_refused();
  server().wait_for_log(address);
  server().wait_for_log("TLS handshake error");
  server().wait_for_log("Client connection closed: TLS Handshake Failure");
}

// A chain as long as ours lets it be, then one that no client needs.
TEST_P(TlsClientCertificates, AT_18_LongAndHugeChains) {
  start_mutual("verify: true");
  Authority below = authority().intermediate("/CN=below 1");
  for (int i = 2; i <= 8; ++i) below = below.intermediate(fmt::format("/CN=below {}", i));
  EXPECT_EQ(outcome(below.client("/CN=anna")), "PONG");
  const Certificate longer = below.intermediate("/CN=below 9").client("/CN=anna");
  EXPECT_EQ(outcome(longer) == "PONG", is_oracle());
  const Certificate huge = repeated(authority().client("/CN=anna"), 400);
  for (const char* version : {"1.2", "1.3"})
    EXPECT_NE(outcome({.certificate = huge, .version_max = version}), "PONG");
  EXPECT_EQ(outcome(authority().client("/CN=anna")), "PONG");
}

// Nothing asks for certificates: one that a client gives changes nothing.
TEST_P(TlsClientCertificates, AT_42_WithoutVerifyNobodyIsAsked) {
  start_mutual("verify: false", "authorization { user: anna, password: p }\n");
  EXPECT_EQ(client().info().value("tls_verify", false), false);
  for (const Certificate& any : {authority().client("/CN=anna"), self_signed({.subject = "/CN=anna"})}) {
    EXPECT_EQ(outcome(any), violation);
    EXPECT_EQ(outcome(any, user("anna", "p")), "PONG");
  }
}

TEST_P(TlsClientCertificates, AT_42_VerifyAloneNamesNobody) {
  start_mutual("verify: true",
               "authorization { users = [ {user: \"CN=anna\", password: p}, {user: bob, password: b} ] }\n");
  const Certificate anna = authority().client("/CN=anna");
  EXPECT_EQ(outcome(anna), violation);
  EXPECT_EQ(outcome(anna, user("CN=anna", "wrong")), violation);
  EXPECT_EQ(outcome(anna, user("CN=anna", "p")), "PONG");
  EXPECT_EQ(outcome(anna, user("bob", "b")), "PONG");
}

// --- revocation ---

TEST_P(TlsClientCertificates, AT_42_RevokedCertificatesAreRefused) {
  NUNCIO_OURS_ONLY();  // nats-server 2.9.10 knows no revocation lists
  const Certificate anna = authority().client("/CN=anna");
  const Certificate berta = authority().client("/CN=berta");
  start_mutual("verify: true", fmt::format("nuncio {{ tls_revocation_file: \"{}\" }}\n",
                                           authority().revocation_list({berta})));
  EXPECT_EQ(outcome(anna), "PONG");
  expect_refused({.certificate = berta});
  EXPECT_EQ(outcome({.certificate = berta}), "certificate revoked");
  EXPECT_EQ(outcome(anna), "PONG");
}

// --- pinned certificates ---

TEST_P(TlsClientCertificates, AU_39_PinnedKeys) {
  const Certificate anna = authority().client("/CN=anna");
  const Certificate berta = authority().client("/CN=berta");
  const Certificate carl = authority().client("/CN=carl");
  std::string upper = berta.key_digest;
  std::ranges::transform(upper, upper.begin(),
                         [](char c) { return c >= 'a' ? static_cast<char>(c - 32) : c; });
  start_mutual(fmt::format("verify: true, pinned_certs: [\"{}\", \"{}\"]", anna.key_digest, upper), "",
               {"-DV"});
  for (const char* version : {"1.2", "1.3"}) {
    EXPECT_EQ(outcome({.certificate = anna, .version_max = version}), "PONG");
    EXPECT_EQ(outcome({.certificate = berta, .version_max = version}), "PONG");
    const std::string carls = outcome({.certificate = carl, .version_max = version}, {{"name", "hasty"}});
    EXPECT_THAT(carls, testing::AnyOf("closed", testing::AnyOfArray(certificate_alerts)));
    EXPECT_THAT(outcome(TlsSettings{.version_max = version}), testing::AnyOfArray(certificate_alerts));
  }
  server().wait_for_log("TLS handshake error: certificate not pinned");
  server().wait_for_log("Client connection closed: TLS Handshake Failure");
  EXPECT_THAT(server().log(), testing::Not(testing::HasSubstr("hasty")));
}

// --- which user a certificate is ---

TEST_P(TlsClientCertificates, AU_38_TheFirstNameThatIsAUser) {
  const std::vector<std::string> names{"anna@x.org", "berta@x.org",    "one.example", "two.example",
                                       "urn:x:one",  "spiffe://x/two", "CN=cn,O=Org"};
  const Certificate certificate =
      authority().client("/O=Org/CN=cn", {"URI:urn:x:one", "DNS:one.example", "email:anna@x.org",
                                          "URI:spiffe://x/two", "DNS:two.example", "email:berta@x.org"});
  start_mutual("verify_and_map: true", users({"nobody"}));
  for (size_t first = 0; first < names.size(); ++first) {
    SCOPED_TRACE(names[first]);
    // In the wrong order: that of the users is of no account.
    server().reload_config(tls_block("verify_and_map: true") +
                           users({names.rbegin(), names.rend() - static_cast<long>(first)}));
    Client one = connected_by(certificate);
    EXPECT_EQ(who(one), names.size() - 1 - first);
  }
}

TEST_P(TlsClientCertificates, AU_38_ManyNames) {
  start_mutual("verify_and_map: true", users({"user599@example.org"}));
  std::vector<std::string> names;
  for (int i = 0; i < 600; ++i) names.push_back(fmt::format("email:user{}@example.org", i));
  EXPECT_EQ(outcome(authority().client("/CN=anna", names)), "PONG");
  names.pop_back();
  EXPECT_EQ(outcome(authority().client("/CN=anna", names)), violation);
}

TEST_P(TlsClientCertificates, AU_38_FormsOfTheDistinguishedName) {
  struct Form {
    Subject subject;
    std::string text;
    bool is_same = true;
  };
  const std::vector<Form> forms{
      {"/O=Org/CN=cn", "CN=cn,O=Org"},
      {"/O=Org/CN=cn", "O=Org,CN=cn"},
      {"/O=Org/CN=cn", "CN=cn, O=Org"},
      {"/O=Org/CN=cn", "cn=cn,o=Org"},
      {"/O=Org/CN=cn", "CN=CN,O=Org", false},
      {"/O=Org/CN=cn", "cn", false},
      {"/O=Org/CN=cn", "CN=cn", false},
      {"/O=Org/CN=cn", "CN=cn,O=Org,C=DE", false},
      {"/O=Org/CN=cn", "CN=cn+O=Org", false},
      {"/O=Org/CN=cn", "CN=cn,CN=cn,O=Org", false},
      {"/O=Org/CN=Zo\xc3\xab", "CN=Zo\xc3\xab,O=Org"},
      {"/O=Org/CN=Zo\xc3\xab", "CN=Zo\\c3\\ab,O=Org"},
      {"/O=Comma, Inc./CN=cn", "CN=cn,O=Comma\\, Inc."},
      {"/O=Comma, Inc./CN=cn", "CN=cn,O=Comma, Inc.", false},
      // Several of a type, in any order.
      {"/O=B/OU=One/OU=Two/CN=x", "CN=x,OU=Two,OU=One,O=B"},
      {"/O=B/OU=One/OU=Two/CN=x", "OU=One,CN=x,OU=Two,O=B"},
      {"/O=B/OU=One/OU=Two/CN=x", "CN=x,OU=One,O=B", false},
      // Multi-valued.
      {"/C=DE/O=Org/CN=Jane+OU=Ops", "CN=Jane+OU=Ops,O=Org,C=DE"},
      {"/C=DE/O=Org/CN=Jane+OU=Ops", "C=DE,O=Org,OU=Ops+CN=Jane"},
      {"/C=DE/O=Org/CN=Jane+OU=Ops", "CN=Jane+O=Org,OU=Ops,C=DE", false},
      // With domain components, and without them.
      {"/DC=com/DC=example/OU=Users/CN=Jane", "CN=Jane,OU=Users,DC=example,DC=com"},
      {"/DC=com/DC=example/OU=Users/CN=Jane", "DC=com,DC=example,OU=Users,CN=Jane"},
      {"/DC=com/DC=example/OU=Users/CN=Jane", "CN=Jane,OU=Users,DC=com,DC=example"},
      {"/DC=com/DC=example/OU=Users/CN=Jane", "CN=Jane,OU=Users"},
      {"/DC=com/DC=example/OU=Users/CN=Jane", "CN=Jane,DC=example,DC=com", false},
      {"/DC=com/DC=example/OU=Users/UID=7/CN=Jane", "CN=Jane,OU=Users,DC=com,DC=example"},
      {"/DC=com/DC=example/OU=Users/CN=Jane", "DC=com,DC=example", false},
  };
  start_mutual("verify_and_map: true", users({"nobody"}));
  for (const Form& form : forms) {
    SCOPED_TRACE(form.text);
    server().reload_config(tls_block("verify_and_map: true") + users({form.text}));
    EXPECT_EQ(outcome(authority().client(form.subject)), form.is_same ? "PONG" : violation);
  }
}

TEST_P(TlsClientCertificates, AU_38_TheWholeNameGoesBeforeItsParts) {
  start_mutual("verify_and_map: true", users({"CN=Jane,OU=Users", "CN=Jane,OU=Users,DC=example,DC=com"}));
  Client whole = connected_by(authority().client("/DC=com/DC=example/OU=Users/CN=Jane"));
  EXPECT_EQ(who(whole), 1u);
  Client elsewhere = connected_by(authority().client("/DC=org/DC=example/OU=Users/CN=Jane"));
  EXPECT_EQ(who(elsewhere), 0u);
}

TEST_P(TlsClientCertificates, AU_38_NamesMatchExactly) {
  start_mutual("verify_and_map: true", users({"Anna@x.org", "ONE.example", "*.example", "URN:x:one"}));
  EXPECT_EQ(outcome(authority().client("/CN=anna", {"email:anna@x.org", "DNS:one.example", "URI:urn:x:one"})),
            violation);
  EXPECT_EQ(outcome(authority().client("/CN=anna", {"email:anna@x.org.evil.org", "DNS:one.example.org"})),
            violation);
}

// A name that a C library would cut short.
TEST_P(TlsClientCertificates, AU_38_AT_44_NamesWithANul) {
  using std::string_literals::operator""s;
  start_mutual("verify_and_map: true", users({"anna@x.org", "one.example", "urn:x:one", "CN=anna"}));
  for (const std::string& name :
       {"email:anna@x.org\0.evil.org"s, "DNS:one.example\0.evil.org"s, "URI:urn:x:one\0evil"s}) {
    SCOPED_TRACE(printable(name));
    EXPECT_NE(outcome(authority().client("/CN=x", {name})), "PONG");
  }
  for (const StringType type : {StringType::utf8, StringType::printable, StringType::ia5}) {
    EXPECT_NE(
        outcome(authority().client(Subject(std::vector<Subject::Part>{{{"CN", "anna\0.evil"s, type}}}))),
        "PONG");
  }
  EXPECT_EQ(outcome(authority().client("/CN=anna")), "PONG");
}

// Whatever a certificate or a CONNECT calls its client, a line of the log stays a line.
TEST_P(TlsClientCertificates, AU_38_NamesForgeNoLog) {
  start_mutual("verify_and_map: true", users({"anna@x.org"}), {"-DV"});
  const std::string forged = "x\n[1] 2026/01/01 00:00:00.000000 [INF] forged\r\n";
  EXPECT_EQ(outcome(authority().client(Subject(std::vector<Subject::Part>{{{"CN", forged}}}))), violation);
  EXPECT_NE(outcome(authority().client("/CN=x", {"DNS:" + forged, "URI:" + forged})), "PONG");
  EXPECT_EQ(outcome(authority().client("/CN=x", {"email:anna@x.org"}), {{"user", forged}}), "PONG");
  EXPECT_EQ(outcome(authority().client("/CN=x"), {{"user", forged}}), violation);
  EXPECT_THAT(server().log(), testing::Not(testing::HasSubstr("\n[1] 2026/01/01")));
}

TEST_P(TlsClientCertificates, AU_38_AnEmptySubject) {
  start_mutual("verify_and_map: true", users({"anna@x.org"}));
  const Subject empty(std::vector<Subject::Part>{});
  EXPECT_EQ(outcome(authority().client(empty)), violation);
  EXPECT_EQ(outcome(authority().client(empty, {"email:anna@x.org"})), "PONG");
}

TEST_P(TlsClientCertificates, AU_38_WhoNamesNoUserIsRefused) {
  start_mutual("verify_and_map: true",
               "authorization { users = [ {user: \"CN=anna\"}, {user: bob, password: p} ] }\n"
               "no_auth_user: bob\n");
  const Certificate stranger = authority().client("/CN=stranger");
  EXPECT_EQ(outcome(stranger), violation);
  EXPECT_EQ(outcome(stranger, user("bob", "p")), violation);
  EXPECT_EQ(outcome(stranger, user("CN=anna", "")), violation);
  EXPECT_EQ(outcome(stranger, token("CN=anna")), violation);
  EXPECT_THAT(outcome(TlsSettings{}, user("bob", "p")), testing::AnyOfArray(certificate_alerts));
  EXPECT_EQ(outcome(authority().client("/CN=anna")), "PONG");
}

// Nobody guesses certificates: one that is nobody's, tried again and again, holds nobody back, and no line
// says so to whoever bans addresses by the log.
TEST_P(TlsClientCertificates, AU_74_CertificatesOfNobodyHoldNobodyBack) {
  NUNCIO_OURS_ONLY();
  start_mutual("verify_and_map: true",
               users({"CN=anna"}) + "nuncio { login_backoff: {failures: 1, wait: \"60s\"} }\n");
  const Certificate nobody = authority().client("/CN=nobody");
  for (int i = 0; i < 12; ++i) EXPECT_EQ(outcome(nobody), violation);
  EXPECT_EQ(outcome(authority().client("/CN=anna")), "PONG");
  EXPECT_EQ(server().log().find("login back-off"), std::string::npos);
}

TEST_P(TlsClientCertificates, AU_38_AUserInConnectIsIgnored) {
  start_mutual("verify_and_map: true", users({"CN=anna", "CN=berta"}));
  for (const Json& fields : {Json{{"user", "CN=berta"}}, token("x"), Json{{"jwt", "x"}}}) {
    Client anna = connected_by(authority().client("/CN=anna"), fields);
    EXPECT_EQ(who(anna), 0u);
  }
  server().wait_for_log("User \"CN=berta\" found in connect proto, but user required from cert");
}

// Two factors: the password of a mapped user is asked for as ever. None is wanted where none is configured.
TEST_P(TlsClientCertificates, AU_38_AMappedUserWithAPassword) {
  const Certificate anna = authority().client("/CN=anna");
  for (const std::string& stored : {std::string("p"), bcrypt("p")}) {
    SCOPED_TRACE(stored);
    start_mutual("verify_and_map: true",
                 fmt::format("authorization {{ users = [ {{user: \"CN=anna\", password: \"{}\"}},\n"
                             "{{user: bob, password: b}} ] }}\n",
                             stored));
    EXPECT_EQ(outcome(anna), violation);
    EXPECT_EQ(outcome(anna, {{"pass", "wrong"}}), violation);
    EXPECT_EQ(outcome(anna, user("bob", "b")), violation);
    EXPECT_EQ(outcome(anna, {{"pass", "p"}}), "PONG");
    EXPECT_EQ(outcome(anna, user("CN=anna", "p")), "PONG");
  }
}

TEST_P(TlsClientCertificates, AU_38_TheFirstUserDecides) {
  start_mutual("verify_and_map: true",
               "authorization { users = [ {user: \"anna@x.org\", password: p}, {user: \"CN=anna\"} ] }\n");
  EXPECT_EQ(outcome(authority().client("/CN=anna", {"email:anna@x.org"})), violation);
  EXPECT_EQ(outcome(authority().client("/CN=anna", {"email:anna@y.org"})), "PONG");
}

TEST_P(TlsClientCertificates, AU_38_WhoMayNotConnectSoIsPassedOver) {
  start_mutual("verify_and_map: true", R"(
authorization { users = [ {user: "anna@x.org", allowed_connection_types: [WEBSOCKET]}, {user: "CN=anna"} ] }
)");
  EXPECT_EQ(outcome(authority().client("/CN=anna", {"email:anna@x.org"})), "PONG");
  EXPECT_EQ(outcome(authority().client("/CN=berta", {"email:anna@x.org"})), violation);
}

TEST_P(TlsClientCertificates, AU_38_AnNkeyGoesBeforeTheCertificate) {
  const UserKey key;
  start_mutual("verify_and_map: true", fmt::format(R"(
authorization {{ users = [ {{user: "CN=anna", permissions: {{publish: "is.0"}}}},
                          {{nkey: {}, permissions: {{publish: "is.1"}}}} ] }}
)",
                                                   key.text()));
  const Certificate anna = authority().client("/CN=anna");
  Client by_certificate = connected_by(anna);
  EXPECT_EQ(who(by_certificate), 0u);
  Client by_key = tls_client({.certificate = anna});
  by_key.connect_ok(key.login(by_key.info().value("nonce", "")));
  EXPECT_EQ(who(by_key), 1u);
  EXPECT_EQ(outcome(anna, {{"nkey", UserKey().text()}, {"sig", "x"}}), violation);
}

TEST_P(TlsClientCertificates, AU_38_NobodyIsMappedBeforeConnect) {
  start_mutual("verify_and_map: true", users({"CN=anna"}));
  for (const char* first : {"PING\r\n", "PUB is.0 1\r\nx\r\n", "SUB x 1\r\n"}) {
    Client one = tls_client({.certificate = authority().client("/CN=anna")});
    one.send(first);
    one.expect_error_and_close(violation);
  }
}

TEST_P(TlsClientCertificates, AU_38_AccountsAndPermissionsHold) {
  start_mutual("verify_and_map: true", R"(
accounts {
  A { users = [ {user: "CN=anna", permissions: {publish: {deny: "no.>"}, subscribe: {deny: "no.>"}}},
                {user: "CN=alma"} ] },
  B { users = [ {user: "bob@x.org"} ] }
}
)");
  Client anna = connected_by(authority().client("/CN=anna"));
  Client alma = connected_by(authority().client("/CN=alma"));
  Client bob = connected_by(authority().client("/CN=whoever", {"email:bob@x.org"}));
  subscribe(alma, ">");
  subscribe(bob, ">");
  expect_publish_refused(anna, "no.a");
  expect_subscribe_refused(anna, "no.a");
  publish(anna, "a", "from anna");
  alma.expect("MSG a 1 9\r\nfrom anna\r\n");
  alma.ping();
  bob.ping();
}

TEST_P(TlsClientCertificates, AU_38_ATokenOrASingleUserIsMappedToByNobody) {
  const Certificate anna = authority().client("/CN=anna");
  start_mutual("verify_and_map: true", "authorization { token: T0ken }\n");
  EXPECT_EQ(outcome(anna), violation);
  EXPECT_EQ(outcome(anna, token("T0ken")), "PONG");
  start_mutual("verify_and_map: true", "authorization { user: \"CN=anna\", password: p }\n");
  EXPECT_EQ(outcome(anna), violation);
  EXPECT_EQ(outcome(anna, user("CN=anna", "p")), "PONG");
}

// The reference lets in everybody who has a certificate.
TEST_P(TlsClientCertificates, AU_38_WithoutUsersThereIsNobodyToMapTo) {
  NUNCIO_OURS_ONLY();
  const Finished start = run_server({.config = tls_block("verify_and_map: true")});
  EXPECT_NE(start.exit_status, 0);
  EXPECT_THAT(start.err, testing::HasSubstr("verify_and_map needs a users array"));
}

TEST_P(TlsClientCertificates, AU_38_PlainTextClientsAreNobody) {
  start_mutual("verify_and_map: true", R"(
authorization { users = [ {user: "CN=anna"}, {user: bob, password: p} ] }
allow_non_tls: true
)");
  client().connect_refused(Json::object());
  client().connect_refused({{"user", "CN=anna"}});
  client().connect_refused(user("bob", "p"));
  EXPECT_EQ(outcome(authority().client("/CN=anna")), "PONG");
}

TEST_P(TlsClientCertificates, AU_38_AT_42_BadCertificatesMapToNobody) {
  start_mutual("verify_and_map: true", users({"CN=anna"}));
  expect_refused({});
  expect_refused({.certificate = self_signed({.subject = "/CN=anna"})});
  expect_refused({.certificate = authority().issue({.subject = "/CN=anna", .validity = expired})});
  expect_refused({.certificate = Authority("/CN=other").client("/CN=anna")});
}

// --- resumed sessions ---

TEST_P(TlsClientCertificates, AU_38_AResumedSessionIsTheSameUser) {
  start_mutual("verify_and_map: true", users({"CN=berta", "CN=anna"}));
  const Certificate anna = authority().client("/CN=anna");
  for (const char* version : {"1.2", "1.3"}) {
    SCOPED_TRACE(version);
    TlsSettings settings{.certificate = anna, .version_max = version};
    Client first = tls_connected(Json::object(), settings);
    EXPECT_EQ(who(first), 1u);
    settings.ticket = first.tls().ticket();
    Client second = tls_connected(Json::object(), settings);
    EXPECT_TRUE(second.tls().is_resumed());
    EXPECT_EQ(who(second), 1u);
    // The certificate is not sent again: whatever a client has by now, it is who it was.
    settings.certificate = authority().client("/CN=berta");
    Client third = tls_connected(Json::object(), settings);
    EXPECT_EQ(who(third), third.tls().is_resumed() ? 1u : 0u);
  }
}

TEST_P(TlsClientCertificates, AU_39_AResumedSessionIsStillPinned) {
  const Certificate anna = authority().client("/CN=anna");
  start_mutual(fmt::format("verify: true, pinned_certs: [\"{}\"]", anna.key_digest));
  TlsSettings settings{.certificate = anna};
  Client first = tls_connected(Json::object(), settings);
  settings.ticket = first.tls().ticket();
  Client second = tls_connected(Json::object(), settings);
  EXPECT_TRUE(second.tls().is_resumed());
}

}  // namespace
}  // namespace nuncio::test
