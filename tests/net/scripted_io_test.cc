// The test double keeps the contract of io.h itself, through the same driver that checks the real back ends.
#include "tests/net/scripted_io.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/net/io_driver.h"

namespace nuncio::net {

namespace {

class ScriptedIoTest : public testing::Test {
 protected:
  ScriptedIo io;
  IoDriver driver{io};
};

TEST_F(ScriptedIoTest, DeliversWhatWasInjectedAndRecordsWhatWasSent) {
  driver.open(1, -1);
  io.receive(1, "PING\r\n");
  io.end_of_stream(1);
  driver.turn(0);
  EXPECT_EQ(driver[1].received, "PING\r\n");
  EXPECT_TRUE(driver[1].has_ended);
  driver.send(1, "PONG\r\n");
  driver.turn(0);
  EXPECT_EQ(io.take_sent(1), "PONG\r\n");
  EXPECT_EQ(driver[1].sent_bytes, 6u);
}

TEST_F(ScriptedIoTest, HeldSendsGoOutInPortionsAndCloseCutsThem) {
  driver.open(1, -1);
  io.hold_sends(1);
  driver.send(1, "0123456789");
  io.shutdown_send(1);
  driver.turn(0);
  io.let_out(1, 3);
  driver.turn(0);
  EXPECT_EQ(io.sent(1), "012");
  EXPECT_EQ(driver[1].sent_events, 0u);
  EXPECT_FALSE(io.has_fin(1));
  driver.close(1);
  io.hold_close(1);
  driver.turn(0);
  EXPECT_TRUE(driver[1].is_open);
  io.release_close(1);
  driver.turn(0);
  EXPECT_FALSE(driver[1].is_open);
  EXPECT_EQ(driver[1].sent_bytes, 3u);
  EXPECT_EQ(driver[1].send_error, ECANCELED);
}

TEST_F(ScriptedIoTest, AResetFailsBothDirections) {
  driver.open(1, -1);
  io.hold_sends(1);
  driver.send(1, "lost");
  io.reset(1);
  driver.turn(0);
  EXPECT_EQ(driver[1].receive_error, ECONNRESET);
  EXPECT_EQ(driver[1].send_error, ECONNRESET);
}

TEST_F(ScriptedIoTest, ALimitServesAllInTurn) {
  io.limit_received(2);
  for (Slot slot = 0; slot < 6; ++slot) {
    driver.open(slot, -1);
    for (int i = 0; i < 10; ++i) io.receive(slot, "x");
  }
  for (int i = 0; i < 30; ++i) EXPECT_EQ(driver.turn(0), 2u);
  EXPECT_EQ(driver.turn(0), 0u);
  for (Slot slot = 0; slot < 6; ++slot) EXPECT_EQ(driver[slot].received.size(), 10u);
}

TEST_F(ScriptedIoTest, PausedSlotsKeepWhatWasInjected) {
  driver.open(1, -1);
  io.pause_receive(1);
  io.receive(1, "later");
  driver.turn(0);
  EXPECT_EQ(driver[1].received, "");
  io.resume_receive(1);
  driver.turn(0);
  EXPECT_EQ(driver[1].received, "later");
}

TEST_F(ScriptedIoTest, AWorkerThreadSleepsUntilSomethingIsInjected) {
  io.sleep_in_wait();
  driver.open(1, -1);
  std::thread injector([&] { io.receive(1, "x"); });
  driver.turn(-1);
  injector.join();
  EXPECT_EQ(driver[1].received, "x");
  io.wake();
  EXPECT_EQ(driver.turn(-1), 0u);
}

}  // namespace

}  // namespace nuncio::net
