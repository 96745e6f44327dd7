// Accounts: each a subject space of its own, with mappings and limits. What crosses between them is in
// account_imports_test.cc.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>

#include "harness.h"
#include "logins.h"
#include "rights.h"

namespace nuncio::test {
namespace {

class Accounts : public ServerTest {
 protected:
  Client as(std::string_view name, Where where = Where::current()) {
    return connected(user(name, "p"), where);
  }
};
NUNCIO_ON_EVERY_BACKEND(Accounts);

constexpr const char* three_accounts = R"(
accounts {
  A { users = [ {user: a, password: p} ] }
  B { users = [ {user: b, password: p} ] }
}
authorization { users = [ {user: g, password: p} ] }
)";

TEST_P(Accounts, AU_58_AT_30_NothingCrosses) {
  start_config(three_accounts);
  std::vector<Client> listeners;
  for (const char* name : {"a", "b", "g"}) {
    listeners.push_back(as(name));
    subscribe(listeners.back(), ">", "1");
    subscribe(listeners.back(), "x.*", "2");
    subscribe(listeners.back(), "x.y", "3");
    subscribe(listeners.back(), "x.y work", "4");
  }
  for (size_t i = 0; i < listeners.size(); ++i) {
    Client one = as(std::vector{"a", "b", "g"}[i]);
    one.send("PUB x.y inbox.1 1\r\nx\r\n");
    one.send("HPUB x.y 12 12\r\nNATS/1.0\r\n\r\n\r\n");
    one.ping();
    for (size_t other = 0; other < listeners.size(); ++other) {
      EXPECT_EQ(listeners[other].messages_until_pong().size(), other == i ? 8u : 0u);
    }
  }
}

TEST_P(Accounts, AU_58_AT_30_RepliesAndQueuesStayInside) {
  start_config(three_accounts);
  Client a = as("a");
  Client b = as("b");
  subscribe(a, "inbox.1");
  subscribe(b, "ask work");
  Client asker = as("a");
  asker.send("PUB ask inbox.1 0\r\n\r\n");
  asker.ping();
  b.ping();
  publish(b, "inbox.1");
  a.ping();
}

TEST_P(Accounts, AU_58_NoRespondersIsPerAccount) {
  start_config(three_accounts);
  Client b = as("b");
  subscribe(b, "ask");
  Client a = connected({{"user", "a"}, {"pass", "p"}, {"no_responders", true}});
  subscribe(a, "inbox.1");
  a.send("PUB ask inbox.1 0\r\n\r\n");
  a.expect("HMSG inbox.1 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n");
  b.ping();
}

TEST_P(Accounts, AU_58_UsersOfAuthorizationAreInTheGlobalAccount) {
  start_config(R"(
accounts { A { users = [ {user: a, password: p} ] } }
authorization { users = [ {user: g, password: p}, {user: h, password: p} ] }
)");
  Client g = as("g");
  subscribe(g, ">");
  Client h = as("h");
  publish(h, "x");
  g.expect("MSG x 1 1\r\nx\r\n");
  client().connect_refused(user("a", "wrong"));
}

TEST_P(Accounts, AU_1_UsersOfAnAccountAreAskedFor) {
  start_config("accounts { A { users = [ {user: a, password: p} ] } }");
  EXPECT_EQ(client().info().value("auth_required", false), true);
  client().connect_refused(Json::object());
  as("a");
}

TEST_P(Accounts, AU_16_TheNoAuthUserOfAnAccount) {
  start_config("accounts { A { users = [ {user: a, password: p} ] } }\nno_auth_user: a\n");
  EXPECT_EQ(client().info().value("auth_required", false), false);
  Client a = as("a");
  subscribe(a, "x");
  Client nobody = connected();
  publish(nobody, "x");
  a.expect("MSG x 1 1\r\nx\r\n");
}

TEST_P(Accounts, AU_58_CF_43_WhatIsWrongIsRefusedAtTheStart) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"accounts { $G { users = [ {user: a, password: p} ] } }", "\"$G\" is a Reserved Account"},
      {"accounts { A { users = [ {user: a, password: p} ] }, B { users = [ {user: a, password: q} ] } }",
       "Duplicate user \"a\" detected"},
      {"accounts { A { users = [ {user: a, password: p} ] } }\nauthorization { users = [ {user: a, password: "
       "q} ] }",
       "Duplicate user \"a\" detected"},
      {"accounts { A { users: a } }", ""},
      {"accounts { A { users = [ {password: p} ] } }", ""},
      {"accounts { A { exports: 7 } }", ""},
      {"accounts { A { exports: [ {stream: a, service: b} ] } }", ""},
      {"accounts { A { imports: [ {stream: a} ] } }", ""},
  };
  for (const auto& [config, text] : cases) {
    SCOPED_TRACE(config);
    const Finished end = run_server({.flags = {"-a", "127.0.0.1", "-p", "-1"}, .config = config});
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_FALSE(end.err.empty());
    EXPECT_THAT(end.err, testing::HasSubstr(text));
  }
}

