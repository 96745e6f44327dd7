// Who gets in as whom: the order of decision for every plain kind of configuration.
#include "auth/auth_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/hash_run.h"

namespace nuncio::auth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using Kind = Decision::Kind;

constexpr const char* plain_warning = "Plaintext passwords detected, use nkeys or bcrypt";

Credentials given(std::string_view user, std::string_view password, std::string_view token = "") {
  Credentials credentials;
  credentials.user = user;
  credentials.password = Secret(password);
  credentials.token = Secret(token);
  return credentials;
}

const Credentials nothing = given("", "");

AuthorizationOptions single_user(std::string_view user, std::string_view password) {
  AuthorizationOptions options;
  options.has_user = true;
  options.user = user;
  options.password = Secret(password);
  return options;
}

AuthorizationOptions token_only(std::string_view token) {
  AuthorizationOptions options;
  options.has_token = true;
  options.token = Secret(token);
  return options;
}

AuthorizationOptions users(std::initializer_list<std::pair<std::string, std::string>> list) {
  AuthorizationOptions options;
  for (const auto& [name, password] : list) options.users.push_back({name, Secret(password), "conf:1:1"});
  return options;
}

std::string hash_of(std::string_view password, unsigned long cost = 4) {
  return std::string(make_hash("$2b$", cost, password).reveal());
}

std::shared_ptr<const AuthTable> table(const AuthorizationOptions& options) {
  AuthTable::Findings findings;
  auto made = AuthTable::make(options, findings);
  EXPECT_THAT(findings.errors, IsEmpty());
  EXPECT_NE(made, nullptr);
  return made;
}

AuthTable::Findings findings_of(const AuthorizationOptions& options) {
  AuthTable::Findings findings;
  const auto made = AuthTable::make(options, findings);
  EXPECT_EQ(made == nullptr, !findings.errors.empty());
  return findings;
}

void expect_admitted(const Decision& decision, std::string_view name) {
  EXPECT_EQ(decision.kind, Kind::admitted) << code(decision.reason);
  ASSERT_NE(decision.user, nullptr);
  EXPECT_EQ(decision.user->name, name);
}

void expect_refused(const Decision& decision, Reason reason) {
  EXPECT_EQ(decision.kind, Kind::refused);
  EXPECT_EQ(code(decision.reason), code(reason));
  EXPECT_TRUE(is_login_refusal(decision.reason));
  EXPECT_EQ(decision.user, nullptr);
}

// What a verifier would make of the decision.
bool would_admit(const Decision& decision, const Credentials& credentials) {
  if (decision.kind != Kind::check) return decision.kind == Kind::admitted;
  const Secret& candidate = decision.candidate_is_token ? credentials.token : credentials.password;
  return decision.stored->matches(candidate.reveal()) && decision.user != nullptr;
}

TEST(AuthTable, AU_2_NothingConfiguredLetsEverybodyIn) {
  const auto open = table({});
  EXPECT_FALSE(open->is_required());
  EXPECT_FALSE(open->is_announced());
  ASSERT_NE(open->anonymous(), nullptr);
  expect_admitted(open->decide(nothing), "");
  expect_admitted(open->decide(given("bob", "x", "y")), "");
  EXPECT_EQ(open->anonymous()->account, "$G");
}

TEST(AuthTable, AU_1_AnyKindRequiresAndAnnounces) {
  for (const auto& options : {single_user("a", "b"), token_only("t"), users({{"a", "b"}})}) {
    const auto made = table(options);
    EXPECT_TRUE(made->is_required());
    EXPECT_TRUE(made->is_announced());
    EXPECT_EQ(made->anonymous(), nullptr);
    expect_refused(made->decide(nothing), Reason::credentials_missing);
  }
  auto with_default = users({{"a", "b"}});
  with_default.no_auth_user = "a";
  EXPECT_TRUE(table(with_default)->is_required());
  EXPECT_FALSE(table(with_default)->is_announced());
}

TEST(AuthTable, AU_10_SingleUser) {
  const auto single = table(single_user("foo", "bar"));
  expect_admitted(single->decide(given("foo", "bar")), "foo");
  expect_refused(single->decide(given("foo", "baz")), Reason::wrong_password);
  expect_refused(single->decide(given("foo", "")), Reason::wrong_password);
  expect_refused(single->decide(given("fo", "bar")), Reason::unknown_user);
  expect_refused(single->decide(given("", "bar")), Reason::unknown_user);
  const auto empty = table(single_user("foo", ""));
  expect_admitted(empty->decide(given("foo", "")), "foo");
  expect_refused(empty->decide(given("foo", "x")), Reason::wrong_password);
}

