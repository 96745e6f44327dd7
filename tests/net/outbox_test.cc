#include "net/outbox.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace nuncio::net {
namespace {

// What the next send would put on the wire, and the number of its parts.
std::string sendable(Outbox& outbox, unsigned* parts_count = nullptr) {
  iovec parts[Outbox::parts_max];
  const unsigned count = outbox.begin_send(parts);
  if (parts_count != nullptr) *parts_count = count;
  std::string text;
  for (unsigned i = 0; i < count; ++i)
    text.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  return text;
}

BlockRef block_of(std::string_view text) {
  BlockRef block(Block::make(static_cast<uint32_t>(text.size())));
  std::memcpy(block->data(), text.data(), text.size());
  return block;
}

TEST(Outbox, SmallMessagesLeaveAsOnePart) {
  ChunkPool pool;
  Outbox outbox(pool);
  outbox.append("one ");
  outbox.append("two");
  unsigned parts = 0;
  EXPECT_EQ(outbox.pending(), 7u);
  EXPECT_EQ(sendable(outbox, &parts), "one two");
  EXPECT_EQ(parts, 1u);
  outbox.end_send(7);
  EXPECT_EQ(outbox.pending(), 0u);
  EXPECT_EQ(sendable(outbox), "");
}

TEST(Outbox, OneSendAtATimeAndLaterTextFollows) {
  ChunkPool pool;
  Outbox outbox(pool);
  outbox.append("first");
  EXPECT_EQ(sendable(outbox), "first");
  outbox.append("second");
  EXPECT_EQ(sendable(outbox), "");  // one is under way
  outbox.end_send(5);
  EXPECT_EQ(sendable(outbox), "second");
}

TEST(Outbox, AShortSendIsContinuedWhereItStopped) {
  ChunkPool pool;
  Outbox outbox(pool);
  outbox.append("abcdef");
  sendable(outbox);
  outbox.end_send(2);
  EXPECT_EQ(sendable(outbox), "cdef");
}

TEST(Outbox, BlocksKeepTheirPlaceBetweenCopiedText) {
  ChunkPool pool;
  Outbox outbox(pool);
  outbox.append("a");
  BlockRef block = block_of("BBB");
  outbox.append_block(block.share(), block->data(), 3);
  outbox.append("c");
  outbox.append_block(block.share(), block->data() + 1, 2);
  outbox.append("d");
  EXPECT_EQ(sendable(outbox), "aBBBcBBd");
  outbox.end_send(8);
  EXPECT_EQ(outbox.pending(), 0u);
}

TEST(Outbox, ABlockIsReleasedWhenItWasSent) {
  const uint64_t before = Block::bytes_in_use();
  ChunkPool pool;
  Outbox outbox(pool);
  outbox.append_block(block_of("payload"), "payload", 0);
  outbox.append("x");
  EXPECT_EQ(Block::bytes_in_use(), before + 7);
  sendable(outbox);
  outbox.end_send(1);
  EXPECT_EQ(Block::bytes_in_use(), before);
}

TEST(Outbox, RandomAppendsAndShortSendsKeepEveryByteInOrder) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  ChunkPool pool;
  Outbox outbox(pool);
  std::string expected, sent;
  for (int i = 0; i < 20000; ++i) {
    const std::string text(1 + random() % (i % 50 == 0 ? 40000 : 100), static_cast<char>('a' + i % 26));
    if (random() % 8 == 0) {
      BlockRef block = block_of(text);
      const char* data = block->data();
      outbox.append_block(std::move(block), data, static_cast<uint32_t>(text.size()));
    } else {
      outbox.append(text);
    }
    expected += text;
    if (random() % 4 == 0) {
      const std::string next = sendable(outbox);
      const size_t size = random() % 2 == 0 ? next.size() : random() % (next.size() + 1);
      outbox.end_send(size);
      sent += next.substr(0, size);
    }
    ASSERT_EQ(outbox.pending(), expected.size() - sent.size());
  }
  while (outbox.pending() != 0) {
    const std::string next = sendable(outbox);
    outbox.end_send(next.size());
    sent += next;
  }
  EXPECT_TRUE(sent == expected);
}

}  // namespace
}  // namespace nuncio::net
