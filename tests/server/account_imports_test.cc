// What one account offers to others and takes from them: streams and services (AU-59 … AU-61, AU-64).
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "harness.h"
#include "logins.h"
#include "rights.h"

namespace nuncio::test {
namespace {

class AccountImports : public ServerTest {
 protected:
  // Accounts A, B and C with the users a, b and c of password p.
  void start_accounts(std::string_view a, std::string_view b, std::string_view c = "",
                      std::string_view more = "") {
    start_config(accounts(a, b, c) + std::string(more));
  }
  static std::string accounts(std::string_view a, std::string_view b, std::string_view c) {
    return fmt::format(R"(accounts {{
  A {{ users = [ {{user: a, password: p}} ], {} }}
  B {{ users = [ {{user: b, password: p}} ], {} }}
  C {{ users = [ {{user: c, password: p}} ], {} }}
}}
)",
                       a, b, c);
  }
  Client as(std::string_view name, Where where = Where::current()) {
    return connected(user(name, "p"), where);
  }
  Client as_listener(std::string_view name, std::string_view subject, Where where = Where::current()) {
    Client one = as(name, where);
    subscribe(one, subject, "1", where);
    return one;
  }
  Finished failed_start(std::string_view a, std::string_view b, std::string_view c = "") {
    return run_server({.flags = {"-a", "127.0.0.1", "-p", "-1"}, .config = accounts(a, b, c)});
  }
};
NUNCIO_ON_EVERY_BACKEND(AccountImports);

TEST_P(AccountImports, AU_60_AStreamUnderItsName) {
  start_accounts(R"(exports: [ {stream: "ev.>"} ])",
                 R"(imports: [ {stream: {account: A, subject: "ev.>"}} ])");
  Client b = as_listener("b", "ev.*");
  Client c = as_listener("c", ">");
  Client a = as("a");
  a.send("PUB ev.x reply.here 1\r\nx\r\nHPUB ev.y 12 13\r\nNATS/1.0\r\n\r\ny\r\nPUB other 0\r\n\r\n");
  a.ping();
  b.expect("MSG ev.x 1 reply.here 1\r\nx\r\nHMSG ev.y 1 12 13\r\nNATS/1.0\r\n\r\ny\r\n");
  b.ping();
  c.ping();
  Client back = as_listener("a", "ev.>");  // one way only
  Client from_b = as("b");
  publish(from_b, "ev.x");
  b.expect("MSG ev.x 1 1\r\nx\r\n");
  back.ping();
}

TEST_P(AccountImports, AU_60_AStreamWithAPrefix) {
  start_accounts(R"(exports: [ {stream: "ev.>"} ])",
                 R"(imports: [ {stream: {account: A, subject: "ev.>"}, prefix: "from.a"} ])");
  Client a = as("a");
  for (const char* subject : {"from.a.ev.x", "from.a.ev.*", "from.a.>", "from.>", "from.*.ev.x", ">"}) {
    SCOPED_TRACE(subject);
    Client b = as_listener("b", subject);
    publish(a, "ev.x");
    b.expect("MSG from.a.ev.x 1 1\r\nx\r\n");
    publish(a, "other.x");
    publish(a, "from.a.ev.x");
    b.ping();
  }
  Client b = as_listener("b", "ev.x");
  publish(a, "ev.x");
  b.ping();
}

TEST_P(AccountImports, AU_60_AStreamToAnotherSubject) {
  start_accounts(R"(exports: [ {stream: "ev.*.*"}, {stream: "one"} ])", R"(imports: [
    {stream: {account: A, subject: "ev.*.*"}, to: "got.$2.$1"}
    {stream: {account: A, subject: one}, to: "eins"}
  ])");
  Client b = as_listener("b", "got.>");
  Client literal = as_listener("b", "got.y.x");
  Client one = as_listener("b", "eins");
  Client a = as("a");
  publish(a, "ev.x.y");
  b.expect("MSG got.y.x 1 1\r\nx\r\n");
  literal.expect("MSG got.y.x 1 1\r\nx\r\n");
  publish(a, "ev.y.x");
  b.expect("MSG got.x.y 1 1\r\nx\r\n");
  literal.ping();
  publish(a, "one");
  one.expect("MSG eins 1 1\r\nx\r\n");
}

