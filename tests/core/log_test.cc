#include "core/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace nuncio::log {

TEST(Quoted, AT_37_ControlCharactersQuotesAndInvalidUtf8AreEscaped) {
  EXPECT_EQ(quoted("plain text"), "\"plain text\"");
  EXPECT_EQ(quoted("bob\"\n"), "\"bob\\\"\\n\"");
  EXPECT_EQ(quoted("a\\b"), "\"a\\\\b\"");
  EXPECT_EQ(quoted("\x1b[31mred"), "\"\\x1b[31mred\"");
  EXPECT_EQ(quoted("\xff\x01"), "\"\\xff\\x01\"");
  EXPECT_EQ(quoted(std::string_view("\0", 1)), "\"\\x00\"");
}

TEST(Quoted, AT_37_PrintableUnicodeStaysAndFormatCharactersAreEscaped) {
  EXPECT_EQ(quoted("grün €"), "\"grün €\"");
  EXPECT_EQ(quoted("\u202E"
                   "evil"),
            "\"\\u202eevil\"");  // right-to-left override
  EXPECT_EQ(quoted("\xc2\x85"), "\"\\u0085\"");
  EXPECT_EQ(quoted("\xc0\xaf"), "\"\\xc0\\xaf\"");           // overlong form
  EXPECT_EQ(quoted("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"");  // surrogate
}

TEST(Quoted, AU_44_LongTextIsCut) {
  EXPECT_EQ(quoted(std::string(300, 'x'), 4), "\"xxxx...\"");
  EXPECT_EQ(quoted("xxxx", 4), "\"xxxx\"");
}

// The last line may be in the writer's hands when the log is stopped.
TEST(Log, OP_5_EveryLineIsWrittenBeforeStopReturns) {
  Settings settings;
  settings.file = testing::TempDir() + "nuncio_log_test." + std::to_string(getpid());
  constexpr int times = 2000;
  for (int i = 0; i < times; ++i) {
    ASSERT_EQ(start(settings), "");
    info("line {}", i);
    ASSERT_TRUE(stop());
  }
  std::ifstream file(settings.file);
  int lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  std::remove(settings.file.c_str());
  EXPECT_EQ(lines, times);
}

}  // namespace nuncio::log
