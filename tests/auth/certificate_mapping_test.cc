// Which user a client's certificate is mapped to, and what else such a login needs. That of sections "order"
// and "subjects" was seen on nats-server with certificates made for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/auth_table.h"
#include "auth/nkey.h"
#include "auth/peer_certificate.h"
#include "core/nkey_text.h"
#include "tests/auth/login.h"

namespace nuncio::auth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

AuthorizationOptions mapped(AuthorizationOptions options) {
  options.maps_certificates = true;
  return options;
}

// Users without passwords.
AuthorizationOptions named(std::initializer_list<const char*> names) {
  AuthorizationOptions options;
  for (const char* name : names) options.users.push_back(user(name, ""));
  return mapped(options);
}

// `subject` as text, "CN=…" first.
PeerCertificate with_subject(std::string_view subject) {
  PeerCertificate peer;
  peer.subject = DistinguishedName::parse(subject).value();
  return peer;
}

PeerCertificate bobs_certificate() {
  PeerCertificate peer = with_subject("CN=bob,O=Acme,C=US");
  peer.emails = {"bob@x.org", "robert@x.org"};
  peer.dns_names = {"bob.x.org"};
  peer.uris = {"spiffe://x.org/bob"};
  return peer;
}

Decision decide_for(const AuthTable& table, const PeerCertificate& peer, const Credentials& given = nothing,
                    ConnectionType type = ConnectionType::standard) {
  return table.decide(given, "nonce", type, now, &peer);
}

// Whom it is mapped to; "" when to nobody.
std::string user_for(const AuthTable& table, const PeerCertificate& peer) {
  const Decision decision = decide_for(table, peer);
  if (decision.kind == Decision::Kind::admitted) return decision.login.user->name;
  expect_refused(decision, Reason::certificate_unmapped);
  return "";
}

std::string user_for(std::initializer_list<const char*> names, const PeerCertificate& peer) {
  return user_for(*table(named(names)), peer);
}

std::string user_for(std::initializer_list<const char*> names, std::string_view subject) {
  return user_for(names, with_subject(subject));
}

// Order

TEST(CertificateMapping, AU_38_TheFirstNameThatIsAUserWins) {
  std::vector<std::string> names = {"bob@x.org", "robert@x.org", "bob.x.org", "spiffe://x.org/bob",
                                    "CN=bob,O=Acme,C=US"};
  while (!names.empty()) {
    AuthorizationOptions options = mapped({});
    options.users.push_back(user("other", ""));
    for (auto name = names.rbegin(); name != names.rend(); ++name) options.users.push_back(user(*name, ""));
    EXPECT_EQ(user_for(*table(options), bobs_certificate()), names.front());
    names.erase(names.begin());
  }
  EXPECT_EQ(user_for({"other"}, bobs_certificate()), "");
}

TEST(CertificateMapping, AU_38_NamesBesidesTheSubjectAreComparedAsTheyAre) {
  PeerCertificate peer;
  peer.emails = {"Bob@X.org"};
  peer.dns_names = {"*.x.org", ""};
  EXPECT_EQ(user_for({"bob@x.org", "a.x.org"}, peer), "");
  EXPECT_EQ(user_for({"Bob@X.org"}, peer), "Bob@X.org");
  EXPECT_EQ(user_for({"*.x.org"}, peer), "*.x.org");
}

TEST(CertificateMapping, AU_38_UrisAreComparedInTheirNormalForm) {
  PeerCertificate peer;
  peer.uris = {"SPIFFE://X.org/Bob%7Ea?q#"};
  EXPECT_EQ(user_for({"spiffe://X.org/Bob%7Ea?q"}, peer), "spiffe://X.org/Bob%7Ea?q");
  EXPECT_EQ(
      user_for({"SPIFFE://X.org/Bob%7Ea?q#", "spiffe://X.org/Bob~a?q", "spiffe://x.org/Bob%7Ea?q"}, peer),
      "");
}