TEST_P(AccountImports, AU_60_APartOfWhatIsExported) {
  start_accounts(R"(exports: [ {stream: "ev.>"} ])",
                 R"(imports: [ {stream: {account: A, subject: "ev.x.*"}} ])");
  Client b = as_listener("b", "ev.>");
  Client a = as("a");
  publish(a, "ev.y.1");
  publish(a, "ev.x");
  b.ping();
  publish(a, "ev.x.1");
  b.expect("MSG ev.x.1 1 1\r\nx\r\n");
}

TEST_P(AccountImports, AU_60_OneMessageForEachSubscription) {
  start_accounts(R"(exports: [ {stream: "ev.>"} ])",
                 R"(imports: [ {stream: {account: A, subject: "ev.>"}} ])",
                 R"(imports: [ {stream: {account: A, subject: "ev.>"}, prefix: p} ])");
  Client b = as_listener("b", "ev.x");
  subscribe(b, "ev.*", "2");
  Client c = as_listener("c", "p.ev.x");
  Client a = as_listener("a", "ev.x");
  Client publisher = as("a");
  publish(publisher, "ev.x");
  EXPECT_EQ(b.messages_until_pong().size(), 2u);
  EXPECT_EQ(c.messages_until_pong().size(), 1u);
  EXPECT_EQ(a.messages_until_pong().size(), 1u);
  b.send("UNSUB 1\r\n");
  b.ping();
  publish(publisher, "ev.x");
  EXPECT_EQ(b.messages_until_pong().size(), 1u);
  c.close();
  publish(publisher, "ev.x");
  EXPECT_EQ(b.messages_until_pong().size(), 1u);
}

TEST_P(AccountImports, AU_60_AQueueGroupOfTheImporter) {
  start_accounts(R"(exports: [ {stream: "ev.>"} ])",
                 R"(imports: [ {stream: {account: A, subject: "ev.>"}, prefix: p} ])");
  Client one = as("b");
  subscribe(one, "p.ev.* work");
  Client two = as("b");
  subscribe(two, "p.ev.x work");
  Client a = as("a");
  for (int i = 0; i < 100; ++i) publish(a, "ev.x");
  const size_t first = one.messages_until_pong().size();
  const size_t second = two.messages_until_pong().size();
  EXPECT_EQ(first + second, 100u);
  EXPECT_GT(first, 0u);
  EXPECT_GT(second, 0u);
}

// Groups of the same name in two accounts have nothing to do with each other; the reference draws one member
// of both together.
TEST_P(AccountImports, AU_60_AT_30_QueueGroupsOfTwoAccountsStaySeparate) {
  NUNCIO_OURS_ONLY();
  start_accounts(R"(exports: [ {stream: "ev.>"} ])",
                 R"(imports: [ {stream: {account: A, subject: "ev.>"}} ])");
  Client mine = as("a");
  subscribe(mine, "ev.x work");
  Client theirs = as("b");
  subscribe(theirs, "ev.x work");
  Client a = as("a");
  for (int i = 0; i < 50; ++i) publish(a, "ev.x");
  EXPECT_EQ(mine.messages_until_pong().size(), 50u);
  EXPECT_EQ(theirs.messages_until_pong().size(), 50u);
}

TEST_P(AccountImports, AU_59_AT_30_OnlyForTheAccountsNamed) {
  const char* exports = R"(exports: [ {stream: "ev.>", accounts: [B]}, {service: "svc", accounts: [B]} ])";
  start_accounts(
      exports,
      R"(imports: [ {stream: {account: A, subject: "ev.>"}}, {service: {account: A, subject: svc}} ])");
  Client b = as_listener("b", "ev.x");
  Client a = as("a");
  publish(a, "ev.x");
  b.expect("MSG ev.x 1 1\r\nx\r\n");
  server().stop();
  for (const char* import : {R"(imports: [ {stream: {account: A, subject: "ev.>"}} ])",
                             R"(imports: [ {service: {account: A, subject: svc}} ])"}) {
    SCOPED_TRACE(import);
    const Finished end = failed_start(exports, "", import);
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_FALSE(end.err.empty());
    if (!is_oracle()) {
      EXPECT_THAT(end.err, testing::ContainsRegex("\"?A\"?.*\"?C\"?|\"?C\"?.*\"?A\"?"));
    }
  }
}

