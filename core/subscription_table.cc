#include "core/subscription_table.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/assert.h"
#include "core/hash.h"

namespace nuncio {
namespace {

constexpr uint32_t slots_min = 8;
// Slots that an insert or erase moves from the old array while a resize is under way. The new array takes
// half as many entries again before it is full, and the old one has at most 8 slots an entry: 16 a time would
// do.
constexpr uint32_t slots_moved_a_time = 32;

constexpr uint64_t free_slot = 0;
constexpr uint64_t erased_slot = 1;
constexpr unsigned tag_shift = 48;

uint64_t sid_hash(std::string_view sid) {
  return hash_bytes(sid, hash_seed());
}
uint64_t tag_of(uint64_t hash) {
  return (hash | uint64_t{1} << tag_shift) & ~uint64_t{0} << tag_shift;
}
bool is_live(uint64_t slot) {
  return slot > erased_slot;
}
Subscription* subscription_of(uint64_t slot) {
  return reinterpret_cast<Subscription*>(slot & ((uint64_t{1} << tag_shift) - 1));
}

}  // namespace

SubscriptionTable::~SubscriptionTable() {
  NUNCIO_DEBUG_ASSERT(size_ == 0);
  std::free(current_.slots);
  std::free(old_.slots);
}

Subscription* SubscriptionTable::find(std::string_view sid) const {
  if (current_.count == 0) return only_ != nullptr && only_->sid() == sid ? only_ : nullptr;
  const uint64_t hash = sid_hash(sid);
  Subscription* found = find_in(current_, hash, sid);
  return found == nullptr && old_.count != 0 ? find_in(old_, hash, sid) : found;
}

void SubscriptionTable::insert(Subscription* subscription) {
  size_ += 1;
  take_from_ = 0;
  if (current_.count == 0) {
    if (only_ == nullptr) {
      only_ = subscription;
      return;
    }
    start_resize(size_);
    put(current_, sid_hash(only_->sid()), only_);
    only_ = nullptr;
  }
  move_some(slots_moved_a_time);
  if ((current_.used + 1) * 4 > current_.count * 3) {
    move_some(old_.count);
    start_resize(size_);
  }
  put(current_, sid_hash(subscription->sid()), subscription);
}

void SubscriptionTable::erase(const Subscription* subscription) {
  if (current_.count == 0) {
    NUNCIO_ASSERT(only_ == subscription);
    only_ = nullptr;
    size_ = 0;
    return;
  }
  const uint64_t hash = sid_hash(subscription->sid());
  const bool was_there = erase_in(current_, hash, subscription) || erase_in(old_, hash, subscription);
  NUNCIO_ASSERT(was_there);
  size_ -= 1;
  if (size_ == 0) return free_slots();
  move_some(slots_moved_a_time);
  if (current_.count > slots_min && old_.count == 0 && size_t{size_} * 8 < current_.count)
    start_resize(size_);
}

// First what a resize has not moved yet, then the present array from the front.
Subscription* SubscriptionTable::take_any() {
  if (size_ == 0) return nullptr;
  Subscription* taken = std::exchange(only_, nullptr);
  for (; taken == nullptr && moved_ < old_.count; ++moved_) taken = take_slot(old_.slots[moved_]);
  for (; taken == nullptr; ++take_from_) taken = take_slot(current_.slots[take_from_]);
  size_ -= 1;
  if (size_ == 0) free_slots();
  return taken;
}

Subscription* SubscriptionTable::live_in(uint64_t slot) {
  return is_live(slot) ? subscription_of(slot) : nullptr;
}

Subscription* SubscriptionTable::take_slot(uint64_t& slot) {
  return is_live(slot) ? subscription_of(std::exchange(slot, erased_slot)) : nullptr;
}

Subscription* SubscriptionTable::find_in(const Slots& in, uint64_t hash, std::string_view sid) {
  const uint64_t tag = tag_of(hash);
  for (uint32_t i = static_cast<uint32_t>(hash) & (in.count - 1);; i = (i + 1) & (in.count - 1)) {
    const uint64_t slot = in.slots[i];
    if (slot == free_slot) return nullptr;
    if ((slot ^ tag) >> tag_shift == 0 && subscription_of(slot)->sid() == sid) return subscription_of(slot);
  }
}

bool SubscriptionTable::erase_in(Slots& in, uint64_t hash, const Subscription* subscription) {
  if (in.count == 0) return false;
  const uint32_t mask = in.count - 1;
  uint32_t i = static_cast<uint32_t>(hash) & mask;
  while (subscription_of(in.slots[i]) != subscription) {
    if (in.slots[i] == free_slot) return false;
    i = (i + 1) & mask;
  }
  in.slots[i] = erased_slot;
  if (in.slots[(i + 1) & mask] != free_slot) return true;
  // Nothing follows, so no search needs to pass here any more.
  for (; in.slots[i] == erased_slot; i = (i - 1) & mask) {
    in.slots[i] = free_slot;
    in.used -= 1;
  }
  return true;
}

void SubscriptionTable::put(Slots& in, uint64_t hash, Subscription* subscription) {
  uint32_t i = static_cast<uint32_t>(hash) & (in.count - 1);
  while (is_live(in.slots[i])) i = (i + 1) & (in.count - 1);
  in.used += in.slots[i] == free_slot ? 1 : 0;
  in.slots[i] = tag_of(hash) | reinterpret_cast<uint64_t>(subscription);
}

void SubscriptionTable::start_resize(size_t entries) {
  NUNCIO_DEBUG_ASSERT(old_.count == 0);
  uint32_t count = slots_min;
  while (count < entries * 2) count *= 2;
  old_ = current_;
  moved_ = 0;
  take_from_ = 0;
  // calloc() rather than new[]: the system's zero pages come one by one as they are touched, not 8 MB at
  // once.
  current_ = {
      .slots = static_cast<uint64_t*>(std::calloc(count, sizeof(uint64_t))), .count = count, .used = 0};
  NUNCIO_ASSERT(current_.slots != nullptr);
}

void SubscriptionTable::move_some(uint32_t slots_count) {
  if (old_.count == 0) return;
  const uint32_t end = std::min(old_.count, moved_ + slots_count);
  for (uint32_t i = moved_; i < end; ++i) {
    if (i + 8 < end) __builtin_prefetch(subscription_of(old_.slots[i + 8]));
    if (Subscription* moving = take_slot(old_.slots[i])) put(current_, sid_hash(moving->sid()), moving);
  }
  moved_ = end;
  if (moved_ < old_.count) return;
  std::free(old_.slots);
  old_ = {};
}

void SubscriptionTable::free_slots() {
  std::free(current_.slots);
  std::free(old_.slots);
  current_ = old_ = {};
}

}  // namespace nuncio
