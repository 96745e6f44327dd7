// What a user may publish and subscribe: section 7 of the authentication specification, and the attacks on
// it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "limited.h"

namespace nuncio::test {
namespace {

class Permissions : public LimitedTest {};
NUNCIO_ON_EVERY_BACKEND(Permissions);

TEST_P(Permissions, AU_48_PublishDeniedIsToldAndDropped) {
  start_limited(R"(publish: {allow: ["foo.*", bar], deny: ["foo.secret", "foo.no*"]})");
  Client all = listener(">");
  Client one = lim();
  for (const char* subject : {"foo.a", "bar", "foo.secrets", "foo.Secret", "foo.no"}) {
    publish(one, subject);
    all.expect(fmt::format("MSG {} 1 1\r\nx\r\n", subject));
  }
  for (const char* subject : {"foo.secret", "foo", "foo.a.b", "bar.a", "Foo.a", "ba", "foo.no*"}) {
    expect_publish_refused(one, subject);
  }
  all.ping();
}

TEST_P(Permissions, AU_48_ARefusedPublishGetsNoOk) {
  start_limited("publish: ok");
  Client one = lim();
  one.send("CONNECT {\"verbose\":true,\"pedantic\":false,\"user\":\"lim\",\"pass\":\"p\"}\r\n");
  one.expect("+OK\r\n");
  one.send("PUB ok 0\r\n\r\nPUB no 0\r\n\r\nPUB ok 0\r\n\r\nPING\r\n");
  one.expect("+OK\r\n" + publish_violation("no") + "+OK\r\nPONG\r\n");
}

TEST_P(Permissions, AU_48_ARefusedMessageIsDroppedWholeWithItsHeader) {
  start_limited("publish: ok");
  Client all = listener(">");
  Client one = lim();
  one.send(
      "PUB no 22\r\nPUB ok 6\r\nnested\r\nxxxx\r\nHPUB no 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPUB ok 2\r\nhi\r\n");
  one.expect(publish_violation("no") + publish_violation("no"));
  one.ping();
  all.expect("MSG ok 1 2\r\nhi\r\n");
  all.ping();
}

TEST_P(Permissions, AU_48_OnlyADenyList) {
  start_limited(R"(publish: {deny: ["secret.>", "a.*.c"]})");
  Client all = listener(">");
  Client one = lim();
  for (const char* subject : {"secret", "anything", "a.b", "a.b.c.d"}) {
    publish(one, subject);
    all.expect(fmt::format("MSG {} 1 1\r\nx\r\n", subject));
  }
  for (const char* subject : {"secret.a", "secret.a.b", "a.b.c", "a.*.c"})
    expect_publish_refused(one, subject);
  all.ping();
}

TEST_P(Permissions, AU_48_CF_49_EveryFormOfALists) {
  for (const char* permissions :
       {"publish: ok, subscribe: ok", "pub: [ok], sub: [ok]", "import: {allow: ok}, export: {allow: ok}",
        R"(publish: {allow: ["ok"]}, subscribe: {allow: ["ok"]})",
        R"(publish: {deny: ["no", "no.>"]}, subscribe: {deny: ["no", "no.>"]})"}) {
    SCOPED_TRACE(permissions);
    start_limited(permissions);
    Client one = lim();
    subscribe(one, "ok");
    one.send("PUB ok 1\r\nx\r\n");
    one.expect("MSG ok 1 1\r\nx\r\n");
    expect_publish_refused(one, "no");
    expect_subscribe_refused(one, "no");
  }
}

TEST_P(Permissions, CF_48_CF_49_WhatIsWrongIsRefusedAtTheStart) {
  for (const char* permissions :
       {R"(publish: "foo..bar")", R"(publish: {allow: ["foo.>.bar"]})", R"(subscribe: {deny: [".foo"]})",
        R"(subscribe: "foo queue more")", "publish: 7", "allow_responses: {max: x}"}) {
    SCOPED_TRACE(permissions);
    const Finished end =
        run_server({.flags = {"-a", "127.0.0.1", "-p", "-1", "-t"},
                    .config = fmt::format(
                        "authorization {{ users = [ {{user: a, password: b, permissions: {{ {} }} }} ] }}",
                        permissions)});
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_FALSE(end.err.empty());
  }
}

TEST_P(Permissions, AU_49_WildcardsInAPublishedSubjectAreLiteral) {
  start_limited(R"(publish: {allow: ["foo.*"], deny: ["foo.secret"]})");
  Client all = listener("foo.*");
  Client one = lim();
  publish(one, "foo.*");
  all.expect("MSG foo.* 1 1\r\nx\r\n");
  expect_publish_refused(one, "*.secret");
  expect_publish_refused(one, "*.*");
  expect_publish_refused(one, "foo.*.*");
  all.ping();
}

TEST_P(Permissions, AU_50_OnlySubsetsOfWhatIsAllowed) {
  start_limited(R"(subscribe: {allow: ["foo.*", "bar.>", "baz", "*.tail"], deny: ["bar.no"]})");
  Client one = lim();
  int sid = 0;
  for (const char* subject :
       {"foo.a", "foo.*", "bar.>", "bar.a", "bar.a.b", "bar.*", "bar.*.x.>", "baz", "x.tail", "*.tail"}) {
    SCOPED_TRACE(subject);
    subscribe(one, subject, std::to_string(++sid));
  }
  for (const char* subject :
       {"foo", "foo.a.b", "foo.*.*", "*", ">", "*.a", "*.*", "bar", "baz.a", "Baz", "*.tail.>", "bar.no"}) {
    SCOPED_TRACE(subject);
    expect_subscribe_refused(one, subject);
  }
  Client other = free();
  for (const char* subject : {"foo", "foo.a.b", "x", "Baz", "bar.no"}) publish(other, subject);
  one.send("UNSUB 99\r\n");
  const std::vector<Message> got = one.messages_until_pong();
  for (const Message& each : got) EXPECT_NE(each.subject, "x");
  EXPECT_TRUE(got.empty()) << got.size();  // bar.> holds bar.no, which is withheld (AU-51)
}

// 2.9.10 takes the `>` for a token that `*` matches, and then delivers foo.x.y.
TEST_P(Permissions, AU_50_AT_25_AFullWildcardIsNoSubsetOfAPartialOne) {
  NUNCIO_OURS_ONLY();
  start_limited(R"(subscribe: {allow: ["foo.*", "a.*.c", "q.* work"]})");
  Client one = lim();
  for (const char* subject :
       {"foo.>", "foo.*.>", ">", "*", "*.>", "a.>", "a.*.>", "foo.*.x", "*.*", "a.*.*"}) {
    SCOPED_TRACE(subject);
    expect_subscribe_refused(one, subject);
    expect_subscribe_refused(one, subject, "queue");
  }
  expect_subscribe_refused(one, "q.>", "work");
  subscribe(one, "foo.*", "2");
  Client other = free();
  for (const char* subject : {"foo.x.y", "foo", "a.b.c", "q.x"}) publish(other, subject);
  one.ping();
  publish(other, "foo.x");
  one.expect("MSG foo.x 2 1\r\nx\r\n");
}

// An empty list admits nothing; the reference takes it for no list at all. As the same file must not mean two
// things, it is an error.
TEST_P(Permissions, AU_48_AU_50_AnEmptyAllowListIsNotTakenForEverything) {
  NUNCIO_OURS_ONLY();
  for (const char* rules : {"publish: {allow: []}", "subscribe: {allow: []}", "publish: []"}) {
    SCOPED_TRACE(rules);
    const Finished end = run_server(
        {.flags = {"-a", "127.0.0.1", "-p", "-1", "-t"},
         .config = fmt::format(
             "authorization {{ users = [ {{user: a, password: b, permissions: {{ {} }} }} ] }}", rules)});
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_THAT(end.err, testing::HasSubstr("empty"));
  }
}

TEST_P(Permissions, AU_51_AT_26_DeniedSubjectsAreWithheldFromWiderSubscriptions) {
  start_limited(R"(subscribe: {deny: ["foo.secret", "vault.>"]})");
  Client one = lim();
  subscribe(one, ">", "1");
  subscribe(one, "foo.*", "2");
  subscribe(one, "*.secret", "3");
  subscribe(one, "foo.* work", "4");
  subscribe(one, "vault", "5");
  expect_subscribe_refused(one, "foo.secret");
  expect_subscribe_refused(one, "foo.secret", "work");
  expect_subscribe_refused(one, "vault.>");
  expect_subscribe_refused(one, "vault.a");
  expect_subscribe_refused(one, "vault.*");
  Client other = free();
  for (const char* subject : {"foo.secret", "vault.a", "vault.a.b"}) {
    publish(other, subject);
    other.send(fmt::format("HPUB {} 12 12\r\nNATS/1.0\r\n\r\n\r\n", subject));
    other.ping();
  }
  one.ping();
  publish(other, "foo.open");
  EXPECT_EQ(one.messages_until_pong().size(), 3u);
  publish(other, "bar.secret");
  EXPECT_EQ(one.messages_until_pong().size(), 2u);
  publish(other, "vault");
  EXPECT_EQ(one.messages_until_pong().size(), 2u);
}

// A member that may not have the message does not swallow it for those who may.
TEST_P(Permissions, AU_51_AT_26_AQueueMemberThatMayNotHaveAMessage) {
  start_limited(R"(subscribe: {deny: ["foo.secret"]})");
  Client one = lim();
  subscribe(one, "foo.* work");
  Client two = free();
  subscribe(two, "foo.* work");
  Client other = free();
  size_t got = 0;
  for (int i = 0; i < 50; ++i) {
    publish(other, "foo.secret");
    one.ping();
    got += two.messages_until_pong().size();
  }
  EXPECT_EQ(got, 50u);
}

TEST_P(Permissions, AT_26_AReplySubjectThatLeadsToADeniedOne) {
  start_limited(R"(subscribe: {deny: ["foo.secret"]})");
  Client one = lim();
  subscribe(one, "foo.*");
  Client service = listener("ask");
  one.send("PUB ask foo.secret 0\r\n\r\n");
  one.ping();
  service.expect("MSG ask 1 foo.secret 0\r\n\r\n");
  publish(service, "foo.secret", "answer");
  one.ping();
  publish(service, "foo.open", "answer");
  one.expect("MSG foo.open 1 6\r\nanswer\r\n");
}

TEST_P(Permissions, AT_26_AMappingThatLeadsToADeniedSubject) {
  start_limited(R"(subscribe: {deny: ["foo.secret"]}, publish: {deny: ["foo.secret"]})",
                R"(mappings = { "way": "foo.secret" })");
  Client all = listener("foo.secret");
  Client one = lim();
  subscribe(one, "foo.*");
  Client other = free();
  publish(other, "way");
  all.expect("MSG foo.secret 1 1\r\nx\r\n");
  one.send("PUB way 1\r\nx\r\n");
  one.expect(publish_violation("foo.secret"));
  one.ping();
  all.ping();
}

TEST_P(Permissions, AU_52_QueuePermissions) {
  struct Case {
    const char* rules;
    std::vector<const char*> allowed;  // queues of a SUB foo; "" is the plain one
    std::vector<const char*> refused;
  };
  const std::vector<Case> cases{
      {R"(allow: ["foo"])", {"", "v1", "v2", "v1.x"}, {}},
      {R"(allow: ["foo v1"])", {"v1"}, {"", "v2", "v1.x", "V1"}},
      {R"(allow: ["foo *"])", {"v1", "v2"}, {"", "v1.x"}},
      {R"(allow: ["foo", "foo v1", "foo v1.>"])", {"", "v1", "v1.x", "v1.x.y"}, {"v2", "v2.v1"}},
      {R"(allow: ["foo"], deny: ["foo v1"])", {"", "v2", "v1.x"}, {"v1"}},
      {R"(deny: ["foo v1"])", {"", "v2", "v1.x"}, {"v1"}},
      {R"(deny: ["foo v1.>"])", {"", "v1", "v2"}, {"v1.x", "v1.x.y"}},
      {R"(deny: ["foo"])", {}, {"", "v1"}},
      {R"(allow: ["f* v1", "foo v2"], deny: ["foo v1"])", {"v2"}, {"", "v1"}},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.rules);
    start_limited(fmt::format("subscribe: {{ {} }}", each.rules));
    Client one = lim();
    for (const char* queue : each.allowed) {
      SCOPED_TRACE(queue);
      subscribe(one, fmt::format("foo {}", queue), "1");
      one.send("UNSUB 1\r\n");
    }
    for (const char* queue : each.refused) {
      SCOPED_TRACE(queue);
      expect_subscribe_refused(one, "foo", queue);
    }
    one.ping();  // the last UNSUB holds
    Client other = free();
    publish(other, "foo");
    one.ping();
  }
}

TEST_P(Permissions, AU_54_PublishRulesDoNotHoldForReceiving) {
  start_limited(R"(publish: {allow: "ok", deny: ["foo", "inbox.>"]})");
  Client one = lim();
  subscribe(one, "foo");
  Client other = free();
  publish(other, "foo");
  one.expect("MSG foo 1 1\r\nx\r\n");
}

TEST_P(Permissions, AU_54_AnswersOfTheServerNeedNoPermission) {
  start_limited(R"(publish: "ask", subscribe: "inbox.*")");
  Client one = connected({{"user", "lim"}, {"pass", "p"}, {"no_responders", true}});
  subscribe(one, "inbox.1");
  one.send("PUB ask inbox.1 0\r\n\r\n");
  one.expect("HMSG inbox.1 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n");
}

TEST_P(Permissions, AU_55_WithoutPermissionsEverythingInTheAccount) {
  start_limited("publish: {deny: \">\"}, subscribe: {deny: \">\"}");
  Client one = free();
  subscribe(one, ">");
  one.send("PUB any.thing at.all 1\r\nx\r\n");
  one.expect("MSG any.thing 1 at.all 1\r\nx\r\n");
  Client two = lim();
  expect_publish_refused(two, "any.thing");
  expect_subscribe_refused(two, "any.thing");
  expect_subscribe_refused(two, ">");
}

TEST_P(Permissions, AU_56_TheMappedSubjectIsJudged) {
  start_limited(R"(publish: {allow: "in"})", "mappings = { in: out }");
  Client one = lim();
  one.send("PUB in 1\r\nx\r\n");
  one.expect(publish_violation("out"));
  one.ping();
  start_limited(R"(publish: {allow: "out"})", "mappings = { in: out }");
  Client all = listener(">");
  Client two = lim();
  publish(two, "in");
  all.expect("MSG out 1 1\r\nx\r\n");
  expect_publish_refused(two, "other");
  all.ping();
}

// A PUB in the same read as CONNECT is mapped like any other; 2.9.10 forgets to.
TEST_P(Permissions, AU_56_InTheSameReadAsConnect) {
  NUNCIO_OURS_ONLY();
  start_limited(R"(publish: {allow: "out"})", "mappings = { in: out }");
  Client all = listener(">");
  Client one = client();
  one.send("CONNECT {\"verbose\":false,\"user\":\"lim\",\"pass\":\"p\"}\r\nPUB in 1\r\nx\r\n");
  one.ping();
  all.expect("MSG out 1 1\r\nx\r\n");
}

// More subjects than any cache holds, allowed and denied by turns, each twice.
TEST_P(Permissions, AU_57_ManySubjectsAreJudgedRight) {
  start_limited(R"(publish: {allow: ["ok.*", "both.*"], deny: ["both.1*", "both.secret"]})");
  Client all = listener(">");
  Client one = lim();
  const size_t subjects = scaled(3000);
  std::string sent;
  std::string refused;
  for (size_t i = 0; i < subjects; ++i) {
    const std::string pair = fmt::format("PUB ok.{} 0\r\n\r\nPUB no.{} 0\r\n\r\n", i, i);
    sent += pair + "PUB both.secret 0\r\n\r\n" + pair;
    refused += publish_violation(fmt::format("no.{}", i)) + publish_violation("both.secret") +
               publish_violation(fmt::format("no.{}", i));
    if (sent.size() < 100'000 && i + 1 < subjects) continue;
    one.send(sent);
    one.expect(refused);
    one.ping();
    sent.clear();
    refused.clear();
  }
  const std::vector<Message> got = all.messages_until_pong();
  EXPECT_EQ(got.size(), 2 * subjects);
  for (const Message& each : got) ASSERT_TRUE(each.subject.starts_with("ok."));
}

TEST_P(Permissions, CF_51_DefaultPermissionsAreTakenAsAWhole) {
  for (const char* key : {"default_permissions", "default_permission", "permissions"}) {
    SCOPED_TRACE(key);
    start_config(fmt::format(R"(
authorization {{
  {}: {{publish: "d.pub", subscribe: "d.sub"}}
  users = [
    {{user: plain, password: p}}
    {{user: own, password: p, permissions: {{publish: "o.pub"}} }}
  ]
}})",
                             key));
    Client one = connected(user("plain", "p"));
    publish(one, "d.pub");
    subscribe(one, "d.sub");
    expect_publish_refused(one, "o.pub");
    expect_subscribe_refused(one, "x");
    Client two = connected(user("own", "p"));
    publish(two, "o.pub");
    expect_publish_refused(two, "d.pub");
    subscribe(two, "anything.>");  // not merged with the default
  }
}

TEST_P(Permissions, CP_66_ReservedRepliesAreRefused) {
  start_limited("publish: \"a\"");
  Client all = listener(">");
  for (const char* name : {"lim", "free"}) {
    SCOPED_TRACE(name);
    Client one = connected(user(name, "p"));
    for (const char* reply : {"_R_.abc", "$JS.ACK.x.y", "_GR_.a.b.c"}) {
      SCOPED_TRACE(reply);
      one.send(fmt::format("PUB a {} 1\r\nx\r\n", reply));
      one.expect(reply_violation(reply));
      one.send(fmt::format("HPUB a {} 12 12\r\nNATS/1.0\r\n\r\n\r\n", reply));
      one.expect(reply_violation(reply));
      one.ping();
    }
  }
  all.ping();
}

TEST_P(Permissions, CP_66_TextsAndQuoting) {
  start_limited("publish: ok, subscribe: ok");
  Client one = lim();
  for (const auto& [subject, quoted] : {std::pair<std::string, std::string>{"a\"b", "a\\\"b"},
                                        {"a\\b", "a\\\\b"},
                                        {"a\xff", "a\\xff"},
                                        {"a\x01", "a\\x01"},
                                        {"J\xc3\xb6rg", "J\xc3\xb6rg"},
                                        {"a'b", "a'b"}}) {
    SCOPED_TRACE(printable(subject));
    one.send("PUB " + subject + " 0\r\n\r\n");
    one.expect(publish_violation(quoted));
    one.send("SUB " + subject + " 1\r\n");
    one.expect(subscribe_violation(quoted));
    one.send("SUB x " + subject + " 1\r\n");
    one.expect(subscribe_violation("x", quoted));
  }
  one.ping();
}

TEST_P(Permissions, CP_66_TheSystemsQueueIsForNobody) {
  start_limited("publish: ok");
  for (const char* name : {"lim", "free"}) {
    Client one = connected(user(name, "p"));
    expect_subscribe_refused(one, "foo", "_sys_");
    publish(one, "ok");
  }
}

TEST_P(Permissions, CP_66_ARefusalIsLogged) {
  start_limited("publish: ok, subscribe: ok");
  Client one = lim();
  expect_publish_refused(one, "no.pub");
  expect_subscribe_refused(one, "no.sub");
  server().wait_for_log("Publish Violation");
  server().wait_for_log("Subscription Violation");
  EXPECT_THAT(server().log(), testing::ContainsRegex("Publish Violation.*[Uu]ser \"lim\".*no\\.pub"));
  EXPECT_THAT(server().log(), testing::ContainsRegex("Subscription Violation.*[Uu]ser \"lim\".*no\\.sub"));
}

// Permission check and index agree on what a subject is: whatever looks like the denied one is not delivered
// to who listens there, and what is delivered has the subject that was allowed.
TEST_P(Permissions, AT_31_OddSubjects) {
  start_limited(R"(publish: {allow: ["odd.>"], deny: ["odd.secret", "odd.*.secret", "odd.vault.>"]})");
  Client secrets = listener("odd.secret");
  subscribe(secrets, "odd.*.secret", "2");
  subscribe(secrets, "odd.vault.>", "3");
  Client all = listener(">");
  Client one = lim();
  std::string thousands = "odd";
  while (thousands.size() < 3900) thousands += ".t";
  for (const std::string& subject :
       {thousands, thousands + ".secret", std::string("odd..secret"), std::string("odd.secret."),
        std::string("odd..vault.x"), std::string(".odd.secret"), std::string("odd.vault."),
        std::string("odd.vault.>"), std::string("odd.*.secret"), std::string("odd.>"), std::string("odd.s*"),
        std::string("odd.secret\xff"), std::string("odd.\xff.secret"), std::string("odd.secret\0", 11),
        std::string("odd.\0.secret", 12), std::string("odd.a>b"),
        std::string("odd.se\x01"
                    "cret")}) {
    SCOPED_TRACE(printable(subject));
    one.send("PUB " + subject + " 0\r\n\r\n");
    const std::string answer = one.until_pong();
    const std::vector<Message> got = all.messages_until_pong();
    if (!answer.empty()) {
      EXPECT_THAT(answer, testing::StartsWith("-ERR '"));
      EXPECT_TRUE(got.empty());
    }
    for (const Message& each : got) EXPECT_EQ(each.subject, subject);
  }
  secrets.ping();
}

TEST_P(Permissions, AU_18_AT_20_ASecondConnectNeverMixesRights) {
  start_limited("publish: {deny: \"secret\"}, subscribe: {deny: \"secret\"}");
  Client listening = listener("secret");
  const std::string as_free = "CONNECT {\"verbose\":false,\"user\":\"free\",\"pass\":\"p\"}\r\n";
  const std::string as_lim = "CONNECT {\"verbose\":false,\"user\":\"lim\",\"pass\":\"p\"}\r\n";
  Client one = client();
  one.send(as_free + as_lim + "PUB secret 1\r\nx\r\nPING\r\n");
  const std::string answer = one.line();
  // As lim, or closed because it would be somebody else (CP-17).
  EXPECT_TRUE(answer + "\r\n" == publish_violation("secret") || answer == "-ERR 'Authorization Violation'")
      << answer;
  listening.ping();
}

TEST_P(Permissions, AU_16_TheNoAuthUserHasItsRights) {
  start_config(R"(
authorization { users = [ {user: guest, password: p, permissions: {publish: "ok"}}, {user: b, password: q} ] }
no_auth_user: guest
)");
  Client one = connected();
  publish(one, "ok");
  expect_publish_refused(one, "no");
  Client silent = client();
  silent.send("PUB no 0\r\n\r\n");
  silent.expect(publish_violation("no"));
}

TEST_P(Permissions, AU_19_ConnectionTypesBeforeThePassword) {
  start_config(R"(
authorization { users = [
  {user: std, password: p, allowed_connection_types: ["standard"]}
  {user: both, password: p, connection_types: ["WEBSOCKET", "Standard"]}
  {user: web, password: p, allowed_connection_types: [WEBSOCKET]}
  {user: leaf, password: p, clients: [LEAFNODE, MQTT]}
] }
)");
  connected(user("std", "p"));
  connected(user("both", "p"));
  client().connect_refused(user("web", "p"));
  client().connect_refused(user("leaf", "p"));
  client().connect_refused(user("std", "x"));
}

TEST_P(Permissions, AU_19_CF_52_AnUnknownConnectionTypeIsAnError) {
  const Finished end = run_server(
      {.flags = {"-a", "127.0.0.1", "-p", "-1", "-t"},
       .config = "authorization { users = [ {user: a, password: b, allowed_connection_types: [PIGEON]} ] }"});
  EXPECT_EQ(end.exit_status, 1);
  EXPECT_THAT(end.err, testing::HasSubstr("PIGEON"));
}

}  // namespace
}  // namespace nuncio::test
