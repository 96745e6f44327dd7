#include "auth/login_guard.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <list>
#include <mutex>
#include <unordered_map>

#include "auth/keyed_digest.h"
#include "core/duration.h"
#include "core/log.h"

namespace nuncio::auth {
namespace {

using Time = LoginGuard::Time;

constexpr auto forgotten_after = std::chrono::minutes(10);
constexpr auto trusted_for = std::chrono::hours(1);
constexpr uint32_t network_factor = 10;  // failures a network has free, in those of a pair
constexpr size_t shards = 16;
constexpr size_t shard_entries_max = LoginGuard::entries_max / shards;
constexpr size_t shard_trusted_max = shard_entries_max * 3 / 4;
constexpr int waits_looked_at = 16;  // for one that is over, when room is needed

// Half of a keyed digest: nobody outside can prepare names that share one.
struct Key {
  uint64_t high, low;
  friend bool operator==(const Key&, const Key&) = default;
};
struct KeyHash {
  size_t operator()(const Key& key) const noexcept { return key.low; }
};

Key key_of(std::initializer_list<std::string_view> parts) {
  const Digest digest = keyed_digest(parts);
  Key key;
  std::memcpy(&key, digest.data(), sizeof key);
  return key;
}
Key pair_key(std::string_view user, std::string_view network) {
  return key_of({"login guard, pair", user, network});
}
Key network_key(std::string_view network) {
  return key_of({"login guard, network", network});
}

struct Limits {
  uint32_t failures_free;  // at least 1
  std::chrono::nanoseconds wait, wait_max;

  std::chrono::nanoseconds wait_after(uint32_t failures) const {
    const uint32_t doublings = std::min(failures - failures_free, 62u);
    if (wait.count() > wait_max.count() >> doublings) return wait_max;
    return std::chrono::nanoseconds(wait.count() << doublings);
  }
};

// What a failure led to: the number of failures in a row, and the wait it began, if any.
struct Outcome {
  uint32_t failures = 0;  // 0: not counted, the source is trusted
  std::chrono::nanoseconds wait{};
};

enum class Standing { unknown, waiting, trusted };

// A part of the table. Entries stand in one of three lines, the one touched last at the end.
class Shard {
 public:
  Standing standing(const Key& key, Time now) {
    const std::lock_guard lock(mutex_);
    const auto found = index_.find(key);
    if (found == index_.end()) return Standing::unknown;
    const Entry& entry = *found->second;
    if (entry.line == Line::trusted) return entry.until > now ? Standing::trusted : Standing::unknown;
    return entry.line == Line::held && entry.until > now ? Standing::waiting : Standing::unknown;
  }

  void trust(const Key& key, Time now) {
    const std::lock_guard lock(mutex_);
    Entry& entry = entry_of(key, now);
    entry.failures = 0;
    entry.until = now + trusted_for;
    move(entry, Line::trusted);
    if (line(Line::trusted).size() > shard_trusted_max) drop(line(Line::trusted).front());
  }

  Outcome count_failure(const Key& key, const Limits& limits, Time now) {
    const std::lock_guard lock(mutex_);
    Entry& entry = entry_of(key, now);
    if (entry.line == Line::trusted) return {};
    entry.failures += entry.failures < UINT32_MAX;
    entry.last_failure = now;
    if (entry.failures < limits.failures_free || limits.wait.count() <= 0) {
      move(entry, entry.line);
      return {entry.failures, {}};
    }
    // A failure during a wait is of a login let in before it: it counts, but one wait is enough for a burst.
    if (entry.line == Line::held && entry.until > now) return {entry.failures, {}};
    const auto wait = limits.wait_after(entry.failures);
    entry.until = now + wait;
    move(entry, Line::held);
    return {entry.failures, wait};
  }

  size_t size() {
    const std::lock_guard lock(mutex_);
    return index_.size();
  }

 private:
  enum class Line : uint8_t { counting, held, trusted };
  struct Entry {
    Key key;
    Line line = Line::counting;
    uint32_t failures = 0;  // in a row
    Time last_failure{};
    Time until{};  // end of the wait or of the trust
  };
  using Entries = std::list<Entry>;

  Entries& line(Line which) { return lines_[static_cast<size_t>(which)]; }
  void move(Entry& entry, Line to) {
    Entries& target = line(to);
    target.splice(target.end(), line(entry.line), index_.find(entry.key)->second);
    entry.line = to;
  }
  void drop(const Entry& entry) {
    const auto found = index_.find(entry.key);
    const Entries::iterator place = found->second;
    index_.erase(found);
    line(place->line).erase(place);
  }

  static bool is_forgotten(const Entry& entry, Time now) {
    if (entry.line == Line::trusted) return entry.until <= now;
    const Time last =
        entry.line == Line::held ? std::max(entry.last_failure, entry.until) : entry.last_failure;
    return last + forgotten_after <= now;
  }

  // The entry of this key; a new one when there is none or it is forgotten.
  Entry& entry_of(const Key& key, Time now) {
    if (const auto found = index_.find(key); found != index_.end()) {
      if (!is_forgotten(*found->second, now)) return *found->second;
      drop(*found->second);
    }
    make_room(now);
    Entries& counting = line(Line::counting);
    counting.push_back({.key = key, .last_failure = now});
    index_.emplace(key, std::prev(counting.end()));
    return counting.back();
  }

