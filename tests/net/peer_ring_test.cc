#include "net/peer_ring.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace nuncio::net {
namespace {

// Records here: 32-bit length, then that many bytes.
bool write_record(PeerRing& ring, std::string_view text, bool may_spill) {
  const auto size = static_cast<uint32_t>(text.size());
  char* at = ring.has_spill() ? nullptr : ring.reserve(size + 4, 0);
  const bool fits = at != nullptr;
  if (!fits) {
    if (!may_spill) return false;
    at = ring.spill(size + 4, 0);
  }
  std::memcpy(at, &size, 4);
  std::memcpy(at + 4, text.data(), size);
  if (fits) ring.commit();
  return true;
}

std::string read_record(const char* at) {
  uint32_t size;
  std::memcpy(&size, at, 4);
  return std::string(at + 4, size);
}

std::vector<std::string> read_all(PeerRing& ring) {
  std::vector<std::string> records;
  ring.begin_read();
  while (const char* at = ring.next()) records.push_back(read_record(at));
  ring.finish_read();
  return records;
}

TEST(PeerRing, RecordsAreSeenWhenPublished) {
  PeerRing ring(4096);
  write_record(ring, "one", false);
  EXPECT_TRUE(read_all(ring).empty());
  EXPECT_TRUE(ring.publish());
  EXPECT_FALSE(ring.publish());
  EXPECT_EQ(read_all(ring), std::vector<std::string>{"one"});
}

TEST(PeerRing, AFullRingSpillsAndKeepsTheOrder) {
  PeerRing ring(4096);
  std::vector<std::string> expected;
  for (int i = 0; i < 100; ++i) {
    expected.push_back(std::to_string(i) + std::string(100, 'x'));
    write_record(ring, expected.back(), true);
  }
  EXPECT_TRUE(ring.has_spill());
  std::vector<std::string> seen;
  while (seen.size() < expected.size()) {
    ring.publish();
    const auto some = read_all(ring);
    ASSERT_FALSE(some.empty());
    seen.insert(seen.end(), some.begin(), some.end());
    ring.retry_spill();
  }
  EXPECT_EQ(seen, expected);
  EXPECT_FALSE(ring.has_spill());
}

TEST(PeerRing, WhatRecordsReferToIsBoundedToo) {
  constexpr uint32_t heavy = 400 * 1024;
  PeerRing ring(4096);
  ASSERT_NE(ring.reserve(8, heavy), nullptr);
  ring.commit();
  EXPECT_EQ(ring.reserve(8, heavy), nullptr);
  EXPECT_NE(ring.reserve(8, 0), nullptr);
  ring.publish();
  ring.begin_read();
  ASSERT_NE(ring.next(), nullptr);
  EXPECT_EQ(ring.reserve(8, heavy), nullptr);  // still being read
  ring.finish_read();
  EXPECT_NE(ring.reserve(8, heavy), nullptr);
  ring.commit();
  ring.publish();
  ring.begin_read();
  ring.next();
  ring.finish_read();
  EXPECT_NE(ring.reserve(8, 5 * heavy), nullptr);  // any weight, when nothing else is there
}

TEST(PeerRing, DiscardShowsWhatWasNeverRead) {
  PeerRing ring(4096);
  for (int i = 0; i < 100; ++i) write_record(ring, std::string(100, 'x'), true);
  int count = 0;
  ring.discard([&](const char*) { ++count; });
  EXPECT_EQ(count, 100);
}

TEST(PeerRing, I5_TwoThreadsKeepEveryRecordInOrder) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  PeerRing ring(16384);
  constexpr int records = 50000;
  const auto text_of = [seed](int i) {
    std::mt19937 random(static_cast<unsigned>(seed + static_cast<unsigned>(i)));
    return std::to_string(i) + std::string(random() % 300, static_cast<char>('a' + i % 26));
  };
  std::thread producer([&] {
    for (int i = 0; i < records; ++i) {
      while (!write_record(ring, text_of(i), false)) {
        ring.publish();
        std::this_thread::yield();
      }
      if (i % 7 == 0) ring.publish();
    }
    ring.publish();
  });
  int next = 0;
  bool is_right = true;
  while (next < records) {
    const auto some = read_all(ring);
    if (some.empty()) std::this_thread::yield();
    for (const auto& text : some) is_right = is_right && text == text_of(next++);
  }
  producer.join();
  EXPECT_TRUE(is_right);
}

}  // namespace
}  // namespace nuncio::net