TEST(CertificateMapping, AT_44_AUriWithoutASchemeKeepsItsCase) {
  PeerCertificate peer;
  peer.uris = {"BOB@X.org", "X.org/Bob", "BOB@X.org:1", ":BOB", "1BOB:x", ""};
  EXPECT_EQ(user_for({"bob@x.org", "x.org/bob", "bob@x.org:1", ":bob", "1bob:x"}, peer), "");
  EXPECT_EQ(user_for({"X.org/Bob"}, peer), "X.org/Bob");
  peer.uris = {"A1+-.:x"};
  EXPECT_EQ(user_for({"a1+-.:x"}, peer), "a1+-.:x");
}

// nats-server 2.9.10 refuses these; a later line takes them.
TEST(CertificateMapping, AU_38_ANameBesidesAnEmptySubjectIsEnough) {
  PeerCertificate peer;
  peer.dns_names = {"svc.x.org"};
  EXPECT_EQ(user_for({"svc.x.org"}, peer), "svc.x.org");
}

// Subjects

TEST(CertificateMapping, AU_38_TheSubjectIsComparedInItsOrderThenInAny) {
  const char* subject = "CN=John Doe,O=users,DC=OpenSSL,DC=org";
  EXPECT_EQ(user_for({"CN=John Doe,O=users,DC=OpenSSL,DC=org"}, subject), subject);
  EXPECT_EQ(user_for({"DC=org,DC=OpenSSL,O=users,CN=John Doe"}, subject),
            "DC=org,DC=OpenSSL,O=users,CN=John Doe");
  EXPECT_EQ(user_for({"cn = John Doe , o= users, dc=OpenSSL , Dc=org"}, subject),
            "cn = John Doe , o= users, dc=OpenSSL , Dc=org");
  EXPECT_EQ(user_for({"O=users,CN=John Doe,DC=OpenSSL,DC=org", subject}, subject), subject)
      << "the exact one wins, wherever it stands";
}

// Multi-valued parts, and attributes that nats-server does not compare (UID), keep the whole from being
// equal.
TEST(CertificateMapping, AU_38_ThenItsTexts) {
  const char* subject = "CN=John,DC=OpenSSL+O=users,DC=org";
  EXPECT_EQ(user_for({"CN=John,DC=OpenSSL,O=users,DC=org"}, subject), "");
  EXPECT_EQ(user_for({"CN=John,O=users,DC=org,DC=OpenSSL"}, subject), "CN=John,O=users,DC=org,DC=OpenSSL");
  EXPECT_EQ(user_for({"CN=John,O=users"}, subject), "CN=John,O=users");
  EXPECT_EQ(
      user_for({"CN=John,O=users", "CN=John,O=users,DC=org,DC=OpenSSL", "O=users+DC=OpenSSL,DC=org,CN=John"},
               subject),
      "O=users+DC=OpenSSL,DC=org,CN=John");
  EXPECT_EQ(user_for({"CN=John,O=users", "CN=John,O=users,DC=org,DC=OpenSSL"}, subject),
            "CN=John,O=users,DC=org,DC=OpenSSL");

  const char* other = "CN=x+UID=77,O=Acme,DC=com";
  EXPECT_EQ(user_for({"CN=x+UID=77,O=Acme,DC=com"}, other), "");
  EXPECT_EQ(user_for({"O=Acme,CN=x,DC=com"}, other), "");
  EXPECT_EQ(user_for({"CN=x,O=Acme,DC=com"}, other), "CN=x,O=Acme,DC=com");
  EXPECT_EQ(user_for({"CN=x,O=Acme"}, other), "CN=x,O=Acme");
  EXPECT_EQ(user_for({"CN=john,OU=dev,O=Acme"}, "CN=john+OU=dev,O=Acme"), "CN=john,OU=dev,O=Acme");
  EXPECT_EQ(user_for({"CN=x,OU=a+OU=b,C=US"}, "CN=x,OU=b,OU=a,C=US"), "CN=x,OU=a+OU=b,C=US");
  EXPECT_EQ(user_for({"CN=x,OU=b+OU=a,C=US"}, "CN=x,OU=b,OU=a,C=US"), "");
}