  // The order of the header. Old entries leave two for each new one, so that a flood leaves nothing behind.
  void make_room(Time now) {
    for (Entries& entries : lines_) {
      for (int i = 0; i < 2 && !entries.empty() && is_forgotten(entries.front(), now); ++i) {
        drop(entries.front());
      }
    }
    if (index_.size() < shard_entries_max) return;
    if (Entries& counting = line(Line::counting); !counting.empty()) return drop(counting.front());
    Entries& held = line(Line::held);  // not empty: the trusted ones do not fill the shard
    for (int i = 0; i < waits_looked_at && held.front().until > now; ++i) {
      held.splice(held.end(), held, held.begin());
    }
    drop(held.front());
  }

  std::mutex mutex_;
  std::array<Entries, 3> lines_;
  std::unordered_map<Key, Entries::iterator, KeyHash> index_;
};

std::string log_line(std::string_view network, const std::string& user_part, const Outcome& outcome) {
  return fmt::format("login back-off: source {}{} is held back for {} after {} failures", network, user_part,
                     format_duration(outcome.wait), outcome.failures);
}

}  // namespace

struct LoginGuard::State {
  std::array<Shard, shards> table;
  std::atomic<bool> is_enabled{false};
  std::atomic<uint32_t> failures_free{1};
  std::atomic<int64_t> wait_ns{0}, wait_max_ns{0};
  std::atomic<uint64_t> failures{0}, waits{0}, refused{0};

  Shard& shard_of(const Key& key) { return table[key.high % shards]; }
  // A reload may mix old and new ones once: harmless.
  Limits limits(uint32_t factor) const {
    const uint64_t free = uint64_t{std::max(failures_free.load(), 1u)} * factor;
    return {static_cast<uint32_t>(std::min<uint64_t>(free, UINT32_MAX)),
            std::chrono::nanoseconds(wait_ns.load()), std::chrono::nanoseconds(wait_max_ns.load())};
  }
};

LoginGuard::LoginGuard(const LoginBackoffOptions& options) : state_(std::make_unique<State>()) {
  configure(options);
}
LoginGuard::~LoginGuard() = default;

bool LoginGuard::may_try(std::string_view user, std::string_view network, Time now) {
  if (!state_->is_enabled) return true;
  const Key pair = pair_key(user, network);
  Standing standing = state_->shard_of(pair).standing(pair, now);
  if (standing == Standing::unknown) {
    const Key whole = network_key(network);
    standing = state_->shard_of(whole).standing(whole, now);
  }
  if (standing != Standing::waiting) return true;
  ++state_->refused;
  return false;
}

void LoginGuard::note_success(std::string_view user, std::string_view network, Time now) {
  if (!state_->is_enabled) return;
  for (const Key& key : {pair_key(user, network), network_key(network)})
    state_->shard_of(key).trust(key, now);
}

std::string LoginGuard::note_failure(std::string_view user, std::string_view network, Time now) {
  if (!state_->is_enabled) return {};
  ++state_->failures;
  const Limits pair_limits = state_->limits(1);
  const Key pair = pair_key(user, network);
  const Outcome of_pair = state_->shard_of(pair).count_failure(pair, pair_limits, now);
  Outcome of_network;
  if (of_pair.failures > 0 && of_pair.failures <= pair_limits.failures_free) {
    const Key whole = network_key(network);
    of_network = state_->shard_of(whole).count_failure(whole, state_->limits(network_factor), now);
  }
  state_->waits += (of_pair.wait.count() > 0) + (of_network.wait.count() > 0);
  if (of_network.wait.count() > 0) return log_line(network, "", of_network);
  if (of_pair.wait.count() > 0) return log_line(network, " user " + log::quoted(user), of_pair);
  return {};
}

void LoginGuard::configure(const LoginBackoffOptions& options) {
  state_->failures_free = options.failures_free;
  state_->wait_ns = std::chrono::nanoseconds(options.wait).count();
  state_->wait_max_ns = std::chrono::nanoseconds(options.wait_max).count();
  state_->is_enabled = options.is_enabled;
}

LoginGuard::Counters LoginGuard::counters() const {
  size_t entries = 0;
  for (Shard& shard : state_->table) entries += shard.size();
  return {state_->failures, state_->waits, state_->refused, entries};
}

std::string source_network(std::string_view ip) {
  const std::string text(ip.substr(0, ip.find('%')));  // without the zone of a link-local address
  char out[INET6_ADDRSTRLEN];
  in_addr v4;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return inet_ntop(AF_INET, &v4, out, sizeof out);
  in6_addr v6;
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return log::quoted(ip);
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return inet_ntop(AF_INET, v6.s6_addr + 12, out, sizeof out);
  std::fill(v6.s6_addr + 8, v6.s6_addr + 16, uint8_t{0});
  return std::string(inet_ntop(AF_INET6, &v6, out, sizeof out)) + "/64";
}

}  // namespace nuncio::auth
