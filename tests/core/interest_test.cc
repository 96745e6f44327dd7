#include "core/interest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace nuncio {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// All workers of one Interest, driven from the test's thread.
class InterestTest : public testing::TestWithParam<unsigned> {
 protected:
  InterestTest() { next_turn(); }
  ~InterestTest() override {
    for (unsigned w = 0; w < workers_; ++w) epochs_.offline(w);
  }

  void next_turn() {
    for (unsigned w = 0; w < workers_; ++w) epochs_.online(w);
  }
  Subscription* sub(WorkerId w, std::string_view subject, std::string_view queue = "",
                    std::string_view sid = "1") {
    return interest_.add(w, &receiver_, subject, queue, sid);
  }
  const Match& match(WorkerId w, std::string_view subject) { return matchers_[w]->match(subject); }

  // The caller's own plain subscriptions, by subject.
  std::vector<std::string> plain(WorkerId w, std::string_view subject) {
    std::vector<std::string> subjects;
    for (const SubscriptionList* list : match(w, subject).plain) {
      for (const Subscription* s : *list) subjects.emplace_back(s->subject());
    }
    return subjects;
  }

  unsigned workers_ = 4;
  Epochs epochs_{workers_};
  Interest interest_{workers_, epochs_};
  std::vector<std::unique_ptr<Matcher>> matchers_ = [this] {
    std::vector<std::unique_ptr<Matcher>> made;
    for (unsigned w = 0; w < workers_; ++w) made.push_back(std::make_unique<Matcher>(interest_, w));
    return made;
  }();
  Receiver receiver_;
};

TEST_F(InterestTest, NobodyWantsWhatNobodyAskedFor) {
  EXPECT_TRUE(match(0, "foo").empty());
  EXPECT_EQ(interest_.subscription_count(), 0u);
}

TEST_F(InterestTest, ASubscriptionKnowsItsTexts) {
  const std::string long_sid(300, '7');
  for (const std::string& sid : {std::string("1"), std::string(11, '9'), std::string(12, '8'), long_sid}) {
    Subscription* plain = sub(0, "foo.bar", "", sid);
    Subscription* member = sub(0, "foo.*", "workers", sid);
    EXPECT_EQ(plain->sid(), sid);
    EXPECT_EQ(plain->subject(), "foo.bar");
    EXPECT_EQ(plain->queue(), "");
    EXPECT_EQ(member->sid(), sid);
    EXPECT_EQ(member->subject(), "foo.*");
    EXPECT_EQ(member->queue(), "workers");
    EXPECT_EQ(plain->receiver, &receiver_);
    interest_.remove(0, plain);
    interest_.remove(0, member);
  }
}

TEST_F(InterestTest, OwnSubscriptionsComeAsListsAndOthersAsBits) {
  sub(0, "foo");
  sub(0, "foo");
  sub(0, "*");
  sub(2, "foo");
  sub(3, ">");
  EXPECT_THAT(plain(0, "foo"), UnorderedElementsAre("foo", "foo", "*"));
  EXPECT_EQ(match(0, "foo").workers, 0b1100u);
  EXPECT_THAT(match(1, "foo").plain, IsEmpty());
  EXPECT_EQ(match(1, "foo").workers, 0b1101u);
  EXPECT_THAT(plain(2, "foo"), ElementsAre("foo"));
  EXPECT_EQ(match(2, "foo").workers, 0b1001u);
}

TEST_F(InterestTest, APublishersOwnPlainSubscriptionOnTheReplyCanBeFound) {
  Receiver publisher;
  sub(0, "_INBOX.a.*");
  Subscription* own = interest_.add(0, &publisher, "_INBOX.a.*", "", "7");
  interest_.add(0, &publisher, "_INBOX.a.1", "queue", "8");
  std::vector<Subscription*> found;
  for (const SubscriptionList* list : match(0, "_INBOX.a.1").plain) {
    std::copy_if(list->begin(), list->end(), std::back_inserter(found),
                 [&](const Subscription* s) { return s->receiver == &publisher; });
  }
  EXPECT_THAT(found, ElementsAre(own));
}

