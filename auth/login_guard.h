// Back-off of logins that fail again and again, before any secret is looked at (AU-74): for each (user,
// source network) and for each source network alone. A network that lately logged in correctly is never held
// back as a network, nor as that user; bans expire; the table is bounded. Thread-safe, sharded, short locks.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/options.h"

namespace nuncio::auth {

// The network a login comes from: an IPv4 address, or the /64 of an IPv6 one. `ip`: textual.
std::string source_network(std::string_view ip);

class LoginGuard {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit LoginGuard(const LoginBackoffOptions&);
  ~LoginGuard();

  // False while the pair or its network is held back. `user`: a name or an nkey; empty for tokens and for
  // none.
  bool may_try(std::string_view user, std::string_view network, Time now);
  void note_success(std::string_view user, std::string_view network, Time now);
  // Counts a failure. When it begins a wait: its log line, for fail2ban and the like (README), else empty.
  std::string note_failure(std::string_view user, std::string_view network, Time now);
  // New limits from now on; what was counted stays.
  void configure(const LoginBackoffOptions&);

  struct Counters {
    uint64_t failures, waits, refused;
    size_t entries;
  };
  Counters counters() const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace nuncio::auth