TEST(AuthTable, AU_11_AT_6_TokenIsComparedWithAuthTokenOnly) {
  const auto by_token = table(token_only("t0k"));
  const Decision in = by_token->decide(given("", "", "t0k"));
  expect_admitted(in, "");
  EXPECT_TRUE(in.user->is_token);
  expect_refused(by_token->decide(given("t0k", "")), Reason::wrong_token);
  expect_refused(by_token->decide(given("", "t0k")), Reason::wrong_token);
  expect_refused(by_token->decide(given("t0k", "t0k")), Reason::wrong_token);
  expect_refused(by_token->decide(given("", "", "t0K")), Reason::wrong_token);
  // With the token right, user and password do not matter.
  expect_admitted(by_token->decide(given("bob", "x", "t0k")), "");
  const auto single = table(single_user("foo", "bar"));
  expect_refused(single->decide(given("foo", "", "bar")), Reason::wrong_password);
  expect_refused(single->decide(given("", "", "bar")), Reason::unknown_user);
  expect_admitted(single->decide(given("foo", "bar", "whatever")), "foo");
}

TEST(AuthTable, AU_9_UsersDecideByName) {
  const auto several = table(users({{"a", "1"}, {"b", "2"}}));
  expect_admitted(several->decide(given("a", "1")), "a");
  expect_admitted(several->decide(given("b", "2")), "b");
  expect_refused(several->decide(given("a", "2")), Reason::wrong_password);
  expect_refused(several->decide(given("c", "1")), Reason::unknown_user);
}

TEST(AuthTable, AU_14_NamesAreBytes) {
  const auto several = table(users({{"Bob", "1"}, {"bob\n", "2"}, {std::string("b\0b", 3), "3"}}));
  expect_admitted(several->decide(given("Bob", "1")), "Bob");
  expect_admitted(several->decide(given("bob\n", "2")), "bob\n");
  expect_admitted(several->decide(given(std::string_view("b\0b", 3), "3")), std::string_view("b\0b", 3));
  expect_refused(several->decide(given("bob", "1")), Reason::unknown_user);
  expect_refused(several->decide(given("b", "3")), Reason::unknown_user);
}

TEST(AuthTable, AU_15_AT_5_OnlyTheUserWithoutPasswordTakesTheEmptyOne) {
  const auto mixed = table(users({{"open", ""}, {"shut", "x"}}));
  expect_admitted(mixed->decide(given("open", "")), "open");
  expect_refused(mixed->decide(given("open", "x")), Reason::wrong_password);
  expect_refused(mixed->decide(given("shut", "")), Reason::wrong_password);
  expect_refused(mixed->decide(given("", "")), Reason::credentials_missing);
  expect_refused(table(token_only("t"))->decide(nothing), Reason::credentials_missing);
  const auto hashed = table(users({{"a", hash_of("x")}}));
  EXPECT_FALSE(would_admit(hashed->decide(nothing), nothing));
  EXPECT_FALSE(would_admit(hashed->decide(given("a", "")), given("a", "")));
}

TEST(AuthTable, AU_16_NoAuthUserTakesOnlyThoseWhoGiveNothing) {
  auto options = users({{"guest", "g"}, {"bob", "b"}});
  options.no_auth_user = "guest";
  const auto made = table(options);
  ASSERT_NE(made->anonymous(), nullptr);
  EXPECT_EQ(made->anonymous()->name, "guest");
  expect_admitted(made->decide(nothing), "guest");
  Credentials nkey_only;
  nkey_only.nkey = "UABC";
  expect_admitted(made->decide(nkey_only), "guest");  // no nkeys are configured
  Credentials jwt_only;
  jwt_only.jwt = Secret("eyJ");
  expect_admitted(made->decide(jwt_only), "guest");  // AU-17
  expect_refused(made->decide(given("", "g")), Reason::unknown_user);
  expect_refused(made->decide(given("", "", "t")), Reason::unknown_user);
  expect_refused(made->decide(given("nobody", "")), Reason::unknown_user);
  expect_refused(made->decide(given("guest", "")), Reason::wrong_password);
  expect_admitted(made->decide(given("bob", "b")), "bob");
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
  expect_admitted(table(single_user("foo", "bar"))->decide(credentials), "foo");
}

TEST(AuthTable, AU_12_TokenOrUsersDecideAndTheIgnoredUserIsNamed) {
  auto both = token_only("t");
  both.has_user = true;
  both.user = "foo";
  both.password = Secret("hush");
  EXPECT_THAT(findings_of(both).warnings, ElementsAre(HasSubstr("user \"foo\" is ignored"), plain_warning));
  expect_admitted(table(both)->decide(given("x", "y", "t")), "");
  expect_refused(table(both)->decide(given("foo", "hush")), Reason::wrong_token);

  auto listed = users({{"a", "1"}});
  listed.has_user = true;
  listed.user = "foo";
  listed.password = Secret("hush");
  EXPECT_THAT(findings_of(listed).warnings, ElementsAre(HasSubstr("user \"foo\" is ignored"), plain_warning));
  expect_admitted(table(listed)->decide(given("a", "1")), "a");
  expect_refused(table(listed)->decide(given("foo", "hush")), Reason::unknown_user);

  auto refused = users({{"a", "1"}});
  refused.has_token = true;
  refused.token = Secret("t");
  EXPECT_THAT(findings_of(refused).errors, ElementsAre(HasSubstr("token and a users array")));
}