TEST_F(InterestTest, CP_30_AWildcardIsAWholeToken) {
  for (const char* literal : {"foo*", "f>o", "foo.*bar", "a.>b.c", "**", "x.>>"}) {
    sub(0, literal);
    EXPECT_THAT(plain(0, literal), ElementsAre(literal)) << literal;
  }
  EXPECT_TRUE(match(0, "foox").empty());
  EXPECT_TRUE(match(0, "foo.xbar").empty());
  EXPECT_TRUE(match(0, "x.y").empty());
}

TEST_F(InterestTest, CP_30_AnyByteMayBeInAToken) {
  const std::string subject("a\0b.\xff\xfe.c", 8);
  sub(0, subject);
  EXPECT_THAT(plain(0, subject), ElementsAre(subject));
  EXPECT_TRUE(match(0, std::string_view(subject).substr(0, 1)).empty());
  sub(0, std::string("a\0b.*.c", 7));
  EXPECT_EQ(plain(0, subject).size(), 2u);
}

TEST_F(InterestTest, CP_40_WildcardsInAPublishedSubjectAreOrdinaryCharacters) {
  sub(0, "foo.*");
  sub(0, "foo.>");
  sub(0, "foo.bar");
  EXPECT_THAT(plain(0, "foo.*"), UnorderedElementsAre("foo.*", "foo.>"));
  EXPECT_THAT(plain(0, "foo.>"), UnorderedElementsAre("foo.*", "foo.>"));
  EXPECT_THAT(plain(0, "*.bar"), IsEmpty());
  EXPECT_THAT(plain(0, ">"), IsEmpty());
}

TEST_F(InterestTest, CP_40_AnEmptyTokenMatchesNobody) {
  sub(0, ">");
  sub(0, "*");
  sub(0, "*.*");
  sub(0, "a.>");
  sub(0, "a.*.b");
  for (const char* subject : {"", ".", ".a", "a.", "a..b", "..", "a.x."}) {
    EXPECT_TRUE(match(0, subject).empty()) << '"' << subject << '"';
  }
  EXPECT_EQ(plain(0, "a.x.b").size(), 3u);
}

TEST_F(InterestTest, TheFullWildcardWantsOneTokenAtLeast) {
  sub(0, "a.>");
  sub(0, "a.*.>");
  EXPECT_THAT(plain(0, "a"), IsEmpty());
  EXPECT_THAT(plain(0, "a.b"), ElementsAre("a.>"));
  EXPECT_THAT(plain(0, "a.b.c"), UnorderedElementsAre("a.>", "a.*.>"));
  EXPECT_THAT(plain(0, "b.b.c"), IsEmpty());
}

TEST_F(InterestTest, QueueGroupsOfOneNameAreOneGroup) {
  sub(0, "jobs.new", "q");
  sub(0, "jobs.new", "q");
  sub(1, "jobs.new", "q");
  sub(1, "jobs.*", "q");
  sub(2, "jobs.>", "other");
  sub(2, "jobs.old", "q");
  const Match& found = match(0, "jobs.new");
  EXPECT_THAT(found.plain, IsEmpty());
  EXPECT_EQ(found.workers, 0u);
  ASSERT_EQ(found.queues.size(), 2u);
  EXPECT_EQ(found.queues[0].name, "other");
  EXPECT_EQ(found.queues[0].members, 1u);
  EXPECT_EQ(found.queues[1].name, "q");
  EXPECT_EQ(found.queues[1].members, 4u);
  ASSERT_EQ(found.queues[1].shares.size(), 3u);
  EXPECT_EQ(found.queues[1].shares[0].worker, 0u);
  EXPECT_EQ(found.queues[1].shares[0].members, 2u);
  ASSERT_NE(found.queues[1].shares[0].own, nullptr);
  EXPECT_EQ(found.queues[1].shares[0].own->size(), 2u);
  EXPECT_EQ(found.queues[1].shares[1].worker, 1u);
  EXPECT_EQ(found.queues[1].shares[1].own, nullptr);
}

