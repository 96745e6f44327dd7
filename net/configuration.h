// A whole configuration: the options of file and command line, and what they amount to. The same steps for a
// start, a check and a reload.
#pragma once

#include <memory>

#include "auth/auth_table.h"
#include "core/account_rules.h"
#include "core/command_line.h"
#include "core/config/load.h"
#include "net/tls_context.h"

namespace nuncio::net {

struct Configuration {
  config::LoadedOptions loaded;  // its errors and warnings are those of all
  // Null when there are errors.
  std::shared_ptr<const auth::AuthTable> table;
  std::shared_ptr<const AccountTable> accounts;
  std::shared_ptr<const TlsContext> tls;  // null also when none is configured
};

// Reads files, takes milliseconds, more where hashes are costly. Errors are in the result, one line each.
Configuration load_configuration(const CommandLine&);

}  // namespace nuncio::net
