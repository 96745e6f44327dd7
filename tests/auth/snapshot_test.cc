// A published table is seen as a whole, and by everybody at the next refresh.
#include "auth/snapshot.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace nuncio::auth {
namespace {

struct Pair {
  int first;
  int second;
};

TEST(Snapshot, AU_71_ReadersSeeWhatWasPublishedAtTheirNextRefresh) {
  Snapshot<Pair> snapshot(std::make_shared<const Pair>(Pair{1, 1}));
  Snapshot<Pair>::Reader reader(snapshot);
  EXPECT_EQ(reader->first, 1);
  EXPECT_FALSE(reader.refresh());
  snapshot.publish(std::make_shared<const Pair>(Pair{2, 2}));
  EXPECT_EQ(reader->first, 1) << "a turn keeps its table";
  EXPECT_TRUE(reader.refresh());
  EXPECT_EQ(reader->first, 2);
  EXPECT_FALSE(reader.refresh());
}

TEST(Snapshot, AT_21_NoReaderSeesHalfATableOrGoesBack) {
  constexpr int last = 20'000;
  Snapshot<Pair> snapshot(std::make_shared<const Pair>(Pair{0, 0}));
  std::vector<std::jthread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      Snapshot<Pair>::Reader reader(snapshot);
      for (int seen = 0; seen < last;) {
        if (!reader.refresh()) std::this_thread::yield();
        ASSERT_EQ(reader->first, reader->second);
        ASSERT_GE(reader->first, seen);
        seen = reader->first;
      }
    });
  }
  for (int i = 1; i <= last; ++i) snapshot.publish(std::make_shared<const Pair>(Pair{i, i}));
}

}  // namespace
}  // namespace nuncio::auth
