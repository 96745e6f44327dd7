// Who gets in as whom: the order of decision for every plain kind of configuration.
#include "auth/auth_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/auth/login.h"

namespace nuncio::auth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using Kind = Decision::Kind;

constexpr const char* plain_warning = "Plaintext passwords detected, use nkeys or bcrypt";

TEST(AuthTable, AU_2_NothingConfiguredLetsEverybodyIn) {
  const auto open = table({});
  EXPECT_FALSE(open->is_required());
  EXPECT_FALSE(open->is_announced());
  ASSERT_NE(open->anonymous(), nullptr);
  expect_admitted(decide(*open, nothing), "");
  expect_admitted(decide(*open, given("bob", "x", "y")), "");
  EXPECT_EQ(open->anonymous()->account, "$G");
}

TEST(AuthTable, AU_1_AnyKindRequiresAndAnnounces) {
  for (const auto& options : {single_user("a", "b"), token_only("t"), users({{"a", "b"}})}) {
    const auto made = table(options);
    EXPECT_TRUE(made->is_required());
    EXPECT_TRUE(made->is_announced());
    EXPECT_EQ(made->anonymous(), nullptr);
    expect_refused(decide(*made, nothing), Reason::credentials_missing);
  }
  auto with_default = users({{"a", "b"}});
  with_default.no_auth_user = "a";
  EXPECT_TRUE(table(with_default)->is_required());
  EXPECT_FALSE(table(with_default)->is_announced());
}

TEST(AuthTable, AU_10_SingleUser) {
  const auto single = table(single_user("foo", "bar"));
  expect_admitted(decide(*single, given("foo", "bar")), "foo");
  expect_refused(decide(*single, given("foo", "baz")), Reason::wrong_password);
  expect_refused(decide(*single, given("foo", "")), Reason::wrong_password);
  expect_refused(decide(*single, given("fo", "bar")), Reason::unknown_user);
  expect_refused(decide(*single, given("", "bar")), Reason::unknown_user);
  const auto empty = table(single_user("foo", ""));
  expect_admitted(decide(*empty, given("foo", "")), "foo");
  expect_refused(decide(*empty, given("foo", "x")), Reason::wrong_password);
}

TEST(AuthTable, AU_11_AT_6_TokenIsComparedWithAuthTokenOnly) {
  const auto by_token = table(token_only("t0k"));
  const Decision in = decide(*by_token, given("", "", "t0k"));
  expect_admitted(in, "");
  EXPECT_TRUE(in.login.user->is_token);
  expect_refused(decide(*by_token, given("t0k", "")), Reason::wrong_token);
  expect_refused(decide(*by_token, given("", "t0k")), Reason::wrong_token);
  expect_refused(decide(*by_token, given("t0k", "t0k")), Reason::wrong_token);
  expect_refused(decide(*by_token, given("", "", "t0K")), Reason::wrong_token);
  // With the token right, user and password do not matter.
  expect_admitted(decide(*by_token, given("bob", "x", "t0k")), "");
  const auto single = table(single_user("foo", "bar"));
  expect_refused(decide(*single, given("foo", "", "bar")), Reason::wrong_password);
  expect_refused(decide(*single, given("", "", "bar")), Reason::unknown_user);
  expect_admitted(decide(*single, given("foo", "bar", "whatever")), "foo");
}

TEST(AuthTable, AU_9_UsersDecideByName) {
  const auto several = table(users({{"a", "1"}, {"b", "2"}}));
  expect_admitted(decide(*several, given("a", "1")), "a");
  expect_admitted(decide(*several, given("b", "2")), "b");
  expect_refused(decide(*several, given("a", "2")), Reason::wrong_password);
  expect_refused(decide(*several, given("c", "1")), Reason::unknown_user);
}