TEST_F(InterestTest, TheCountOfAQueueFollowsEachMember) {
  Subscription* first = sub(0, "jobs", "q");
  EXPECT_EQ(match(1, "jobs").queues[0].members, 1u);
  Subscription* second = sub(0, "jobs", "q");
  EXPECT_EQ(match(1, "jobs").queues[0].members, 2u);
  interest_.remove(0, first);
  EXPECT_EQ(match(1, "jobs").queues[0].members, 1u);
  interest_.remove(0, second);
  EXPECT_TRUE(match(1, "jobs").empty());
}

TEST_F(InterestTest, ThousandsOfQueueGroupsOnOneSubject) {
  std::vector<Subscription*> subscriptions;
  for (int i = 0; i < 5000; ++i) subscriptions.push_back(sub(i % 4, "jobs", "q" + std::to_string(i)));
  EXPECT_EQ(match(0, "jobs").queues.size(), 5000u);
  std::shuffle(subscriptions.begin(), subscriptions.end(), std::minstd_rand(7));
  while (subscriptions.size() > 1) {
    const std::string queue(subscriptions.back()->queue());
    interest_.remove(std::stoi(queue.substr(1)) % 4, subscriptions.back());
    subscriptions.pop_back();
  }
  ASSERT_EQ(match(0, "jobs").queues.size(), 1u);
  EXPECT_EQ(match(0, "jobs").queues[0].name, subscriptions[0]->queue());
}

TEST_F(InterestTest, LongSubjectsMatchToo) {
  std::string subject = "a";
  while (subject.size() < 5000) {
    subject += ".token" + std::to_string(subject.size());
    Subscription* s = sub(0, subject);
    EXPECT_THAT(plain(0, subject), ElementsAre(subject));
    EXPECT_THAT(plain(0, subject), ElementsAre(subject));
    interest_.remove(0, s);
    EXPECT_THAT(plain(0, subject), IsEmpty());
  }
  const std::string deep = subject + ".>";
  sub(1, deep);
  EXPECT_EQ(match(0, subject + ".x").workers, 0b10u);
}

TEST_F(InterestTest, ChurnOfOtherLiteralsLeavesTheCacheAlone) {
  sub(0, "orders.new");
  match(0, "orders.new");
  match(0, "orders.nobody");
  const Matcher::Counters before = matchers_[0]->counters();
  for (int i = 0; i < 20'000; ++i) {
    Subscription* inbox = sub(1, "_INBOX." + std::to_string(i) + "x");
    match(0, "orders.new");
    match(0, "orders.nobody");
    interest_.remove(1, inbox);
    if (i % 100 == 0) next_turn();
  }
  const Matcher::Counters& after = matchers_[0]->counters();
  EXPECT_EQ(after.misses, before.misses);
  // An account with few subjects has 512 versions, so one change in that many hits these two by chance.
  EXPECT_LT(after.rebuilds - before.rebuilds, 40'000u / 100);
  EXPECT_GT(after.hits - before.hits, 39'000u);
}

TEST_F(InterestTest, ChurnOfInboxWildcardsLeavesTheCacheOfOtherSubjectsAlone) {
  // Lanes are chosen by a seeded hash, so of two first tokens a few share one; of sixteen some do not.
  uint64_t undisturbed = 0;
  for (int subject = 0; subject < 16; ++subject) {
    const std::string name = "orders" + std::to_string(subject) + ".new";
    match(0, name);
    const uint64_t before = matchers_[0]->counters().rebuilds;
    for (int i = 0; i < 10; ++i) {
      interest_.remove(1, sub(1, "_INBOX." + std::to_string(i) + ".*"));
      match(0, name);
    }
    undisturbed += matchers_[0]->counters().rebuilds == before ? 1 : 0;
  }
  EXPECT_GE(undisturbed, 8u);
}

TEST_F(InterestTest, AFurtherPlainSubscriptionOfAWorkerInvalidatesNothing) {
  sub(1, "orders.*");
  sub(0, "orders.new");
  match(0, "orders.new");
  const Matcher::Counters before = matchers_[0]->counters();
  Subscription* second = sub(0, "orders.new");
  sub(1, "orders.*");
  EXPECT_EQ(plain(0, "orders.new").size(), 2u);
  interest_.remove(0, second);
  EXPECT_EQ(plain(0, "orders.new").size(), 1u);
  EXPECT_EQ(matchers_[0]->counters().rebuilds, before.rebuilds);
  EXPECT_EQ(matchers_[0]->counters().hits, before.hits + 2);
}

TEST_F(InterestTest, AMissIsRememberedUntilSomebodyComes) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(match(0, "foo.bar").empty());
  EXPECT_EQ(matchers_[0]->counters().hits, 2u);
  sub(1, "foo.bar");
  EXPECT_EQ(match(0, "foo.bar").workers, 0b10u);
  sub(2, "*.bar");
  EXPECT_EQ(match(0, "foo.bar").workers, 0b110u);
  sub(3, "foo.*");
  EXPECT_EQ(match(0, "foo.bar").workers, 0b1110u);
}

TEST_F(InterestTest, MoreSubjectsThanTheCacheHolds) {
  constexpr int subjects = 60'000;
  for (int i = 0; i < subjects; ++i) sub(i % 4, "s." + std::to_string(i));
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < subjects; ++i) {
      const Match& found = match(0, "s." + std::to_string(i));
      if (i % 4 == 0) {
        ASSERT_EQ(found.plain.size(), 1u) << i;
      } else {
        ASSERT_EQ(found.workers, uint64_t{1} << (i % 4)) << i;
      }
    }
  }
}

