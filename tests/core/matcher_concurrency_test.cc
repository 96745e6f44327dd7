// Visibility (I4) and memory safety of Interest with real threads. Meant for ThreadSanitizer as much as for
// its own expectations.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/interest.h"

namespace nuncio {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int scale = 1;
#else
constexpr int scale = 5;
#endif

class MatcherConcurrencyTest : public testing::TestWithParam<unsigned> {
 protected:
  // Runs `body(w, matcher)` on a thread of each worker.
  template <typename Body>
  void run_workers(Body body) {
    std::vector<std::thread> threads;
    for (WorkerId w = 0; w < workers_; ++w) {
      threads.emplace_back([this, w, &body] {
        Matcher matcher(interest_, w);
        epochs_.online(w);
        body(w, matcher);
        epochs_.offline(w);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  unsigned workers_ = GetParam();
  Epochs epochs_{workers_};
  Interest interest_{workers_, epochs_};
};

// Lets all threads go on within some nanoseconds of each other, if they have processors.
class SpinBarrier {
 public:
  explicit SpinBarrier(unsigned threads) : threads_(threads) {}
  void wait() {
    const unsigned round = round_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; round_.load(std::memory_order_acquire) == round; ++spins) {
      if (spins > 2000) std::this_thread::yield();
    }
  }

 private:
  const unsigned threads_;
  std::atomic<unsigned> arrived_{0};
  std::atomic<unsigned> round_{0};
};

// One worker's subject, which it joins and leaves again and again while the others look.
struct Stage {
  enum What : uint64_t { changing, absent, plain, queue_of_one, queue_of_two };
  // round * 8 + what; written by the owner.
  alignas(64) std::atomic<uint64_t> now{absent};
  // The newest value of `now` each other worker has checked a match under.
  std::atomic<uint64_t> checked[workers_max] = {};
};

void expect_stage(const Match& found, Stage::What what, WorkerId owner, std::atomic<uint64_t>& wrong) {
  const bool has_plain = (found.workers >> owner & 1) != 0;
  const uint32_t members = found.queues.empty() ? 0 : found.queues[0].members;
  const uint32_t expected_members = what == Stage::queue_of_one ? 1 : what == Stage::queue_of_two ? 2 : 0;
  if (has_plain != (what == Stage::plain) || members != expected_members) ++wrong;
}

// The owner's side: goes to its next stage when all others have seen the present one.
class Changer {
 public:
  Changer(Interest& interest, WorkerId w, Stage& stage, unsigned workers)
      : interest_(interest), w_(w), stage_(stage), workers_(workers) {}

  uint64_t rounds() const { return round_; }

  bool is_checked_by_all() const {
    const uint64_t now = stage_.now.load(std::memory_order_relaxed);
    for (WorkerId w = 0; w < workers_; ++w) {
      if (w != w_ && stage_.checked[w].load(std::memory_order_acquire) != now) return false;
    }
    return true;
  }

  void change() {
    const auto what = static_cast<Stage::What>(stage_.now.load(std::memory_order_relaxed) % 8);
    stage_.now.store(round_ * 8 + Stage::changing, std::memory_order_release);
    Stage::What next = Stage::absent;
    const std::string own = "v." + std::to_string(w_);
    const std::string subjects[] = {own + ".x", own + ".*", own + ".>", "*." + std::to_string(w_) + ".x"};
    const std::string& subject = subjects[round_ / 4 % 4];
    switch (what) {
      case Stage::absent:
        next = round_ % 2 == 0 ? Stage::plain : Stage::queue_of_one;
        held_.push_back(interest_.add(w_, nullptr, subject, next == Stage::plain ? "" : "q", "1"));
        break;
      case Stage::queue_of_one:
        next = Stage::queue_of_two;
        held_.push_back(interest_.add(w_, nullptr, own + ".x", "q", "2"));
        break;
      default:
        for (Subscription* s : held_) interest_.remove(w_, s);
        held_.clear();
    }
    ++round_;
    stage_.now.store(round_ * 8 + next, std::memory_order_release);
  }

  void leave() {
    for (Subscription* s : held_) interest_.remove(w_, s);
  }

 private:
  Interest& interest_;
  const WorkerId w_;
  Stage& stage_;
  const unsigned workers_;
  uint64_t round_ = 0;
  std::vector<Subscription*> held_;
};

// Subscriptions that come and go beside, so that tables grow, shrink and collect erased slots.
class Noise {
 public:
  Noise(Interest& interest, WorkerId w) : interest_(interest), w_(w), random_(w + 1) {}
  ~Noise() {
    for (Subscription* s : held_) interest_.remove(w_, s);
  }

  void step() {
    is_growing_ = held_.size() < 10 || (is_growing_ && held_.size() < 3000);
    for (int i = 0; i < 3; ++i) is_growing_ ? add() : remove();
  }

 private:
  void add() {
    const std::string name = std::to_string(random_() % 100'000);
    const bool is_wildcard = random_() % 8 == 0;
    held_.push_back(
        interest_.add(w_, nullptr, is_wildcard ? "noise." + name + ".*" : "noise." + name, "", "1"));
  }
  void remove() {
    std::swap(held_[random_() % held_.size()], held_.back());
    interest_.remove(w_, held_.back());
    held_.pop_back();
  }

  Interest& interest_;
  const WorkerId w_;
  std::minstd_rand random_;
  bool is_growing_ = true;
  std::vector<Subscription*> held_;
};

TEST_P(MatcherConcurrencyTest, I4_WhatAWorkerHasAddedOrRemovedEveryLaterMatchSees) {
  constexpr uint64_t rounds = 1500 * scale;
  std::vector<Stage> stages(workers_);
  std::atomic<uint64_t> wrong{0};
  std::atomic<unsigned> finished{0};
  run_workers([&](WorkerId w, Matcher& matcher) {
    Changer changer(interest_, w, stages[w], workers_);
    Noise noise(interest_, w);
    bool is_finished = false;
    while (finished.load(std::memory_order_acquire) < workers_) {
      epochs_.online(w);
      for (WorkerId other = 0; other < workers_; ++other) {
        const std::string subject = "v." + std::to_string(other) + ".x";
        const uint64_t before = stages[other].now.load(std::memory_order_acquire);
        const Match& found = matcher.match(subject);
        const uint64_t after = stages[other].now.load(std::memory_order_acquire);
        const auto what = static_cast<Stage::What>(before % 8);
        if (other == w || before != after || what == Stage::changing) continue;
        expect_stage(found, what, other, wrong);
        stages[other].checked[w].store(before, std::memory_order_release);
      }
      noise.step();
      if (!is_finished && changer.is_checked_by_all()) {
        changer.change();
        if (changer.rounds() >= rounds) {
          is_finished = true;
          ++finished;
        }
      } else {
        std::this_thread::yield();
      }
    }
    changer.leave();
  });
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(interest_.subscription_count(), 0u);
}

// The narrow race: a match is built anew at the very moment of a change. What it returns then is free, but it
// must not be kept as if it were the state after the change.
TEST_P(MatcherConcurrencyTest, I4_AMatchBuiltDuringAChangeIsNotKept) {
  constexpr int rounds = 4'000 * scale;
  std::atomic<uint64_t> wrong{0};
  SpinBarrier barrier(workers_);
  run_workers([&](WorkerId w, Matcher& matcher) {
    std::minstd_rand random(w + 1);
    Subscription* keeper = w == 0 ? interest_.add(0, nullptr, "race", "q", "1") : nullptr;
    Subscription* member = nullptr;
    Subscription* racer = nullptr;
    for (int round = 0; round < rounds; ++round) {
      epochs_.online(w);
      const std::string_view subject = round % 4 < 2 ? "race" : "*";
      if (w == 0) {
        // So that everybody's cached match is stale when the race begins.
        if (member == nullptr) {
          member = interest_.add(0, nullptr, "race", "q", "2");
        } else {
          interest_.remove(0, member);
          member = nullptr;
        }
      }
      barrier.wait();
      for (volatile unsigned delay = random() % 128; delay > 0;) delay = delay - 1;
      if (w != 0) {
        matcher.match("race");
      } else if (racer == nullptr) {
        racer = interest_.add(0, nullptr, subject, "", "3");
      } else {
        interest_.remove(0, racer);
        racer = nullptr;
      }
      barrier.wait();
      if (w != 0 && matcher.match("race").workers != (round % 2 == 0 ? 1u : 0u)) ++wrong;
      barrier.wait();
    }
    if (keeper != nullptr) interest_.remove(0, keeper);
    if (member != nullptr) interest_.remove(0, member);
    if (racer != nullptr) interest_.remove(0, racer);
  });
  EXPECT_EQ(wrong, 0u);
}

TEST_P(MatcherConcurrencyTest, GrowingAndShrinkingHidesNothingFromReaders) {
  constexpr int subjects = 10'000 * scale;
  std::atomic<int> added{0};
  std::atomic<int> removing{0};
  std::atomic<uint64_t> wrong{0};
  const auto subject_of = [](int i) {
    return i % 2 == 0 ? "grow." + std::to_string(i) + ".*" : "grow." + std::to_string(i);
  };
  const auto published_of = [](int i) {
    return i % 2 == 0 ? "grow." + std::to_string(i) + ".x" : "grow." + std::to_string(i);
  };
  run_workers([&](WorkerId w, Matcher& matcher) {
    if (w == 0) {
      std::vector<Subscription*> held;
      for (int i = 0; i < subjects; ++i) {
        held.push_back(interest_.add(w, nullptr, subject_of(i), "", "1"));
        added.store(i + 1, std::memory_order_release);
        if (i % 64 == 0) epochs_.online(w);
      }
      for (int i = 0; i < subjects; ++i) {
        removing.store(i + 1, std::memory_order_release);
        interest_.remove(w, held[static_cast<size_t>(i)]);
        if (i % 64 == 0) epochs_.online(w);
      }
      return;
    }
    std::minstd_rand random(w);
    while (removing.load(std::memory_order_acquire) < subjects) {
      epochs_.online(w);
      const int count = added.load(std::memory_order_acquire);
      if (count == 0) continue;
      const int i = static_cast<int>(random() % static_cast<unsigned>(count));
      const bool is_there = matcher.match(published_of(i)).workers == 1;
      if (!is_there && removing.load(std::memory_order_acquire) <= i) ++wrong;
    }
  });
  EXPECT_EQ(wrong, 0u);
  Matcher last(interest_, 0);
  epochs_.online(0);
  for (int i = 0; i < subjects; ++i) ASSERT_TRUE(last.match(published_of(i)).empty()) << i;
  epochs_.offline(0);
}

TEST_P(MatcherConcurrencyTest, WorkersMeetOnOneSubject) {
  constexpr int rounds = 5'000 * scale;
  static constexpr std::string_view subjects[] = {"meet", "*", "meet.here", "meet.*", "*.here", ">"};
  std::atomic<uint64_t> wrong{0};
  run_workers([&](WorkerId w, Matcher& matcher) {
    std::minstd_rand random(w + 1);
    for (int round = 0; round < rounds; ++round) {
      epochs_.online(w);
      const std::string_view subject = subjects[random() % std::size(subjects)];
      const bool is_long = subject.find('.') != std::string_view::npos || subject == ">";
      const std::string_view queue = random() % 3 == 0 ? "q" : "";
      Subscription* own = interest_.add(w, nullptr, subject, queue, "1");
      const Match& joined = matcher.match(is_long ? "meet.here" : "meet");
      const bool is_member = queue.empty() ? joined.plain.size() == 1 && (*joined.plain[0])[0] == own
                                           : joined.queues.size() == 1 && joined.queues[0].members >= 1;
      if (!is_member) ++wrong;
      interest_.remove(w, own);
      if (!matcher.match(is_long ? "meet.here" : "meet").plain.empty()) ++wrong;
    }
  });
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(interest_.subscription_count(), 0u);
  Matcher last(interest_, 0);
  epochs_.online(0);
  EXPECT_TRUE(last.match("meet").empty());
  EXPECT_TRUE(last.match("meet.here").empty());
  epochs_.offline(0);
}

INSTANTIATE_TEST_SUITE_P(Workers, MatcherConcurrencyTest, testing::Values(1u, 2u, 4u),
                         [](const auto& workers) { return std::to_string(workers.param) + "Workers"; });

}  // namespace
}  // namespace nuncio