TEST(AuthTable, AU_14_NamesAreBytes) {
  const auto several = table(users({{"Bob", "1"}, {"bob\n", "2"}, {std::string("b\0b", 3), "3"}}));
  expect_admitted(decide(*several, given("Bob", "1")), "Bob");
  expect_admitted(decide(*several, given("bob\n", "2")), "bob\n");
  expect_admitted(decide(*several, given(std::string_view("b\0b", 3), "3")), std::string_view("b\0b", 3));
  expect_refused(decide(*several, given("bob", "1")), Reason::unknown_user);
  expect_refused(decide(*several, given("b", "3")), Reason::unknown_user);
}

TEST(AuthTable, AU_15_AT_5_OnlyTheUserWithoutPasswordTakesTheEmptyOne) {
  const auto mixed = table(users({{"open", ""}, {"shut", "x"}}));
  expect_admitted(decide(*mixed, given("open", "")), "open");
  expect_refused(decide(*mixed, given("open", "x")), Reason::wrong_password);
  expect_refused(decide(*mixed, given("shut", "")), Reason::wrong_password);
  expect_refused(decide(*mixed, given("", "")), Reason::credentials_missing);
  expect_refused(decide(*table(token_only("t")), nothing), Reason::credentials_missing);
  const auto hashed = table(users({{"a", hash_of("x")}}));
  EXPECT_FALSE(would_admit(decide(*hashed, nothing)));
  EXPECT_FALSE(would_admit(decide(*hashed, given("a", ""))));
}

TEST(AuthTable, AU_16_NoAuthUserTakesOnlyThoseWhoGiveNothing) {
  auto options = users({{"guest", "g"}, {"bob", "b"}});
  options.no_auth_user = "guest";
  const auto made = table(options);
  ASSERT_NE(made->anonymous(), nullptr);
  EXPECT_EQ(made->anonymous()->name, "guest");
  expect_admitted(decide(*made, nothing), "guest");
  Credentials nkey_only;
  nkey_only.nkey = "UABC";
  expect_admitted(decide(*made, nkey_only), "guest");  // no nkeys are configured
  Credentials jwt_only;
  jwt_only.jwt = Secret("eyJ");
  expect_admitted(decide(*made, jwt_only), "guest");  // AU-17
  expect_refused(decide(*made, given("", "g")), Reason::unknown_user);
  expect_refused(decide(*made, given("", "", "t")), Reason::unknown_user);
  expect_refused(decide(*made, given("nobody", "")), Reason::unknown_user);
  expect_refused(decide(*made, given("guest", "")), Reason::wrong_password);
  expect_admitted(decide(*made, given("bob", "b")), "bob");
}

TEST(AuthTable, AU_16_NoAuthUserMustBeOneOfTheUsers) {
  auto missing = users({{"bob", "b"}});
  missing.no_auth_user = "guest";
  EXPECT_THAT(findings_of(missing).errors, ElementsAre(HasSubstr("no_auth_user \"guest\"")));
  for (auto options : {single_user("guest", "g"), token_only("t"), AuthorizationOptions{}}) {
    options.no_auth_user = "guest";
    EXPECT_THAT(findings_of(options).errors, ElementsAre(HasSubstr("no_auth_user \"guest\"")));
  }
}

TEST(AuthTable, AU_17_JwtIsIgnored) {
  Credentials credentials = given("foo", "bar");
  credentials.jwt = Secret("eyJ");
  expect_admitted(decide(*table(single_user("foo", "bar")), credentials), "foo");
}

TEST(AuthTable, AU_12_TokenOrUsersDecideAndTheIgnoredUserIsNamed) {
  auto both = token_only("t");
  both.single_user = user("foo", "hush");
  EXPECT_THAT(findings_of(both).warnings, ElementsAre(HasSubstr("user \"foo\" is ignored"), plain_warning));
  expect_admitted(decide(*table(both), given("x", "y", "t")), "");
  expect_refused(decide(*table(both), given("foo", "hush")), Reason::wrong_token);

  auto listed = users({{"a", "1"}});
  listed.single_user = user("foo", "hush");
  EXPECT_THAT(findings_of(listed).warnings, ElementsAre(HasSubstr("user \"foo\" is ignored"), plain_warning));
  expect_admitted(decide(*table(listed), given("a", "1")), "a");
  expect_refused(decide(*table(listed), given("foo", "hush")), Reason::unknown_user);

  auto refused = users({{"a", "1"}});
  refused.tokens = token_only("t").tokens;
  EXPECT_THAT(findings_of(refused).errors, ElementsAre(HasSubstr("token and a users array")));
}

