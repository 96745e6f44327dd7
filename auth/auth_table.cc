#include "auth/auth_table.h"

#include <algorithm>
#include <span>

#include "auth/table_builder.h"

namespace nuncio::auth {
namespace {

Decision refuse(Reason reason) {
  return {Decision::Kind::refused, reason};
}

// Besides an nkey.
bool does_give_nothing(const Credentials& given) {
  return given.user.empty() && given.password.empty() && given.token.empty();
}

// What comes of `candidate` against those `credentials` that are valid now; nullopt when none is. `user` is
// who it would be, null for dummies. The same steps for known and unknown users (AU-28, AT-1).
std::optional<Decision> compare_valid(const Secret& candidate, std::span<const Credential> credentials,
                                      WallTime now, const std::shared_ptr<const User>& user, Reason refusal) {
  Decision decision = refuse(refusal);
  bool is_any_valid = false;
  for (const Credential& credential : credentials) {
    const bool is_hash = credential.stored->kind() == StoredSecret::Kind::hash;
    if (!credential.is_valid_at(now)) {  // who still uses an old secret should be found in the log
      if (!is_hash && credential.stored->matches(candidate.reveal()))
        decision.reason = Reason::secret_not_valid_now;
      continue;
    }
    is_any_valid = true;
    if (is_hash) {
      decision.stored.push_back(credential.stored);
    } else if (credential.stored->matches(candidate.reveal()) && user) {
      return Decision{Decision::Kind::admitted, Reason::none, {user, credential.stored}};
    }
  }
  if (!is_any_valid) return std::nullopt;
  if (decision.stored.empty()) return decision;
  if (candidate.reveal().find('\0') != std::string_view::npos) return refuse(Reason::password_with_nul);
  decision.kind = Decision::Kind::check;
  decision.login.user = user;
  decision.candidate = candidate;
  return decision;
}

Recheck keep(const User& before, Login login, ConnectionType type) {
  if (!login.user->allows(type)) return {Recheck::Kind::leaves, {}, Reason::connection_type_not_allowed};
  if (login.user->account != before.account) return {Recheck::Kind::leaves, {}, Reason::account_changed};
  return {Recheck::Kind::stays, std::move(login)};
}

// The credential of the login's user that it used; null: none.
const Credential* used_by(const Login& login) {
  if (!login.user || !login.secret) return nullptr;
  const auto& credentials = login.user->credentials;
  const auto used = std::find_if(credentials.begin(), credentials.end(), [&](const Credential& each) {
    return each.stored->identity() == login.secret->identity();
  });
  return used == credentials.end() ? nullptr : &*used;
}

bool is_same(const Credential& a, const Credential& b) {
  return a.stored->identity() == b.stored->identity() && a.not_before == b.not_before &&
         a.not_after == b.not_after;
}

bool have_same_secrets(const User* a, const User* b) {
  if (a == nullptr || b == nullptr) return a == b;
  return std::equal(a->credentials.begin(), a->credentials.end(), b->credentials.begin(),
                    b->credentials.end(), is_same);
}

}  // namespace

bool Credential::is_valid_at(WallTime now) const {
  return (!not_before || *not_before <= now) && (!not_after || now < *not_after);
}

bool User::allows(ConnectionType type) const {
  return connection_types == 0 || (connection_types & static_cast<uint8_t>(type)) != 0;
}

std::string_view label_of(const Login& login) {
  const Credential* used = used_by(login);
  return used == nullptr ? std::string_view() : used->label;
}

std::shared_ptr<const AuthTable> AuthTable::make(const AuthorizationOptions& options, Findings& findings,
                                                 WallTime now) {
  return TableBuilder(options, findings, now).build();
}

Decision AuthTable::decide(const Credentials& given, std::string_view nonce, ConnectionType type,
                           WallTime now, const PeerCertificate* peer) const {
  if (!is_required()) return {Decision::Kind::admitted, Reason::none, {anonymous_}};
  if (is_by_nkey(given)) return decide_by_nkey(given, nonce, type);
  if (maps_certificates_) return decide_by_certificate(given, type, now, peer);
  const bool gives_nothing = does_give_nothing(given);
  if (gives_nothing && anonymous_) {
    if (!anonymous_->allows(type)) return refuse(Reason::connection_type_not_allowed);
    return {Decision::Kind::admitted, Reason::none, {anonymous_}};
  }
  // Who gives nothing guesses nobody's name: no hash is spent on it.
  if (gives_nothing && !token_ && !users_.contains("")) return refuse(Reason::credentials_missing);
  Decision decision = token_ ? decide_by_token(given, now) : decide_by_user(given, type, now);
  if (gives_nothing && decision.kind != Decision::Kind::admitted)
    decision.reason = Reason::credentials_missing;
  return decision;
}

std::optional<std::string_view> AuthTable::claimed_name(const Credentials& given, const PeerCertificate* peer,
                                                        ConnectionType type) const {
  if (!is_required()) return std::nullopt;
  if (is_by_nkey(given)) return given.nkey;
  if (maps_certificates_) {
    const auto user = peer == nullptr ? nullptr : user_of(*peer, type);
    return user ? std::optional<std::string_view>(user->name) : std::nullopt;
  }
  if (anonymous_ && does_give_nothing(given)) return std::nullopt;
  return token_ ? std::string_view() : std::string_view(given.user);
}

// Without nkeys in the table, an nkey counts as nothing given; a JWT does outside operator mode (AU-16,
// AU-17).
bool AuthTable::is_by_nkey(const Credentials& given) const {
  return !nkeys_.empty() && !given.nkey.empty();
}

// An unknown key is refused at once: unlike a name it cannot be guessed, so there is nothing to hide.
Decision AuthTable::decide_by_nkey(const Credentials& given, std::string_view nonce,
                                   ConnectionType type) const {
  const auto found = nkeys_.find(std::string_view(given.nkey));
  if (found == nkeys_.end()) return refuse(Reason::unknown_nkey);
  const std::shared_ptr<const User>& user = found->second;
  if (!user->allows(type)) return refuse(Reason::connection_type_not_allowed);
  if (nonce.empty()) return refuse(Reason::nonce_missing);
  const auto signature = parse_signature(given.signature);
  if (!signature) return refuse(Reason::wrong_signature);
  return {Decision::Kind::check,
          Reason::wrong_signature,
          {user},
          {user->credentials.front().stored},
          StoredSecret::signature_candidate(*signature, nonce)};
}

Decision AuthTable::decide_by_token(const Credentials& given, WallTime now) const {
  return compare(given.token, token_, now, Reason::wrong_token);
}

Decision AuthTable::decide_by_user(const Credentials& given, ConnectionType type, WallTime now) const {
  const auto found = users_.find(std::string_view(given.user));
  if (found == users_.end()) return compare_with_dummies(given.password, Reason::unknown_user);
  if (!found->second->allows(type)) return refuse(Reason::connection_type_not_allowed);
  return compare(given.password, found->second, now, Reason::wrong_password);
}

// A user none of whose secrets is valid now answers as an unknown one does.
Decision AuthTable::compare(const Secret& candidate, const std::shared_ptr<const User>& user, WallTime now,
                            Reason refusal) const {
  auto decision = compare_valid(candidate, user->credentials, now, user, refusal);
  if (!decision) return compare_with_dummies(candidate, Reason::secret_not_valid_now);
  return std::move(*decision);
}

Decision AuthTable::compare_with_dummies(const Secret& candidate, Reason refusal) const {
  auto decision = compare_valid(candidate, dummies_, {}, nullptr, refusal);
  return decision ? std::move(*decision) : refuse(refusal);
}

bool AuthTable::is_required() const {
  return token_ != nullptr || !users_.empty() || !nkeys_.empty();
}

bool AuthTable::wants_nonce() const {
  return !nkeys_.empty();
}

bool AuthTable::is_announced() const {
  return is_required() && !anonymous_;
}

std::shared_ptr<const User> AuthTable::anonymous(ConnectionType type) const {
  if (!anonymous_ || anonymous_->is_nkey || !anonymous_->allows(type)) return nullptr;
  return anonymous_;
}

Recheck AuthTable::recheck(const Login& login, ConnectionType type, const PeerCertificate* peer) const {
  const User& before = *login.user;
  if (!login.secret) {
    const bool is_same =
        anonymous_ && anonymous_->name == before.name && anonymous_->is_nkey == before.is_nkey;
    if (!is_same) return {Recheck::Kind::judge};
    return keep(before, {anonymous_}, type);
  }
  if (!is_required()) return keep(before, {anonymous_}, type);
  const bool is_mapped = maps_certificates_ && !before.is_nkey;
  if (login.is_by_certificate != is_mapped) return {Recheck::Kind::judge};
  Login now{is_mapped && peer != nullptr ? user_of(*peer, type) : find(before), login.secret, is_mapped};
  const Credential* used = used_by(now);
  if (used == nullptr) return {Recheck::Kind::leaves, {}, Reason::login_revoked};
  now.secret = used->stored;
  return keep(before, std::move(now), type);
}

std::shared_ptr<const User> AuthTable::find(const User& before) const {
  if (before.is_token) return token_;
  const Users& users = before.is_nkey ? nkeys_ : users_;
  const auto found = users.find(std::string_view(before.name));
  return found == users.end() ? nullptr : found->second;
}

bool AuthTable::has_same_secrets(const AuthTable& other) const {
  const auto are_same = [](const Users& mine, const Users& theirs) {
    return mine.size() == theirs.size() && std::all_of(mine.begin(), mine.end(), [&](const auto& entry) {
             const auto found = theirs.find(entry.first);
             return found != theirs.end() && have_same_secrets(entry.second.get(), found->second.get());
           });
  };
  return maps_certificates_ == other.maps_certificates_ &&
         have_same_secrets(token_.get(), other.token_.get()) && are_same(users_, other.users_) &&
         are_same(nkeys_, other.nkeys_);
}

}  // namespace nuncio::auth
