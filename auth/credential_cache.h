// Remembers which credentials were verified lately, as keyed digests of (user, stored secret, candidate) and
// nothing else: successes only, bounded, time-limited (AU-27). Tied to the stored secret, so that a changed
// one is unknown at once. Thread-safe; sharded so that logins on different workers seldom meet.
#pragma once

#include <array>
#include <chrono>
#include <cstring>
#include <deque>
#include <mutex>
#include <unordered_map>

#include "auth/keyed_digest.h"

namespace nuncio::auth {

// A digest is random already: any part of it is a hash.
struct DigestHash {
  size_t operator()(const Digest& digest) const noexcept {
    size_t hash;
    std::memcpy(&hash, digest.data(), sizeof hash);
    return hash;
  }
};

class CredentialCache {
 public:
  using Time = std::chrono::steady_clock::time_point;

  CredentialCache(std::chrono::nanoseconds ttl, size_t entries_max);

  // True when `key` was added less than the time limit before `now`. A short lock, no allocation.
  bool contains(const Digest& key, Time now) const;
  // Adds or renews; the oldest entries of a full shard go. Allocates.
  void add(const Digest& key, Time now);
  size_t size() const;

 private:
  struct Entry {
    Digest key;
    Time expiry;
  };
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::unordered_map<Digest, Time, DigestHash> expiries;
    std::deque<Entry> by_age;  // what add() appended; a renewed key is in it again
  };
  static constexpr size_t shard_count = 16;

  static void drop_oldest(Shard&);
  static size_t shard_of(const Digest& key) { return key.back() % shard_count; }

  const std::chrono::nanoseconds ttl_;
  const size_t shard_entries_max_;
  std::array<Shard, shard_count> shards_;
};

}  // namespace nuncio::auth