TEST(AuthTable, AU_13_WhatWouldLetEverybodyInIsAnError) {
  EXPECT_THAT(findings_of(single_user("", "x")).errors, Not(IsEmpty()));
  EXPECT_THAT(findings_of(token_only("")).errors, Not(IsEmpty()));
  EXPECT_THAT(findings_of(single_user("", "")).errors, Not(IsEmpty()));
}

TEST(AuthTable, AU_24_PlainSecretsWarnOnce) {
  EXPECT_THAT(findings_of(users({{"a", "1"}, {"b", "2"}})).warnings, ElementsAre(plain_warning));
  EXPECT_THAT(findings_of(single_user("a", "1")).warnings, ElementsAre(plain_warning));
  EXPECT_THAT(findings_of(token_only("t")).warnings, ElementsAre(plain_warning));
  EXPECT_THAT(findings_of(users({{"a", hash_of("x")}})).warnings, IsEmpty());
  EXPECT_THAT(findings_of({}).warnings, IsEmpty());
}

TEST(AuthTable, CF_45_UserWithoutPasswordWarns) {
  EXPECT_THAT(findings_of(users({{"a", ""}})).warnings, ElementsAre(HasSubstr("\"a\" has no password")));
}

TEST(AuthTable, AU_25_AU_29_BadAndCostlyHashesAreNamedByPlaceOnly) {
  const std::string tail(53, 'q');
  const auto findings =
      findings_of(users({{"a", "$1$saltsalt$qqqqqqqqqqqqqqqqqqqqqq"}, {"b", "$2b$31$" + tail}}));
  EXPECT_THAT(findings.errors,
              ElementsAre(HasSubstr("conf:1:1: password of user \"a\""), HasSubstr("cost 31")));
  for (const auto& error : findings.errors) EXPECT_THAT(error, Not(HasSubstr("qq")));
  EXPECT_THAT(findings_of(users({{"a", "$2b$15$" + tail}})).warnings,
              ElementsAre(HasSubstr("ms on this machine")));
  EXPECT_THAT(findings_of(users({{"a", "abJnggxhB/yWI"}})).warnings,
              ElementsAre(HasSubstr("DES"), plain_warning));
}

TEST(AuthTable, CF_43_DuplicateUsersAreErrors) {
  EXPECT_THAT(findings_of(users({{"a", "1"}, {"a", "2"}})).errors,
              ElementsAre(HasSubstr("Duplicate user \"a\"")));
}

TEST(AuthTable, AU_20_HashesAreLeftToTheVerifier) {
  const auto made = table(users({{"a", hash_of("x")}}));
  const Decision decision = decide(*made, given("a", "x"));
  EXPECT_EQ(decision.kind, Kind::check);
  EXPECT_EQ(decision.reason, Reason::wrong_password);
  ASSERT_NE(decision.login.user, nullptr);
  EXPECT_EQ(decision.login.user->name, "a");
  EXPECT_TRUE(would_admit(decision));
  EXPECT_FALSE(would_admit(decide(*made, given("a", "y"))));
  const auto by_token = table(token_only(hash_of("t")));
  EXPECT_EQ(decide(*by_token, given("", "p", "t")).candidate.reveal(), "t");
  EXPECT_TRUE(would_admit(decide(*by_token, given("", "", "t"))));
  EXPECT_FALSE(would_admit(decide(*by_token, given("t", "t", ""))));
}

TEST(AuthTable, AU_16_WhoGivesNothingCostsNoHash) {
  expect_refused(decide(*table(users({{"a", hash_of("x")}})), nothing), Reason::credentials_missing);
  const Decision token = decide(*table(token_only(hash_of("t"))), nothing);
  EXPECT_EQ(token.reason, Reason::credentials_missing);
  EXPECT_FALSE(would_admit(token));
  // A password alone is something given.
  EXPECT_EQ(decide(*table(users({{"a", hash_of("x")}})), given("", "x")).kind, Kind::check);
}

