#include "core/subscription_table.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace nuncio {
namespace {

class SubscriptionTableTest : public testing::Test {
 protected:
  SubscriptionTableTest() { epochs_.online(0); }
  ~SubscriptionTableTest() override {
    while (Subscription* s = table_.take_any()) interest_.remove(0, s);
    epochs_.offline(0);
  }
  Subscription* add(std::string_view sid) {
    Subscription* s = interest_.add(0, nullptr, "foo", "", sid);
    table_.insert(s);
    return s;
  }
  void remove(Subscription* s) {
    table_.erase(s);
    interest_.remove(0, s);
  }

  Epochs epochs_{1};
  Interest interest_{1, epochs_};
  SubscriptionTable table_;
};

TEST_F(SubscriptionTableTest, EmptyFindsNothingAndGivesNothing) {
  EXPECT_EQ(table_.find("1"), nullptr);
  EXPECT_EQ(table_.take_any(), nullptr);
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(SubscriptionTableTest, OneEntry) {
  Subscription* s = add("1");
  EXPECT_EQ(table_.find("1"), s);
  EXPECT_EQ(table_.find("2"), nullptr);
  remove(s);
  EXPECT_EQ(table_.find("1"), nullptr);
}

TEST_F(SubscriptionTableTest, AnIdleConnectionPaysLittle) {
  EXPECT_LE(sizeof(SubscriptionTable), 64u);
}

TEST_F(SubscriptionTableTest, SidsAreBytesOfAnyLength) {
  const std::vector<std::string> sids = {"1",
                                         "01",
                                         "",
                                         std::string("a\0b", 3),
                                         std::string(11, 'x'),
                                         std::string(12, 'x'),
                                         std::string(4000, 'y')};
  std::map<std::string, Subscription*> added;
  for (const std::string& sid : sids) added[sid] = add(sid);
  for (const std::string& sid : sids) EXPECT_EQ(table_.find(sid), added[sid]) << sid;
}

TEST_F(SubscriptionTableTest, EveryEntryIsFoundAtEverySize) {
  std::vector<Subscription*> added;
  for (int i = 0; i < 3000; ++i) {
    added.push_back(add(std::to_string(i)));
    ASSERT_EQ(table_.size(), added.size());
    for (int k = 0; k <= i; k += i < 200 ? 1 : 97) {
      ASSERT_EQ(table_.find(std::to_string(k)), added[static_cast<size_t>(k)]) << k << " of " << i;
    }
    ASSERT_EQ(table_.find(std::to_string(i + 1)), nullptr);
  }
}

TEST_F(SubscriptionTableTest, TakeAnyGivesEachOnceDuringAResizeToo) {
  for (const int entries : {1, 2, 7, 49, 200, 13'000}) {
    std::map<std::string, int> taken;
    for (int i = 0; i < entries; ++i) add(std::to_string(i));
    while (Subscription* s = table_.take_any()) {
      ++taken[std::string(s->sid())];
      interest_.remove(0, s);
    }
    EXPECT_EQ(taken.size(), static_cast<size_t>(entries));
    EXPECT_EQ(table_.size(), 0u);
    EXPECT_EQ(table_.find("0"), nullptr);
  }
}

TEST_F(SubscriptionTableTest, RandomChangesAgreeWithAMap) {
  const char* given = std::getenv("TEST_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::map<std::string, Subscription*> model;
  for (int step = 0; step < 200'000; ++step) {
    // Waves from nothing to thousands and back; now and then a closing connection.
    const bool is_growing = step / 20'000 % 2 == 0;
    const std::string sid = std::to_string(random() % 20'000);
    const auto known = model.find(sid);
    ASSERT_EQ(table_.find(sid), known == model.end() ? nullptr : known->second) << step;
    if (random() % 100 < (is_growing ? 80u : 10u)) {
      if (known == model.end()) model[sid] = add(sid);
    } else if (!is_growing && random() % 4 == 0) {
      if (Subscription* taken = table_.take_any()) {
        ASSERT_EQ(model.erase(std::string(taken->sid())), 1u) << step;
        interest_.remove(0, taken);
      }
    } else {
      const auto victim = known != model.end() ? known : model.lower_bound(sid);
      if (victim != model.end()) {
        remove(victim->second);
        model.erase(victim);
      }
    }
    ASSERT_EQ(table_.size(), model.size());
    if (step % 100 == 0) epochs_.online(0);
  }
}

}  // namespace
}  // namespace nuncio
