// Who may log in: the immutable result of the authorization options. Workers hold a snapshot (auth/snapshot.h) and ask
// decide(); nothing here blocks, hashes or changes. Order of decision: AU-9.
#pragma once

#include <tl/expected.hpp>

#include <memory>
#include <string>
#include <vector>

#include "auth/stored_secret.h"
#include "core/connect.h"
#include "core/options.h"
#include "core/reason.h"

namespace nuncio::auth {

// A login's identity; what it may do comes here as well. Shared by the connections logged in as it.
struct User {
  std::string name;                              // empty for a token or when no authentication is configured
  std::string account = "$G";
  std::shared_ptr<const StoredSecret> secret;    // null: none needed
  bool is_token = false;
};

struct Decision {
  enum class Kind : uint8_t {
    admitted,   // `user` is in
    refused,    // `reason`
    check       // the candidate password or token must be checked against `stored` off the worker; if it matches and
                // `user` is set, `user` is in, else refused with `reason`
  };
  Kind kind;
  Reason reason = Reason::none;
  std::shared_ptr<const User> user;
  std::shared_ptr<const StoredSecret> stored;
  bool candidate_is_token = false;               // which credential to check
};

class AuthTable {
 public:
  struct Findings {
    std::vector<std::string> errors;             // the table cannot be used
    std::vector<std::string> warnings;           // AU-12, AU-24, AU-29, CF-45
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
  // Plain secrets are compared here, in constant time; hashes give Kind::check. Unknown users of a table with hashes
  // give Kind::check with a dummy and no user (AU-28).
  Decision decide(const Credentials&) const;
  // True when this table would still admit `user` by the stored secret it logged in with (after a swap).
  bool still_admits(const User&) const;
};

}  // namespace nuncio::auth
