// An account: the unit of subject space. Nothing published in one is seen in another.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/interest.h"

namespace nuncio {

// The account of users that name none.
inline constexpr std::string_view default_account_name = "$G";

struct Account {
  Account(uint32_t account_index, std::string_view account_name, unsigned workers, Epochs& epochs)
      : index(account_index), name(account_name), interest(workers, epochs) {}

  const uint32_t index;  // dense, for tables per account
  const std::string name;
  Interest interest;
  // Logged in on this server; counted by workers, never above the account's limit (AU-62).
  std::atomic<int64_t> connections{0};
};

}  // namespace nuncio
