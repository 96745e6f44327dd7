// Back-off of logins that fail again and again, before any secret is looked at (AU-74): for each (user,
// source network) and for each source network alone. Bans expire, the table is bounded. Thread-safe, sharded,
// short locks; the time always comes from the caller.
//
// A pair waits after `failures_free` failures in a row: `wait`, then twice as long with each further one, up
// to `wait_max`. A network waits after ten times as many; of each pair only the failures before its own first
// wait count there, so that one misconfigured client never holds back the others behind its address. What
// was not judged (a refusal by this guard, a full verifier queue) is no failure and prolongs nothing. Ten
// quiet minutes after the last failure or wait all is forgotten.
//
// A success resets the pair and the network and makes both trusted for an hour: never held back, however many
// failures follow. What that costs: whoever shares an address (a proxy, a NAT) with somebody who logs in may
// guess this user's password at the pace the verifier allows; and whoever holds one valid login may try
// `failures_free` passwords of every other user from his network without waiting as a network. Strong secrets
// remain the defence there, a lock-out of the neighbours would be the worse evil.
//
// Memory: `entries_max` keyed digests, names are not kept. When it is full, the oldest entry that never led
// to a wait goes first, then one whose wait is over, and a running wait only if nothing else is left; trusted
// entries take at most three quarters and give way to newer trusted ones only.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/options.h"

namespace nuncio::auth {

// The network a login comes from: an IPv4 address (also of a mapped IPv6 one), or the /64 of an IPv6 address
// as "2001:db8::/64". `ip`: textual; anything else comes back as it is, quoted.
std::string source_network(std::string_view ip);

class LoginGuard {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr size_t entries_max = 65536;

  explicit LoginGuard(const LoginBackoffOptions&);
  ~LoginGuard();

  // False while the pair or its network is held back. `user`: a name or an nkey; empty for tokens and for
  // none. `network`: from source_network().
  bool may_try(std::string_view user, std::string_view network, Time now);
  void note_success(std::string_view user, std::string_view network, Time now);
  // Counts a failure. When it begins a wait: its log line, to be logged as a warning, else empty. One of
  //   login back-off: source 203.0.113.7 user "bob" is held back for 2s after 11 failures
  //   login back-off: source 2001:db8::/64 is held back for 1s after 100 failures
  // the second for a whole network; with tokens the user is "". The form is stable: fail2ban and the like
  // match it (README).
  std::string note_failure(std::string_view user, std::string_view network, Time now);
  // New limits from now on; what was counted stays.
  void configure(const LoginBackoffOptions&);

  struct Counters {
    uint64_t failures, waits, refused;  // since the start: judged failures, waits begun, may_try() false
    size_t entries;
  };
  Counters counters() const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace nuncio::auth
