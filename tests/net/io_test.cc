// What io.h promises, on both back ends over real sockets.
#include "net/io.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "net/uring_features.h"
#include "tests/net/io_driver.h"

namespace nuncio::net {

namespace {

std::string pattern(size_t size, unsigned seed = 0) {
  std::string bytes(size, '\0');
  uint32_t x = seed * 2654435761u + 12345;
  for (char& byte : bytes) byte = static_cast<char>((x = x * 1664525u + 1013904223u) >> 24);
  return bytes;
}

// No deferred completion work, whole buffers only, and a completion queue that overflows.
constexpr UringLimits as_on_an_old_kernel{
    .setups_skipped = 2, .completion_entries = 512, .may_be_incremental = false};

class IoTest : public testing::TestWithParam<const char*> {
 protected:
  void start(const IoSettings& settings) {
    std::string why_not;
    const std::string_view back_end = GetParam();
    if (back_end == "epoll") {
      io = make_epoll(settings, why_not);
    } else if (back_end == "io_uring") {
      io = make_io_uring(settings, why_not);
    } else {
      io = make_io_uring(settings, as_on_an_old_kernel, why_not);
    }
    if (io == nullptr) GTEST_SKIP() << "no io_uring here: " << why_not;
    driver = std::make_unique<IoDriver>(*io);
  }

  void SetUp() override { start({}); }

  void close_all(Slot from, Slot to) {
    for (Slot slot = from; slot < to; ++slot) driver->close(slot);
    EXPECT_TRUE(driver->run_until([&] {
      for (Slot slot = from; slot < to; ++slot) {
        if ((*driver)[slot].is_open) return false;
      }
      return true;
    }));
  }

  bool closed(Slot slot) {
    return driver->run_until([&, slot] { return !(*driver)[slot].is_open; });
  }

