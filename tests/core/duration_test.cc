#include "core/duration.h"

#include <gtest/gtest.h>

namespace nuncio {

TEST(Duration, AsGoPrintsThem) {
  using namespace std::chrono_literals;
  EXPECT_EQ(format_duration(0s), "0s");
  EXPECT_EQ(format_duration(300ms), "300ms");
  EXPECT_EQ(format_duration(1500ms), "1.5s");
  EXPECT_EQ(format_duration(10s), "10s");
  EXPECT_EQ(format_duration(2min), "2m0s");
  EXPECT_EQ(format_duration(1h + 250ms), "1h0m0.25s");
  EXPECT_EQ(format_duration(-5us), "-5µs");
  EXPECT_EQ(format_duration(7ns), "7ns");
}

}  // namespace nuncio
