// What the auth table makes of clients that log in with an nkey: sections 2 and 4 of the specification.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/auth_table.h"
#include "auth/nkey.h"
#include "core/nkey_text.h"
#include "tests/auth/login.h"

namespace nuncio::auth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view nonce = "PXoWU7zWAMt75FY", other_nonce = "iBFByN3zQjAT7dQ";

const KeyPair& a_key() {
  static const KeyPair pair = make_key_pair(nkey_prefix_user);
  return pair;
}

UserOptions nkey_user(std::string_view text) {
  UserOptions made;
  made.nkey = text;
  made.position = "conf:2:2";
  return made;
}

// A user bob with the password "b" and an nkey.
AuthorizationOptions bob_and_nkey() {
  AuthorizationOptions options = users({{"bob", "b"}});
  options.users.push_back(nkey_user(a_key().public_key));
  return options;
}

Credentials signed_for(std::string_view message, const KeyPair& pair = a_key()) {
  Credentials credentials;
  credentials.nkey = pair.public_key;
  credentials.signature = encode_signature(*sign(pair.seed, message));
  return credentials;
}

TEST(NkeyLogin, AU_32_TheSignatureOfTheNonceIsCheckedElsewhere) {
  const auto made = table(bob_and_nkey());
  const Decision decision = decide(*made, signed_for(nonce), nonce);
  ASSERT_EQ(decision.kind, Decision::Kind::check);
  EXPECT_EQ(decision.reason, Reason::wrong_signature);
  EXPECT_EQ(decision.login.user->name, a_key().public_key);
  EXPECT_TRUE(decision.login.user->is_nkey);
  EXPECT_TRUE(would_admit(decision));
  EXPECT_EQ(label_of({decision.login.user, decision.stored.at(0)}), "nkey");
}

TEST(NkeyLogin, AT_23_ARecordedSignatureDoesNotFitAnotherNonce) {
  const auto made = table(bob_and_nkey());
  EXPECT_FALSE(would_admit(decide(*made, signed_for(nonce), other_nonce)));
  EXPECT_FALSE(would_admit(decide(*made, signed_for(""), nonce)));
  EXPECT_FALSE(would_admit(decide(*made, signed_for(other_nonce), nonce)));
}

TEST(NkeyLogin, AU_32_MissingMalformedAndForeignSignaturesAreRefused) {
  const auto made = table(bob_and_nkey());
  Credentials missing = signed_for(nonce);
  missing.signature.clear();
  expect_refused(decide(*made, missing, nonce), Reason::wrong_signature);
  Credentials malformed = signed_for(nonce);
  malformed.signature.pop_back();
  malformed.signature.pop_back();
  malformed.signature.pop_back();
  expect_refused(decide(*made, malformed, nonce), Reason::wrong_signature);
  Credentials foreign = signed_for(nonce, make_key_pair(nkey_prefix_user));
  foreign.nkey = a_key().public_key;
  EXPECT_FALSE(would_admit(decide(*made, foreign, nonce)));
}

TEST(NkeyLogin, AU_31_WithoutANonceNothingIsSigned) {
  const auto made = table(bob_and_nkey());
  EXPECT_TRUE(made->wants_nonce());
  EXPECT_FALSE(table(users({{"bob", "b"}}))->wants_nonce());
  expect_refused(decide(*made, signed_for(""), ""), Reason::nonce_missing);
  AuthorizationOptions only_nkeys;
  only_nkeys.users.push_back(nkey_user(a_key().public_key));
  EXPECT_TRUE(table(only_nkeys)->wants_nonce());
  EXPECT_TRUE(table(only_nkeys)->is_announced());  // AU-1
  EXPECT_TRUE(table(only_nkeys)->is_required());
}

TEST(NkeyLogin, AU_34_AU_9_TheNkeyDecidesAndNothingElse) {
  const auto made = table(bob_and_nkey());
  Credentials unknown = signed_for(nonce, make_key_pair(nkey_prefix_user));
  expect_refused(decide(*made, unknown, nonce), Reason::unknown_nkey);
  unknown.user = "bob";
  unknown.password = Secret("b");
  expect_refused(decide(*made, unknown, nonce), Reason::unknown_nkey);  // no fall-through to bob
  Credentials both = signed_for(nonce);
  both.user = "bob";
  both.password = Secret("wrong");
  both.token = Secret("t");
  EXPECT_TRUE(would_admit(decide(*made, both, nonce)));
  both.signature = signed_for(other_nonce).signature;
  both.password = Secret("b");
  EXPECT_FALSE(would_admit(decide(*made, both, nonce)));
  expect_admitted(decide(*made, given("bob", "b"), nonce), "bob");
  // A key is no user's name, and a name no key.
  expect_refused(decide(*made, given(a_key().public_key, ""), nonce), Reason::unknown_user);
  Credentials name;
  name.nkey = "bob";
  expect_refused(decide(*made, name, nonce), Reason::unknown_nkey);
}

