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
  if (!options_.tokens.empty()) {
    add_token();
  } else if (!options_.users.empty()) {
    for (const UserOptions& user : options_.users) add_user(user);
  } else if (options_.single_user) {
    add_user(*options_.single_user);
  }
  choose_anonymous();
  if (has_plain_) warn("Plaintext passwords detected, use nkeys or bcrypt");
  if (findings_.errors.size() > errors_before_) return nullptr;
  choose_dummy();
  return table_;
}

// What the configuration reader refuses within one file can also come about by flags (AU-12, AU-13).
void TableBuilder::find_contradictions() {
  if (!options_.tokens.empty() && !options_.users.empty()) error("Can not have a token and a users array");
  for (const SecretOptions& token : options_.tokens) {
    if (token.text.empty()) error("authorization: the token is empty");
  }
  if (!options_.single_user) return;
  const UserOptions& user = *options_.single_user;
  if (user.name.empty()) {
    error(user.passwords.empty() ? "authorization: the user is empty"
                                 : "authorization: a password needs a user");
  }
  if (!options_.tokens.empty() || !options_.users.empty()) {
    warn(fmt::format("user {} is ignored: the {} log{} in", log::quoted(user.name),
                     options_.tokens.empty() ? "users" : "token", options_.tokens.empty() ? "" : "s"));
  }
}

void TableBuilder::add_token() {
  User user;
  user.credentials = credentials(options_.tokens, "token");
  user.is_token = true;
  table_->token_ = std::make_shared<const User>(std::move(user));
}

void TableBuilder::add_user(const UserOptions& options) {
  const std::string place = options.position.empty() ? "" : options.position + ": ";
  const std::string name = log::quoted(options.name);
  User user;
  user.name = options.name;
  user.account = options.account;
  user.connection_types = options.connection_types;
  const std::vector<SecretOptions> empty{{.text = {}, .position = options.position}};
  user.credentials = credentials(options.passwords.empty() ? empty : options.passwords,
                                 fmt::format("password of user {}", name));
  for (const Credential& credential : user.credentials) {
    if (credential.stored->is_empty())
      warn(fmt::format("{}user {} has no password: anybody may log in as it", place, name));
  }
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
    user.credentials.clear();
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
    for (const Credential& credential : user->credentials) {
      if (credential.stored->kind() == StoredSecret::Kind::plain) plain = credential.stored.get();
      if (credential.stored->kind() != StoredSecret::Kind::hash) continue;
      Method& method = methods[credential.stored->method()];
      ++method.users;
      method.secret = credential.stored.get();
    }
  }
  Method chosen{0, plain};
  for (const auto& [name, method] : methods) {
    const bool costs_more = chosen.secret != nullptr && method.secret->work() > chosen.secret->work();
    if (method.users > chosen.users || (method.users == chosen.users && costs_more)) chosen = method;
  }
  if (chosen.secret != nullptr) table_->dummy_ = StoredSecret::dummy_like(*chosen.secret);
}

std::vector<Credential> TableBuilder::credentials(const std::vector<SecretOptions>& options,
                                                  const std::string& whose) {
  std::vector<Credential> found;
  for (const SecretOptions& each : options) {
    auto secret =
        stored(each.text, each.position.empty() ? whose : fmt::format("{}: {}", each.position, whose));
    if (secret) found.push_back({std::move(secret), each.label, each.not_before, each.not_after});
  }
  return found;
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
