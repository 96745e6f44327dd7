#include "auth/auth_table.h"

#include <span>

#include "auth/table_builder.h"

namespace nuncio::auth {
namespace {

// What comes of `candidate` against the secrets that are valid now; `user` is who it would be, null for a
// dummy. The same steps for known and unknown users (AU-28, AT-1).
Decision compare(const Secret& candidate, std::span<const Credential> credentials, WallTime now,
                 const std::shared_ptr<const User>& user, Reason refusal) {
  Decision decision{Decision::Kind::refused, refusal};
  bool is_any_valid = false;
  for (const Credential& credential : credentials) {
    if (!credential.is_valid_at(now)) continue;
    is_any_valid = true;
    if (credential.stored->kind() == StoredSecret::Kind::hash) {
      decision.stored.push_back(credential.stored);
    } else if (credential.stored->matches(candidate.reveal()) && user) {
      return {Decision::Kind::admitted, Reason::none, {user, credential.stored}};
    }
  }
  if (!is_any_valid) decision.reason = Reason::secret_not_valid_now;
  if (decision.stored.empty()) return decision;
  if (candidate.reveal().find('\0') != std::string_view::npos)
    return {Decision::Kind::refused, Reason::password_with_nul};
  decision.kind = Decision::Kind::check;
  decision.login.user = user;
  decision.candidate = candidate;
  return decision;
}

Recheck keep_account(const User& before, Login login) {
  if (login.user->account != before.account) return {Recheck::Kind::leaves, {}, Reason::account_changed};
  return {Recheck::Kind::stays, std::move(login)};
}

}  // namespace

bool Credential::is_valid_at(WallTime now) const {
  return (!not_before || *not_before <= now) && (!not_after || now < *not_after);
}

std::shared_ptr<const AuthTable> AuthTable::make(const AuthorizationOptions& options, Findings& findings) {
  return TableBuilder(options, findings).build();
}

Decision AuthTable::decide(const Credentials& given, std::string_view, ConnectionType, WallTime now) const {
  if (!is_required()) return {Decision::Kind::admitted, Reason::none, {anonymous_}};
  // Without nkeys in the table, an nkey counts as nothing given; a JWT does outside operator mode (AU-16,
  // AU-17).
  const bool gives_nothing = given.user.empty() && given.password.empty() && given.token.empty();
  if (gives_nothing && anonymous_) return {Decision::Kind::admitted, Reason::none, {anonymous_}};
  Decision decision = token_ ? decide_by_token(given, now) : decide_by_user(given, now);
  if (gives_nothing && decision.kind == Decision::Kind::refused)
    decision.reason = Reason::credentials_missing;
  return decision;
}

Decision AuthTable::decide_by_token(const Credentials& given, WallTime now) const {
  return compare(given.token, token_->credentials, now, token_, Reason::wrong_token);
}

Decision AuthTable::decide_by_user(const Credentials& given, WallTime now) const {
  const auto found = users_.find(std::string_view(given.user));
  if (found == users_.end()) {
    const Credential dummy{dummy_, {}, {}, {}};
    return compare(given.password, {&dummy, 1}, now, nullptr, Reason::unknown_user);
  }
  return compare(given.password, found->second->credentials, now, found->second, Reason::wrong_password);
}

bool AuthTable::is_required() const {
  return token_ != nullptr || !users_.empty();
}

bool AuthTable::wants_nonce() const {
  return false;
}

bool AuthTable::is_announced() const {
  return is_required() && !anonymous_;
}

std::shared_ptr<const User> AuthTable::anonymous() const {
  return anonymous_;
}

Recheck AuthTable::recheck(const Login& login) const {
  const User& before = *login.user;
  if (!login.secret) {
    const bool is_same =
        anonymous_ && anonymous_->name == before.name && anonymous_->is_nkey == before.is_nkey;
    if (!is_same) return {Recheck::Kind::judge};
    return keep_account(before, {anonymous_});
  }
  if (!is_required()) return keep_account(before, {anonymous_});
  std::shared_ptr<const User> now;
  if (before.is_token) {
    now = token_;
  } else if (const auto found = users_.find(std::string_view(before.name)); found != users_.end()) {
    now = found->second;
  }
  if (now) {
    for (const Credential& credential : now->credentials) {
      if (credential.stored->identity() == login.secret->identity())
        return keep_account(before, {now, credential.stored});
    }
  }
  return {Recheck::Kind::leaves, {}, Reason::login_revoked};
}

}  // namespace nuncio::auth
