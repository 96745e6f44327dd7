// Everything that a reload replaces, as one immutable value: a worker picks up a new one at the start of a
// turn, as a whole (I3).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "auth/auth_table.h"
#include "core/account.h"
#include "core/account_rules.h"
#include "core/info.h"
#include "core/options.h"
#include "net/tls_context.h"

namespace nuncio::net {

struct State {
  uint64_t version;  // 1 at the start, one more with each reload
  Options options;
  std::shared_ptr<const auth::AuthTable> table;
  std::shared_ptr<const AccountTable> accounts;
  std::shared_ptr<const TlsContext> tls;  // null: plain text only
  std::vector<Account*> account_at;  // by place in `accounts`; the Server's, for its whole life
  InfoTemplate info;
};

}  // namespace nuncio::net
