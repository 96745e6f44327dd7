// Session tickets: what a client keeps for us, sealed under keys that live only here and change every day.
// Each context has its own, so that no ticket outlives the trust it was issued under. Thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace nuncio::net {

class TlsTickets {
 public:
  using Time = std::chrono::system_clock::time_point;
  static constexpr auto lifetime = std::chrono::hours(24);  // of a ticket, and until there is a new key
  static constexpr size_t overhead = 16 + 24 + 16;          // name of the key, nonce, tag

  TlsTickets() = default;
  ~TlsTickets();
  TlsTickets(const TlsTickets&) = delete;
  TlsTickets& operator=(const TlsTickets&) = delete;

  std::string seal(std::string_view content, Time now);
  // Nullopt: not of these keys, changed on its way, or of a key that is given up.
  std::optional<std::string> open(std::string_view ticket, Time now);

 private:
  struct Key {
    std::array<uint8_t, 16> name;
    std::array<uint8_t, 32> secret;
    Time made_at;
  };
  Key current(Time now);
  std::optional<Key> find(std::string_view name, Time now);

  std::mutex mutex_;      // held for a copy of a key only
  std::deque<Key> keys_;  // newest first, two at most
};

}  // namespace nuncio::net
