#include "net/input.h"

#include <gtest/gtest.h>

#include <string>

namespace nuncio::net {

TEST(Input, HoldsNoMemoryWhenEmpty) {
  const uint64_t before = Block::bytes_in_use();
  Input input;
  input.append("abc");
  EXPECT_GT(Block::bytes_in_use(), before);
  input.consume(3);
  EXPECT_EQ(Block::bytes_in_use(), before);
  EXPECT_TRUE(input.empty());
}

TEST(Input, CP_69_PiecesAddUpToTheWhole) {
  Input input;
  std::string whole;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece(static_cast<size_t>(i % 37 + 1), static_cast<char>('a' + i % 26));
    input.append(piece);
    whole += piece;
    if (i % 5 == 0) {
      input.consume(1);
      whole.erase(0, 1);
    }
    ASSERT_EQ(input.view(), whole);
  }
}

TEST(Input, AnExpectedSizeIsAllocatedOnce) {
  Input input;
  input.append("PUB a 100000\r\n", 100016);
  const char* const at = input.view().data();
  for (int i = 0; i < 1000; ++i) input.append(std::string(100, 'x'));
  EXPECT_EQ(input.view().data(), at);
}

}  // namespace nuncio::net
