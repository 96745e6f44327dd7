// PING, PONG and stale connections: section 3 of the client protocol.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "harness.h"

namespace nuncio::test {
namespace {

class ClientPing : public ServerTest {};
NUNCIO_ON_EVERY_BACKEND(ClientPing);

TEST_P(ClientPing, CP_20_PongInOrderWithEverythingElse) {
  start();
  Client one = connected();
  one.send("PING\r\nSUB a 1\r\nPING\r\nPUB a 1\r\nx\r\nPING\r\nUNSUB 1\r\nPUB a 1\r\ny\r\nPING\r\n");
  one.expect("PONG\r\nPONG\r\nMSG a 1 1\r\nx\r\nPONG\r\nPONG\r\n");
}

TEST_P(ClientPing, CP_20_BeforeConnect) {
  start();
  Client one = client();
  one.send("PING\r\n");
  one.expect("PONG\r\n");
}

TEST_P(ClientPing, CP_21_BytesBehindTheVerbAreIgnored) {
  start();
  Client one = connected();
  one.send("PING xyz\r\nPINGabc\r\nPONG \xff 1 2 3\r\nPONGPONG\r\nping\n");
  one.expect("PONG\r\nPONG\r\nPONG\r\n");
  one.ping();
}

TEST_P(ClientPing, CP_22_PongKeepsTheConnectionAlive) {
  start_config("ping_interval: \"150ms\"\nping_max: 1\n");
  Client one = connected();
  for (int i = 0; i < 5; ++i) {
    one.expect("PING\r\n");
    one.send("PONG\r\n");
  }
  one.ping();
}

TEST_P(ClientPing, CP_23_FirstPingSoonAfterConnect) {
  start();
  Client one = connected();
  one.expect("PING\r\n");  // the interval is two minutes: only the short first one comes within the deadline
}

// nats-server 2.9.10 has this option for programs that embed it only.
// The login timeout of another client says when the short first one would be over.
TEST_P(ClientPing, CP_23_TheShortFirstPingCanBeDisabled) {
  NUNCIO_OURS_ONLY();
  start_config("authorization { user: a, password: b, timeout: 3 }\ndisable_short_first_ping: true\n");
  Client one = connected({{"user", "a"}, {"pass", "b"}});
  client().expect_error_and_close("Authentication Timeout");
  EXPECT_TRUE(one.is_open_and_silent());
}

// Clients that wait for the answer to their login take a PING for a broken one.
TEST_P(ClientPing, CP_23_NoPingBeforeConnect) {
  start_config("authorization { user: a, password: b, timeout: 3 }\n");
  Client one = client();
  one.expect_error_and_close("Authentication Timeout");
}

TEST_P(ClientPing, CP_23_PingComesAtTheInterval) {
  start_config("ping_interval: \"100ms\"\n");
  Client one = connected();
  one.expect("PING\r\n");
}

// The server does not ask a client that talks. The gaps of the talk are measured: on a machine that stalls
// longer than the interval nothing can be said.
TEST_P(ClientPing, CP_23_NoPingToAClientThatTalks) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds interval{500};
  start_config(fmt::format("ping_interval: \"{}ms\"\n", interval.count()));
  Client one = connected();
  one.expect("PING\r\n");
  one.send("PONG\r\n");
  one.ping();
  const Clock::time_point end = Clock::now() + 3 * interval;
  std::chrono::nanoseconds gap_max{0};
  Clock::time_point last = Clock::now();
  while (Clock::now() < end) {
    one.ping();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const Clock::time_point now = Clock::now();
    gap_max = std::max(gap_max, std::chrono::nanoseconds(now - last));
    last = now;
  }
  if (gap_max > interval / 2) GTEST_SKIP() << "this machine stalls";
  EXPECT_EQ(one.pings_answered(), 0);
}

TEST_P(ClientPing, CP_24_UnansweredPingsEndTheConnection) {
  start_config("ping_interval: \"100ms\"\nping_max: 2\n", {"-D"});
  Client one = connected();
  one.expect("PING\r\nPING\r\n");
  one.expect_error_and_close("Stale Connection");
  server().wait_for_log("Stale");
}

TEST_P(ClientPing, CP_24_ClientsWithoutConnectArePingedToo) {
  start_config("ping_interval: \"100ms\"\nping_max: 1\n");
  Client one = client();
  one.expect("PING\r\n");
  one.expect_error_and_close("Stale Connection");
}

// While a password is hashed the client waits for us.
TEST_P(ClientPing, CP_24_LoginUnderWayIsNotStale) {
  NUNCIO_OURS_ONLY();
  start_config(
      "ping_interval: \"20ms\"\nping_max: 1\n"
      "authorization { user: a, password: \"$2b$12$abcdefghijklmnopqrstuuIkD3QUGeSzQARHziTZIsG4D8yrNpG.S\", "
      "timeout: 60 }\n");
  Client one = client();
  one.send("CONNECT {\"user\":\"a\",\"pass\":\"s3cret\",\"verbose\":true}\r\n");
  one.expect("+OK\r\n");
}

}  // namespace
}  // namespace nuncio::test
