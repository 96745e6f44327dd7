// Several secrets of one user or token, each with its time: rotation without a gap (AU-72).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/auth_table.h"
#include "tests/auth/login.h"

namespace nuncio::auth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

SecretOptions secret(std::string_view text) {
  SecretOptions made;
  made.text = Secret(text);
  made.position = "conf:3:3";
  return made;
}

SecretOptions from(WallTime time, std::string_view text) {
  SecretOptions made = secret(text);
  made.not_before = time;
  return made;
}

SecretOptions until(WallTime time, std::string_view text) {
  SecretOptions made = secret(text);
  made.not_after = time;
  return made;
}

AuthorizationOptions user_with(std::string_view name, std::vector<SecretOptions> several) {
  AuthorizationOptions options;
  options.users.push_back(user(name, ""));
  options.users.back().passwords = std::move(several);
  return options;
}

TEST(Rotation, AU_72_EachOfSeveralSecretsLetsIn) {
  const auto plain = table(user_with("a", {secret("old"), secret("new")}));
  expect_admitted(decide(*plain, given("a", "old")), "a");
  expect_admitted(decide(*plain, given("a", "new")), "a");
  expect_refused(decide(*plain, given("a", "oldnew")), Reason::wrong_password);
  expect_refused(decide(*plain, given("a", "")), Reason::wrong_password);

  const auto hashed = table(user_with("a", {secret(hash_of("old")), secret(hash_of("new"))}));
  EXPECT_TRUE(would_admit(decide(*hashed, given("a", "old"))));
  EXPECT_TRUE(would_admit(decide(*hashed, given("a", "new"))));
  EXPECT_FALSE(would_admit(decide(*hashed, given("a", "other"))));

  const auto mixed = table(user_with("a", {secret(hash_of("old")), secret("new")}));
  EXPECT_TRUE(would_admit(decide(*mixed, given("a", "old"))));
  expect_admitted(decide(*mixed, given("a", "new")), "a");

  AuthorizationOptions tokens;
  tokens.tokens = {secret("t1"), secret("t2")};
  expect_admitted(decide(*table(tokens), given("", "", "t1")), "");
  expect_admitted(decide(*table(tokens), given("", "", "t2")), "");
  expect_refused(decide(*table(tokens), given("", "", "t3")), Reason::wrong_token);
}

TEST(Rotation, AU_72_SecretsHoldFromNotBeforeUntilNotAfter) {
  const auto made = table(user_with("a", {until(now + 1h, "old"), from(now + 30min, "new")}));
  const auto at = [&](WallTime time, std::string_view password) {
    return made->decide(given("a", password), {}, ConnectionType::standard, time);
  };
  expect_admitted(at(now, "old"), "a");
  expect_refused(at(now, "neither"), Reason::wrong_password);
  expect_refused(at(now, "new"), Reason::secret_not_valid_now);
  expect_refused(at(now + 30min - 1ns, "new"), Reason::secret_not_valid_now);
  expect_admitted(at(now + 30min, "new"), "a");
  expect_admitted(at(now + 1h - 1ns, "old"), "a");
  expect_refused(at(now + 1h, "old"), Reason::secret_not_valid_now);
  expect_admitted(at(now + 1h, "new"), "a");
}

TEST(Rotation, AU_72_NoneValidIsItsOwnReason) {
  const auto made = table(user_with("a", {from(now + 1h, "new")}));
  expect_refused(decide(*made, given("a", "new")), Reason::secret_not_valid_now);
  AuthorizationOptions token;
  token.tokens = {from(now + 1h, "new")};
  expect_refused(decide(*table(token), given("", "", "new")), Reason::secret_not_valid_now);
}

TEST(Rotation, AU_28_NoneValidCostsWhatAnUnknownUserDoes) {
  auto options = user_with("a", {from(now + 1h, hash_of("new"))});
  options.users.push_back(user("b", hash_of("b")));
  const auto made = table(options);
  const Decision early = decide(*made, given("a", "new"));
  const Decision unknown = decide(*made, given("z", "new"));
  ASSERT_EQ(early.kind, Decision::Kind::check);
  EXPECT_EQ(early.reason, Reason::secret_not_valid_now);
  EXPECT_EQ(early.login.user, nullptr);
  EXPECT_EQ(early.stored, unknown.stored);
  EXPECT_FALSE(would_admit(early));
  // Where nobody else has a hash, too.
  const auto alone = table(user_with("a", {from(now + 1h, hash_of("new"))}));
  EXPECT_EQ(decide(*alone, given("a", "new")).kind, Decision::Kind::check);
  AuthorizationOptions token;
  token.tokens = {from(now + 1h, hash_of("new"))};
  EXPECT_EQ(decide(*table(token), given("", "", "new")).kind, Decision::Kind::check);
}