TEST(AuthTable, AU_13_WhatWouldLetEverybodyInIsAnError) {
  EXPECT_THAT(findings_of(single_user("", "x")).errors, Not(IsEmpty()));
  EXPECT_THAT(findings_of(token_only("")).errors, Not(IsEmpty()));
  AuthorizationOptions password_only;
  password_only.password = Secret("x");
  EXPECT_THAT(findings_of(password_only).errors, Not(IsEmpty()));
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
  const Decision decision = made->decide(given("a", "x"));
  EXPECT_EQ(decision.kind, Kind::check);
  EXPECT_EQ(decision.reason, Reason::wrong_password);
  EXPECT_FALSE(decision.candidate_is_token);
  ASSERT_NE(decision.user, nullptr);
  EXPECT_EQ(decision.user->name, "a");
  EXPECT_TRUE(would_admit(decision, given("a", "x")));
  EXPECT_FALSE(would_admit(decision, given("a", "y")));
  const auto by_token = table(token_only(hash_of("t")));
  EXPECT_TRUE(by_token->decide(given("", "t", "t")).candidate_is_token);
  EXPECT_TRUE(would_admit(by_token->decide(given("", "", "t")), given("", "", "t")));
  EXPECT_FALSE(would_admit(by_token->decide(given("t", "t", "")), given("t", "t", "")));
}

TEST(AuthTable, AU_22_NulForAHashIsRefusedForKnownAndUnknownAlike) {
  const auto made = table(users({{"a", hash_of("x")}}));
  expect_refused(made->decide(given("a", std::string_view("x\0", 2))), Reason::password_with_nul);
  expect_refused(made->decide(given("z", std::string_view("x\0", 2))), Reason::password_with_nul);
}

TEST(AuthTable, AU_28_UnknownUsersCostOneHashOfTheMostCommonKind) {
  const auto made =
      table(users({{"a", hash_of("1", 5)}, {"b", hash_of("2", 5)}, {"c", hash_of("3", 4)}, {"d", "plain"}}));
  const Decision unknown = made->decide(given("z", "1"));
  EXPECT_EQ(unknown.kind, Kind::check);
  EXPECT_EQ(unknown.reason, Reason::unknown_user);
  EXPECT_EQ(unknown.user, nullptr);
  ASSERT_NE(unknown.stored, nullptr);
  EXPECT_EQ(unknown.stored->method(), "$2b$05");
  EXPECT_FALSE(would_admit(unknown, given("z", "1")));
  // As common: the costlier.
  const auto equal = table(users({{"a", hash_of("1", 5)}, {"c", hash_of("3", 4)}}));
  EXPECT_EQ(equal->decide(given("z", "1")).stored->method(), "$2b$05");
  // A single user too.
  EXPECT_EQ(table(single_user("a", hash_of("1")))->decide(given("z", "1")).kind, Kind::check);
}

TEST(AuthTable, AU_66_StillAdmitsWhoLoggedInWithWhatIsStillThere) {
  const std::string hash = hash_of("x");
  const auto before = table(users({{"a", hash}, {"b", "1"}}));
  const auto a = before->decide(given("a", "x")).user;
  const auto b = before->decide(given("b", "1")).user;
  const auto same = table(users({{"b", "1"}, {"a", hash}, {"c", "3"}}));
  EXPECT_TRUE(same->still_admits(*a));
  EXPECT_TRUE(same->still_admits(*b));
  const auto changed = table(users({{"a", hash_of("x")}, {"b", "2"}}));
  EXPECT_FALSE(changed->still_admits(*a));
  EXPECT_FALSE(changed->still_admits(*b));
  EXPECT_FALSE(table(users({{"c", "1"}}))->still_admits(*b));
  EXPECT_FALSE(table(token_only("1"))->still_admits(*b));
  EXPECT_TRUE(table(single_user("b", "1"))->still_admits(*b));
  EXPECT_TRUE(table({})->still_admits(*b));

  const auto token = table(token_only("t"))->decide(given("", "", "t")).user;
  EXPECT_TRUE(table(token_only("t"))->still_admits(*token));
  EXPECT_FALSE(table(token_only("u"))->still_admits(*token));
  EXPECT_FALSE(same->still_admits(*token));
  const auto anybody = table({})->anonymous();
  EXPECT_TRUE(table({})->still_admits(*anybody));
  EXPECT_FALSE(same->still_admits(*anybody));
}

TEST(AuthTable, AU_66_NoAuthUserStaysWhileItIsThatUser) {
  auto options = users({{"guest", "g"}, {"bob", "b"}});
  options.no_auth_user = "guest";
  const auto guest = table(options)->anonymous();
  auto new_password = users({{"guest", "h"}});
  new_password.no_auth_user = "guest";
  EXPECT_TRUE(table(new_password)->still_admits(*guest));
  EXPECT_FALSE(table(users({{"guest", "g"}}))->still_admits(*guest));
  options.no_auth_user = "bob";
  EXPECT_FALSE(table(options)->still_admits(*guest));
}

}  // namespace
}  // namespace nuncio::auth
