// What a reload would change: the options that differ, by the names under which nats-server logs them, and
// those that cannot change while the server runs (OP-33 … OP-35). Pure functions, any thread.
#pragma once

#include <string>
#include <vector>

#include "core/options.h"

namespace nuncio::config {

struct ReloadPlan {
  // Each for one line "Reloaded: …": "max_payload = 1024", "authorization users". Never a secret.
  std::vector<std::string> changed;
  // "config reload not supported for ServerName: old=a, new=b"; with any of them nothing may be changed at
  // all.
  std::vector<std::string> refused;
};

// Secrets are not looked at, because those of running options have been wiped: `secrets_differ` says whether
// any password or token is another one. Nor are files: `tls_files_differ` says whether any certificate, key
// or list that the `tls` block names has other contents (OP-37). Positions in files do not count.
ReloadPlan plan_reload(const Options& running, const Options& wanted, bool secrets_differ,
                       bool tls_files_differ);

}  // namespace nuncio::config
