#include "bench/load/histogram.h"

#include <gtest/gtest.h>

#include <random>

namespace nuncio::load {
namespace {

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 100; ++value) histogram.record(value);
  EXPECT_EQ(histogram.percentile_ns(50), 50U);
  EXPECT_EQ(histogram.percentile_ns(99), 99U);
  EXPECT_EQ(histogram.percentile_ns(100), 100U);
  EXPECT_EQ(histogram.min_ns(), 1U);
  EXPECT_DOUBLE_EQ(histogram.mean_ns(), 50.5);
}

TEST(Histogram, EveryMagnitudeStaysWithinTheStatedError) {
  std::mt19937_64 random(7);
  for (unsigned bits = 1; bits < 44; ++bits) {
    const uint64_t value = (uint64_t{1} << bits) + random() % (uint64_t{1} << bits);
    Histogram histogram;
    histogram.record(value);
    histogram.record(value * 4);  // so that the first one's percentile is not clipped to the maximum
    const uint64_t found = histogram.percentile_ns(50);
    EXPECT_GE(found, value);
    EXPECT_LE(static_cast<double>(found), static_cast<double>(value) * 1.016) << value;
  }
}

TEST(Histogram, PercentilesNeverExceedTheMaximum) {
  Histogram histogram;
  histogram.record(1'000'003);
  EXPECT_EQ(histogram.percentile_ns(50), 1'000'003U);
  EXPECT_EQ(histogram.max_ns(), 1'000'003U);
}

TEST(Histogram, ValuesBeyondTheRangeCountAsTheLargestBucket) {
  Histogram histogram;
  histogram.record(UINT64_MAX);
  histogram.record(1);
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.percentile_ns(50), 1U);
  EXPECT_GT(histogram.percentile_ns(100), uint64_t{1} << 43);
}

TEST(Histogram, MergingIsRecordingBoth) {
  Histogram low;
  Histogram high;
  for (uint64_t i = 0; i < 90; ++i) low.record(10);
  for (uint64_t i = 0; i < 10; ++i) high.record(100);
  low.merge(high);
  EXPECT_EQ(low.count(), 100U);
  EXPECT_EQ(low.percentile_ns(90), 10U);
  EXPECT_EQ(low.percentile_ns(91), 100U);
  EXPECT_EQ(low.min_ns(), 10U);
}

TEST(Histogram, EmptyAnswersZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.percentile_ns(99), 0U);
  EXPECT_EQ(histogram.min_ns(), 0U);
  EXPECT_EQ(histogram.mean_ns(), 0.0);
}

}  // namespace
}  // namespace nuncio::load
