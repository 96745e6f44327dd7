#include "auth/table_builder.h"

#include <fmt/format.h>

#include <map>

#include "core/log.h"

namespace nuncio::auth {

TableBuilder::TableBuilder(const AuthorizationOptions& options, AuthTable::Findings& findings)
    : options_(options),
      findings_(findings),
      table_(std::shared_ptr<AuthTable>(new AuthTable)),
      errors_before_(findings.errors.size()) {}

std::shared_ptr<const AuthTable> TableBuilder::build() {
  find_contradictions();
  if (options_.has_token) {
    add_token();
  } else if (!options_.users.empty()) {
    for (const UserOptions& user : options_.users) add_user(user);
  } else if (options_.has_user) {
    add_user({options_.user, options_.password, options_.user_position});
  }
  choose_anonymous();
  if (has_plain_) warn("Plaintext passwords detected, use nkeys or bcrypt");
  if (findings_.errors.size() > errors_before_) return nullptr;
  choose_dummy();
  return table_;
}

// What the configuration reader refuses within one file can also come about by flags (AU-12, AU-13).
void TableBuilder::find_contradictions() {
  if (options_.has_token && !options_.users.empty()) error("Can not have a token and a users array");
  if (options_.has_token && options_.token.empty()) error("authorization: the token is empty");
  if (options_.has_user && options_.user.empty()) error("authorization: the user is empty");
  if (!options_.has_user && !options_.password.empty()) error("authorization: a password needs a user");
  if (options_.has_user && (options_.has_token || !options_.users.empty())) {
    warn(fmt::format("user {} is ignored: the {} log{} in", log::quoted(options_.user),
                     options_.has_token ? "token" : "users", options_.has_token ? "s" : ""));
  }
}

void TableBuilder::add_token() {
  const std::string& position = options_.token_position;
  auto secret = stored(options_.token, position.empty() ? "token" : position + ": token");
  if (!secret) return;
  User user;
  user.secret = std::move(secret);
  user.is_token = true;
  table_->token_ = std::make_shared<const User>(std::move(user));
}

void TableBuilder::add_user(const UserOptions& options) {
  const std::string place = options.position.empty() ? "" : options.position + ": ";
  const std::string name = log::quoted(options.name);
  auto secret = stored(options.password, fmt::format("{}password of user {}", place, name));
  if (!secret) return;
  if (secret->is_empty())
    warn(fmt::format("{}user {} has no password: anybody may log in as it", place, name));
  User user;
  user.name = options.name;
  user.secret = std::move(secret);
  const bool is_new = table_->users_.emplace(user.name, std::make_shared<const User>(user)).second;
  if (!is_new) error(fmt::format("{}Duplicate user {} detected", place, name));
}

// Everybody when nothing is configured, else the no_auth_user. It carries no secret: a changed password does
// not concern those who never gave one.
void TableBuilder::choose_anonymous() {
  const std::string& name = options_.no_auth_user;
  if (name.empty()) {
    if (!options_.is_required()) table_->anonymous_ = std::make_shared<const User>();
    return;
  }
  const auto found = table_->users_.find(name);
  if (options_.users.empty()) {
    error(fmt::format("no_auth_user {} is set, but there are no users", log::quoted(name)));
  } else if (found != table_->users_.end()) {
    User user = *found->second;
    user.secret = nullptr;
    table_->anonymous_ = std::make_shared<const User>(std::move(user));
  } else if (findings_.errors.size() == errors_before_) {
    error(fmt::format("no_auth_user {} is not one of the users", log::quoted(name)));
  }
}

// With any hash in the table, unknown users are checked against one like the most common hash; among equally
// common ones the costlier, so that a guess never answers sooner than most users would.
void TableBuilder::choose_dummy() {
  struct Method {
    size_t users = 0;
    const StoredSecret* secret = nullptr;
  };
  std::map<std::string_view, Method> methods;
  const StoredSecret* plain = nullptr;
  for (const auto& [name, user] : table_->users_) {
    if (user->secret->kind() == StoredSecret::Kind::plain) {
      plain = user->secret.get();
      continue;
    }
    Method& method = methods[user->secret->method()];
    ++method.users;
    method.secret = user->secret.get();
  }
  Method chosen{0, plain};
  for (const auto& [name, method] : methods) {
    const bool costs_more = chosen.secret != nullptr && method.secret->work() > chosen.secret->work();
    if (method.users > chosen.users || (method.users == chosen.users && costs_more)) chosen = method;
  }
  if (chosen.secret != nullptr) table_->dummy_ = StoredSecret::dummy_like(*chosen.secret);
}

std::shared_ptr<const StoredSecret> TableBuilder::stored(const Secret& configured, const std::string& what) {
  auto made = StoredSecret::make(configured.reveal());
  if (!made) {
    error(fmt::format("{} {}", what, made.error()));
    return nullptr;
  }
  const StoredSecret& secret = **made;
  if (secret.kind() == StoredSecret::Kind::plain) {
    if (!configured.empty()) has_plain_ = true;
    if (looks_like_des(configured.reveal())) {
      warn(fmt::format("{} may be a DES hash; it is taken as plain text", what));
    }
  } else if (const auto time = secret.slow_check_time()) {
    warn(fmt::format("{} is costly to check: {} takes about {} ms on this machine", what, secret.method(),
                     time->count()));
  }
  return std::move(*made);
}

void TableBuilder::error(std::string text) {
  findings_.errors.push_back(std::move(text));
}
void TableBuilder::warn(std::string text) {
  findings_.warnings.push_back(std::move(text));
}

}  // namespace nuncio::auth