TEST_P(Accounts, CF_51_DefaultPermissionsOfAnAccount) {
  start_config(R"(
accounts {
  A {
    default_permissions: {publish: "only"}
    users = [ {user: a, password: p}, {user: own, password: p, permissions: {publish: "mine"}} ]
  }
  B { users = [ {user: b, password: p} ] }
}
)");
  Client a = as("a");
  publish(a, "only");
  expect_publish_refused(a, "mine");
  Client own = as("own");
  publish(own, "mine");
  expect_publish_refused(own, "only");
  Client b = as("b");
  publish(b, "anything");
}

TEST_P(Accounts, CF_53_APlainListOfNames) {
  start_config("accounts: [A, B]\nauthorization { users = [ {user: g, password: p} ] }");
  as("g");
}

std::string limited_account(std::string_view limits) {
  return fmt::format(R"(
accounts {{
  A {{ users = [ {{user: a, password: p}}, {{user: a2, password: p}} ], limits: {{ {} }} }}
  B {{ users = [ {{user: b, password: p}} ] }}
}})",
                     limits);
}

TEST_P(Accounts, AU_62_MaxConnections) {
  start_config(limited_account("max_connections: 2"));
  Client one = as("a");
  Client two = as("a2");
  Client three = client();
  three.send("CONNECT {\"verbose\":false,\"user\":\"a\",\"pass\":\"p\"}\r\nPING\r\n");
  three.expect_error_and_close("maximum account active connections exceeded");
  as("b");
  one.ping();
  two.close();
  server().wait_until(  // the slot is free again
      [&] {
        Client next = client();
        next.send("CONNECT {\"verbose\":false,\"user\":\"a\",\"pass\":\"p\"}\r\nPING\r\n");
        return next.line() == "PONG";
      },
      "room for another connection");
}

TEST_P(Accounts, AU_62_WrongPasswordsTakeNoConnection) {
  start_config(limited_account("max_connections: 1"));
  for (int i = 0; i < 5; ++i) client().connect_refused(user("a", "wrong"));
  as("a").ping();
}

TEST_P(Accounts, AU_62_MaxSubscriptions) {
  start_config(limited_account("max_subscriptions: 3"));
  Client one = as("a");
  for (const char* sid : {"1", "2", "3"}) subscribe(one, fmt::format("s.{}", sid), sid);
  one.send("SUB s.4 4\r\n");
  one.expect("-ERR 'maximum subscriptions exceeded'\r\n");
  one.ping();
  Client b = as("b");
  for (int i = 0; i < 10; ++i) subscribe(b, fmt::format("s.{}", i), std::to_string(i));
  one.send("UNSUB 1\r\n");
  one.ping();
  subscribe(one, "s.4", "4");
  one.send("PUB s.4 1\r\nx\r\n");
  one.expect("MSG s.4 4 1\r\nx\r\n");
}

// Not of all connections of the account together.
TEST_P(Accounts, AU_62_MaxSubscriptionsOfEachConnection) {
  start_config(limited_account("max_subscriptions: 2"));
  std::vector<Client> all;
  for (const char* name : {"a", "a2", "a"}) all.push_back(as(name));
  for (Client& one : all) {
    subscribe(one, "s.1", "1");
    subscribe(one, "s.2", "2");
    one.send("SUB s.3 3\r\n");
    one.expect("-ERR 'maximum subscriptions exceeded'\r\n");
    one.ping();
  }
}

TEST_P(Accounts, AU_62_CP_9_MaxPayload) {
  start_config(limited_account("max_payload: 10"));
  Client one = as("a");
  one.send("SUB x 1\r\nPUB x 10\r\n0123456789\r\n");
  EXPECT_THAT(one.until_pong(),
              testing::EndsWith("MSG x 1 10\r\n0123456789\r\n"));  // INFO may come first (CP-9)
  one.send("PUB x 11\r\n01234567890\r\n");
  one.expect_error_and_close("Maximum Payload Violation");
  Client two = as("a2");
  two.send("HPUB x 12 13\r\nNATS/1.0\r\n\r\ny\r\n");
  EXPECT_THAT(two.read_to_end(), testing::EndsWith("-ERR 'Maximum Payload Violation'\r\n"));
  Client b = as("b");
  publish(b, "x", "01234567890");
}