TEST_F(InterestTest, LargeMatchesStayRightBeyondTheCachesBudget) {
  for (int i = 0; i < 3000; ++i) sub(i % 4, "*", "q" + std::to_string(i));
  // 3,000 groups take some 200 kB an entry; of 8 MB the cache starts anew.
  for (int i = 0; i < 120; ++i) {
    const std::string subject = "s" + std::to_string(i % 60);
    ASSERT_EQ(match(0, subject).queues.size(), 3000u);
    if (i % 10 == 0) interest_.remove(1, sub(1, "*"));
    ASSERT_EQ(match(0, subject).queues.size(), 3000u);
  }
}

TEST_F(InterestTest, WhatIsRemovedIsFreed) {
  std::vector<Subscription*> subscriptions;
  for (int i = 0; i < 10'000; ++i) {
    subscriptions.push_back(sub(0, "lit." + std::to_string(i)));
    subscriptions.push_back(sub(0, "wild." + std::to_string(i) + ".*"));
  }
  EXPECT_EQ(interest_.subscription_count(), 20'000u);
  for (Subscription* s : subscriptions) interest_.remove(0, s);
  EXPECT_EQ(interest_.subscription_count(), 0u);
  EXPECT_GT(epochs_.retired_count(), 40'000u);
  for (int turn = 0; turn < 100; ++turn) next_turn();
  EXPECT_EQ(epochs_.retired_count(), 0u);
  EXPECT_TRUE(match(1, "lit.5").empty());
  EXPECT_TRUE(match(1, "wild.5.x").empty());
}

// --- against a model that keeps a flat list
// -------------------------------------------------------------------------

std::vector<std::string> tokens(std::string_view subject) {
  std::vector<std::string> found(1);
  for (const char c : subject) {
    if (c == '.') {
      found.emplace_back();
    } else {
      found.back() += c;
    }
  }
  return found;
}

bool model_matches(std::string_view pattern, std::string_view subject) {
  const std::vector<std::string> p = tokens(pattern);
  const std::vector<std::string> s = tokens(subject);
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i].empty()) return false;
  }
  for (size_t i = 0; i < p.size(); ++i) {
    if (i >= s.size()) return false;
    if (p[i] == ">") return true;
    if (p[i] != "*" && p[i] != s[i]) return false;
  }
  return p.size() == s.size();
}

struct ModelMatch {
  std::multiset<const Subscription*> plain;
  uint64_t workers = 0;
  std::map<std::string, std::map<WorkerId, uint32_t>> queues;
  std::map<std::string, std::multiset<const Subscription*>> own_members;
  bool operator==(const ModelMatch&) const = default;
};

