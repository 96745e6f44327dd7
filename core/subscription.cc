// Subscription and SubscriptionList: what of an Interest only one worker's thread touches.
#include <algorithm>
#include <cstring>

#include "core/assert.h"
#include "core/subject_node.h"

namespace nuncio {
namespace {

// A sid too long to be kept inside.
struct LongSid {
  static LongSid* make(std::string_view sid) {
    auto* made =
        new (::operator new(sizeof(LongSid) + sid.size())) LongSid{static_cast<uint32_t>(sid.size())};
    std::memcpy(reinterpret_cast<char*>(made + 1), sid.data(), sid.size());
    return made;
  }
  std::string_view text() const { return {reinterpret_cast<const char*>(this + 1), length}; }

  uint32_t length;
};

// Behind an odd byte: not aligned.
constexpr size_t address_at = 3;

LongSid* long_sid(const char* inside) {
  LongSid* sid = nullptr;
  std::memcpy(&sid, inside + address_at, sizeof(sid));
  return sid;
}

}  // namespace

static_assert(sizeof(Subscription) == 48, "one for each SUB, half a million of them in a large system");
static_assert(sizeof(SubscriptionList) == 16);

std::string_view Subscription::sid() const {
  if (sid_length_ == sid_is_elsewhere) [[unlikely]]
    return long_sid(sid_)->text();
  return {sid_, sid_length_};
}

void Subscription::set_sid(std::string_view sid) {
  if (sid.size() <= sizeof(sid_)) {
    sid_length_ = static_cast<uint8_t>(sid.size());
    std::memcpy(sid_, sid.data(), sid.size());
    return;
  }
  sid_length_ = sid_is_elsewhere;
  const LongSid* made = LongSid::make(sid);
  std::memcpy(sid_ + address_at, &made, sizeof(made));
}

void Subscription::free_sid() {
  if (sid_length_ == sid_is_elsewhere) ::operator delete(long_sid(sid_));
}

std::string_view Subscription::subject() const {
  return place->node->text();
}

std::string_view Subscription::queue() const {
  return place->is_queue ? static_cast<const QueuePlace*>(place)->name() : std::string_view{};
}

void SubscriptionList::add(Subscription* subscription) {
  const uint32_t capacity = capacity_log2_ == 0 ? 1 : uint32_t{1} << capacity_log2_;
  if (size_ == capacity) resize(capacity_log2_ == 0 ? 2 : static_cast<uint8_t>(capacity_log2_ + 1));
  subscription->index_ = size_;
  (capacity_log2_ == 0 ? &one_ : many_)[size_] = subscription;
  size_ += 1;
}

void SubscriptionList::remove(Subscription* subscription) {
  const uint32_t index = subscription->index_;
  NUNCIO_ASSERT(index < size_ && (*this)[index] == subscription);
  Subscription** entries = capacity_log2_ == 0 ? &one_ : many_;
  size_ -= 1;
  entries[index] = entries[size_];
  entries[index]->index_ = index;
  if (capacity_log2_ == 0) return;
  if (size_ <= 1) {
    resize(0);
  } else if (capacity_log2_ > 2 && size_ * 4 <= uint32_t{1} << capacity_log2_) {
    resize(static_cast<uint8_t>(capacity_log2_ - 1));
  }
}

void SubscriptionList::resize(uint8_t capacity_log2) {
  Subscription** old = many_;
  const bool was_many = capacity_log2_ != 0;
  const Subscription* const* from = begin();
  if (capacity_log2 == 0) {
    Subscription* rest = size_ == 0 ? nullptr : old[0];
    one_ = rest;
  } else {
    auto** entries = static_cast<Subscription**>(::operator new(sizeof(Subscription*) << capacity_log2));
    std::memcpy(entries, from, sizeof(Subscription*) * size_);
    many_ = entries;
  }
  capacity_log2_ = capacity_log2;
  if (was_many) ::operator delete(old);
}

}  // namespace nuncio