TEST_P(Accounts, AT_32_MaxConnectionsIsNotExceededByARace) {
  start_config(limited_account("max_connections: 5"));
  std::vector<Client> all;
  for (size_t i = 0; i < scaled(200); ++i) all.push_back(client());
  std::atomic<int> admitted = 0;
  std::vector<std::function<void()>> tries;
  for (Client& one : all) {
    tries.emplace_back([&] {
      one.info();
      one.send("CONNECT {\"verbose\":false,\"user\":\"a\",\"pass\":\"p\"}\r\nPING\r\n");
      const std::string answer = one.line();
      if (answer == "PONG") ++admitted;
    });
  }
  together(tries);
  EXPECT_EQ(admitted, 5);
}

// It may be refused or let in, but nothing of the first account may be left, nor a message get across.
TEST_P(Accounts, AU_18_AT_20_ASecondConnectForAnotherAccount) {
  NUNCIO_OURS_ONLY();  // 2.9.10 keeps what was subscribed as the first (CP-17)
  start_config(three_accounts);
  Client in_a = as("a");
  subscribe(in_a, ">");
  Client in_b = as("b");
  subscribe(in_b, ">");
  const std::string as_b = "CONNECT {\"verbose\":false,\"user\":\"b\",\"pass\":\"p\"}\r\n";
  Client later = as("a");
  subscribe(later, "x");
  later.send(as_b);
  Client at_once = client();
  at_once.send("CONNECT {\"verbose\":false,\"user\":\"a\",\"pass\":\"p\"}\r\nSUB x 1\r\n" + as_b);
  for (Client* one : {&later, &at_once}) {
    one->send("PUB to.whom 1\r\nx\r\nPING\r\n");
    const bool is_b = one->line() == "PONG";
    if (!is_b) one->expect_closed();
    in_a.ping();
    EXPECT_EQ(in_b.messages_until_pong().size(), is_b ? 1u : 0u);
    in_b.send("PUB x 1\r\nx\r\nPING\r\n");
    in_b.expect("MSG x 1 1\r\nx\r\nPONG\r\n");
    in_a.send("PUB x 1\r\nx\r\nPING\r\n");
    in_a.expect("MSG x 1 1\r\nx\r\nPONG\r\n");
    if (!is_b) continue;
    const std::string got = one->until_pong();  // as of one account only
    EXPECT_LE(std::ranges::count(got, '\n'), 2) << got;
  }
}

TEST_P(Accounts, AT_29_AU_65_TheSystemAccountIsForItsUsers) {
  start_config(R"(
accounts {
  SYS { users = [ {user: sys, password: p} ] }
  A { users = [ {user: a, password: p} ] }
}
system_account: SYS
)");
  Client sys = as("sys");
  sys.send("SUB $SYS.> 1\r\nSUB $SYS.REQ.MINE 2\r\n");
  EXPECT_THAT(sys.until_pong(), testing::Not(testing::HasSubstr("-ERR")));  // events may come at once
  Client a = as("a");
  subscribe(a, "$SYS.>");
  subscribe(a, ">", "2");
  subscribe(a, "inbox.*", "3");
  Client other = as("a");
  other.send("PUB $SYS.REQ.SERVER.PING inbox.1 0\r\n\r\nPUB $SYS.REQ.MINE inbox.2 0\r\n\r\n");
  other.send("PUB $SYS.ACCOUNT.A.CONNECT 0\r\n\r\n");
  other.ping();
  // Only what A itself published reaches A: no event, no answer.
  for (const Message& each : a.messages_until_pong()) {
    EXPECT_THAT(each.subject,
                testing::AnyOf("$SYS.REQ.SERVER.PING", "$SYS.REQ.MINE", "$SYS.ACCOUNT.A.CONNECT"));
    EXPECT_TRUE(each.payload.empty());
  }
  for (const Message& each : sys.messages_until_pong()) {
    EXPECT_NE(each.subject, "$SYS.REQ.MINE");
    EXPECT_NE(each.reply, "inbox.1");
  }
  // In the system account it is a subject like any other.
  Client second = as("sys");
  publish(second, "$SYS.MY.OWN", "hello");
  bool has_arrived = false;
  sys.send("PING\r\n");
  for (std::string line = sys.line(); line != "PONG"; line = sys.line()) has_arrived |= line == "hello";
  EXPECT_TRUE(has_arrived);
}

TEST_P(Accounts, AT_29_AU_58_TheDefaultSystemAccountIsNobodys) {
  start_config(three_accounts);
  for (const char* name : {"a", "g"}) {
    Client one = as(name);
    subscribe(one, "$SYS.>");
    subscribe(one, "inbox.*", "2");
    Client other = as(name);
    Client third = as("b");
    third.close();
    one.send("PUB $SYS.REQ.SERVER.PING.VARZ inbox.1 0\r\n\r\nPUB $SYS.REQ.ACCOUNT.A.CONNZ inbox.1 0\r\n\r\n");
    for (const Message& each : one.messages_until_pong()) EXPECT_EQ(each.sid, "1");
    one.ping();
  }
}

}  // namespace
}  // namespace nuncio::test
