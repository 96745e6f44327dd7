// Who may log in: the immutable result of the authorization options. Workers hold a snapshot
// (auth/snapshot.h) and ask decide(); nothing here blocks, hashes or changes. Order of decision: AU-9.
#pragma once

#include <tl/expected.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "auth/peer_certificate.h"
#include "auth/permissions.h"
#include "auth/stored_secret.h"
#include "core/connect.h"
#include "core/options.h"
#include "core/reason.h"

namespace nuncio::auth {

using WallTime = std::chrono::system_clock::time_point;

// One of the secrets that a user or the token may log in with, and when (AU-72).
struct Credential {
  std::shared_ptr<const StoredSecret> stored;
  // For logs: as configured, else "password", "token" or "nkey"; "password 2" by its place among several.
  // Of users that certificates are mapped to "certificate", or "certificate and password".
  std::string label = {};
  std::optional<WallTime> not_before = {}, not_after = {};

  bool is_valid_at(WallTime now) const;
};

// A login's identity and rights. Shared by the connections logged in as it.
struct User {
  std::string name;  // an nkey's text; empty for a token or when no authentication is configured
  std::string account = "$G";
  std::vector<Credential> credentials;  // none: nothing is configured, or let in as the no_auth_user
  std::shared_ptr<const Permissions> permissions;  // null: everything (AU-55)
  uint8_t connection_types = 0;                    // bits of ConnectionType; 0: all
  bool is_token = false;
  bool is_nkey = false;

  bool allows(ConnectionType) const;
};

// Who is in, and by which secret: what a connection keeps of its login.
struct Login {
  std::shared_ptr<const User> user;
  // Null for who was let in without one.
  std::shared_ptr<const StoredSecret> secret = nullptr;
  bool is_by_certificate = false;  // the user was found by the client's certificate
};

// Which of the user's secrets it was, for logs: the label; empty for who was let in without one.
std::string_view label_of(const Login&);

struct Decision {
  enum class Kind : uint8_t {
    // `login` is in.
    admitted,
    // For `reason`.
    refused,
    // `candidate` must be checked against `stored` off the worker, one after the other until one matches;
    // then `login.user` is in by that one if it is set, else refused for `reason`.
    check
  };
  Kind kind;
  Reason reason = Reason::none;
  Login login = {};
  std::vector<std::shared_ptr<const StoredSecret>> stored = {};
  Secret candidate = {};
};

// What becomes of a connection when the table is replaced (AU-66).
struct Recheck {
  enum class Kind : uint8_t {
    stays,  // as `login`, whose rights may be new
    judge,  // it was let in unasked and now is asked: decide() on what it gave
    leaves  // for `reason`
  };
  Kind kind;
  Login login = {};
  Reason reason = Reason::none;
};

class AuthTable {
 public:
  struct Findings {
    std::vector<std::string> errors;    // the table cannot be used
    std::vector<std::string> warnings;  // AU-12, AU-24, AU-29, AU-72, CF-45
  };
  // Null when there are errors. The options' mutual exclusions were checked by the configuration reader.
  // `now`: to warn of secrets that have expired.
  static std::shared_ptr<const AuthTable> make(const AuthorizationOptions&, Findings&,
                                               WallTime now = std::chrono::system_clock::now());

  // INFO's auth_required (CP-4): authentication is configured and not everybody is let in by no_auth_user.
  bool is_announced() const;
  // Authentication is configured.
  bool is_required() const;
  // The identity of a client that has not sent CONNECT: the default user when nothing is configured, the
  // no_auth_user unless that is an nkey (AU-35), or null when it must log in first (AU-3, CP-18).
  std::shared_ptr<const User> anonymous(ConnectionType type = ConnectionType::standard) const;
  // Certificates say who their clients are, unless these give an nkey (AU-38).
  bool maps_certificates() const { return maps_certificates_; }
  // Whom a login with these is counted against: the user or nkey that decide() would look for, empty for the
  // token. nullopt: nobody, since no secret will be looked at. Valid as long as the table. `peer`: null when
  // there was no certificate.
  std::optional<std::string_view> claimed_name(const Credentials&, const PeerCertificate* peer = nullptr,
                                               ConnectionType type = ConnectionType::standard) const;
  // Plain secrets are compared here, in constant time; hashes and signatures give Kind::check. Unknown users
  // of a table with hashes give Kind::check with dummies and no user (AU-28). `nonce`: as sent in INFO, empty
  // when none was (AU-31). `type`: how the client is connected (AU-19). With mapping the user in CONNECT is
  // not looked at, which deserves a warning when there is one.
  Decision decide(const Credentials&, std::string_view nonce, ConnectionType type, WallTime now,
                  const PeerCertificate* peer = nullptr) const;
  // Whether, and as whom, a connection that an earlier table let in stays. A secret that has expired since
  // does not concern it (AU-72). Who is in by a certificate is whom it names now; without `peer`, whom it
  // named then.
  Recheck recheck(const Login&, ConnectionType type = ConnectionType::standard,
                  const PeerCertificate* peer = nullptr) const;
  // INFO carries a nonce: there are nkeys (AU-31).
  bool wants_nonce() const;
  // The same users, nkeys and tokens with the same secrets, valid at the same times, and certificates mapped
  // in both or in neither; nothing about rights.
  bool has_same_secrets(const AuthTable&) const;

 private:
  friend class TableBuilder;

  // Looks names up without making a string of them.
  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
  };
  using Users = std::unordered_map<std::string, std::shared_ptr<const User>, NameHash, std::equal_to<>>;
  // By keys of their names as distinguished names; of those with one key in the order of the configuration.
  using UsersByKey = std::unordered_map<std::string, std::vector<std::shared_ptr<const User>>>;

  AuthTable() = default;
  bool is_by_nkey(const Credentials&) const;
  Decision decide_by_token(const Credentials&, WallTime now) const;
  Decision decide_by_user(const Credentials&, ConnectionType, WallTime now) const;
  Decision decide_by_nkey(const Credentials&, std::string_view nonce, ConnectionType) const;
  Decision decide_by_certificate(const Credentials&, ConnectionType, WallTime now,
                                 const PeerCertificate* peer) const;
  std::shared_ptr<const User> user_of(const PeerCertificate&, std::optional<ConnectionType>) const;
  Decision compare(const Secret& candidate, const std::shared_ptr<const User>&, WallTime now,
                   Reason refusal) const;
  Decision compare_with_dummies(const Secret& candidate, Reason refusal) const;
  std::shared_ptr<const User> find(const User& before) const;

  // Either token_, or users_ and nkeys_, or nothing is configured. A single user is a table of one.
  std::shared_ptr<const User> token_;
  Users users_;
  Users nkeys_;  // by the text of the key
  std::shared_ptr<const User> anonymous_;
  bool maps_certificates_ = false;
  UsersByKey by_ordered_name_, by_unordered_name_;  // only with mapping
  // What the secrets of unknown users are checked against, as many as most users have.
  std::vector<Credential> dummies_;
};

}  // namespace nuncio::auth
