// Reply subjects in the order of their last delivery, which is the order in which they expire, and a hash
// index over them. Both live in arrays of slots that are used again, so that a responder under steady load
// allocates nothing. At most 4,096 replies and 1 MiB of their text for a connection; beyond that the oldest
// go.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "auth/permissions.h"
#include "core/hash.h"

namespace nuncio::auth {
namespace {

constexpr size_t permits_max = 4096;
constexpr size_t reply_bytes_max = 1024 * 1024;
constexpr size_t kept_reply_size_max = 128;  // storage kept by a slot that is free
constexpr size_t buckets_min = 16;
constexpr uint32_t none = UINT32_MAX;

struct Permit {
  std::string reply;
  uint64_t hash = 0;
  int64_t delivered_ns = 0;
  int64_t used = 0;
  uint32_t next_in_bucket = none;  // or the next free one
  uint32_t older = none, newer = none;
};

}  // namespace

struct ResponsePermits::State {
  explicit State(const ResponseRules& r) : rules(r) {}

  bool is_expired(const Permit& permit, int64_t now_ns) const;
  void drop_expired(int64_t now_ns);
  uint32_t find(std::string_view reply, uint64_t hash) const;
  uint32_t make(std::string_view reply, uint64_t hash);
  void remove(uint32_t index);
  void link_newest(uint32_t index);
  void unlink(uint32_t index);
  void rebuild_buckets();
  uint32_t& bucket(uint64_t hash) { return buckets[hash & (buckets.size() - 1)]; }

  const ResponseRules rules;
  std::vector<Permit> permits;
  std::vector<uint32_t> buckets;
  uint32_t oldest = none, newest = none;
  uint32_t free = none;
  size_t size = 0;
  size_t reply_bytes = 0;
};

ResponsePermits::ResponsePermits(const ResponseRules& rules) : state_(std::make_unique<State>(rules)) {}
ResponsePermits::~ResponsePermits() = default;

size_t ResponsePermits::size() const {
  return state_->size;
}

// A reply delivered again starts anew, in count and time, as in nats-server.
void ResponsePermits::add(std::string_view reply, int64_t now_ns) {
  State& state = *state_;
  state.drop_expired(now_ns);
  if (state.rules.max == 0 || reply.empty() || reply.size() > reply_bytes_max) return;
  const uint64_t hash = hash_bytes(reply, hash_seed());
  uint32_t index = state.find(reply, hash);
  if (index == none) {
    while (state.size == permits_max || state.reply_bytes + reply.size() > reply_bytes_max)
      state.remove(state.oldest);
    index = state.make(reply, hash);
  } else {
    state.unlink(index);
  }
  state.link_newest(index);
  state.permits[index].delivered_ns = now_ns;
  state.permits[index].used = 0;
}

bool ResponsePermits::take(std::string_view reply, int64_t now_ns) {
  State& state = *state_;
  state.drop_expired(now_ns);
  if (state.size == 0) return false;
  const uint32_t index = state.find(reply, hash_bytes(reply, hash_seed()));
  if (index == none) return false;
  Permit& permit = state.permits[index];
  if (state.rules.max > 0 && ++permit.used >= state.rules.max) state.remove(index);
  return true;
}

bool ResponsePermits::State::is_expired(const Permit& permit, int64_t now_ns) const {
  return rules.expires.count() >= 0 && now_ns - permit.delivered_ns > rules.expires.count();
}

void ResponsePermits::State::drop_expired(int64_t now_ns) {
  while (oldest != none && is_expired(permits[oldest], now_ns)) remove(oldest);
}

uint32_t ResponsePermits::State::find(std::string_view reply, uint64_t hash) const {
  if (buckets.empty()) return none;
  uint32_t index = buckets[hash & (buckets.size() - 1)];
  while (index != none && (permits[index].hash != hash || permits[index].reply != reply))
    index = permits[index].next_in_bucket;
  return index;
}

// In its bucket, but not yet in the order.
uint32_t ResponsePermits::State::make(std::string_view reply, uint64_t hash) {
  uint32_t index = free;
  if (index != none) {
    free = permits[index].next_in_bucket;
  } else {
    index = static_cast<uint32_t>(permits.size());
    permits.emplace_back();
    if (permits.size() > buckets.size()) rebuild_buckets();
  }
  Permit& permit = permits[index];
  permit.reply.assign(reply);
  permit.hash = hash;
  uint32_t& first = bucket(hash);
  permit.next_in_bucket = std::exchange(first, index);
  ++size;
  reply_bytes += reply.size();
  return index;
}

void ResponsePermits::State::remove(uint32_t index) {
  unlink(index);
  Permit& permit = permits[index];
  uint32_t* link = &bucket(permit.hash);
  while (*link != index) link = &permits[*link].next_in_bucket;
  *link = permit.next_in_bucket;
  --size;
  reply_bytes -= permit.reply.size();
  if (permit.reply.capacity() > kept_reply_size_max) permit.reply = {};
  permit.next_in_bucket = std::exchange(free, index);
}

void ResponsePermits::State::link_newest(uint32_t index) {
  permits[index].older = newest;
  permits[index].newer = none;
  (newest == none ? oldest : permits[newest].newer) = index;
  newest = index;
}

void ResponsePermits::State::unlink(uint32_t index) {
  const Permit& permit = permits[index];
  (permit.older == none ? oldest : permits[permit.older].newer) = permit.newer;
  (permit.newer == none ? newest : permits[permit.newer].older) = permit.older;
}

// Twice as many. Called when no slot is free, the one just made being in no bucket yet.
void ResponsePermits::State::rebuild_buckets() {
  buckets.assign(std::max(buckets_min, buckets.size() * 2), none);
  for (uint32_t index = 0; index + 1 < permits.size(); ++index)
    permits[index].next_in_bucket = std::exchange(bucket(permits[index].hash), index);
}

}  // namespace nuncio::auth