TEST(CertificateMapping, AT_44_ACraftedSubjectIsNobodyElse) {
  // A comma or an equals sign inside a value.
  EXPECT_EQ(user_for({"CN=admin,O=Acme"}, R"(CN=admin\,O\=Acme)"), "");
  EXPECT_EQ(user_for({"CN=admin,O=Acme"}, R"(CN=admin,O=Acme\,O\=Acme)"), "");
  EXPECT_EQ(user_for({"CN=admin,O=Acme"}, R"(CN=\ admin,O=Acme)"), "");
  EXPECT_EQ(user_for({"CN=admin"}, R"(CN=admin\00)"), "");
  // More or fewer parts, the same ones more often.
  EXPECT_EQ(user_for({"CN=admin,CN=admin,O=Acme"}, "CN=admin,OU=x,O=Acme"), "");
  EXPECT_EQ(user_for({"CN=admin,CN=admin,O=Acme"}, "CN=admin,O=Acme,O=Acme"), "");
  EXPECT_EQ(user_for({"CN=admin,OU=x,O=Acme"}, "CN=admin,O=Acme"), "");
  EXPECT_EQ(user_for({"CN=admin,O="}, "CN=admin"), "");
  EXPECT_EQ(user_for({"CN=admin+"}, "CN=admin"), "");
  EXPECT_EQ(user_for({"CN=a,DC=x,DC=y"}, R"(CN=a,DC=x\,DC\=y)"), "");
}

TEST(CertificateMapping, AT_44_AnEmptySubjectIsNobody) {
  for (const char* name : {"CN=", ",", "CN=,", "O=", "=", ""})
    expect_refused(decide_for(*table(named({name})), PeerCertificate{}), Reason::certificate_unmapped);
}

// What a login needs

TEST(CertificateMapping, AU_38_WithoutCertificateOrMatchNobodyGetsIn) {
  const auto made = table(named({"bob@x.org", "anna"}));
  for (const Credentials& credentials :
       {nothing, given("anna", ""), given("bob@x.org", ""), given("", "", "t")}) {
    expect_refused(made->decide(credentials, "", ConnectionType::standard, now),
                   Reason::certificate_unmapped);
    expect_refused(decide_for(*made, with_subject("CN=nobody"), credentials), Reason::certificate_unmapped);
  }
}

TEST(CertificateMapping, AU_38_TheUserInConnectIsIgnored) {
  const auto made = table(named({"bob@x.org", "anna"}));
  const Decision decision = decide_for(*made, bobs_certificate(), given("anna", "", "token"));
  expect_admitted(decision, "bob@x.org");
  EXPECT_TRUE(decision.login.is_by_certificate);
}

TEST(CertificateMapping, AU_38_AUserWithPasswordMustGiveItToo) {
  const auto made = table(mapped(users({{"bob@x.org", "pw"}, {"bob.x.org", ""}})));
  expect_refused(decide_for(*made, bobs_certificate()), Reason::credentials_missing);
  expect_refused(decide_for(*made, bobs_certificate(), given("", "other")), Reason::wrong_password);
  expect_admitted(decide_for(*made, bobs_certificate(), given("", "pw")), "bob@x.org");
}

TEST(CertificateMapping, AU_38_AUserWithoutPasswordMustGiveNone) {
  const auto made = table(named({"bob@x.org"}));
  expect_refused(decide_for(*made, bobs_certificate(), given("", "pw")), Reason::wrong_password);
}