  std::unique_ptr<Io> io;
  std::unique_ptr<IoDriver> driver;
};

TEST_P(IoTest, ReceivesAndSends) {
  SocketPair pair = tcp_pair();
  driver->open(3, pair.ours);
  pair.write("hello");
  ASSERT_TRUE(driver->run_until([&] { return (*driver)[3].received == "hello"; }));
  driver->send(3, "world");
  ASSERT_TRUE(driver->run_until([&] { return (*driver)[3].sent_events == 1; }));
  EXPECT_EQ((*driver)[3].sent_bytes, 5u);
  EXPECT_EQ((*driver)[3].send_error, 0);
  EXPECT_EQ(pair.read(5), "world");
  driver->close(3);
  EXPECT_TRUE(closed(3));
  EXPECT_TRUE(pair.peer_sees_end());
}

TEST_P(IoTest, BytesThatCameBeforeOpenAreReceived) {
  SocketPair pair = tcp_pair();
  pair.write("early");
  driver->open(0, pair.ours);
  EXPECT_TRUE(driver->run_until([&] { return (*driver)[0].received == "early"; }));
}

TEST_P(IoTest, SendsManyPartsInOrder) {
  SocketPair pair = tcp_pair();
  driver->open(0, pair.ours);
  const std::string bytes = pattern(64 * 100);
  std::vector<iovec> parts;
  for (size_t i = 0; i < 64; ++i) parts.push_back({const_cast<char*>(bytes.data()) + i * 100, 100});
  driver->send(0, parts.data(), 64);
  parts.clear();  // the array is copied
  parts.resize(64);
  ASSERT_TRUE(driver->run_until([&] { return (*driver)[0].sent_events == 1; }));
  EXPECT_EQ((*driver)[0].sent_bytes, bytes.size());
  EXPECT_EQ(pair.read(bytes.size()), bytes);
}

TEST_P(IoTest, EchoesOverManyConnectionsAtOnce) {
  constexpr Slot connections = 200;
  constexpr size_t rounds = 20;
  constexpr size_t size = 100;
  std::vector<SocketPair> pairs;
  std::vector<std::string> outboxes(connections);
  for (Slot slot = 0; slot < connections; ++slot) {
    pairs.push_back(slot % 2 == 0 ? tcp_pair() : unix_pair());
    driver->open(slot, pairs[slot].ours);
  }
  driver->on_event = [&](const IoEvent& event) {
    if (event.kind != IoEvent::Kind::received) return;
    std::string& outbox = outboxes[event.slot];
    outbox.append(event.data, event.size);
    if (outbox.size() < size) return;
    driver->send(event.slot, outbox);
  };
  for (size_t round = 0; round < rounds; ++round) {
    for (Slot slot = 0; slot < connections; ++slot) {
      outboxes[slot].clear();
      pairs[slot].write(pattern(size, slot));
    }
    ASSERT_TRUE(driver->run_until([&] {
      for (Slot slot = 0; slot < connections; ++slot) {
        if ((*driver)[slot].sent_events != round + 1) return false;
      }
      return true;
    }));
    for (Slot slot = 0; slot < connections; ++slot) ASSERT_EQ(pairs[slot].read(size), pattern(size, slot));
  }
  close_all(0, connections);
}

TEST_P(IoTest, ContinuesShortWritesInside) {
  SocketPair pair = tcp_pair_with_small_buffers();
  driver->open(0, pair.ours);
  const std::string bytes = pattern(3'000'000);
  std::vector<iovec> parts;
  for (size_t at = 0; at < bytes.size(); at += 100'000) {
    parts.push_back({const_cast<char*>(bytes.data()) + at, 100'000});
  }
  std::string got;
  std::thread reader([&] { got = pair.read(2 * bytes.size()); });
  driver->send(0, parts.data(), static_cast<unsigned>(parts.size()));
  EXPECT_TRUE(driver->run_until([&] { return (*driver)[0].sent_events == 1; }));
  EXPECT_EQ((*driver)[0].sent_bytes, bytes.size());
  driver->send(0, bytes);
  EXPECT_TRUE(driver->run_until([&] { return (*driver)[0].sent_events == 2; }));
  driver->close(0);
  EXPECT_TRUE(closed(0));
  reader.join();
  EXPECT_TRUE(got == bytes + bytes);
}

TEST_P(IoTest, ReceivesLargeTransfersWhole) {
  const std::string bytes = pattern(8'000'000);
  SocketPair pair = tcp_pair();
  driver->open(0, pair.ours);
  std::thread writer([&] {
    pair.write(bytes);
    pair.close_peer();
  });
  EXPECT_TRUE(driver->run_until([&] { return (*driver)[0].has_ended; }));
  writer.join();
  EXPECT_EQ((*driver)[0].receive_error, 0);
  EXPECT_TRUE((*driver)[0].received == bytes);
}

TEST_P(IoTest, SendsOnAfterThePeerHasFinished) {
  SocketPair pair = tcp_pair();
  driver->open(0, pair.ours);
  pair.write("last words");
  ASSERT_EQ(shutdown(pair.peer, SHUT_WR), 0);
  ASSERT_TRUE(driver->run_until([&] { return (*driver)[0].has_ended; }));
  EXPECT_EQ((*driver)[0].received, "last words");
  EXPECT_EQ((*driver)[0].receive_error, 0);
  driver->send(0, "answer");
  ASSERT_TRUE(driver->run_until([&] { return (*driver)[0].sent_events == 1; }));
  EXPECT_EQ((*driver)[0].send_error, 0);
  EXPECT_EQ(pair.read(6), "answer");
}

TEST_P(IoTest, CP_64_ShutdownFollowsTheSendUnderWayAndReceivingGoesOn) {
  SocketPair pair = tcp_pair_with_small_buffers();
  driver->open(0, pair.ours);
  const std::string bytes = pattern(1'000'000);
  driver->send(0, bytes);
  io->shutdown_send(0);
  std::string got;
  std::thread reader([&] { got = pair.read(2 * bytes.size()); });  // ends at the FIN
  ASSERT_TRUE(driver->run_until([&] { return (*driver)[0].sent_events == 1; }));
  reader.join();
  EXPECT_TRUE(got == bytes);
  pair.write("still talking");
  EXPECT_TRUE(driver->run_until([&] { return (*driver)[0].received == "still talking"; }));
}

TEST_P(IoTest, ResetWhileReceivingIsReported) {
  SocketPair pair = tcp_pair();
  driver->open(0, pair.ours);
  pair.write("x");
  ASSERT_TRUE(driver->run_until([&] { return (*driver)[0].received == "x"; }));
  pair.reset_peer();
  ASSERT_TRUE(driver->run_until([&] { return (*driver)[0].has_ended; }));
  EXPECT_EQ((*driver)[0].receive_error, ECONNRESET);
  driver->close(0);
  EXPECT_TRUE(closed(0));
}

TEST_P(IoTest, ResetWhileSendingEndsTheSend) {
  SocketPair pair = tcp_pair_with_small_buffers();
  driver->open(0, pair.ours);
  const std::string bytes = pattern(1'000'000);
  driver->send(0, bytes);
  driver->turn(0);
  driver->turn(0);
  ASSERT_EQ((*driver)[0].sent_events, 0u);
  pair.reset_peer();
  ASSERT_TRUE(driver->run_until([&] { return (*driver)[0].has_ended && (*driver)[0].sent_events == 1; }));
  EXPECT_TRUE((*driver)[0].send_error == ECONNRESET || (*driver)[0].send_error == EPIPE)
      << (*driver)[0].send_error;
  EXPECT_LT((*driver)[0].sent_bytes, bytes.size());
  driver->close(0);
  EXPECT_TRUE(closed(0));
}

TEST_P(IoTest, CloseCutsTheSendUnderWay) {
  SocketPair pair = tcp_pair_with_small_buffers();
  driver->open(0, pair.ours);
  const std::string bytes = pattern(1'000'000);
  driver->send(0, bytes);
  driver->turn(0);
  driver->turn(0);
  ASSERT_EQ((*driver)[0].sent_events, 0u);
  driver->close(0);
  ASSERT_TRUE(closed(0));  // the driver checks that `sent` came before
  EXPECT_EQ((*driver)[0].send_error, ECANCELED);
  EXPECT_LT((*driver)[0].sent_bytes, bytes.size());
  // What the kernel took is what the peer gets.
  const std::string got = pair.read(bytes.size());
  EXPECT_EQ(got.size(), (*driver)[0].sent_bytes);
  EXPECT_TRUE(bytes.starts_with(got));
}

TEST_P(IoTest, OpenSendAndCloseInOneTurn) {
  SocketPair pair = tcp_pair();
  pair.write("never read");
  driver->open(0, pair.ours);
  driver->send(0, "bye");
  driver->close(0);
  ASSERT_TRUE(closed(0));
  EXPECT_EQ((*driver)[0].sent_bytes, 3u);
}

TEST_P(IoTest, NothingIsReceivedAfterClose) {
  for (int i = 0; i < 200; ++i) {
    SocketPair pair = tcp_pair();
    driver->open(0, pair.ours);
    driver->turn(0);
    pair.write(pattern(10'000));
    driver->close(0);
    bool was_received = false;
    driver->on_event = [&](const IoEvent& event) { was_received |= event.kind == IoEvent::Kind::received; };
    ASSERT_TRUE(closed(0));
    ASSERT_FALSE(was_received);
  }
}

TEST_P(IoTest, ASlotIsReusedWithoutEventsOfItsPast) {
  for (int i = 0; i < 300; ++i) {
    SocketPair pair = tcp_pair();
    driver->open(7, pair.ours);
    const std::string bytes = pattern(2'000, static_cast<unsigned>(i));
    pair.write(bytes);
    ASSERT_TRUE(driver->run_until([&] { return (*driver)[7].received.size() == bytes.size(); }));
    ASSERT_TRUE((*driver)[7].received == bytes);
    driver->send(7, bytes);
    pair.write("late");
    if (i % 3 == 0) pair.reset_peer();
    driver->close(7);
    ASSERT_TRUE(closed(7));
  }
  EXPECT_EQ((*driver)[7].closed, 300u);
}

TEST_P(IoTest, PausedReceivesNothingUntilResumed) {
  SocketPair pair = tcp_pair();
  driver->open(0, pair.ours);
  pair.write("a");
  ASSERT_TRUE(driver->run_until([&] { return (*driver)[0].received == "a"; }));
  io->pause_receive(0);
  for (int i = 0; i < 3; ++i) driver->turn(0);  // time for the pause to be carried out
  pair.write("b");
  for (int i = 0; i < 5; ++i) driver->turn(1'000'000);
  EXPECT_EQ((*driver)[0].received, "a");
  io->resume_receive(0);
  EXPECT_TRUE(driver->run_until([&] { return (*driver)[0].received == "ab"; }));
}

TEST_P(IoTest, PauseAndResumeAtAnyMomentLoseNothing) {
  const std::string bytes = pattern(4'000'000);
  SocketPair pair = tcp_pair();
  driver->open(0, pair.ours);
  std::thread writer([&] {
    pair.write(bytes);
    pair.close_peer();
  });
  uint32_t x = 1;
  EXPECT_TRUE(driver->run_until([&] {
    x = x * 1664525u + 1013904223u;
    if (!(*driver)[0].has_ended) {
      if ((x >> 24) % 2 == 0) io->pause_receive(0);
      if ((x >> 24) % 3 == 0) driver->turn(0);
      io->resume_receive(0);
    }
    return (*driver)[0].has_ended;
  }));
  writer.join();
  EXPECT_TRUE((*driver)[0].received == bytes);
}

TEST_P(IoTest, APausedConnectionCanBeClosed) {
  SocketPair pair = tcp_pair();
  driver->open(0, pair.ours);
  pair.write("waiting");
  io->pause_receive(0);
  driver->close(0);
  EXPECT_TRUE(closed(0));
}

TEST_P(IoTest, FewReceiveBuffersStarveNobody) {
  start({.slots_max = 100, .receive_buffers = 2, .receive_buffer_size = 4096});
  constexpr Slot connections = 64;
  const std::string bytes = pattern(100'000);
  std::vector<SocketPair> pairs;
  for (Slot slot = 0; slot < connections; ++slot) {
    pairs.push_back(tcp_pair());
    driver->open(slot, pairs[slot].ours);
  }
  std::thread writer([&] {
    for (size_t at = 0; at < bytes.size(); at += 10'000) {
      for (SocketPair& pair : pairs) pair.write(std::string_view(bytes).substr(at, 10'000));
    }
    for (SocketPair& pair : pairs) pair.close_peer();
  });
  EXPECT_TRUE(driver->run_until([&] {
    for (Slot slot = 0; slot < connections; ++slot) {
      if (!(*driver)[slot].has_ended) return false;
    }
    return true;
  }));
  writer.join();
  for (Slot slot = 0; slot < connections; ++slot) EXPECT_TRUE((*driver)[slot].received == bytes);
  close_all(0, connections);
}

TEST_P(IoTest, AStarvedConnectionCanBePausedAndClosed) {
  start({.slots_max = 100, .receive_buffers = 2, .receive_buffer_size = 4096});
  constexpr Slot connections = 64;
  std::vector<SocketPair> pairs;
  for (Slot slot = 0; slot < connections; ++slot) {
    pairs.push_back(tcp_pair());
    driver->open(slot, pairs[slot].ours);
  }
  for (SocketPair& pair : pairs) pair.write(pattern(8'000));
  driver->turn(0);
  for (Slot slot = 0; slot < connections; slot += 2) io->pause_receive(slot);
  driver->turn(0);
  for (Slot slot = 0; slot < connections; slot += 4) io->resume_receive(slot);
  driver->turn(0);
  close_all(0, connections);
}

TEST_P(IoTest, MoreConnectionsThanTheQueuesHold) {
  constexpr Slot connections = 3000;
  std::vector<SocketPair> pairs;
  for (Slot slot = 0; slot < connections; ++slot) {
    pairs.push_back(unix_pair());
    driver->open(slot, pairs[slot].ours);
  }
  driver->turn(0);
  for (SocketPair& pair : pairs) pair.write("ping");
  for (Slot slot = 0; slot < connections; ++slot) driver->send(slot, "pong");
  ASSERT_TRUE(driver->run_until([&] {
    for (Slot slot = 0; slot < connections; ++slot) {
      if ((*driver)[slot].received != "ping" || (*driver)[slot].sent_bytes != 4) return false;
    }
    return true;
  }));
  close_all(0, connections);
}

TEST_P(IoTest, WaitEndsAfterItsTimeout) {
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(driver->turn(30'000'000), 0u);
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(29));
  EXPECT_EQ(driver->turn(0), 0u);
}

TEST_P(IoTest, WakeBeforeWaitEndsTheNextOne) {
  io->wake();
  driver->turn(-1);
  io->wake();
  io->wake();
  driver->turn(-1);
}

TEST_P(IoTest, NoWakeIsLost) {
  constexpr uint32_t rounds = 5000;
  std::atomic<uint32_t> asked = 0;
  std::atomic<uint32_t> answered = 0;
  std::thread waker([&] {
    for (uint32_t i = 1; i <= rounds; ++i) {
      asked.store(i);
      io->wake();
      answered.wait(i - 1);
    }
  });
  while (answered.load() < rounds) {
    io->wait(-1);
    if (asked.load() == answered.load()) continue;
    answered.store(asked.load());
    answered.notify_one();
  }
  waker.join();
}

TEST_P(IoTest, LeavesNoDescriptorBehind) {
  io.reset();
  const int before = open_descriptors();
  for (int i = 0; i < 3; ++i) {
    start({});
    SocketPair pair = tcp_pair();
    SocketPair other = tcp_pair_with_small_buffers();
    driver->open(0, pair.ours);
    driver->open(1, other.ours);
    driver->turn(0);
    driver->close(0);
    ASSERT_TRUE(closed(0));
    const std::string bytes = pattern(1'000'000);
    driver->send(1, bytes);
    driver->turn(0);
    io.reset();  // with a connection open and a send under way
    EXPECT_TRUE(pair.peer_sees_end());
    EXPECT_LT(other.read(bytes.size()).size(), bytes.size());
  }
  EXPECT_EQ(open_descriptors(), before);
}

INSTANTIATE_TEST_SUITE_P(BackEnds, IoTest, testing::Values("epoll", "io_uring", "io_uring_old"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace

}  // namespace nuncio::net
