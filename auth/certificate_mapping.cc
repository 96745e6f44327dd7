// Logins by a client's certificate: which user it names, and what must be given besides (AU-38). The part of
// AuthTable that verify_and_map asks for.
#include <algorithm>

#include "auth/auth_table.h"

namespace nuncio::auth {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// 0 for a URI without one ("x.org/one"), which is then compared as it is.
size_t scheme_size(std::string_view uri) {
  const size_t colon = uri.find(':');
  if (colon == std::string_view::npos || colon == 0 || !is_letter(uri[0])) return 0;
  const bool is_scheme = std::ranges::all_of(uri.substr(0, colon), [](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
  return is_scheme ? colon : 0;
}

// As Go's net/url writes it, which nats-server compares: the scheme in lower case, no empty fragment.
std::string normal_uri(std::string_view uri) {
  std::string text(uri);
  for (size_t i = 0, size = scheme_size(uri); i < size; ++i)
    if (text[i] >= 'A' && text[i] <= 'Z') text[i] = static_cast<char>(text[i] - 'A' + 'a');
  if (text.ends_with('#')) text.pop_back();
  return text;
}

}  // namespace

// A user that has a password must give it as well; one that has none must give none. Who is not mapped is
// refused at once: unlike a name a certificate cannot be guessed.
Decision AuthTable::decide_by_certificate(const Credentials& given, ConnectionType type, WallTime now,
                                          const PeerCertificate* peer) const {
  const auto user = peer == nullptr ? nullptr : user_of(*peer, type);
  if (!user) {
    const bool is_elsewhere = peer != nullptr && user_of(*peer, std::nullopt) != nullptr;
    const Reason reason = is_elsewhere ? Reason::connection_type_not_allowed : Reason::certificate_unmapped;
    return {Decision::Kind::refused, reason};
  }
  Decision decision = compare(given.password, user, now, Reason::wrong_password);
  decision.login.is_by_certificate = true;
  if (given.password.empty() && decision.kind != Decision::Kind::admitted)
    decision.reason = Reason::credentials_missing;
  return decision;
}

// The first of the certificate's names that is a user, who may connect by `type` (nullopt: by any): those
// besides its subject; the subject as a whole, in its order and then in any (no key of a user's name has
// attributes that are not compared); its texts.
std::shared_ptr<const User> AuthTable::user_of(const PeerCertificate& peer,
                                               std::optional<ConnectionType> type) const {
  const auto may_be = [&](const std::shared_ptr<const User>& user) { return !type || user->allows(*type); };
  const auto named = [&](std::string_view name) -> std::shared_ptr<const User> {
    const auto found = name.empty() ? users_.end() : users_.find(name);
    return found != users_.end() && may_be(found->second) ? found->second : nullptr;
  };
  const auto keyed = [&](const UsersByKey& users, const std::string& key) -> std::shared_ptr<const User> {
    const auto found = users.find(key);
    if (found == users.end()) return nullptr;
    const auto user = std::find_if(found->second.begin(), found->second.end(), may_be);
    return user == found->second.end() ? nullptr : *user;
  };
  for (const std::string& email : peer.emails)
    if (auto user = named(email)) return user;
  for (const std::string& name : peer.dns_names)
    if (auto user = named(name)) return user;
  for (const std::string& uri : peer.uris)
    if (auto user = named(normal_uri(uri))) return user;

  const DistinguishedName& subject = peer.subject;
  if (auto user = keyed(by_ordered_name_, subject.ordered_key())) return user;
  if (auto user = keyed(by_unordered_name_, subject.unordered_key())) return user;
  const std::string usual = subject.usual_text(), components = subject.domain_components_text();
  if (!components.empty())
    if (auto user = named(usual + "," + components)) return user;
  return named(usual);
}

}  // namespace nuncio::auth
