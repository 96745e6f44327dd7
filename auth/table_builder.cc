#include "auth/table_builder.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "auth/distinguished_name.h"
#include "core/log.h"

namespace nuncio::auth {
namespace {

std::string place_of(const std::string& position) {
  return position.empty() ? "" : position + ": ";
}

std::string label_at(size_t index, size_t count, std::string_view kind) {
  return count == 1 ? std::string(kind) : fmt::format("{} {}", kind, index + 1);
}

std::string text_of(WallTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

// The hashes a wrong password of a user is compared with: what dummies imitate.
struct Profile {
  size_t users = 0;
  std::vector<const StoredSecret*> hashes;

  double work() const {
    return std::accumulate(hashes.begin(), hashes.end(), 0.0,
                           [](double sum, const StoredSecret* hash) { return sum + hash->work(); });
  }
};

}  // namespace

TableBuilder::TableBuilder(const AuthorizationOptions& options, AuthTable::Findings& findings, WallTime now)
    : options_(options),
      findings_(findings),
      now_(now),
      table_(std::shared_ptr<AuthTable>(new AuthTable)),
      errors_before_(findings.errors.size()) {}

std::shared_ptr<const AuthTable> TableBuilder::build() {
  find_contradictions();
  table_->maps_certificates_ =
      options_.maps_certificates && options_.tokens.empty() && !options_.users.empty();
  if (!options_.tokens.empty()) {
    add_token();
  } else if (!options_.users.empty()) {
    for (const UserOptions& user : options_.users) {
      if (user.nkey.empty()) {
        add_user(user);
      } else {
        add_nkey(user);
      }
    }
  } else if (options_.single_user) {
    add_user(*options_.single_user);
  }
  choose_anonymous();
  if (has_plain_) warn("Plaintext passwords detected, use nkeys or bcrypt");
  if (findings_.errors.size() > errors_before_) return nullptr;
  choose_dummies();
  return table_;
}

// What the configuration reader refuses within one file can also come about by flags (AU-12, AU-13).
void TableBuilder::find_contradictions() {
  if (!options_.tokens.empty() && !options_.users.empty()) error("Can not have a token and a users array");
  for (const SecretOptions& token : options_.tokens) {
    if (token.text.empty()) error("authorization: the token is empty");
  }
  const bool has_names = std::any_of(options_.users.begin(), options_.users.end(),
                                     [](const UserOptions& user) { return user.nkey.empty(); });
  if (options_.maps_certificates && !has_names)
    warn("verify_and_map finds nobody: certificates are mapped to the entries of users only, by their names");
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
  user.credentials = credentials(options_.tokens, "token", "");
  user.is_token = true;
  table_->token_ = std::make_shared<const User>(std::move(user));
}

void TableBuilder::add_user(const UserOptions& options) {
  const std::string place = place_of(options.position);
  const std::string name = log::quoted(options.name);
  User user;
  user.name = options.name;
  user.account = options.account;
  user.connection_types = options.connection_types;
  if (options.permissions) user.permissions = permissions(*options.permissions);
  const std::vector<SecretOptions> empty{{.text = {}, .position = options.position}};
  user.credentials = credentials(options.passwords.empty() ? empty : options.passwords, "password",
                                 fmt::format(" of user {}", name));
  for (Credential& credential : user.credentials) {
    const bool is_empty = credential.stored->is_empty();
    if (table_->maps_certificates_)
      credential.label = is_empty ? "certificate" : "certificate and " + credential.label;
    else if (is_empty)
      warn(fmt::format("{}user {} has no password: anybody may log in as it", place, name));
  }
  const auto [entry, is_new] = table_->users_.emplace(user.name, std::make_shared<const User>(user));
  if (!is_new) return error(fmt::format("{}Duplicate user {} detected", place, name));
  if (table_->maps_certificates_) prepare_mapping(entry->second, place);
}

// So that no login has to read users' names.
void TableBuilder::prepare_mapping(const std::shared_ptr<const User>& user, const std::string& place) {
  const auto name = DistinguishedName::parse(user->name);
  if (!name || !name->is_comparable()) {
    if (DistinguishedName::looks_like_one(user->name))
      warn(fmt::format("{}user {} is no distinguished name that certificates are compared with: {}", place,
                       log::quoted(user->name), name ? "it has other attributes" : "it is malformed"));
    return;
  }
  auto& equal = table_->by_ordered_name_[name->ordered_key()];
  if (!equal.empty())
    warn(fmt::format("{}user {} is the same distinguished name as {}: certificates are mapped to that", place,
                     log::quoted(user->name), log::quoted(equal.front()->name)));
  equal.push_back(user);
  table_->by_unordered_name_[name->unordered_key()].push_back(user);
}

void TableBuilder::add_nkey(const UserOptions& options) {
  const std::string what = place_of(options.position) + "nkey " + log::quoted(options.nkey);
  auto made = StoredSecret::make_nkey(options.nkey);
  if (!made) return error(fmt::format("{} {}", what, made.error()));
  if (!is_usable(*parse_user_nkey(options.nkey)))
    warn(fmt::format("{} is no point that anybody can sign with: nobody can log in as it", what));
  User user;
  user.name = options.nkey;
  user.account = options.account;
  user.connection_types = options.connection_types;
  if (options.permissions) user.permissions = permissions(*options.permissions);
  user.is_nkey = true;
  user.credentials.push_back({std::move(*made), "nkey"});
  const bool is_new = table_->nkeys_.emplace(user.name, std::make_shared<const User>(user)).second;
  if (!is_new) error(fmt::format("{}Duplicate nkey {} detected", place_of(options.position), options.nkey));
}

// Everybody when nothing is configured, else the no_auth_user. It carries no secret: a changed password does
// not concern those who never gave one.
void TableBuilder::choose_anonymous() {
  const std::string& name = options_.no_auth_user;
  if (name.empty()) {
    if (!options_.is_required()) table_->anonymous_ = std::make_shared<const User>();
    return;
  }
  if (options_.users.empty())
    return error(fmt::format("no_auth_user {} is set, but there are no users", log::quoted(name)));
  for (const AuthTable::Users* users : {&table_->users_, &table_->nkeys_}) {
    const auto found = users->find(name);
    if (found == users->end()) continue;
    if (table_->maps_certificates_)
      return warn(fmt::format("no_auth_user {} is ignored: verify_and_map asks everybody for a certificate",
                              log::quoted(name)));
    User user = *found->second;
    user.credentials.clear();
    table_->anonymous_ = std::make_shared<const User>(std::move(user));
    return;
  }
  if (findings_.errors.size() == errors_before_)
    error(fmt::format("no_auth_user {} is not one of the users", log::quoted(name)));
}

// With any hash in the table, unknown users are checked against as many hashes of the same methods as most
// users that have some; among equally common sets against the costlier, so that a guess never answers sooner
// than most users would.
void TableBuilder::choose_dummies() {
  std::map<std::string, Profile> profiles;
  const auto add = [&](const User& user) {
    Profile profile;
    std::string methods;
    for (const Credential& credential : user.credentials) {
      const bool has_expired = credential.not_after && *credential.not_after <= now_;
      if (credential.stored->kind() != StoredSecret::Kind::hash || has_expired) continue;
      profile.hashes.push_back(credential.stored.get());
      methods.append(credential.stored->method()).append(" ");
    }
    if (!profile.hashes.empty()) ++profiles.emplace(methods, std::move(profile)).first->second.users;
  };
  if (table_->token_) add(*table_->token_);
  for (const auto& [name, user] : table_->users_) add(*user);

  const Profile* chosen = nullptr;
  for (const auto& [methods, profile] : profiles) {
    const bool is_better = chosen == nullptr || profile.users > chosen->users ||
                           (profile.users == chosen->users && profile.work() > chosen->work());
    if (is_better) chosen = &profile;
  }
  if (chosen == nullptr) {
    table_->dummies_.push_back({StoredSecret::dummy_like(**StoredSecret::make(""))});
    return;
  }
  for (const StoredSecret* hash : chosen->hashes)
    table_->dummies_.push_back({StoredSecret::dummy_like(*hash)});
}

std::vector<Credential> TableBuilder::credentials(const std::vector<SecretOptions>& options,
                                                  std::string_view kind, const std::string& owner) {
  std::vector<Credential> found;
  for (size_t i = 0; i < options.size(); ++i) {
    const SecretOptions& each = options[i];
    const std::string place = label_at(i, options.size(), kind);
    const std::string what = place_of(each.position) + place + owner;
    auto secret = stored(each.text, what);
    if (!secret) continue;
    found.push_back(
        {std::move(secret), each.label.empty() ? place : each.label, each.not_before, each.not_after});
    judge_times(found.back(), what);
  }
  return found;
}

void TableBuilder::judge_times(const Credential& credential, const std::string& what) {
  const auto& [stored, label, not_before, not_after] = credential;
  if (!not_after) return;
  if (not_before && *not_before >= *not_after) {
    error(fmt::format("{} is never valid: not_before {} is not before not_after {}", what,
                      text_of(*not_before), text_of(*not_after)));
  } else if (*not_after <= now_) {
    warn(fmt::format("{} has expired: not_after is {}", what, text_of(*not_after)));
  }
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

std::shared_ptr<const Permissions> TableBuilder::permissions(const PermissionOptions& options) {
  std::shared_ptr<const Permissions>& shared = permissions_[Permissions::identity_of(options)];
  if (!shared) shared = Permissions::make(options);
  return shared;
}

void TableBuilder::error(std::string text) {
  findings_.errors.push_back(std::move(text));
}
void TableBuilder::warn(std::string text) {
  findings_.warnings.push_back(std::move(text));
}

}  // namespace nuncio::auth