TEST(NkeyLogin, AU_16_WithoutNkeysConfiguredOneCountsAsNothing) {
  expect_refused(decide(*table(users({{"bob", "b"}})), signed_for(nonce), nonce),
                 Reason::credentials_missing);
  Credentials also_user = signed_for(nonce);
  also_user.user = "bob";
  also_user.password = Secret("b");
  expect_admitted(decide(*table(users({{"bob", "b"}})), also_user, nonce), "bob");
  expect_admitted(decide(*table({}), signed_for(nonce), nonce), "");
}

TEST(NkeyLogin, AU_16_AnNkeyIsSomethingGivenWhereNkeysAreConfigured) {
  auto options = bob_and_nkey();
  options.no_auth_user = "bob";
  const auto made = table(options);
  expect_admitted(decide(*made, nothing, nonce), "bob");
  Credentials unknown;
  unknown.nkey = "UABC";
  expect_refused(decide(*made, unknown, nonce), Reason::unknown_nkey);
}

TEST(NkeyLogin, AU_35_NoAuthUserMayNameAnNkey) {
  auto options = bob_and_nkey();
  options.no_auth_user = a_key().public_key;
  const auto made = table(options);
  expect_admitted(decide(*made, nothing, nonce), a_key().public_key);
  EXPECT_EQ(made->anonymous(), nullptr) << "only for clients that send CONNECT";
  EXPECT_FALSE(made->is_announced());
  Credentials without_signature;
  without_signature.nkey = a_key().public_key;
  expect_refused(decide(*made, without_signature, nonce), Reason::wrong_signature);
  options.no_auth_user = make_key_pair(nkey_prefix_user).public_key;
  EXPECT_THAT(findings_of(options).errors, ElementsAre(HasSubstr("no_auth_user")));
}

TEST(NkeyLogin, AU_33_WrongAndDuplicateKeysAreErrors) {
  auto wrong = bob_and_nkey();
  wrong.users.back().nkey.back() = wrong.users.back().nkey.back() == 'A' ? 'B' : 'A';
  EXPECT_THAT(findings_of(wrong).errors, ElementsAre(HasSubstr("conf:2:2: nkey \"U")));
  auto twice = bob_and_nkey();
  twice.users.push_back(twice.users.back());
  EXPECT_THAT(findings_of(twice).errors, ElementsAre(HasSubstr("Duplicate nkey")));
  const PublicKey small_order{1};
  AuthorizationOptions unusable;
  unusable.users.push_back(nkey_user(encode_public_nkey(nkey_prefix_user, small_order.data())));
  EXPECT_THAT(findings_of(unusable).warnings, ElementsAre(HasSubstr("nobody can log in")));
}

TEST(NkeyLogin, AU_19_ConnectionTypesComeBeforeTheSecret) {
  auto options = bob_and_nkey();
  for (UserOptions& each : options.users)
    each.connection_types = static_cast<uint8_t>(ConnectionType::websocket);
  const auto made = table(options);
  expect_refused(decide(*made, signed_for(nonce), nonce), Reason::connection_type_not_allowed);
  expect_refused(decide(*made, given("bob", "wrong")), Reason::connection_type_not_allowed);
  expect_refused(decide(*made, given("nobody", "b")), Reason::unknown_user);
  EXPECT_TRUE(would_admit(decide(*made, signed_for(nonce), nonce, ConnectionType::websocket)));
  EXPECT_TRUE(would_admit(decide(*made, given("bob", "b"), nonce, ConnectionType::websocket)));
  options.no_auth_user = "bob";
  expect_refused(decide(*table(options), nothing), Reason::connection_type_not_allowed);
  EXPECT_EQ(table(options)->anonymous(), nullptr);
  EXPECT_NE(table(options)->anonymous(ConnectionType::websocket), nullptr);
  // A connection that is there already goes by a reload.
  const Login bob = decide(*table(bob_and_nkey()), given("bob", "b")).login;
  EXPECT_EQ(made->recheck(bob).reason, Reason::connection_type_not_allowed);
  EXPECT_EQ(made->recheck(bob, ConnectionType::websocket).kind, Recheck::Kind::stays);
}

TEST(NkeyLogin, AU_66_StaysWhileTheKeyIsThere) {
  const Decision decision = decide(*table(bob_and_nkey()), signed_for(nonce), nonce);
  const Login login{decision.login.user, decision.stored.at(0)};
  const Recheck same = table(bob_and_nkey())->recheck(login);
  ASSERT_EQ(same.kind, Recheck::Kind::stays);
  EXPECT_NE(same.login.user, login.user) << "of the new table";
  EXPECT_EQ(same.login.user->name, login.user->name);
  EXPECT_EQ(table(users({{"bob", "b"}}))->recheck(login).reason, Reason::login_revoked);
  // A user who is called like the key is somebody else.
  EXPECT_EQ(table(users({{a_key().public_key, ""}}))->recheck(login).reason, Reason::login_revoked);
  auto moved = bob_and_nkey();
  moved.users.back().account = "A";
  EXPECT_EQ(table(moved)->recheck(login).reason, Reason::account_changed);
}

}  // namespace
}  // namespace nuncio::auth
