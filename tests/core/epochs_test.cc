#include "core/epochs.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace nuncio {
namespace {

std::atomic<int> freed_count{0};

void count_and_free(void* memory) {
  ++freed_count;
  delete static_cast<int*>(memory);
}

class EpochsTest : public testing::Test {
 protected:
  EpochsTest() { freed_count = 0; }
};

TEST_F(EpochsTest, NothingIsFreedWhileAReaderOfThatTurnIsOnline) {
  Epochs epochs(2);
  epochs.online(0);
  epochs.online(1);
  epochs.retire(0, new int(1), count_and_free);
  for (int turn = 0; turn < 10; ++turn) epochs.online(0);
  EXPECT_EQ(freed_count, 0);
  EXPECT_EQ(epochs.retired_count(), 1u);
  epochs.online(1);
  epochs.online(0);
  EXPECT_EQ(freed_count, 1);
  EXPECT_EQ(epochs.retired_count(), 0u);
  epochs.offline(0);
  epochs.offline(1);
}

TEST_F(EpochsTest, NothingIsFreedWithinTheTurnThatRetiredIt) {
  Epochs epochs(2);
  epochs.online(0);
  epochs.retire(0, new int(1), count_and_free);
  EXPECT_EQ(freed_count, 0);
  epochs.online(0);
  EXPECT_EQ(freed_count, 1);
  epochs.offline(0);
}

TEST_F(EpochsTest, ASleeperHoldsNobodyUpAndFreesItsOwnBeforeItSleeps) {
  Epochs epochs(2);
  epochs.online(1);
  epochs.offline(1);
  epochs.online(0);
  epochs.retire(0, new int(1), count_and_free);
  epochs.offline(0);
  EXPECT_EQ(freed_count, 1);
}

TEST_F(EpochsTest, AReaderThatComesAfterwardsHoldsNothingUp) {
  Epochs epochs(2);
  epochs.online(0);
  epochs.retire(0, new int(1), count_and_free);
  epochs.online(1);  // before the bag is closed: it waits for one turn of this
  epochs.online(0);
  EXPECT_EQ(freed_count, 0);
  epochs.offline(1);
  epochs.online(1);  // after: another turn
  epochs.online(0);
  EXPECT_EQ(freed_count, 1);
  epochs.offline(0);
  epochs.offline(1);
}

TEST_F(EpochsTest, WhatIsRetiredDuringAGracePeriodWaitsForItsOwn) {
  Epochs epochs(2);
  epochs.online(0);
  epochs.online(1);
  epochs.retire(0, new int(1), count_and_free);
  epochs.online(0);  // closes the bag
  epochs.online(1);
  epochs.retire(0, new int(2), count_and_free);
  epochs.online(0);
  EXPECT_EQ(freed_count, 1);
  epochs.online(0);
  EXPECT_EQ(freed_count, 1);
  epochs.online(1);
  epochs.online(0);
  EXPECT_EQ(freed_count, 2);
  epochs.offline(0);
  epochs.offline(1);
}

TEST_F(EpochsTest, ATurnFreesABoundedNumber) {
  Epochs epochs(1);
  constexpr int pieces = 3 * static_cast<int>(Epochs::freed_per_turn_max);
  epochs.online(0);
  for (int i = 0; i < pieces; ++i) epochs.retire(0, new int(i), count_and_free);
  epochs.online(0);
  EXPECT_EQ(freed_count, static_cast<int>(Epochs::freed_per_turn_max));
  epochs.online(0);
  epochs.online(0);
  EXPECT_EQ(freed_count, pieces);
  epochs.offline(0);
}

TEST_F(EpochsTest, TheEndFreesWhatIsLeft) {
  {
    Epochs epochs(2);
    epochs.online(1);
    epochs.online(0);
    epochs.retire(0, new int(1), count_and_free);
    epochs.online(0);
    epochs.retire(0, new int(2), count_and_free);
    epochs.offline(0);
    EXPECT_EQ(freed_count, 0);
    epochs.offline(1);
  }
  EXPECT_EQ(freed_count, 2);
}

// Readers follow a pointer that a writer keeps replacing: a piece freed too early is a use after free (which
// the sanitizers see) and a wrong value (which this sees).
class EpochsThreadsTest : public testing::TestWithParam<unsigned> {};

struct Piece {
  uint64_t alive = 0x600d;
  static void free_it(void* memory) {
    static_cast<Piece*>(memory)->alive = 0xdead;
    delete static_cast<Piece*>(memory);
  }
};

TEST_P(EpochsThreadsTest, ReadersNeverSeeFreedMemory) {
  const unsigned participants = GetParam();
  Epochs epochs(participants);
  std::atomic<Piece*> shared{new Piece};
  std::atomic<bool> is_done{false};
  std::atomic<uint64_t> bad{0};
  std::atomic<unsigned> reading{0};
  std::vector<std::thread> readers;
  for (unsigned p = 1; p < participants; ++p) {
    readers.emplace_back([&, p] {
      for (uint64_t turn = 0; !is_done; ++turn) {
        epochs.online(p);
        for (int i = 0; i < 50; ++i) {
          if (shared.load(std::memory_order_acquire)->alive != 0x600d) ++bad;
        }
        if (turn == 0) ++reading;
        if (turn % 7 == 0) epochs.offline(p);
      }
      epochs.offline(p);
    });
  }
  while (reading + 1 != participants) std::this_thread::yield();
  for (int i = 0; i < 100'000; ++i) {
    if (i % 20 == 0) epochs.online(0);
    epochs.retire(0, shared.exchange(new Piece, std::memory_order_acq_rel), Piece::free_it);
    if (i % 1000 == 0) {
      epochs.offline(0);
      std::this_thread::yield();
      epochs.online(0);
    }
  }
  is_done = true;
  for (std::thread& reader : readers) reader.join();
  epochs.offline(0);
  EXPECT_EQ(bad, 0u);
  EXPECT_LT(epochs.retired_count(), 100'000u);
  delete shared.load();
}

INSTANTIATE_TEST_SUITE_P(Participants, EpochsThreadsTest, testing::Values(1u, 2u, 4u));

}  // namespace
}  // namespace nuncio