TEST(CertificateMapping, AU_20_AHashedPasswordIsCheckedElsewhere) {
  const auto made = table(mapped(users({{"bob@x.org", hash_of("pw")}})));
  const Decision decision = decide_for(*made, bobs_certificate(), given("", "pw"));
  EXPECT_TRUE(would_admit(decision));
  EXPECT_EQ(decision.login.user->name, "bob@x.org");
  EXPECT_TRUE(decision.login.is_by_certificate);
  EXPECT_FALSE(would_admit(decide_for(*made, bobs_certificate())));
  EXPECT_EQ(decide_for(*made, bobs_certificate()).reason, Reason::credentials_missing);
}

TEST(CertificateMapping, AU_9_AnNkeyInConnectDecidesFirst) {
  const KeyPair key = make_key_pair(nkey_prefix_user);
  AuthorizationOptions options = named({"bob@x.org"});
  options.users.emplace_back().nkey = key.public_key;
  const auto made = table(options);
  Credentials by_nkey;
  by_nkey.nkey = key.public_key;
  by_nkey.signature = encode_signature(*sign(key.seed, "nonce"));
  const Decision decision = decide_for(*made, bobs_certificate(), by_nkey);
  EXPECT_TRUE(would_admit(decision));
  EXPECT_TRUE(decision.login.user->is_nkey);
  EXPECT_FALSE(decision.login.is_by_certificate);
  by_nkey.nkey = make_key_pair(nkey_prefix_user).public_key;
  expect_refused(decide_for(*made, bobs_certificate(), by_nkey), Reason::unknown_nkey);
  expect_admitted(decide_for(*made, bobs_certificate()), "bob@x.org");
}

TEST(CertificateMapping, AU_19_WhoMayNotConnectLikeThisIsPassedOver) {
  AuthorizationOptions options = named({"bob@x.org", "bob.x.org"});
  options.users[0].connection_types = static_cast<uint8_t>(ConnectionType::websocket);
  expect_admitted(decide_for(*table(options), bobs_certificate()), "bob.x.org");
  expect_admitted(decide_for(*table(options), bobs_certificate(), nothing, ConnectionType::websocket),
                  "bob@x.org");
  options.users.pop_back();
  expect_refused(decide_for(*table(options), bobs_certificate()), Reason::connection_type_not_allowed);

  AuthorizationOptions equal = named({"CN=a,O=b", "cn=a,o=b"});
  equal.users[0].connection_types = static_cast<uint8_t>(ConnectionType::websocket);
  expect_admitted(decide_for(*table(equal), with_subject("CN=a,O=b")), "cn=a,o=b");
}

TEST(CertificateMapping, AU_38_AccountAndPermissionsAreThoseOfTheUser) {
  AuthorizationOptions options = named({"bob@x.org"});
  options.users[0].account = "A";
  options.users[0].permissions.emplace().publish.allow = {{"a"}};
  const Decision decision = decide_for(*table(options), bobs_certificate());
  expect_admitted(decision, "bob@x.org");
  EXPECT_EQ(decision.login.user->account, "A");
  ASSERT_NE(decision.login.user->permissions, nullptr);
  EXPECT_FALSE(decision.login.user->permissions->may_publish("b"));
}

TEST(CertificateMapping, AU_16_NoAuthUserLetsNobodyIn) {
  AuthorizationOptions options = named({"bob@x.org", "anna"});
  options.no_auth_user = "anna";
  const auto made = table(options);
  EXPECT_EQ(made->anonymous(), nullptr);
  EXPECT_TRUE(made->is_announced());
  expect_refused(decide_for(*made, with_subject("CN=nobody")), Reason::certificate_unmapped);
  EXPECT_THAT(findings_of(options).warnings, ElementsAre(HasSubstr("no_auth_user \"anna\" is ignored")));
}