TEST_P(AccountImports, AU_59_TheTokenThatMustBeTheImporter) {
  const char* exports =
      R"(exports: [ {stream: "ev.*.>", account_token_position: 2}, {service: "svc.*.x", account_token_position: 2} ])";
  start_accounts(
      exports,
      R"(imports: [ {stream: {account: A, subject: "ev.B.>"}}, {service: {account: A, subject: "svc.B.x"}, to: "x"} ])");
  Client b = as_listener("b", "ev.>");
  Client a = as("a");
  publish(a, "ev.C.x");
  publish(a, "ev.B.x");
  b.expect("MSG ev.B.x 1 1\r\nx\r\n");
  server().stop();
  for (const char* import : {R"(imports: [ {stream: {account: A, subject: "ev.C.>"}} ])",
                             R"(imports: [ {stream: {account: A, subject: "ev.*.>"}} ])",
                             R"(imports: [ {service: {account: A, subject: "svc.C.x"}} ])"}) {
    SCOPED_TRACE(import);
    EXPECT_EQ(failed_start(exports, import).exit_status, 1);
  }
}

TEST_P(AccountImports, AU_60_AT_30_WhatCannotBeImportedIsRefusedAtTheStart) {
  struct Case {
    const char* a;
    const char* b;
    std::vector<const char*> named;  // ours names both accounts and the subject
  };
  const std::vector<Case> cases{
      {"", R"(imports: [ {stream: {account: A, subject: "ev.x"}} ])", {"A", "B", "ev.x"}},
      {"", R"(imports: [ {service: {account: A, subject: "svc"}} ])", {"A", "B", "svc"}},
      {R"(exports: [ {stream: "ev.x"} ])",
       R"(imports: [ {stream: {account: A, subject: "ev.>"}} ])",
       {"A", "B", "ev.>"}},
      {R"(exports: [ {stream: "ev.*"} ])",
       R"(imports: [ {stream: {account: A, subject: "ev.x.y"}} ])",
       {"A", "B", "ev.x.y"}},
      {R"(exports: [ {service: "ev.*"} ])",
       R"(imports: [ {stream: {account: A, subject: "ev.x"}} ])",
       {"A", "B", "ev.x"}},
      {R"(exports: [ {stream: "svc"} ])",
       R"(imports: [ {service: {account: A, subject: "svc"}} ])",
       {"A", "B", "svc"}},
      {"", R"(imports: [ {stream: {account: NOBODY, subject: "ev.x"}} ])", {"NOBODY"}},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(fmt::format("{} {}", each.a, each.b));
    const Finished end = failed_start(each.a, each.b);
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_FALSE(end.err.empty());
    if (is_oracle()) continue;
    for (const char* name : each.named) EXPECT_THAT(end.err, testing::HasSubstr(name));
  }
}

TEST_P(AccountImports, AU_60_ACycleIsRefusedAtTheStart) {
  const Finished services = failed_start(
      R"(exports: [ {service: "help"} ], imports: [ {service: {account: B, subject: "help"}} ])",
      R"(exports: [ {service: "help"} ], imports: [ {service: {account: A, subject: "help"}} ])");
  EXPECT_EQ(services.exit_status, 1);
  EXPECT_THAT(services.err, testing::HasSubstr("import forms a cycle"));
  const Finished streams =
      failed_start(R"(exports: [ {stream: "ev.>"} ], imports: [ {stream: {account: C, subject: "ev.>"}} ])",
                   R"(exports: [ {stream: "ev.>"} ], imports: [ {stream: {account: A, subject: "ev.>"}} ])",
                   R"(exports: [ {stream: "ev.>"} ], imports: [ {stream: {account: B, subject: "ev.>"}} ])");
  EXPECT_EQ(streams.exit_status, 1);
  EXPECT_THAT(streams.err, testing::HasSubstr("import forms a cycle"));
}

// A and B take different things from each other.
TEST_P(AccountImports, AU_60_BothWaysIsNoCycle) {
  start_accounts(R"(exports: [ {stream: "a.>"} ], imports: [ {stream: {account: B, subject: "b.>"}} ])",
                 R"(exports: [ {stream: "b.>"} ], imports: [ {stream: {account: A, subject: "a.>"}} ])");
  Client a = as_listener("a", ">");
  Client b = as_listener("b", ">");
  Client from_a = as("a");
  publish(from_a, "a.x");
  a.expect("MSG a.x 1 1\r\nx\r\n");
  b.expect("MSG a.x 1 1\r\nx\r\n");
  Client from_b = as("b");
  publish(from_b, "b.x");
  a.expect("MSG b.x 1 1\r\nx\r\n");
  b.expect("MSG b.x 1 1\r\nx\r\n");
}

