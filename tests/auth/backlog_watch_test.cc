// When a queue of checks is stuck and when it is merely long.
#include "auth/backlog_watch.h"

#include <gtest/gtest.h>

namespace nuncio::auth {
namespace {

using namespace std::chrono_literals;

constexpr BacklogWatch::Time start{};

TEST(BacklogWatch, AU_26_AQueueThatIsMerelyLongIsNotStuck) {
  BacklogWatch watch(1, start, 7s);
  EXPECT_EQ(watch.next_look(), start + 250ms);
  // Ten seconds of waiting, with a result every 400 ms or so and all of the processor but a bit.
  for (int i = 1; i <= 40; ++i) {
    const auto now = start + i * 250ms;
    if (i % 2 == 0) watch.note_progress(now - 100ms);
    watch.look(now, 7s + i * 200ms);
    EXPECT_FALSE(watch.is_stuck()) << i;
    EXPECT_EQ(watch.next_look(), now + 250ms);
  }
}

TEST(BacklogWatch, AU_26_ThreadsThatHardlyGetTheProcessorAreStuck) {
  BacklogWatch watch(2, start, 0s);
  EXPECT_FALSE(watch.is_stuck()) << "not known yet";
  watch.note_progress(start + 200ms);
  watch.look(start + 250ms, 249ms);  // of 500 ms
  EXPECT_TRUE(watch.is_stuck());
  watch.note_progress(start + 400ms);
  watch.look(start + 500ms, 249ms + 251ms);
  EXPECT_FALSE(watch.is_stuck()) << "they, or the rescuer, had enough lately";
}

TEST(BacklogWatch, AT_11_ThreadsThatAllMakeCostlyChecksAreStuck) {
  BacklogWatch watch(1, start, 0s);
  watch.look(start + 250ms, 250ms);
  EXPECT_FALSE(watch.is_stuck());
  watch.look(start + 500ms, 500ms);
  EXPECT_TRUE(watch.is_stuck());
  watch.note_progress(start + 700ms);
  watch.look(start + 750ms, 750ms);
  EXPECT_FALSE(watch.is_stuck());
}

}  // namespace
}  // namespace nuncio::auth
