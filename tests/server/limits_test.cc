// Limits of lines, connections and pending bytes; slow consumers: section 7 of the client protocol.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <thread>

#include "harness.h"
#include "slow_reader.h"

namespace nuncio::test {
namespace {

class ClientLimits : public ServerTest {};
NUNCIO_ON_EVERY_BACKEND(ClientLimits);

constexpr std::string_view line_exceeded = "maximum control line exceeded";

TEST_P(ClientLimits, CP_58_ControlLineUpToTheMaximum) {
  start();
  Client one = connected();
  const std::string subject(4096 - 2, 's');  // "subject 1" is 4096 bytes
  one.send("SUB " + subject + " 1\r\nPUB " + subject + " 0\r\n\r\n");
  one.expect("MSG " + subject + " 1 0\r\n\r\n");
}

TEST_P(ClientLimits, CP_58_LongerControlLineCloses) {
  start();
  for (const char* verb : {"SUB ", "PUB ", "UNSUB ", "HPUB ", "CONNECT "}) {
    SCOPED_TRACE(verb);
    Client one = connected();
    one.send(verb + std::string(4097 - 2, 's') + " 1\r\n");
    one.expect_error_and_close(line_exceeded);
  }
}

TEST_P(ClientLimits, CP_58_FoundWithoutWaitingForTheLineFeed) {
  start();
  for (const char* verb : {"SUB ", "PUB ", "CONNECT "}) {
    SCOPED_TRACE(verb);
    Client one = client();
    one.info();
    one.send(verb + std::string(5000, 's'));
    one.expect_error_and_close(line_exceeded);
  }
}

TEST_P(ClientLimits, CP_58_FromTheConfiguration) {
  start_config("max_control_line: 256\n");
  Client one = connected();
  one.send("SUB " + std::string(254, 's') + " 1\r\n");
  one.ping();
  one.send("SUB " + std::string(255, 's') + " 1\r\n");
  one.expect_error_and_close(line_exceeded);
}

TEST_P(ClientLimits, CP_58_UnauthenticatedPeersObeyItToo) {
  start_flags({"--user", "a", "--pass", "b"});
  Client one = client();
  one.send("CONNECT {\"user\":\"" + std::string(5000, 'x') + "\"}\r\n");
  one.expect_error_and_close(line_exceeded);
}

TEST_P(ClientLimits, CP_59_MaximumConnections) {
  start_config("max_connections: 3\n");
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(connected());
  Client surplus = client();
  surplus.expect_error_and_close("maximum connections exceeded");  // behind INFO
  clients.pop_back();
  server().wait_until(
      [&] {
        Client next = client();
        next.send("PING\r\n");
        return next.line() == "PONG";
      },
      "room after a client has left");
  for (Client& one : clients) one.ping();
}

TEST_P(ClientLimits, CP_59_ZeroAndNegativeMaximumConnectionsAreErrors) {
  NUNCIO_OURS_ONLY();
  for (const char* value : {"0", "-1"}) {
    const Finished end =
        run_server({.flags = {"-p", "-1"}, .config = fmt::format("max_connections: {}\n", value)});
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_THAT(end.err, testing::HasSubstr("max_connections"));
  }
}

TEST_P(ClientLimits, CP_60_MaxPendingCutsASlowConsumer) {
  start_config("max_pending: 2MB\nmax_payload: 1MB\nwrite_deadline: \"5s\"\n");
  Client stuck = stuck_reader(server().port());
  Client healthy = connected();
  healthy.send("SUB other 1\r\n");
  healthy.ping();
  Client publisher = connected();
  flood(server(), publisher,
        [&] { return server().log().find("Slow Consumer Detected") != std::string::npos; });
  server().wait_for_log("Slow Consumer Detected: MaxPending of 2097152 Exceeded");
  publisher.send("PUB other 2\r\nhi\r\n");
  healthy.expect("MSG other 1 2\r\nhi\r\n");
  EXPECT_THAT(stuck.read_to_end(), testing::Not(testing::HasSubstr("-ERR")));
}

TEST_P(ClientLimits, CP_61_WriteDeadlineCutsASlowConsumer) {
  start_config("write_deadline: \"300ms\"\nmax_payload: 64KB\n");
  Client stuck = stuck_reader(server().port());
  Client healthy = connected();
  healthy.send("SUB other 1\r\n");
  healthy.ping();
  Client publisher = connected();
  // Enough to fill the kernel's buffers, far below max_pending.
  const std::string message = "PUB flood 32000\r\n" + std::string(32000, 'x') + "\r\n";
  for (int i = 0; i < 400; ++i) publisher.send(message);
  server().wait_for_log("Slow Consumer Detected: WriteDeadline of 300ms exceeded with ");
  EXPECT_THAT(server().log(), testing::ContainsRegex("exceeded with [0-9]+ chunks of [0-9]+ total bytes"));
  publisher.send("PUB other 2\r\nhi\r\n");
  healthy.expect("MSG other 1 2\r\nhi\r\n");
  EXPECT_THAT(stuck.read_to_end(), testing::Not(testing::HasSubstr("-ERR")));
}

// A reader that is slower than the publisher but never stops loses nothing: the publisher is slowed down
// (CP-62) and nobody is cut.
TEST_P(ClientLimits, CP_62_AMerelySlowReaderLosesNothing) {
  start_config("max_pending: 8MB\nmax_payload: 64KB\nwrite_deadline: \"60s\"\n");
  Client reader(server().port(), 16 * 1024);
  reader.connect_ok();
  reader.send("SUB a 1\r\n");
  reader.ping();
  Client publisher = connected();
#ifdef __SANITIZE_THREAD__
  // Instrumented and beside other tests, the reader is slower than even a stalled publisher may be.
  const size_t messages = 300;
#else
  const size_t messages = 1500;  // 48 MB, six times max_pending
#endif
  const std::string payload(32000, 'x');
  const std::string out = fmt::format("PUB a {}\r\n{}\r\n", payload.size(), payload);
  const std::string in = fmt::format("MSG a 1 {}\r\n{}\r\n", payload.size(), payload);
  together({[&] {
              for (size_t i = 0; i < messages; ++i) publisher.send(out);
              publisher.ping();
            },
            [&] {
              for (size_t i = 0; i < messages; ++i) {
                reader.expect(in);
                if (i % 16 == 0)
                  std::this_thread::sleep_for(std::chrono::milliseconds(1));  // slow on purpose
              }
            }});
  reader.ping();
  EXPECT_THAT(server().log(), testing::Not(testing::HasSubstr("Slow Consumer")));
}

TEST_P(ClientLimits, CP_63_MaxTracedMessageLength) {
  start_config("max_traced_msg_len: 8\n", {"-V"});
  Client one = connected();
  one.send("PUB a 26\r\nabcdefghijklmnopqrstuvwxyz\r\n");
  one.ping();
  // The reference goes on with three dots, ours with an ellipsis.
  server().wait_for_log("MSG_PAYLOAD: [\"abcdefgh");
  EXPECT_THAT(server().log(), testing::Not(testing::HasSubstr("abcdefghi")));
}

TEST_P(ClientLimits, CP_64_TheErrorArrivesBehindQueuedData) {
  start_config("max_payload: 2MB\n");
  Client one = connected();
  const std::string payload(1000000, 'x');
  one.send(fmt::format("SUB a 1\r\nPUB a {}\r\n{}\r\nPUB a {}\r\n{}\r\nnonsense\r\nPUB a 1\r\nx\r\n",
                       payload.size(), payload, payload.size(), payload));
  const std::string message = fmt::format("MSG a 1 {}\r\n{}\r\n", payload.size(), payload);
  one.expect(message + message);
  one.expect_error_and_close("Unknown Protocol Operation");
}

}  // namespace
}  // namespace nuncio::test