TEST_P(AccountImports, AU_51_AT_26_WhatIsDeniedIsWithheldFromAnImportToo) {
  start_config(R"(accounts {
  A { users = [ {user: a, password: p} ], exports: [ {stream: "ev.>"} ] }
  B {
    users = [ {user: b, password: p, permissions: {subscribe: {deny: ["p.ev.secret"]}} } ]
    imports: [ {stream: {account: A, subject: "ev.>"}, prefix: p} ]
  }
})");
  Client b = as_listener("b", "p.>");
  subscribe(b, "p.ev.*", "2");
  if (!is_oracle()) subscribe(b, "p.ev.* work", "3");  // 2.9.10 gives a queue group what is denied
  expect_subscribe_refused(b, "p.ev.secret");
  Client a = as("a");
  publish(a, "ev.secret");
  b.ping();
  publish(a, "ev.open");
  EXPECT_EQ(b.messages_until_pong().size(), is_oracle() ? 2u : 3u);
}

TEST_P(AccountImports, AT_30_AMappingLeadsToNobodyElse) {
  start_accounts(
      R"(mappings = { "way.*": [ {destination: "ev.$1", weight: 100%} ] }, exports: [ {stream: "ev.x"} ])",
      R"(imports: [ {stream: {account: A, subject: "ev.x"}} ], mappings = { in: "ev.x" })");
  Client a = as_listener("a", ">");
  Client b = as_listener("b", ">");
  Client from_a = as("a");
  publish(from_a, "way.y");
  a.expect("MSG ev.y 1 1\r\nx\r\n");
  b.ping();
  publish(from_a, "way.x");  // mapped into what is exported
  a.expect("MSG ev.x 1 1\r\nx\r\n");
  b.expect("MSG ev.x 1 1\r\nx\r\n");
  Client from_b = as("b");
  publish(from_b, "in");
  b.expect("MSG ev.x 1 1\r\nx\r\n");
  a.ping();
}

// --- services ---

// Takes the request at the responder; the reply subject it came with.
std::string taken_request(Client& responder, std::string_view subject, Where where = Where::current()) {
  const Message request = responder.message(where);
  EXPECT_EQ(request.subject, subject);
  return request.reply;
}

// A request for "svc" was made and has arrived; its reply as the responder sees it.
std::string asked(Client& asker, Client& responder, Where where = Where::current()) {
  asker.send("PUB svc inbox.1 0\r\n\r\n");
  asker.ping(where);
  return taken_request(responder, "svc", where);
}

TEST_P(AccountImports, AU_61_ARequestAndItsAnswer) {
  start_accounts(R"(exports: [ {service: "svc.add"} ])",
                 R"(imports: [ {service: {account: A, subject: "svc.add"}, to: "local.add"} ])",
                 R"(imports: [ {service: {account: A, subject: "svc.add"}} ])");
  Client service = as_listener("a", "svc.add");
  for (const auto& [name, subject] : {std::pair{"b", "local.add"}, {"c", "svc.add"}}) {
    SCOPED_TRACE(name);
    Client asker = as_listener(name, "inbox.*");
    asker.send(fmt::format("PUB {} inbox.1 3\r\n1+1\r\n", subject));
    asker.ping();
    const Message request = service.message();
    EXPECT_EQ(request.subject, "svc.add");
    EXPECT_EQ(request.payload, "1+1");
    EXPECT_THAT(request.reply, testing::StartsWith("_R_."));
    publish(service, request.reply, "2");
    asker.expect("MSG inbox.1 1 1\r\n2\r\n");
    asker.ping();
  }
  Client unknown = as_listener("b", ">");
  Client from_b = as("b");
  publish(from_b, "svc.add");  // not under this name in B
  unknown.expect("MSG svc.add 1 1\r\nx\r\n");
  service.ping();
}

