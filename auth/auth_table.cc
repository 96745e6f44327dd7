#include "auth/auth_table.h"

#include <algorithm>
#include <map>

#include "auth/table_builder.h"

namespace nuncio::auth {
namespace {

// What comes of `candidate` against `stored`; `user` is who it would be, null for a dummy. The same steps for
// known and unknown users (AU-28, AT-1).
Decision compare(std::string_view candidate, const std::shared_ptr<const StoredSecret>& stored,
                 const std::shared_ptr<const User>& user, Reason refusal) {
  if (stored->kind() == StoredSecret::Kind::hash) {
    if (candidate.find('\0') != std::string_view::npos)
      return {Decision::Kind::refused, Reason::password_with_nul};
    return {Decision::Kind::check, refusal, user, stored};
  }
  const bool matches = stored->matches(candidate);
  if (!matches || !user) return {Decision::Kind::refused, refusal};
  return {Decision::Kind::admitted, Reason::none, user, stored};
}

}  // namespace

std::shared_ptr<const AuthTable> AuthTable::make(const AuthorizationOptions& options, Findings& findings) {
  return TableBuilder(options, findings).build();
}

Decision AuthTable::decide(const Credentials& credentials) const {
  if (!is_required()) return {Decision::Kind::admitted, Reason::none, anonymous_};
  // Without nkeys in the table, an nkey counts as nothing given; a JWT does outside operator mode (AU-16,
  // AU-17).
  const bool gives_nothing =
      credentials.user.empty() && credentials.password.empty() && credentials.token.empty();
  if (gives_nothing && anonymous_) return {Decision::Kind::admitted, Reason::none, anonymous_};
  Decision decision = token_ ? decide_by_token(credentials) : decide_by_user(credentials);
  if (gives_nothing && decision.kind == Decision::Kind::refused)
    decision.reason = Reason::credentials_missing;
  return decision;
}

Decision AuthTable::decide_by_token(const Credentials& credentials) const {
  Decision decision = compare(credentials.token.reveal(), token_->secret, token_, Reason::wrong_token);
  decision.candidate_is_token = true;
  return decision;
}

Decision AuthTable::decide_by_user(const Credentials& credentials) const {
  const auto found = users_.find(std::string_view(credentials.user));
  const bool is_known = found != users_.end();
  static const std::shared_ptr<const User> nobody;
  return compare(credentials.password.reveal(), is_known ? found->second->secret : dummy_,
                 is_known ? found->second : nobody, is_known ? Reason::wrong_password : Reason::unknown_user);
}

bool AuthTable::is_required() const {
  return token_ != nullptr || !users_.empty();
}

bool AuthTable::is_announced() const {
  return is_required() && !anonymous_;
}

std::shared_ptr<const User> AuthTable::anonymous() const {
  return anonymous_;
}

bool AuthTable::still_admits(const User& user) const {
  if (!is_required()) return true;
  if (!user.secret) return anonymous_ && anonymous_->name == user.name && anonymous_->account == user.account;
  const User* now = nullptr;
  if (user.is_token) {
    now = token_.get();
  } else if (const auto found = users_.find(std::string_view(user.name)); found != users_.end()) {
    now = found->second.get();
  }
  return now != nullptr && now->account == user.account && now->secret->identity() == user.secret->identity();
}

}  // namespace nuncio::auth