ModelMatch flatten(const Match& found) {
  ModelMatch flat{.plain = {}, .workers = found.workers, .queues = {}, .own_members = {}};
  for (const SubscriptionList* list : found.plain) flat.plain.insert(list->begin(), list->end());
  for (const QueueMatch& queue : found.queues) {
    std::map<WorkerId, uint32_t>& members = flat.queues[std::string(queue.name)];
    EXPECT_TRUE(members.empty()) << "a group twice";
    uint32_t sum = 0;
    for (const QueueMatch::Share& share : queue.shares) {
      members[share.worker] += share.members;
      sum += share.members;
      if (share.own == nullptr) continue;
      EXPECT_EQ(share.own->size(), share.members);
      flat.own_members[std::string(queue.name)].insert(share.own->begin(), share.own->end());
    }
    EXPECT_EQ(sum, queue.members);
  }
  return flat;
}

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int steps = 6'000;
#else
constexpr int steps = 30'000;
#endif

class InterestModelTest : public InterestTest {
 protected:
  struct Known {
    WorkerId worker;
    std::string subject;
    std::string queue;
    Subscription* subscription;
  };

  std::string random_subject(bool with_wildcards, bool with_empty) {
    const uint64_t length = 1 + random_() % 4;
    std::string subject;
    for (uint64_t i = 0; i < length; ++i) {
      if (i > 0) subject += '.';
      const uint64_t kind = random_() % 10;
      if (with_wildcards && kind == 0 && i + 1 == length) {
        subject += '>';
      } else if (with_wildcards && kind < 3) {
        subject += '*';
      } else if (!with_empty || kind != 9) {
        subject += static_cast<char>('a' + random_() % 4);
      }
    }
    return subject;
  }

  ModelMatch expected(WorkerId w, std::string_view subject) const {
    ModelMatch model;
    for (const Known& known : known_) {
      if (!model_matches(known.subject, subject)) continue;
      if (!known.queue.empty()) {
        model.queues[known.queue][known.worker] += 1;
        if (known.worker == w) model.own_members[known.queue].insert(known.subscription);
      } else if (known.worker == w) {
        model.plain.insert(known.subscription);
      } else {
        model.workers |= uint64_t{1} << known.worker;
      }
    }
    return model;
  }

  void add_one() {
    const auto w = static_cast<WorkerId>(random_() % workers_);
    const std::string subject = random_subject(random_() % 2 == 0, false);
    const std::string queue = random_() % 3 == 0 ? "q" + std::to_string(random_() % 3) : "";
    known_.push_back({w, subject, queue, sub(w, subject, queue, std::to_string(random_()))});
  }
  void remove_one() {
    if (known_.empty()) return;
    const size_t i = random_() % known_.size();
    interest_.remove(known_[i].worker, known_[i].subscription);
    known_[i] = known_.back();
    known_.pop_back();
  }

  uint64_t seed_ = std::getenv("TEST_SEED") != nullptr ? std::strtoull(std::getenv("TEST_SEED"), nullptr, 10)
                                                       : std::random_device{}();
  std::mt19937_64 random_{seed_};
  std::vector<Known> known_;
};

TEST_F(InterestModelTest, RandomChangesAgreeWithAFlatList) {
  SCOPED_TRACE("TEST_SEED=" + std::to_string(seed_));
  for (int step = 0; step < steps; ++step) {
    // In waves, so that the index also empties.
    const bool is_growing = step / 1000 % 2 == 0;
    if (random_() % 10 < (is_growing ? 6u : 3u)) add_one();
    if (random_() % 10 < (is_growing ? 3u : 7u)) remove_one();
    const auto w = static_cast<WorkerId>(random_() % workers_);
    const std::string subject = random_subject(false, true);
    ASSERT_EQ(flatten(match(w, subject)), expected(w, subject)) << "step " << step << " subject " << subject;
    if (random_() % 16 == 0) next_turn();
  }
  EXPECT_EQ(interest_.subscription_count(), known_.size());
}

}  // namespace
}  // namespace nuncio