TEST_P(AccountImports, AU_61_HeadersAndRequestsWithoutReply) {
  start_accounts(R"(exports: [ {service: "svc"} ])",
                 R"(imports: [ {service: {account: A, subject: "svc"}} ])");
  Client service = as_listener("a", "svc");
  Client asker = as_listener("b", "inbox.*");
  publish(asker, "svc", "one way");
  const Message one_way = service.message();
  EXPECT_EQ(one_way.payload, "one way");
  EXPECT_EQ(one_way.reply, "");
  asker.send("HPUB svc inbox.1 20 21\r\nNATS/1.0\r\nK: vvv\r\n\r\nq\r\n");
  asker.ping();
  const Message request = service.message();
  EXPECT_THAT(request.header, testing::StartsWith("NATS/1.0\r\nK: vvv\r\n"));
  EXPECT_EQ(request.payload, "q");
  service.send(fmt::format("HPUB {} 12 13\r\nNATS/1.0\r\n\r\na\r\n", request.reply));
  service.ping();
  asker.expect("HMSG inbox.1 1 12 13\r\nNATS/1.0\r\n\r\na\r\n");
}

TEST_P(AccountImports, AU_61_ASingletonAnswersOnce) {
  for (const char* type : {"", ", response_type: Singleton", ", response_type: single"}) {
    SCOPED_TRACE(type);
    start_accounts(fmt::format(R"(exports: [ {{service: "svc"{}}} ])", type),
                   R"(imports: [ {service: {account: A, subject: "svc"}} ])");
    Client service = as_listener("a", "svc");
    Client asker = as_listener("b", "inbox.*");
    const std::string reply = asked(asker, service);
    publish(service, reply, "1");
    asker.expect("MSG inbox.1 1 1\r\n1\r\n");
    publish(service, reply, "2");
    asker.ping();
  }
}

TEST_P(AccountImports, AU_59_AU_61_AStreamOfAnswers) {
  for (const char* type : {"Stream", "stream"}) {
    SCOPED_TRACE(type);
    start_accounts(fmt::format(R"(exports: [ {{service: "svc", response_type: {}}} ])", type),
                   R"(imports: [ {service: {account: A, subject: "svc"}} ])");
    Client service = as_listener("a", "svc");
    Client asker = as_listener("b", "inbox.*");
    const std::string reply = asked(asker, service);
    for (int i = 0; i < 20; ++i) {
      publish(service, reply, "1");
      asker.expect("MSG inbox.1 1 1\r\n1\r\n");
    }
  }
}

TEST_P(AccountImports, AU_59_AU_61_ChunksUntilTheEmptyOne) {
  start_accounts(R"(exports: [ {service: "svc", response_type: Chunked} ])",
                 R"(imports: [ {service: {account: A, subject: "svc"}} ])");
  Client service = as_listener("a", "svc");
  Client asker = as_listener("b", "inbox.*");
  const std::string reply = asked(asker, service);
  for (int i = 0; i < 5; ++i) {
    publish(service, reply, "1");
    asker.expect("MSG inbox.1 1 1\r\n1\r\n");
  }
  publish(service, reply, "");
  asker.expect("MSG inbox.1 1 0\r\n\r\n");
  publish(service, reply, "late");
  asker.ping();
}

TEST_P(AccountImports, AU_61_EachRequestHasItsOwnReply) {
  start_accounts(R"(exports: [ {service: "svc.*"} ])",
                 R"(imports: [ {service: {account: A, subject: "svc.*"}, to: "here.*"} ])",
                 R"(imports: [ {service: {account: A, subject: "svc.*"}} ])");
  Client service = as_listener("a", "svc.*");
  Client b = as_listener("b", "inbox.>");
  Client c = as_listener("c", "inbox.>");
  b.send("PUB here.x inbox.b1 0\r\n\r\nPUB here.y inbox.b2 0\r\n\r\n");
  b.ping();
  c.send("PUB svc.z inbox.c 0\r\n\r\n");
  c.ping();
  const std::string x = taken_request(service, "svc.x");
  const std::string y = taken_request(service, "svc.y");
  const std::string z = taken_request(service, "svc.z");
  EXPECT_NE(x, y);
  publish(service, z, "z");
  publish(service, y, "y");
  publish(service, x, "x");
  b.expect("MSG inbox.b2 1 1\r\ny\r\nMSG inbox.b1 1 1\r\nx\r\n");
  c.expect("MSG inbox.c 1 1\r\nz\r\n");
  b.ping();
  c.ping();
}