// Nothing to map to: as if it were off.
TEST(CertificateMapping, AU_38_TokenAndSingleUserLogInWithoutMapping) {
  const auto by_token = table(mapped(token_only("t")));
  expect_admitted(decide_for(*by_token, bobs_certificate(), given("", "", "t")), "");
  expect_refused(decide_for(*by_token, bobs_certificate()), Reason::credentials_missing);
  const auto single = table(mapped(single_user("bob@x.org", "pw")));
  expect_admitted(decide_for(*single, bobs_certificate(), given("bob@x.org", "pw")), "bob@x.org");
  EXPECT_FALSE(would_admit(decide_for(*single, bobs_certificate(), given("", "pw"))));
  expect_admitted(decide_for(*table(mapped({})), bobs_certificate()), "");
  for (const auto& options : {token_only("t"), single_user("a", hash_of("b")), AuthorizationOptions{}}) {
    EXPECT_FALSE(table(mapped(options))->maps_certificates());
    EXPECT_THAT(findings_of(mapped(options)).warnings,
                ::testing::Contains(HasSubstr("verify_and_map finds nobody")));
  }
}

TEST(CertificateMapping, AU_38_WithoutMappingCertificatesSayNothing) {
  AuthorizationOptions options = named({"bob@x.org", "anna"});
  options.maps_certificates = false;
  const auto made = table(options);
  expect_refused(decide_for(*made, bobs_certificate()), Reason::credentials_missing);
  const Decision anna = decide_for(*made, bobs_certificate(), given("anna", ""));
  expect_admitted(anna, "anna");
  EXPECT_FALSE(anna.login.is_by_certificate);
}

// Logs and warnings

TEST(CertificateMapping, AU_72_TheLabelSaysThatItWasACertificate) {
  AuthorizationOptions options = mapped(users({{"bob@x.org", ""}, {"anna@x.org", "pw"}}));
  options.users[1].passwords.push_back({.text = Secret("next"), .position = {}, .label = "autumn"});
  const auto made = table(options);
  PeerCertificate anna;
  anna.emails = {"anna@x.org"};
  EXPECT_EQ(label_of(decide_for(*made, bobs_certificate()).login), "certificate");
  EXPECT_EQ(label_of(decide_for(*made, anna, given("", "pw")).login), "certificate and password 1");
  EXPECT_EQ(label_of(decide_for(*made, anna, given("", "next")).login), "certificate and autumn");
}

TEST(CertificateMapping, AU_38_ALoginCountsAgainstTheUserOfTheCertificate) {
  AuthorizationOptions options = named({"bob@x.org"});
  const KeyPair key = make_key_pair(nkey_prefix_user);
  options.users.emplace_back().nkey = key.public_key;
  const auto made = table(options);
  const PeerCertificate bob = bobs_certificate(), nobody = with_subject("CN=nobody");
  EXPECT_EQ(made->claimed_name(given("anna", ""), &bob), "bob@x.org");
  EXPECT_EQ(made->claimed_name(given("bob@x.org", ""), &nobody), std::nullopt);
  EXPECT_EQ(made->claimed_name(given("bob@x.org", "")), std::nullopt);
  Credentials by_nkey;
  by_nkey.nkey = key.public_key;
  EXPECT_EQ(made->claimed_name(by_nkey, &bob), key.public_key);
}

TEST(CertificateMapping, AU_38_NoPasswordIsNoWarningAndUnusableNamesAre) {
  EXPECT_THAT(findings_of(named({"bob@x.org", "CN=a,O=b", "O=b,CN=a", "spiffe://x?a=b"})).warnings,
              IsEmpty());
  EXPECT_THAT(findings_of(named({"CN=a,O=b", "cn=a, o=b"})).warnings,
              ElementsAre(HasSubstr("user \"cn=a, o=b\" is the same distinguished name as \"CN=a,O=b\"")));
  EXPECT_THAT(findings_of(named({"CN=a+UID=7"})).warnings, ElementsAre(HasSubstr("it has other attributes")));
  EXPECT_THAT(findings_of(named({"CN=a,,O=b"})).warnings, ElementsAre(HasSubstr("it is malformed")));
}

// Reloads

