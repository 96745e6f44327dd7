// How tests of the auth table ask: options as the configuration reader would make them, credentials as a
// CONNECT would carry them, and what the table makes of both.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "auth/auth_table.h"
#include "auth/hash_run.h"

namespace nuncio::auth {

inline Credentials given(std::string_view user, std::string_view password, std::string_view token = "") {
  Credentials credentials;
  credentials.user = user;
  credentials.password = Secret(password);
  credentials.token = Secret(token);
  return credentials;
}

inline const Credentials nothing = given("", "");

// "" is a user without password.
inline std::vector<SecretOptions> secrets(std::string_view password) {
  if (password.empty()) return {};
  return {{.text = Secret(password), .position = "conf:1:1"}};
}

inline UserOptions user(std::string_view name, std::string_view password) {
  UserOptions made;
  made.name = name;
  made.passwords = secrets(password);
  made.position = "conf:1:1";
  return made;
}

inline AuthorizationOptions single_user(std::string_view name, std::string_view password) {
  AuthorizationOptions options;
  options.single_user = user(name, password);
  return options;
}

inline AuthorizationOptions token_only(std::string_view token) {
  AuthorizationOptions options;
  options.tokens = {{.text = Secret(token), .position = "conf:1:1"}};
  return options;
}

inline AuthorizationOptions users(std::initializer_list<std::pair<std::string, std::string>> list) {
  AuthorizationOptions options;
  for (const auto& [name, password] : list) options.users.push_back(user(name, password));
  return options;
}

inline const WallTime now{std::chrono::sys_days{std::chrono::year{2024} / 5 / 1}};

inline Decision decide(const AuthTable& table, const Credentials& credentials, std::string_view nonce = "",
                       ConnectionType type = ConnectionType::standard) {
  return table.decide(credentials, nonce, type, now);
}

inline std::string hash_of(std::string_view password, unsigned long cost = 4) {
  return std::string(make_hash("$2b$", cost, password).reveal());
}

inline std::shared_ptr<const AuthTable> table(const AuthorizationOptions& options) {
  AuthTable::Findings findings;
  auto made = AuthTable::make(options, findings, now);
  EXPECT_THAT(findings.errors, ::testing::IsEmpty());
  EXPECT_NE(made, nullptr);
  return made;
}

inline AuthTable::Findings findings_of(const AuthorizationOptions& options) {
  AuthTable::Findings findings;
  const auto made = AuthTable::make(options, findings, now);
  EXPECT_EQ(made == nullptr, !findings.errors.empty());
  return findings;
}

inline void expect_admitted(const Decision& decision, std::string_view name) {
  EXPECT_EQ(decision.kind, Decision::Kind::admitted) << code(decision.reason);
  ASSERT_NE(decision.login.user, nullptr);
  EXPECT_EQ(decision.login.user->name, name);
}

inline void expect_refused(const Decision& decision, Reason reason) {
  EXPECT_EQ(decision.kind, Decision::Kind::refused);
  EXPECT_EQ(code(decision.reason), code(reason));
  EXPECT_TRUE(is_login_refusal(decision.reason));
  EXPECT_EQ(decision.login.user, nullptr);
}

// What a verifier would make of the decision.
inline bool would_admit(const Decision& decision) {
  if (decision.kind != Decision::Kind::check) return decision.kind == Decision::Kind::admitted;
  return decision.login.user &&
         std::any_of(decision.stored.begin(), decision.stored.end(),
                     [&](const auto& stored) { return stored->matches(decision.candidate.reveal()); });
}

// Whether `table` lets a connection stay that `login` describes.
inline bool keeps(const AuthTable& table, const Login& login) {
  return table.recheck(login).kind == Recheck::Kind::stays;
}

}  // namespace nuncio::auth
