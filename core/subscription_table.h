// The subscriptions of one connection by sid. No memory while empty or with one entry; open addressing
// beyond, grown a few slots at a time, so that no SUB pays for half a million others. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/interest.h"

namespace nuncio {

class SubscriptionTable {
 public:
  SubscriptionTable() = default;
  ~SubscriptionTable();  // must be empty: subscriptions belong to Interest
  SubscriptionTable(const SubscriptionTable&) = delete;
  SubscriptionTable& operator=(const SubscriptionTable&) = delete;

  size_t size() const { return size_; }

  // Null when there is none.
  Subscription* find(std::string_view sid) const;
  // Its sid must not be there yet (a SUB with a sid in use is find()'s caller's to decide).
  void insert(Subscription* subscription);
  // It must be there. Before Interest::remove(), as its sid is read.
  void erase(const Subscription* subscription);
  // Calls `visit` with each of them; it must not change this table.
  template <typename Function>
  void for_each(Function visit) const {
    if (only_ != nullptr) visit(only_);
    for (const Slots* slots : {&old_, &current_}) {
      for (uint32_t i = 0; i < slots->count; ++i) {
        if (Subscription* subscription = live_in(slots->slots[i])) visit(subscription);
      }
    }
  }
  // Takes out any one, null when empty. A closing connection takes 1,000 a turn; each costs a few slots.
  Subscription* take_any();

 private:
  struct Slots {
    uint64_t* slots = nullptr;  // address and 16 bits of the hash; 0: free, 1: erased
    uint32_t count = 0;         // a power of two, or 0
    uint32_t used = 0;          // live and erased
  };

  static Subscription* live_in(uint64_t slot);  // null when it is free or erased
  static Subscription* find_in(const Slots& in, uint64_t hash, std::string_view sid);
  static bool erase_in(Slots& in, uint64_t hash, const Subscription* subscription);
  static void put(Slots& in, uint64_t hash, Subscription* subscription);
  void start_resize(size_t entries);
  static Subscription* take_slot(uint64_t& slot);
  void move_some(uint32_t slots_count);
  void free_slots();

  uint32_t size_ = 0;
  uint32_t moved_ = 0;            // slots of old_ before this one hold nothing: moved to current_, or taken
  uint32_t take_from_ = 0;        // slots of current_ before this one hold nothing
  Subscription* only_ = nullptr;  // when size_ is 1 and there are no slots
  Slots current_;
  Slots old_;  // while a resize is under way
};

}  // namespace nuncio