TEST(Rotation, AU_28_UnknownUsersCostAsManyHashesAsMostUsersDo) {
  AuthorizationOptions options = users({{"single", hash_of("x", 5)}});
  for (const char* name : {"a", "b"}) {
    options.users.push_back(user(name, ""));
    options.users.back().passwords = {secret(hash_of("1")), secret(hash_of("2")),
                                      until(now - 1h, hash_of("0"))};
  }
  const auto made = table(options);
  const Decision known = decide(*made, given("a", "z")), unknown = decide(*made, given("z", "z"));
  ASSERT_THAT(known.stored, SizeIs(2));
  ASSERT_THAT(unknown.stored, SizeIs(2));
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(known.stored[i]->method(), unknown.stored[i]->method());
}

TEST(Rotation, AU_72_LogsTellWhichSecretItWas) {
  const auto label = [](const AuthorizationOptions& options, const Credentials& credentials) {
    return std::string(label_of(decide(*table(options), credentials).login));
  };
  auto options = user_with("a", {secret("1"), secret("2"), secret("3")});
  options.users[0].passwords[2].label = "spring";
  EXPECT_EQ(label(options, given("a", "1")), "password 1");
  EXPECT_EQ(label(options, given("a", "2")), "password 2");
  EXPECT_EQ(label(options, given("a", "3")), "spring");
  EXPECT_EQ(label(users({{"a", "1"}}), given("a", "1")), "password");
  EXPECT_EQ(label(single_user("a", "1"), given("a", "1")), "password");
  EXPECT_EQ(label(token_only("t"), given("", "", "t")), "token");
  AuthorizationOptions tokens;
  tokens.tokens = {secret("t1"), secret("t2")};
  EXPECT_EQ(label(tokens, given("", "", "t2")), "token 2");
  EXPECT_EQ(label({}, nothing), "");
  options.no_auth_user = "a";
  EXPECT_EQ(label(options, nothing), "");
}

TEST(Rotation, AU_72_ExpiredSecretsWarnAndImpossibleTimesAreErrors) {
  const auto expired = findings_of(user_with("a", {until(now - 1h, hash_of("old")), secret(hash_of("new"))}));
  EXPECT_THAT(expired.errors, IsEmpty());
  EXPECT_THAT(
      expired.warnings,
      ElementsAre("conf:3:3: password 1 of user \"a\" has expired: not_after is 2024-04-30T23:00:00Z"));
  EXPECT_THAT(findings_of(user_with("a", {until(now + 1h, hash_of("x"))})).warnings, IsEmpty());
  auto never = user_with("a", {until(now + 1h, hash_of("x"))});
  never.users[0].passwords[0].not_before = now + 1h;
  EXPECT_THAT(findings_of(never).errors, ElementsAre(HasSubstr("never valid")));
}

TEST(Rotation, AU_72_ExpiryDoesNotCutWhoIsIn) {
  const auto made = table(user_with("a", {until(now + 1h, "old"), secret("new")}));
  const Login login = decide(*made, given("a", "old")).login;
  const auto later = table(user_with("a", {until(now - 1h, "old"), secret("new")}));
  EXPECT_TRUE(keeps(*later, login));
  EXPECT_FALSE(keeps(*table(user_with("a", {secret("new")})), login)) << "but taking it away does";
}

TEST(Rotation, AU_66_ReloadKnowsWhetherSecretsAreTheSame) {
  const auto same = [](const AuthorizationOptions& a, const AuthorizationOptions& b) {
    return table(a)->has_same_secrets(*table(b));
  };
  const auto base = user_with("a", {secret("1"), until(now + 1h, "2")});
  EXPECT_TRUE(same(base, base));
  EXPECT_TRUE(same({}, {}));
  EXPECT_FALSE(same(base, {}));
  EXPECT_FALSE(same(base, user_with("b", {secret("1"), until(now + 1h, "2")})));
  EXPECT_FALSE(same(base, user_with("a", {secret("1")})));
  EXPECT_FALSE(same(base, user_with("a", {secret("1"), until(now + 1h, "3")})));
  EXPECT_FALSE(same(base, user_with("a", {secret("1"), until(now + 2h, "2")})));
  EXPECT_FALSE(same(base, user_with("a", {secret("1"), from(now + 1h, "2")})));
  EXPECT_TRUE(same(token_only("t"), token_only("t")));
  EXPECT_FALSE(same(token_only("t"), token_only("u")));
  EXPECT_FALSE(same(token_only("t"), users({{"", "t"}})));
  auto other_rights = base;
  other_rights.users[0].account = "B";
  EXPECT_TRUE(same(base, other_rights));
  EXPECT_TRUE(same(users({{"a", "1"}, {"b", "2"}}), users({{"b", "2"}, {"a", "1"}})));
}

}  // namespace
}  // namespace nuncio::auth
