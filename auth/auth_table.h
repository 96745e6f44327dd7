// Who may log in: the immutable result of the authorization options. Workers hold a snapshot
// (auth/snapshot.h) and ask decide(); nothing here blocks, hashes or changes. Order of decision: AU-9.
#pragma once

#include <tl/expected.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "auth/stored_secret.h"
#include "core/connect.h"
#include "core/options.h"
#include "core/reason.h"

namespace nuncio::auth {

// A login's identity; what it may do comes here as well. Shared by the connections logged in as it.
struct User {
  std::string name;  // empty for a token or when no authentication is configured
  std::string account = "$G";
  // What it logs in with; null when nothing is configured and for who is let in as the no_auth_user.
  std::shared_ptr<const StoredSecret> secret;
  bool is_token = false;
};

struct Decision {
  enum class Kind : uint8_t {
    // `user` is in.
    admitted,
    // For `reason`.
    refused,
    // The candidate password or token must be checked against `stored` off the worker; if it matches and
    // `user` is
    // set, `user` is in, else refused for `reason`.
    check
  };
  Kind kind;
  Reason reason = Reason::none;
  std::shared_ptr<const User> user = nullptr;
  std::shared_ptr<const StoredSecret> stored = nullptr;
  bool candidate_is_token = false;  // which credential to check
};

class AuthTable {
 public:
  struct Findings {
    std::vector<std::string> errors;    // the table cannot be used
    std::vector<std::string> warnings;  // AU-12, AU-24, AU-29, CF-45
  };
  // Null when there are errors. The options' mutual exclusions were checked by the configuration reader.
  static std::shared_ptr<const AuthTable> make(const AuthorizationOptions&, Findings&);

  // INFO's auth_required (CP-4): authentication is configured and not everybody is let in by no_auth_user.
  bool is_announced() const;
  // Authentication is configured.
  bool is_required() const;
  // The identity of a client that has not sent CONNECT: the default user when nothing is configured, the
  // no_auth_user, or null when it must log in first (AU-3, CP-18).
  std::shared_ptr<const User> anonymous() const;
  // Plain secrets are compared here, in constant time; hashes give Kind::check. Unknown users of a table with
  // hashes give Kind::check with a dummy and no user (AU-28).
  Decision decide(const Credentials&) const;
  // True when this table would still admit `user` by the stored secret it logged in with (after a swap).
  bool still_admits(const User&) const;

 private:
  friend class TableBuilder;

  // Looks names up without making a string of them.
  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
  };
  using Users = std::unordered_map<std::string, std::shared_ptr<const User>, NameHash, std::equal_to<>>;

  AuthTable() = default;
  Decision decide_by_token(const Credentials&) const;
  Decision decide_by_user(const Credentials&) const;

  // At most one of token_ and users_ is set; neither: nothing is configured. A single user is a table of one.
  std::shared_ptr<const User> token_;
  Users users_;
  std::shared_ptr<const User> anonymous_;
  std::shared_ptr<const StoredSecret> dummy_;  // what unknown users are checked against
};

}  // namespace nuncio::auth
