// Work in the verifier, as the steps of handshakes are: done once each, in a lane of its own, bounded, fair.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include "auth/semaphore.h"
#include "auth/verifier.h"
#include "tests/auth/checks.h"

namespace nuncio::auth {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

constexpr const char* here = "10.0.0.1";

// Counts how often it ran, without a lock: a second run at the same time is a race that TSan sees.
class Step : public Work {
 public:
  void run() override { ++runs; }
  int runs = 0;
};

// Does not end before it is told to, and uses no processor meanwhile, as a thread that starves.
class StuckStep : public Step {
 public:
  void run() override {
    begun.post();
    may_end.wait();
    Step::run();
    ended.post();
  }
  Semaphore begun, may_end, ended;
};

std::vector<uint32_t> slots_of(const std::vector<CheckResult>& results) {
  std::vector<uint32_t> slots;
  for (const auto& result : results) slots.push_back(result.ticket.slot);
  return slots;
}

// A verifier whose one thread for work has all it can take: one step is done but not delivered.
class HeldWork {
 public:
  explicit HeldWork(VerifierSettings settings = {}) : held(with_one_thread(settings)) {
    EXPECT_TRUE(submit(HeldVerifier::blocker + 1, "blocker"));
    EXPECT_EQ(lane().waiting, 0u);
  }
  bool submit(uint32_t slot, const char* source = here, std::shared_ptr<Work> work = nullptr) {
    return held.verifier->submit({0, slot, 1}, source, work ? work : std::make_shared<Step>());
  }
  Verifier::LaneCounters lane() const { return held.verifier->counters().handshakes; }
  // Slots in the order of their results; the two that hold the verifier are left out.
  std::vector<uint32_t> slots_after(size_t count) {
    held.gate.open();
    EXPECT_TRUE(held.results.wait_for(count + 2));
    auto slots = slots_of(held.results.all());
    std::erase_if(slots, [](uint32_t slot) { return slot >= HeldVerifier::blocker; });
    return slots;
  }

 private:
  static VerifierSettings with_one_thread(VerifierSettings settings) {
    settings.handshake_threads = 1;
    return settings;
  }

