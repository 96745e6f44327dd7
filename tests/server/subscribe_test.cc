// SUB and UNSUB: section 4 of the client protocol.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "harness.h"

namespace nuncio::test {
namespace {

class ClientSubscribe : public ServerTest {};
NUNCIO_ON_EVERY_BACKEND(ClientSubscribe);

TEST_P(ClientSubscribe, CP_26_VerbsInAnyCaseBlanksTabsAndBareLineFeeds) {
  start();
  Client one = connected();
  one.send(
      "sub a 1\r\nSuB \t b \t 2 \t\r\nsUb c 3\npub a 1\r\n1\r\nPub\tb\t1 \r\n2\r\nPUB c 1\n3\r\nunSub 1\n");
  one.expect("MSG a 1 1\r\n1\r\nMSG b 2 1\r\n2\r\nMSG c 3 1\r\n3\r\n");
  one.send("PUB a 1\r\n1\r\n");
  one.ping();
}

TEST_P(ClientSubscribe, CP_27_SidIsAnyText) {
  start();
  Client one = connected();
  const std::string sid = "a-sid/of.any*kind>\xc3\xa4:0";
  one.send("SUB a " + sid + "\r\nPUB a 0\r\n\r\n");
  one.expect("MSG a " + sid + " 0\r\n\r\n");
  one.send("UNSUB " + sid + "\r\nPUB a 0\r\n\r\n");
  one.ping();
}

TEST_P(ClientSubscribe, CP_28_WrongArgumentCountCloses) {
  start();
  for (const char* text : {"SUB a\r\n", "SUB a b c d\r\n", "SUB a b c d e f\r\n", "SUB  \r\n"}) {
    SCOPED_TRACE(text);
    Client one = connected();
    one.send(text);
    one.expect_closed();
  }
  connected();
}

TEST_P(ClientSubscribe, CP_28_VerbWithoutBlankIsUnknown) {
  start();
  for (const char* text : {"SUB\r\n", "UNSUB\r\n", "PUB\r\n", "HPUB\r\n", "SUBa b\r\n", "PUBa 0\r\n"}) {
    SCOPED_TRACE(text);
    Client one = connected();
    one.send(text);
    one.expect_error_and_close("Unknown Protocol Operation");
  }
}

TEST_P(ClientSubscribe, CP_29_InvalidSubjectKeepsTheConnection) {
  start();
  for (const char* subject : {".a", "a.", "a..b", ".", "..", ">.a", "a.>.b", "a.>.>"}) {
    SCOPED_TRACE(subject);
    Client one = connected({{"verbose", true}});
    one.send(fmt::format("SUB {} 1\r\nPING\r\n", subject));
    one.expect("-ERR 'Invalid Subject'\r\nPONG\r\n");
  }
}

TEST_P(ClientSubscribe, CP_30_WildcardsOnlyAsWholeTokens) {
  start();
  Client one = connected();
  one.send("SUB foo* 1\r\nSUB f>o 2\r\nSUB foo.*bar 3\r\nSUB *.x.> 4\r\n");
  one.send("PUB foox 0\r\n\r\nPUB fxo 0\r\n\r\nPUB foo.xbar 0\r\n\r\n");
  one.ping();
  one.send("PUB foo* 0\r\n\r\nPUB f>o 0\r\n\r\nPUB foo.*bar 0\r\n\r\nPUB a.x.b.c 0\r\n\r\nPUB a.x 0\r\n\r\n");
  one.expect("MSG foo* 1 0\r\n\r\nMSG f>o 2 0\r\n\r\nMSG foo.*bar 3 0\r\n\r\nMSG a.x.b.c 4 0\r\n\r\n");
  one.ping();
}

TEST_P(ClientSubscribe, CP_30_AnyByteButWhiteSpace) {
  start();
  Client one = connected();
  std::string subject;
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (std::string_view("\t\n\r .*>\v\f").find(c) == std::string_view::npos) subject += c;
  }
  one.send("SUB " + subject + ".* 1\r\nPUB " + subject + ".x 2\r\nok\r\n");
  one.expect("MSG " + subject + ".x 1 2\r\nok\r\n");
}

TEST_P(ClientSubscribe, CP_31_SidInUseIsIgnored) {
  start();
  Client one = connected({{"verbose", true}});
  one.send("SUB a 1\r\nSUB b 1\r\nPUB b 0\r\n\r\nPUB a 0\r\n\r\nPING\r\n");
  one.expect("+OK\r\n+OK\r\n+OK\r\n+OK\r\nMSG a 1 0\r\n\r\nPONG\r\n");
}

TEST_P(ClientSubscribe, CP_32_MaximumSubscriptions) {
  start_config("max_subscriptions: 3\n");
  Client one = connected();
  one.send("SUB a 1\r\nSUB b 2\r\nSUB c 3\r\nSUB d 4\r\nPING\r\n");
  one.expect("-ERR 'maximum subscriptions exceeded'\r\nPONG\r\n");
  one.send("PUB d 0\r\n\r\nPUB c 0\r\n\r\n");
  one.expect("MSG c 3 0\r\n\r\n");
  one.send("UNSUB 1\r\nSUB d 4\r\nPUB d 0\r\n\r\n");  // room again
  one.expect("MSG d 4 0\r\n\r\n");
  Client other = connected();  // the limit is one connection's
  other.send("SUB a 1\r\n");
  other.ping();
}

TEST_P(ClientSubscribe, CP_33_UnsubAtOnce) {
  start();
  for (const char* maximum : {"", " 0", " x", " -1", " 1.5"}) {
    SCOPED_TRACE(maximum);
    Client one = connected();
    one.send(fmt::format("SUB a 1\r\nUNSUB 1{}\r\nPUB a 0\r\n\r\n", maximum));
    one.ping();
  }
}

TEST_P(ClientSubscribe, CP_33_UnsubAfterMaximum) {
  start();
  Client one = connected();
  one.send("SUB a 1\r\nUNSUB 1 2\r\n");
  for (int i = 0; i < 4; ++i) one.send("PUB a 0\r\n\r\n");
  one.expect("MSG a 1 0\r\n\r\nMSG a 1 0\r\n\r\n");
  one.ping();
  one.send("SUB a 1\r\nPUB a 0\r\n\r\n");  // the sid is free again
  one.expect("MSG a 1 0\r\n\r\n");
}

TEST_P(ClientSubscribe, CP_33_MaximumCountsFromTheSub) {
  start();
  Client one = connected();
  const std::string message = "MSG a 1 0\r\n\r\n";
  one.send(
      "SUB a 1\r\nPUB a 0\r\n\r\nPUB a 0\r\n\r\nPUB a 0\r\n\r\nUNSUB 1 4\r\nPUB a 0\r\n\r\nPUB a 0\r\n\r\n");
  one.expect(message + message + message + message);
  one.ping();
  one.send("SUB a 2\r\nPUB a 0\r\n\r\nPUB a 0\r\n\r\nPUB a 0\r\n\r\nUNSUB 2 2\r\nPUB a 0\r\n\r\n");
  for (int i = 0; i < 3; ++i) one.expect("MSG a 2 0\r\n\r\n");
  one.ping();  // max 2 after 3 deliveries removed it at once
}

TEST_P(ClientSubscribe, CP_34_UnknownSidIsNoError) {
  start();
  Client one = connected({{"verbose", true}});
  one.send("UNSUB 77\r\nUNSUB 78 5\r\nPING\r\n");
  one.expect("+OK\r\n+OK\r\nPONG\r\n");
}

TEST_P(ClientSubscribe, CP_34_WrongArgumentCountCloses) {
  start();
  for (const char* text : {"UNSUB  \r\n", "UNSUB 1 2 3\r\n"}) {
    SCOPED_TRACE(text);
    Client one = connected();
    one.send(text);
    one.expect_closed();
  }
}

TEST_P(ClientSubscribe, CP_35_TooManyTokens) {
  start_config("max_sub_tokens: 3\n");
  Client one = connected();
  one.send("SUB a.b.c 1\r\nSUB a.b.c.d 2\r\nPUB a.b.c 0\r\n\r\nPUB a.b.c.d 0\r\n\r\n");
  one.expect("-ERR 'Permissions Violation for Subscription to \"a.b.c.d\", too many tokens'\r\n");
  one.expect("MSG a.b.c 1 0\r\n\r\n");
  one.ping();
}

TEST_P(ClientSubscribe, CP_36_MaximumHoldsForQueueMembersToo) {
  start();
  Client one = connected();
  one.send("SUB a q 1\r\nUNSUB 1 3\r\n");
  for (int i = 0; i < 6; ++i) one.send("PUB a 0\r\n\r\n");
  for (int i = 0; i < 3; ++i) one.expect("MSG a 1 0\r\n\r\n");
  one.ping();
}

TEST_P(ClientSubscribe, CP_66_QueueNamedSysIsAViolation) {
  start();
  Client one = connected();
  one.send("SUB a _sys_ 1\r\n");
  one.expect("-ERR 'Permissions Violation for Subscription to \"a\" using queue \"_sys_\"'\r\n");
  one.ping();
}

TEST_P(ClientSubscribe, MatchingFollowsTheRulesOfWildcards) {
  struct Case {
    const char* pattern;
    const char* subject;
    bool matches;
  };
  static constexpr Case cases[] = {
      {"foo", "foo", true},
      {"foo", "foo.bar", false},
      {"foo.bar", "foo", false},
      {"*", "foo", true},
      {"*", "foo.bar", false},
      {"foo.*", "foo.bar", true},
      {"foo.*", "foo", false},
      {"foo.*", "foo.bar.baz", false},
      {"*.bar", "foo.bar", true},
      {"foo.*.baz", "foo.x.baz", true},
      {"foo.*.baz", "foo.x.bar", false},
      {">", "foo", true},
      {">", "foo.bar.baz", true},
      {"foo.>", "foo", false},
      {"foo.>", "foo.bar", true},
      {"foo.>", "foo.a.b.c", true},
      {"*.>", "foo", false},
      {"*.>", "foo.bar", true},
      {"*.*", "foo.bar", true},
      {"*.*", "foo.bar.x", false},
      {"foo", "Foo", false},
  };
  start();
  for (const Case& one_case : cases) {
    SCOPED_TRACE(fmt::format("{} against {}", one_case.pattern, one_case.subject));
    Client one = connected();
    one.send(fmt::format("SUB {} 1\r\nPUB {} 0\r\n\r\n", one_case.pattern, one_case.subject));
    const std::string message = fmt::format("MSG {} 1 0\r\n\r\n", one_case.subject);
    EXPECT_EQ(one.until_pong(), one_case.matches ? message : "");
  }
}

}  // namespace
}  // namespace nuncio::test
