// Errors on the wire and the parser's robustness: sections 8 and 9 of the client protocol, section 5 of the
// attacks.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <random>

#include "harness.h"

namespace nuncio::test {
namespace {

class ClientRobustness : public ServerTest {};
NUNCIO_ON_EVERY_BACKEND(ClientRobustness);

constexpr std::string_view unknown = "Unknown Protocol Operation";

TEST_P(ClientRobustness, CP_65_AT_36_ServerVerbsAndNonsenseAreUnknown) {
  start();
  Client other = connected();
  other.send("SUB > 1\r\n");
  other.ping();
  for (const char* text :
       {"MSG a 1 1\r\nx\r\n", "HMSG a 1 12 12\r\n", "RS+ $G a\r\n", "RS- $G a\r\n", "LS+ a\r\n", "LS- a\r\n",
        "A+ x\r\n", "A- x\r\n", "RMSG $G a 1\r\nx\r\n", "LMSG a 1\r\nx\r\n", "HELLO\r\n", "SUX a 1\r\n",
        "PUP a 0\r\n", "PIN\r\n", "CONNEC {}\r\n", "X\r\n", "\xff\xff\r\n"}) {
    SCOPED_TRACE(text);
    Client one = connected();
    one.send(text);
    one.expect_error_and_close(unknown);
  }
  other.ping();
  connected();
}

TEST_P(ClientRobustness, CP_67_AT_36_OkAndInfoAreIgnored) {
  start();
  Client one = connected();
  one.send("+OK\r\nINFO {\"max_payload\":1,\"server_id\":\"x\"}\r\nSUB a 1\r\nPUB a 2\r\nhi\r\n");
  one.expect("MSG a 1 2\r\nhi\r\n");
}

TEST_P(ClientRobustness, CP_67_AT_36_ErrorFromAClientIsLoggedAndCloses) {
  start();
  Client one = connected();
  one.send("-ERR 'something broke'\r\n");
  one.expect_closed();
  server().wait_for_log("something broke");
}

TEST_P(ClientRobustness, CP_72_EmptyLinesAndLeadingBlanksAreUnknown) {
  start();
  for (const char* text : {"\r\n", "\n", " PING\r\n", "\tPING\r\n"}) {
    SCOPED_TRACE(text);
    Client one = connected();
    one.send(text);
    one.expect_error_and_close(unknown);
  }
}

TEST_P(ClientRobustness, CP_73_HttpAndTlsOnThePlainPort) {
  start();
  for (const std::string_view text : {std::string_view("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
                                      std::string_view("\x16\x03\x01\x02\x00\x01\x00", 7)}) {
    Client one = client();
    one.send(text);
    one.expect_error_and_close(unknown);
  }
  connected();
}

// Every operation of a client, ending with its second PING.
std::string conversation() {
  return "CONNECT {\"verbose\":true,\"pedantic\":false,\"headers\":true,\"name\":\"x{}\"}\r\n"
         "PING\r\n"
         "SUB foo.* 1\r\n"
         "sub foo.bar q  22 \r\n"
         "PUB foo.bar 11\r\nhello\r\nfoo!\r\n"
         "PUB foo.x reply 0\r\n\r\n"
         "HPUB foo.y re 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"
         "UNSUB 22\r\n"
         "UNSUB 1 4\n"
         "PUB foo.bar 300\r\n" +
         std::string(300, 'p') +
         "\r\n"
         "PUB foo.bar 1\r\nz\r\n"
         "PONG\r\n"
         "PING\r\n";
}

TEST_P(ClientRobustness, CP_69_EverySplitGivesTheSame) {
  start();
  const std::string out = conversation();
  Client whole = client();
  whole.send(out);
  std::string wanted;
  for (int pongs = 0; pongs < 2;) {
    const std::string next = whole.line();
    pongs += next == "PONG";
    wanted += next + "\r\n";
  }
  EXPECT_THAT(wanted, testing::HasSubstr("MSG foo.bar 1 11\r\nhello\r\nfoo!\r\n"));
  EXPECT_THAT(wanted, testing::HasSubstr("HMSG foo.y 1 re 12 14\r\n"));
  EXPECT_THAT(wanted, testing::Not(testing::HasSubstr("\r\nz\r\n")));

  // Two pieces, cut anywhere. The pieces are sent without delay between them (TCP_NODELAY): most arrive
  // apart.
  for (size_t cut = 1; cut < out.size(); cut += cut < 260 ? 1 : 7) {
    SCOPED_TRACE(cut);
    Client one = client();
    one.info();
    one.send(out.substr(0, cut));
    one.send(out.substr(cut));
    one.expect(wanted);
  }
  // Many pieces.
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 20; ++round) {
    Client one = client();
    one.info();
    for (size_t at = 0; at < out.size();) {
      const size_t size = 1 + random() % (round == 0 ? 1 : 12);
      one.send(out.substr(at, size));
      at += size;
    }
    one.expect(wanted);
  }
}

TEST_P(ClientRobustness, CP_71_CompleteLinesBeforeAnErrorCountNothingBehindIt) {
  start();
  Client listener = connected();
  listener.send("SUB a 1\r\n");
  listener.ping();
  Client one = connected();
  one.send("PUB a 1\r\n1\r\nPING\r\nBROKEN\r\nPUB a 1\r\n2\r\nPING\r\n");
  one.expect("PONG\r\n");
  one.expect_error_and_close(unknown);
  listener.expect("MSG a 1 1\r\n1\r\n");
  listener.ping();
}

TEST_P(ClientRobustness, AT_33_HeaderSizesNeverReachBeyondTheMessage) {
  start();
  Client listener = connected({{"headers", false}});
  listener.send("SUB > 1\r\n");
  listener.ping();
  for (const char* text :
       {"HPUB a 5 4\r\nabcd\r\n", "HPUB a 999999999 4\r\nabcd\r\n", "HPUB a 4294967297 4\r\nabcd\r\n",
        "HPUB a -4 4\r\nabcd\r\n", "HPUB a +4 4\r\nabcd\r\n", "HPUB a 4 -1\r\nabcd\r\n",
        "HPUB a b 5 4\r\nabcd\r\n", "HPUB a 9999999999 9999999999\r\n"}) {
    SCOPED_TRACE(text);
    Client one = connected();
    one.send(text);
    one.expect_closed();
  }
  listener.ping();
}

TEST_P(ClientRobustness, AT_34_APayloadIsNeverExecuted) {
  start();
  Client listener = connected();
  listener.send("SUB secret 1\r\nSUB a 2\r\n");
  listener.ping();
  Client one = connected();
  one.send("PUB a 1\r\nx\r\nPUB a 17\r\nPUB secret 0\r\n\r\n!\r\n");  // right size: data
  one.ping();
  listener.expect("MSG a 2 1\r\nx\r\nMSG a 2 17\r\nPUB secret 0\r\n\r\n!\r\n");
  one.send("PUB a 3\r\nx\r\nPUB secret 0\r\n\r\n");  // wrong size
  one.expect_error_and_close(unknown);
  listener.ping();
}

TEST_P(ClientRobustness, AT_35_HeaderTricksAreCutForPlainClients) {
  start();
  Client plain = connected({{"headers", false}});
  plain.send("SUB a 1\r\n");
  plain.ping();
  Client one = connected();
  // The header block holds what looks like the end of the message and a new one.
  const std::string header = "NATS/1.0\r\n\r\n\r\nMSG a 1 1\r\nx\r\n";
  one.send(fmt::format("HPUB a {} {}\r\n{}hi\r\n", header.size(), header.size() + 2, header));
  one.ping();
  plain.expect("MSG a 1 2\r\nhi\r\n");
  plain.ping();
}

// Damaged conversations: whatever they do to themselves, nobody else notices.
TEST_P(ClientRobustness, DamagedInputNeverHurtsOthers) {
  start();
  Client listener = connected();
  listener.send("SUB steady 1\r\n");
  listener.ping();
  const std::string out = conversation();
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  const size_t rounds = scaled(300);
  for (size_t round = 0; round < rounds; ++round) {
    std::string damaged = out;
    for (unsigned i = 0, changes = 1 + random() % 8; i < changes; ++i) {
      const size_t at = random() % damaged.size();
      if (random() % 2 == 0)
        damaged[at] = static_cast<char>(random());
      else
        damaged.erase(at, 1 + random() % 5);
    }
    Client one = client();
    one.send(damaged);
    if (random() % 2 == 0) one.reset();
  }
  Client publisher = connected();
  publisher.send("PUB steady 2\r\nok\r\n");
  listener.expect("MSG steady 1 2\r\nok\r\n");
}

}  // namespace
}  // namespace nuncio::test