TEST_P(AccountImports, AU_61_TokensOfTheSubject) {
  start_accounts(R"(exports: [ {service: "svc.*.*"} ])",
                 R"(imports: [ {service: {account: A, subject: "svc.*.*"}, to: "here.$2.$1"} ])");
  Client service = as_listener("a", "svc.>");
  Client b = as_listener("b", "inbox.*");
  b.send("PUB here.x.y inbox.1 0\r\n\r\n");
  b.ping();
  publish(service, taken_request(service, "svc.y.x"), "ok");
  b.expect("MSG inbox.1 1 2\r\nok\r\n");
}

TEST_P(AccountImports, AU_61_AQueueOfResponders) {
  start_accounts(R"(exports: [ {service: "svc"} ])",
                 R"(imports: [ {service: {account: A, subject: "svc"}} ])");
  Client one = as_listener("a", "svc work");
  Client two = as_listener("a", "svc work");
  Client asker = as_listener("b", "inbox.*");
  for (int i = 0; i < 100; ++i) asker.send("PUB svc inbox.1 0\r\n\r\n");
  asker.ping();
  size_t all = 0;
  for (Client* each : {&one, &two}) {
    const std::vector<Message> got = each->messages_until_pong();
    EXPECT_FALSE(got.empty());
    all += got.size();
    for (const Message& request : got) publish(*each, request.reply);
  }
  EXPECT_EQ(all, 100u);
  EXPECT_EQ(asker.messages_until_pong().size(), 100u);
}

// 2.9.10 says nothing then, and the asker waits for its timeout.
TEST_P(AccountImports, AU_61_NoRespondersPassesThrough) {
  NUNCIO_OURS_ONLY();
  start_accounts(R"(exports: [ {service: "svc"} ])",
                 R"(imports: [ {service: {account: A, subject: "svc"}} ])");
  Client asker = connected({{"user", "b"}, {"pass", "p"}, {"no_responders", true}});
  subscribe(asker, "inbox.*");
  asker.send("PUB svc inbox.1 0\r\n\r\n");
  asker.expect("HMSG inbox.1 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n");
  asker.ping();
}

TEST_P(AccountImports, AU_61_AnUnansweredRequestIsForgotten) {
  start_accounts(R"(exports: [ {service: "svc", threshold: "200ms"} ])",
                 R"(imports: [ {service: {account: A, subject: "svc"}} ])", "",
                 "authorization { timeout: 1.5 }");
  Client service = as_listener("a", "svc");
  Client asker = as_listener("b", "inbox.*");
  const std::string reply = asked(asker, service);
  client().expect_error_and_close("Authentication Timeout");  // the fence: 1.5 s have gone by
  publish(service, reply, "late");
  asker.ping();
  asker.send("PUB svc inbox.2 0\r\n\r\n");
  asker.ping();
  publish(service, taken_request(service, "svc"), "in time");
  asker.expect("MSG inbox.2 1 7\r\nin time\r\n");
}

TEST_P(AccountImports, AU_61_TheAskersRightsHoldInItsAccountOnly) {
  start_config(R"(accounts {
  A { users = [ {user: a, password: p, permissions: {subscribe: svc, allow_responses: true}} ], exports: [ {service: svc} ] }
  B {
    users = [ {user: b, password: p, permissions: {publish: "here", subscribe: "inbox.*"}} ]
    imports: [ {service: {account: A, subject: svc}, to: here} ]
  }
})");
  Client service = as_listener("a", "svc");
  Client asker = as_listener("b", "inbox.*");
  expect_publish_refused(asker, "svc");
  expect_publish_refused(service, "_R_.guess");
  asker.send("PUB here inbox.1 0\r\n\r\n");
  asker.ping();
  publish(service, taken_request(service, "svc"), "ok");
  asker.expect("MSG inbox.1 1 2\r\nok\r\n");
}

