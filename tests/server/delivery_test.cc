// Delivery: section 6 of the client protocol.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <map>

#include "harness.h"

namespace nuncio::test {
namespace {

class ClientDelivery : public ServerTest {};
NUNCIO_ON_EVERY_BACKEND(ClientDelivery);

TEST_P(ClientDelivery, CP_48_SubjectReplyAndPayloadAsPublished) {
  start();
  Client listener = connected();
  listener.send("SUB a.* 9\r\n");
  listener.ping();
  Client one = connected();
  one.send("PUB a.b 2\r\nhi\r\nPUB a.c reply.to 3\r\nyou\r\n");
  one.ping();
  listener.expect("MSG a.b 9 2\r\nhi\r\nMSG a.c 9 reply.to 3\r\nyou\r\n");
}

TEST_P(ClientDelivery, CP_48_SizeWithLeadingZeros) {
  start();
  Client one = connected();
  one.send("SUB a 1\r\nPUB a 00002\r\nhi\r\n");
  one.expect_line("MSG a 1 0*2");  // the reference echoes the digits; ours may normalise them
  one.expect("hi\r\n");
}

TEST_P(ClientDelivery, CP_49_HeadersAreCutForClientsWithoutThem) {
  start();
  Client plain = connected({{"headers", false}});
  Client with = connected({{"headers", true}});
  plain.send("SUB a 1\r\n");
  with.send("SUB a 2\r\n");
  plain.ping();
  with.ping();
  Client one = connected();
  one.send("HPUB a r 17 19\r\nNATS/1.0\r\nA:b\r\n\r\nhi\r\nHPUB a 12 12\r\nNATS/1.0\r\n\r\n\r\n");
  one.ping();
  plain.expect("MSG a 1 r 2\r\nhi\r\nMSG a 1 0\r\n\r\n");
  with.expect("HMSG a 2 r 17 19\r\nNATS/1.0\r\nA:b\r\n\r\nhi\r\nHMSG a 2 12 12\r\nNATS/1.0\r\n\r\n\r\n");
  plain.ping();
}

TEST_P(ClientDelivery, CP_50_OneMessageForEachSubscription) {
  start();
  Client listener = connected();
  listener.send("SUB foo.bar 1\r\nSUB foo.* 2\r\nSUB > 3\r\nSUB foo.bar 4\r\nSUB foo.bar q 5\r\nSUB x 6\r\n");
  listener.ping();
  Client one = connected();
  one.send("PUB foo.bar 0\r\n\r\n");
  one.ping();
  std::map<std::string, int> seen;
  for (int i = 0; i < 5; ++i) {
    ++seen[listener.expect_line("MSG foo\\.bar (\\d+) 0")[1]];
    listener.expect("\r\n");
  }
  listener.ping();
  EXPECT_EQ(seen, (std::map<std::string, int>{{"1", 1}, {"2", 1}, {"3", 1}, {"4", 1}, {"5", 1}}));
}

TEST_P(ClientDelivery, CP_51_WithoutEchoOwnMessagesStayAway) {
  start();
  Client other = connected();
  other.send("SUB a 1\r\n");
  other.ping();
  Client one = connected({{"echo", false}});
  one.send("SUB a 1\r\nSUB a q 2\r\nSUB > 3\r\nPUB a 0\r\n\r\n");
  one.ping();
  other.expect("MSG a 1 0\r\n\r\n");
  other.send("PUB a 0\r\n\r\n");
  other.expect("MSG a 1 0\r\n\r\n");
  other.ping();
  EXPECT_THAT(one.until_pong(), testing::SizeIs(3 * std::string_view("MSG a 1 0\r\n\r\n").size()));
}

TEST_P(ClientDelivery, CP_52_OneMemberOfEachGroupAndEveryPlainSubscriber) {
  start();
  constexpr int members = 4;
  constexpr int messages = 400;
  std::vector<Client> group;
  for (int i = 0; i < members; ++i) {
    group.push_back(connected());
    group.back().send("SUB work q 1\r\nSUB work other 2\r\nSUB work 3\r\n");
    group.back().ping();
  }
  Client one = connected();
  for (int i = 0; i < messages; ++i) one.send("PUB work 0\r\n\r\n");
  one.ping();
  std::map<std::string, int> total;
  for (Client& member : group) {
    std::map<std::string, int> own;
    std::string text = member.until_pong();
    for (size_t at = 0; (at = text.find("MSG work ", at)) != std::string::npos; at += 9)
      ++own[text.substr(at + 9, 1)];
    EXPECT_EQ(own["3"], messages);
    EXPECT_GT(own["1"],
              messages / members / 3);  // evenly at random: 100 each, this far below is out of question
    EXPECT_GT(own["2"], messages / members / 3);
    for (const auto& [sid, count] : own) total[sid] += count;
  }
  EXPECT_EQ(total["1"], messages);
  EXPECT_EQ(total["2"], messages);
}

TEST_P(ClientDelivery, CP_52_OneConnectionMayBeSeveralMembers) {
  start();
  Client one = connected();
  one.send("SUB a q 1\r\nSUB a q 2\r\nSUB * q 3\r\n");
  for (int i = 0; i < 60; ++i) one.send("PUB a 0\r\n\r\n");
  const std::string text = one.until_pong();
  // The group of `a` and that of `*` are one by name: the reference serves each subject's group, so two
  // messages or one depend on the version. Exactly-once holds within the literal one.
  int literal = 0;
  for (size_t at = 0; (at = text.find("MSG a ", at)) != std::string::npos; at += 6)
    literal += text[at + 6] != '3';
  EXPECT_LE(literal, 60);
  EXPECT_GT(literal, 20);
}

TEST_P(ClientDelivery, CP_52_AMemberWithoutEchoIsPassedOver) {
  start();
  Client one = connected({{"echo", false}});
  one.send("SUB a q 1\r\n");
  one.ping();
  Client two = connected();
  two.send("SUB a q 2\r\n");
  two.ping();
  for (int i = 0; i < 40; ++i) one.send("PUB a 0\r\n\r\n");
  one.ping();
  for (int i = 0; i < 40; ++i) two.expect("MSG a 2 0\r\n\r\n");
  two.ping();
}

TEST_P(ClientDelivery, CP_54_ClosedConnectionsVanish) {
  start();
  Client one = connected({{"no_responders", true}});
  one.send("SUB inbox 1\r\n");
  {
    Client gone = connected();
    gone.send("SUB a 1\r\nSUB b.* q 2\r\n");
    gone.ping();
    one.send("PUB a inbox 0\r\n\r\n");
    one.ping();
  }
  // The server sees the end at a moment of its own; from some request on nobody answers for the closed one.
  server().wait_until(
      [&] {
        one.send("PUB a inbox 0\r\n\r\n");
        return one.until_pong().find("503") != std::string::npos;
      },
      "the end of a closed connection's subscriptions");
  // Its slot belongs to others now, who have not subscribed.
  std::vector<Client> others;
  for (int i = 0; i < 8; ++i) others.push_back(connected());
  one.send("PUB a 0\r\n\r\nPUB b.c 0\r\n\r\n");
  one.ping();
  for (Client& other : others) other.ping();
}

TEST_P(ClientDelivery, CP_55_PublishAndCloseLosesNothing) {
  start();
  Client listener = connected();
  listener.send("SUB a 1\r\n");
  listener.ping();
  constexpr int rounds = 20;
  const std::string payload(3000, 'x');
  for (int round = 0; round < rounds; ++round) {
    Client one = client();
    one.info();
    std::string all = "CONNECT {\"verbose\":false}\r\n";
    for (int i = 0; i < 50; ++i) all += "PUB a 3000\r\n" + payload + "\r\n";
    one.send(all);
    one.close();
  }
  const std::string message = "MSG a 1 3000\r\n" + payload + "\r\n";
  for (int i = 0; i < rounds * 50; ++i) listener.expect(message);
  listener.ping();
}

TEST_P(ClientDelivery, CP_55_HalfClosedClientIsServedToTheEnd) {
  start();
  Client one = connected();
  one.send("SUB a 1\r\nPUB a 2\r\nhi\r\n");
  one.expect("MSG a 1 2\r\nhi\r\n");
  one.send("PUB a 3\r\nyou\r\nPING\r\n");
  one.shutdown_send();
  EXPECT_THAT(one.read_to_end(), testing::AnyOf("", testing::StartsWith("MSG a 1 3\r\nyou\r\n")));
}

TEST_P(ClientDelivery, CP_56_NoResponders) {
  start();
  Client one = connected({{"no_responders", true}, {"headers", true}});
  one.send("SUB inbox.* 7\r\nPUB nobody inbox.1 2\r\nhi\r\n");
  const std::string version = one.info()["version"];
  const bool names_subject = std::atoi(version.c_str() + version.find('.') + 1) >= 12;  // CP-57
  if (names_subject)
    one.expect("HMSG inbox.1 7 38 38\r\nNATS/1.0 503\r\nNats-Subject: nobody\r\n\r\n\r\n");
  else
    one.expect("HMSG inbox.1 7 16 16\r\nNATS/1.0 503\r\n\r\n\r\n");
  one.ping();
}

TEST_P(ClientDelivery, CP_56_NoAnswerWithoutPlainSubscriptionOrReplyOrOption) {
  start();
  Client one = connected({{"no_responders", true}, {"headers", true}});
  one.send("PUB nobody inbox.1 0\r\n\r\nSUB inbox.* q 7\r\nPUB nobody inbox.1 0\r\n\r\n");
  one.ping();
  one.send("SUB inbox.* 8\r\nPUB nobody 0\r\n\r\n");
  one.ping();
  Client two = connected({{"no_responders", false}, {"headers", true}});
  two.send("SUB inbox.* 7\r\nPUB nobody inbox.1 0\r\n\r\n");
  two.ping();
}

TEST_P(ClientDelivery, CP_56_TheAnswerDoesNotCountForUnsub) {
  start();
  Client one = connected({{"no_responders", true}, {"headers", true}});
  one.send("SUB inbox 7\r\nUNSUB 7 1\r\n");
  for (int i = 0; i < 3; ++i) {
    one.send("PUB nobody inbox 0\r\n\r\n");
    EXPECT_THAT(one.until_pong(), testing::HasSubstr("503"));
  }
}

TEST_P(ClientDelivery, CP_56_SilencedOwnSubscriptionIsNoInterest) {
  start();
  Client one = connected({{"no_responders", true}, {"headers", true}, {"echo", false}});
  one.send("SUB service 1\r\nSUB inbox 7\r\nPUB service inbox 0\r\n\r\n");
  EXPECT_THAT(one.until_pong(), testing::StartsWith("HMSG inbox 7"));
}

TEST_P(ClientDelivery, CP_56_InterestAnywhereMeansNoAnswer) {
  start();
  std::vector<Client> services;  // on every worker
  for (int i = 0; i < 4; ++i) {
    Client one = connected({{"no_responders", true}, {"headers", true}});
    Client service = connected();
    service.send("SUB service q 1\r\n");
    service.ping();
    one.send("SUB inbox 7\r\nPUB service inbox 0\r\n\r\n");
    one.ping();
    service.expect("MSG service 1 inbox 0\r\n\r\n");
    service.close();
    services.push_back(connected());  // shifts the placement of the next pair
    server().wait_until(
        [&] {
          one.send("PUB service inbox 0\r\n\r\n");
          return one.until_pong().find("503") != std::string::npos;
        },
        "the end of the service");
  }
}

}  // namespace
}  // namespace nuncio::test
