#include "auth/credential_cache.h"

#include <algorithm>

namespace nuncio::auth {

CredentialCache::CredentialCache(std::chrono::nanoseconds ttl, size_t entries_max)
    : ttl_(ttl), shard_entries_max_(std::max<size_t>(1, entries_max / shard_count)) {}

bool CredentialCache::contains(const Digest& key, Time now) const {
  const Shard& shard = shards_[shard_of(key)];
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.expiries.find(key);
  return found != shard.expiries.end() && now < found->second;
}

void CredentialCache::add(const Digest& key, Time now) {
  Shard& shard = shards_[shard_of(key)];
  const std::lock_guard lock(shard.mutex);
  while (!shard.by_age.empty() &&
         (shard.by_age.front().expiry <= now || shard.by_age.size() >= shard_entries_max_)) {
    drop_oldest(shard);
  }
  const Time expiry = now + ttl_;
  shard.expiries.insert_or_assign(key, expiry);
  shard.by_age.push_back({key, expiry});
}

// The front entry stands for its key only when it was not renewed since.
void CredentialCache::drop_oldest(Shard& shard) {
  const auto found = shard.expiries.find(shard.by_age.front().key);
  if (found != shard.expiries.end() && found->second == shard.by_age.front().expiry)
    shard.expiries.erase(found);
  shard.by_age.pop_front();
}

size_t CredentialCache::size() const {
  size_t sum = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.expiries.size();
  }
  return sum;
}

}  // namespace nuncio::auth