TEST(AuthTable, AU_22_NulForAHashIsRefusedForKnownAndUnknownAlike) {
  const auto made = table(users({{"a", hash_of("x")}}));
  expect_refused(decide(*made, given("a", std::string_view("x\0", 2))), Reason::password_with_nul);
  expect_refused(decide(*made, given("z", std::string_view("x\0", 2))), Reason::password_with_nul);
}

TEST(AuthTable, AU_28_UnknownUsersCostOneHashOfTheMostCommonKind) {
  const auto made =
      table(users({{"a", hash_of("1", 5)}, {"b", hash_of("2", 5)}, {"c", hash_of("3", 4)}, {"d", "plain"}}));
  const Decision unknown = decide(*made, given("z", "1"));
  EXPECT_EQ(unknown.kind, Kind::check);
  EXPECT_EQ(unknown.reason, Reason::unknown_user);
  EXPECT_EQ(unknown.login.user, nullptr);
  ASSERT_EQ(unknown.stored.size(), 1u);
  EXPECT_EQ(unknown.stored[0]->method(), "$2b$05");
  EXPECT_FALSE(unknown.stored[0]->matches("1"));
  // As common: the costlier.
  const auto equal = table(users({{"a", hash_of("1", 5)}, {"c", hash_of("3", 4)}}));
  EXPECT_EQ(decide(*equal, given("z", "1")).stored.at(0)->method(), "$2b$05");
  // A single user too.
  EXPECT_EQ(decide(*table(single_user("a", hash_of("1"))), given("z", "1")).kind, Kind::check);
}

TEST(AuthTable, AU_66_StillAdmitsWhoLoggedInWithWhatIsStillThere) {
  const std::string hash = hash_of("x");
  const auto before = table(users({{"a", hash}, {"b", "1"}}));
  const Decision checked = decide(*before, given("a", "x"));
  const Login a{checked.login.user, checked.stored.at(0)};
  const Login b = decide(*before, given("b", "1")).login;
  const auto same = table(users({{"b", "1"}, {"a", hash}, {"c", "3"}}));
  EXPECT_TRUE(keeps(*same, a));
  EXPECT_TRUE(keeps(*same, b));
  const auto changed = table(users({{"a", hash_of("x")}, {"b", "2"}}));
  EXPECT_FALSE(keeps(*changed, a));
  EXPECT_FALSE(keeps(*changed, b));
  EXPECT_FALSE(keeps(*table(users({{"c", "1"}})), b));
  EXPECT_FALSE(keeps(*table(token_only("1")), b));
  EXPECT_TRUE(keeps(*table(single_user("b", "1")), b));
  EXPECT_TRUE(keeps(*table({}), b));

  const Login token = decide(*table(token_only("t")), given("", "", "t")).login;
  EXPECT_TRUE(keeps(*table(token_only("t")), token));
  EXPECT_FALSE(keeps(*table(token_only("u")), token));
  EXPECT_FALSE(keeps(*same, token));
  const Login anybody{table({})->anonymous()};
  EXPECT_TRUE(keeps(*table({}), anybody));
  EXPECT_FALSE(keeps(*same, anybody));
}

TEST(AuthTable, AU_66_NoAuthUserStaysWhileItIsThatUser) {
  auto options = users({{"guest", "g"}, {"bob", "b"}});
  options.no_auth_user = "guest";
  const Login guest{table(options)->anonymous()};
  auto new_password = users({{"guest", "h"}});
  new_password.no_auth_user = "guest";
  EXPECT_TRUE(keeps(*table(new_password), guest));
  EXPECT_FALSE(keeps(*table(users({{"guest", "g"}})), guest));
  options.no_auth_user = "bob";
  EXPECT_FALSE(keeps(*table(options), guest));
}

}  // namespace
}  // namespace nuncio::auth