class CertificateReload : public ::testing::Test {
 protected:
  Recheck recheck(const AuthorizationOptions& options, const PeerCertificate* peer) const {
    return table(options)->recheck(login_, ConnectionType::standard, peer);
  }
  Recheck recheck(const AuthorizationOptions& options) const { return recheck(options, &bob_); }

  const PeerCertificate bob_ = bobs_certificate();
  const Login login_ = decide_for(*table(named({"bob.x.org"})), bob_).login;
};

TEST_F(CertificateReload, AU_66_TheSameUserStaysWithNewRights) {
  AuthorizationOptions options = named({"bob.x.org"});
  options.users[0].permissions.emplace().publish.allow = {{"a"}};
  for (const PeerCertificate* peer : {&bob_, static_cast<const PeerCertificate*>(nullptr)}) {
    const Recheck now = recheck(options, peer);
    ASSERT_EQ(now.kind, Recheck::Kind::stays);
    EXPECT_NE(now.login.user->permissions, nullptr);
    EXPECT_TRUE(now.login.is_by_certificate);
    EXPECT_EQ(label_of(now.login), "certificate");
  }
}

TEST_F(CertificateReload, AU_66_AGoneUserOrAPasswordNeverGivenEndsIt) {
  EXPECT_EQ(recheck(named({"other"})).kind, Recheck::Kind::leaves);
  const Recheck asked = recheck(mapped(users({{"bob.x.org", "pw"}})));
  EXPECT_EQ(asked.kind, Recheck::Kind::leaves);
  EXPECT_EQ(asked.reason, Reason::login_revoked);
}

// As nats-server does it. In another account it would be somebody else to its subscriptions.
TEST_F(CertificateReload, AU_66_WhomTheCertificateNamesNowIsWhoStays) {
  AuthorizationOptions options = named({"bob.x.org", "bob@x.org"});
  const Recheck now = recheck(options);
  ASSERT_EQ(now.kind, Recheck::Kind::stays);
  EXPECT_EQ(now.login.user->name, "bob@x.org");
  options.users[1].account = "A";
  EXPECT_EQ(recheck(options).reason, Reason::account_changed);
}

TEST_F(CertificateReload, AU_66_MappingThatBeginsOrEndsIsJudgedAnew) {
  AuthorizationOptions options = named({"bob.x.org"});
  options.maps_certificates = false;
  EXPECT_EQ(recheck(options).kind, Recheck::Kind::judge);
  const Login by_name = decide(*table(options), given("bob.x.org", "")).login;
  EXPECT_EQ(table(mapped(options))->recheck(by_name).kind, Recheck::Kind::judge);
  EXPECT_EQ(recheck({}).kind, Recheck::Kind::stays) << "nobody is asked any more";
}

TEST_F(CertificateReload, AU_66_NkeysAreNoConcernOfMapping) {
  const KeyPair key = make_key_pair(nkey_prefix_user);
  AuthorizationOptions options = named({"bob.x.org"});
  options.users.emplace_back().nkey = key.public_key;
  Credentials by_nkey;
  by_nkey.nkey = key.public_key;
  by_nkey.signature = encode_signature(*sign(key.seed, "nonce"));
  const Decision decision = decide_for(*table(options), bob_, by_nkey);
  const Login login{decision.login.user, decision.stored.at(0)};
  for (const bool maps : {true, false}) {
    options.maps_certificates = maps;
    EXPECT_EQ(table(options)->recheck(login, ConnectionType::standard, &bob_).kind, Recheck::Kind::stays);
  }
}

TEST_F(CertificateReload, AU_66_MappingIsPartOfWhatSecretsAre) {
  AuthorizationOptions options = named({"bob.x.org"});
  const auto with = table(options);
  EXPECT_TRUE(with->has_same_secrets(*table(options)));
  options.maps_certificates = false;
  EXPECT_FALSE(with->has_same_secrets(*table(options)));
}

}  // namespace
}  // namespace nuncio::auth