 public:
  HeldVerifier held;
};

TEST(VerifierWork, AT_11_RunsOnceAndComesBackWithItsTicket) {
  Results results;
  Verifier verifier({}, results.sink());
  std::vector<std::shared_ptr<Step>> steps;
  for (uint32_t slot = 0; slot < 100; ++slot) {
    steps.push_back(std::make_shared<Step>());
    ASSERT_TRUE(verifier.submit({3, slot, 7}, here, steps.back()));
  }
  ASSERT_TRUE(results.wait_for(100));
  for (const auto& result : results.all()) {
    EXPECT_EQ(result.ticket, (Ticket{3, result.ticket.slot, 7}));
    EXPECT_EQ(result.stored, nullptr);
    EXPECT_EQ(result.work, steps.at(result.ticket.slot));
  }
  for (const auto& step : steps) EXPECT_EQ(step->runs, 1);
  EXPECT_EQ(verifier.counters().handshakes.done, 100u);
  EXPECT_EQ(verifier.counters().hashes.done, 0u);
}

// The next message of a handshake comes with the ticket of the one before, at once after its result.
TEST(VerifierWork, AT_16_ATicketTakesOneStepAfterTheOther) {
  constexpr int steps = 4;
  Results results;
  std::optional<Verifier> verifier;
  const auto collect = results.sink();
  verifier.emplace(VerifierSettings{}, [&](const CheckResult& result) {
    const bool is_last = static_cast<Step&>(*result.work).runs == steps;
    EXPECT_TRUE(is_last || verifier->submit(result.ticket, here, result.work));
    collect(result);
  });
  const auto step = std::make_shared<Step>();
  ASSERT_TRUE(verifier->submit({0, 1, 1}, here, step));
  ASSERT_TRUE(results.wait_for(steps));
  EXPECT_EQ(step->runs, steps);
}

TEST(VerifierWork, AT_16_ATicketHasOneCheckOrWork) {
  HeldWork work;
  ASSERT_TRUE(work.submit(5));
  EXPECT_FALSE(work.submit(5));
  EXPECT_FALSE(work.held.verifier->submit(check_for(5, "a", work.held.secret, "right")));
  ASSERT_TRUE(work.held.verifier->submit(check_for(6, "a", work.held.secret, "right")));
  EXPECT_FALSE(work.submit(6));
  EXPECT_THAT(work.slots_after(2), ::testing::UnorderedElementsAre(5u, 6u));
}

TEST(VerifierWork, AT_17_IsBoundedAndChecksGoOn) {
  VerifierSettings settings;
  settings.queue_max = 10;
  settings.queue_per_source_max = 4;
  HeldWork work(settings);
  for (uint32_t slot = 0; slot < 4; ++slot) EXPECT_TRUE(work.submit(slot, "A"));
  for (uint32_t slot = 4; slot < 8; ++slot) EXPECT_FALSE(work.submit(slot, "A"));
  for (uint32_t slot = 8; slot < 12; ++slot) EXPECT_TRUE(work.submit(slot, "B"));
  EXPECT_TRUE(work.submit(12, "C"));
  EXPECT_TRUE(work.submit(13, "D"));
  EXPECT_FALSE(work.submit(14, "E"));
  EXPECT_EQ(work.lane().waiting, 10u);
  EXPECT_EQ(work.lane().refused_full, 5u);
  EXPECT_TRUE(work.held.verifier->submit(check_for(20, "a", work.held.secret, "right", "A")));
  EXPECT_EQ(work.slots_after(11).size(), 11u);
}

TEST(VerifierWork, AT_17_SourcesTakeTurns) {
  HeldWork work;
  for (uint32_t slot = 0; slot < 20; ++slot) ASSERT_TRUE(work.submit(slot, "flooder"));
  ASSERT_TRUE(work.submit(100, "other"));
  const auto order = work.slots_after(21);
  EXPECT_LT(std::find(order.begin(), order.end(), 100u) - order.begin(), 4);
}

// Of equal sources, at the same time: nothing of it is the same.
TEST(VerifierWork, AU_27_IsNeverJoined) {
  HeldWork work;
  const auto one = std::make_shared<Step>(), other = std::make_shared<Step>();
  ASSERT_TRUE(work.submit(1, here, one));
  ASSERT_TRUE(work.submit(2, here, other));
  EXPECT_EQ(work.lane().waiting, 2u);
  EXPECT_EQ(work.lane().joined, 0u);
  EXPECT_THAT(work.slots_after(2), ElementsAre(1u, 2u));
  EXPECT_EQ(one->runs, 1);
  EXPECT_EQ(other->runs, 1);
}

TEST(VerifierWork, AU_7_WaitingWorkIsDroppedWhenItsConnectionGoes) {
  HeldWork work;
  const auto dropped = std::make_shared<Step>();
  ASSERT_TRUE(work.submit(1, here, dropped));
  ASSERT_TRUE(work.submit(2));
  work.held.verifier->cancel({0, 1, 1});
  EXPECT_EQ(dropped.use_count(), 1) << "nobody else has it any more";
  EXPECT_EQ(work.lane().waiting, 1u);
  EXPECT_EQ(work.lane().cancelled, 1u);
  EXPECT_THAT(work.slots_after(1), ElementsAre(2u));
  EXPECT_EQ(dropped->runs, 0);
}

// Work whose destructor asks the verifier: what a connection that goes may well do.
TEST(VerifierWork, AU_7_DroppedWorkIsDestroyedUnderNoLock) {
  struct Nosy : Step {
    explicit Nosy(Verifier& asked) : verifier(asked) {}
    ~Nosy() override { verifier.counters(); }
    Verifier& verifier;
  };
  VerifierSettings settings;
  settings.queue_max = 1;
  HeldWork work(settings);
  Verifier& verifier = *work.held.verifier;
  ASSERT_TRUE(work.submit(1, here, std::make_shared<Nosy>(verifier)));
  EXPECT_FALSE(work.submit(2, here, std::make_shared<Nosy>(verifier)));
  verifier.cancel({0, 1, 1});
  EXPECT_EQ(work.lane().waiting, 0u);
}

TEST(VerifierWork, AU_7_ResultOfWorkUnderWayIsDroppedWhenItsConnectionGoes) {
  Results results;
  Verifier verifier({}, results.sink());
  const auto stuck = std::make_shared<StuckStep>();
  ASSERT_TRUE(verifier.submit({0, 1, 1}, here, stuck));
  stuck->begun.wait();
  verifier.cancel({0, 1, 1});
  const auto next = std::make_shared<Step>();
  ASSERT_TRUE(verifier.submit({0, 1, 2}, here, next));  // the slot is another's already
  stuck->may_end.post();
  ASSERT_TRUE(results.wait_for(1));
  EXPECT_EQ(results.all().front().work, next);
  EXPECT_EQ(results.all().size(), 1u);
}

// The rescuer does the rest, and what comes soon after, since the thread starved; what is under way is not
// done again.
TEST(VerifierWork, AT_11_WorkThatStarvesUnderWayHoldsUpNoOther) {
  VerifierSettings settings;
  settings.handshake_threads = 1;
  Results results;
  Verifier verifier(settings, results.sink());
  const auto stuck = std::make_shared<StuckStep>();
  ASSERT_TRUE(verifier.submit({0, 0, 1}, here, stuck));
  stuck->begun.wait();
  std::vector<std::shared_ptr<Step>> rest;
  for (uint32_t slot = 1; slot <= 20; ++slot) {
    rest.push_back(std::make_shared<Step>());
    ASSERT_TRUE(verifier.submit({0, slot, 1}, here, rest.back()));
  }
  ASSERT_TRUE(results.wait_for(20));
  EXPECT_EQ(verifier.counters().handshakes.rescued, 20u);
  stuck->may_end.post();
  ASSERT_TRUE(results.wait_for(21));
  EXPECT_EQ(results.all().back().work, stuck);
  EXPECT_EQ(stuck->runs, 1);
  for (const auto& step : rest) EXPECT_EQ(step->runs, 1);
  ASSERT_TRUE(verifier.submit({0, 21, 1}, here, std::make_shared<Step>()));
  ASSERT_TRUE(results.wait_for(22));
  EXPECT_EQ(verifier.counters().handshakes.rescued, 21u);
}

// Whether this process may do what that takes; asked on a thread that ends.
bool may_leave_idle_class() {
  bool may = false;
  std::thread([&] {
    const sched_param none{};
    may = sched_setscheduler(0, SCHED_IDLE, &none) == 0 && sched_setscheduler(0, SCHED_OTHER, &none) == 0;
  }).join();
  return may;
}

TEST(VerifierWork, AT_11_WorkThatStarvesUnderWayIsRaisedUntilItIsDone) {
  if (!may_leave_idle_class()) GTEST_SKIP() << "needs CAP_SYS_NICE";
  struct UntilRaised : Step {
    void run() override {
      thread = gettid();
      const auto deadline = std::chrono::steady_clock::now() + 60s;
      while (sched_getscheduler(0) == SCHED_IDLE && std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(1ms);  // uses no processor, as if it got none
      policy = sched_getscheduler(0);
    }
    pid_t thread = 0;
    int policy = SCHED_IDLE;
  };
  Results results;
  Verifier verifier({}, results.sink());
  const auto step = std::make_shared<UntilRaised>();
  ASSERT_TRUE(verifier.submit({0, 1, 1}, here, step));
  ASSERT_TRUE(results.wait_for(1));
  EXPECT_EQ(step->policy, SCHED_OTHER);
  EXPECT_EQ(sched_getscheduler(step->thread), SCHED_IDLE) << "afterwards";
}

// Threads for hashes are busy for seconds.
TEST(VerifierWork, AT_17_DoesNotWaitBehindHashes) {
  VerifierSettings settings;
  settings.threads = 1;
  settings.at_idle_priority = false;
  Results results;
  Verifier verifier(settings, results.sink());
  const auto slow = costly();
  for (uint32_t slot = 0; slot < 10; ++slot)
    ASSERT_TRUE(verifier.submit(check_for(slot, "a", slow, std::to_string(slot))));
  for (uint32_t slot = 100; slot < 110; ++slot)
    ASSERT_TRUE(verifier.submit({0, slot, 1}, here, std::make_shared<Step>()));
  ASSERT_TRUE(results.wait_for(10));
  const auto all = results.all();
  for (size_t i = 0; i < 10; ++i) EXPECT_NE(all[i].work, nullptr) << all[i].ticket.slot;
}

// What is under way for longer than anybody waits for it ends alone, after the verifier; what waits is gone.
TEST(VerifierWork, AT_12_EndsWhileWorkWaitsAndSomeIsStuck) {
  struct Waiting : Step {
    explicit Waiting(Semaphore& told) : gone(told) {}
    ~Waiting() override { gone.post(); }
    Semaphore& gone;
  };
  Semaphore gone;
  Results results;
  const auto stuck = std::make_shared<StuckStep>();
  {
    VerifierSettings settings;
    settings.handshake_threads = 1;
    Verifier verifier(settings, results.sink());
    ASSERT_TRUE(verifier.submit({0, 1, 1}, here, stuck));
    stuck->begun.wait();
    ASSERT_TRUE(verifier.submit({0, 2, 1}, here, std::make_shared<Waiting>(gone)));
  }
  const bool is_done = !results.all().empty();  // on a machine so busy that the rescuer was asked
  EXPECT_TRUE(is_done || gone.wait_until(std::chrono::steady_clock::now() + 60s));
  EXPECT_EQ(stuck->runs, 0);
  stuck->may_end.post();
  stuck->ended.wait();  // not wait_until(), which TSan does not know
  EXPECT_EQ(stuck->runs, 1);
}

// Everything at once from several threads: each ticket is answered once, each work done at most once.
TEST(VerifierWork, AT_11_AT_16_ConcurrentSubmitsAndCancels) {
  constexpr uint32_t threads = 4, rounds = 500;
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  VerifierSettings settings;
  settings.handshake_threads = 2;
  settings.queue_max = 24;
  settings.queue_per_source_max = 12;
  std::vector<std::shared_ptr<Step>> steps(threads * rounds);
  std::generate(steps.begin(), steps.end(), [] { return std::make_shared<Step>(); });
  enum class Fate : uint8_t { refused, submitted, cancelled };
  std::vector<Fate> fates(steps.size());  // by its own thread
  std::vector<std::atomic<uint32_t>> answers(steps.size());
  Results results;
  {
    const auto collect = results.sink();
    Verifier verifier(settings, [&](CheckResult result) {
      EXPECT_EQ(result.work, steps[result.ticket.slot]);
      ++answers[result.ticket.slot];
      collect(std::move(result));
    });
    {
      std::vector<std::jthread> clients;
      for (uint32_t t = 0; t < threads; ++t) {
        clients.emplace_back([&, t] {
          std::mt19937_64 random(seed + t);
          for (uint32_t slot = t * rounds; slot < (t + 1) * rounds; ++slot) {
            const bool is_in = verifier.submit({0, slot, 1}, std::to_string(random() % 3), steps[slot]);
            fates[slot] = is_in ? Fate::submitted : Fate::refused;
            if (is_in && random() % 4 == 0) {
              verifier.cancel({0, slot, 1});
              fates[slot] = Fate::cancelled;
            }
            if (random() % 16 == 0) std::this_thread::yield();
          }
        });
      }
    }
    // Sources take turns and threads differ, so the last to be answered need not be the last that came.
    const auto submitted = static_cast<size_t>(std::count(fates.begin(), fates.end(), Fate::submitted));
    ASSERT_TRUE(results.wait_for(submitted));
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    const auto is_owed = [&](size_t slot) { return fates[slot] == Fate::submitted && answers[slot] == 0; };
    for (size_t slot = 0; slot < steps.size(); ++slot) {
      while (is_owed(slot) && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    }
  }
  for (size_t slot = 0; slot < steps.size(); ++slot) {
    const uint32_t answered = answers[slot];
    EXPECT_LE(steps[slot]->runs, fates[slot] == Fate::refused ? 0 : 1);
    EXPECT_LE(answered, static_cast<uint32_t>(steps[slot]->runs));
    EXPECT_TRUE(answered == 1 || fates[slot] != Fate::submitted) << slot;
  }
}

}  // namespace
}  // namespace nuncio::auth
