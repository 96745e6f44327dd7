// The CONNECT operation: its JSON (CP-10…CP-16) and the credentials in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/reason.h"
#include "core/secret.h"

namespace nuncio {

// What a client gave to log in with. Absent, null and empty are the same: empty.
struct Credentials {
  std::string user;
  Secret password;
  Secret token;
  std::string nkey;
  std::string signature;
  Secret jwt;

  void wipe_secrets();  // all but the names
  bool empty() const;  // neither user, password, token nor nkey (AU-16)
};

struct ConnectOptions {
  bool verbose = true;
  bool pedantic = true;
  bool echo = true;
  bool headers = false;
  bool no_responders = false;
  bool tls_required = false;
  bool wants_account = false;  // `account` or `new_account` given (CP-16)
  int64_t protocol = 0;
  std::string name;
  std::string lang;
  std::string version;
  Credentials credentials;
};

// Merges the JSON text of a CONNECT into `options`: keys it leaves out keep their values (CP-17), unknown keys are
// ignored, keys match in any case, the last of duplicates wins, null means absent. Returns Reason::none, or
// parse_error (not an object or null, wrong types: CP-13), invalid_protocol (CP-14), no_responders_without_headers
// (CP-15) or account_requested (CP-16). After parse_error `options` is unspecified; after the others it is complete, as
// the reference judges the credentials first. Any thread; bounded in time and memory by the text.
Reason parse_connect(std::string_view json, ConnectOptions& options);

}  // namespace nuncio