// Nobody in the exporting account learns where the answer goes, nor can send there without having been asked.
TEST_P(AccountImports, AT_30_AGuessedReplyReachesNobody) {
  start_accounts(R"(exports: [ {service: "svc"} ])",
                 R"(imports: [ {service: {account: A, subject: "svc"}} ])");
  Client service = as_listener("a", "svc");
  Client asker = as_listener("b", "inbox.>");
  const std::string reply = asked(asker, service);
  Client other = as("c");
  publish(other, reply);
  Client same = as("b");
  publish(same, reply);
  publish(service, "inbox.1");
  publish(service, reply + "x");
  asker.ping();
  publish(service, reply, "ok");
  asker.expect("MSG inbox.1 1 2\r\nok\r\n");
}

Json request_info(const Message& request) {
  const size_t begin = request.header.find("\r\nNats-Request-Info: ");
  if (begin == std::string::npos) return Json::object();
  const size_t json = request.header.find('{', begin);
  return Json::parse(request.header.substr(json, request.header.find("\r\n", json) - json));
}

TEST_P(AccountImports, AU_64_ASharedServiceLearnsWhoAsks) {
  start_accounts(R"(exports: [ {service: "svc"} ])",
                 R"(imports: [ {service: {account: A, subject: "svc"}, share: true} ])");
  Client service = as_listener("a", "svc");
  Client asker = connected({{"user", "b"}, {"pass", "p"}, {"name", "curious"}, {"lang", "c++"}});
  asker.send("PUB svc inbox.1 1\r\nq\r\n");
  // What the asker itself says about it does not count.
  const std::string header = "NATS/1.0\r\nNats-Request-Info: {\"acc\":\"A\"}\r\n\r\n";
  asker.send(fmt::format("HPUB svc inbox.1 {} {}\r\n{}q\r\n", header.size(), header.size() + 1, header));
  asker.ping();
  for (int i = 0; i < 2; ++i) {
    const Message request = service.message();
    EXPECT_EQ(request.payload, "q");
    EXPECT_THAT(request.header, testing::StartsWith("NATS/1.0\r\n"));
    EXPECT_THAT(request.header, testing::EndsWith("}\r\n\r\n"));
    EXPECT_EQ(request.header.find("Nats-Request-Info"), request.header.rfind("Nats-Request-Info"));
    const Json info = request_info(request);
    EXPECT_EQ(info.value("acc", ""), "B");
    EXPECT_EQ(info.value("name", ""), "curious");
    EXPECT_EQ(info.value("lang", ""), "c++");
    EXPECT_EQ(info.value("host", ""), "127.0.0.1");
  }
}

TEST_P(AccountImports, AU_64_WhoAsksCannotBeForged) {
  start_accounts(R"(exports: [ {service: "svc"} ])",
                 R"(imports: [ {service: {account: A, subject: "svc"}, share: true} ])");
  Client service = as_listener("a", "svc");
  Client asker = as("b");
  for (const std::string_view reply : {"", "inbox.1 "}) {
    for (const std::string_view end : {"\r\n", "\n"}) {  // clients take a bare line feed for a line's end
      SCOPED_TRACE(fmt::format("{}{}", reply, end.size()));
      const std::string header =
          fmt::format("NATS/1.0{0}K: v{0}Nats-Request-Info: {{\"acc\":\"A\"}}{0}{0}", end);
      asker.send(fmt::format("HPUB svc {}{} {}\r\n{}q\r\n", reply, header.size(), header.size() + 1, header));
      asker.ping();
      const Message request = service.message();
      EXPECT_EQ(request.payload, "q");
      EXPECT_EQ(request.header.find("Nats-Request-Info"), request.header.rfind("Nats-Request-Info"));
      EXPECT_EQ(request_info(request).value("acc", ""), "B");
      EXPECT_THAT(request.header, testing::StartsWith("NATS/1.0\r\nK: v\r\n"));
    }
  }
}

TEST_P(AccountImports, AU_64_WithoutShareNoMoreThanTheAccount) {
  start_accounts(R"(exports: [ {service: "svc"} ])",
                 R"(imports: [ {service: {account: A, subject: "svc"}} ])");
  Client service = as_listener("a", "svc");
  Client asker = connected({{"user", "b"}, {"pass", "p"}, {"name", "curious"}});
  asker.send("PUB svc inbox.1 1\r\nq\r\n");
  asker.ping();
  const Json info = request_info(service.message());
  EXPECT_EQ(info.value("acc", "B"), "B");
  for (const auto& [key, value] : info.items()) EXPECT_THAT(key, testing::AnyOf("acc", "rtt"));
}

}  // namespace
}  // namespace nuncio::test
