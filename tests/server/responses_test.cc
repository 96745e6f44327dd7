// What a user may answer: allow_responses (AU-53), and whose rights count where a reply leads (AT-27).
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "limited.h"

namespace nuncio::test {
namespace {

class Responses : public LimitedTest {};
NUNCIO_ON_EVERY_BACKEND(Responses);

// A service that may answer what it is asked and publish nothing else.
constexpr std::string_view responder = R"(subscribe: "req", allow_responses: )";

TEST_P(Responses, AU_53_AT_28_OneAnswerToAReplyThatWasReceived) {
  start_limited(std::string(responder) + "true");
  Client one = lim();
  subscribe(one, "req");
  Client asker = listener("inbox.>");
  expect_publish_refused(one, "inbox.1");  // never received
  asker.send("PUB req inbox.1 0\r\n\r\n");
  one.expect("MSG req 1 inbox.1 0\r\n\r\n");
  expect_publish_refused(one, "inbox.2");
  expect_publish_refused(one, "inbox.1.x");
  publish(one, "inbox.1", "answer");
  asker.expect("MSG inbox.1 1 6\r\nanswer\r\n");
  expect_publish_refused(one, "inbox.1");  // once
  asker.send("HPUB req inbox.3 12 12\r\nNATS/1.0\r\n\r\n\r\n");
  one.expect("HMSG req 1 inbox.3 12 12\r\nNATS/1.0\r\n\r\n\r\n");
  publish(one, "inbox.3", "answer");
  asker.expect("MSG inbox.3 1 6\r\nanswer\r\n");
  asker.ping();
}

TEST_P(Responses, AU_53_AT_28_NoMoreThanMax) {
  for (const char* key : {"max", "max_msgs", "max_messages", "max_responses"}) {
    SCOPED_TRACE(key);
    start_limited(fmt::format("{}{{{}: 3}}", responder, key));
    Client one = lim();
    subscribe(one, "req");
    Client asker = listener("inbox.>");
    for (const char* reply : {"inbox.1", "inbox.2"}) {
      asker.send(fmt::format("PUB req {} 0\r\n\r\n", reply));
      one.expect(fmt::format("MSG req 1 {} 0\r\n\r\n", reply));
    }
    for (int i = 0; i < 3; ++i) publish(one, "inbox.1");
    expect_publish_refused(one, "inbox.1");
    for (int i = 0; i < 3; ++i) publish(one, "inbox.2");
    expect_publish_refused(one, "inbox.2");
    EXPECT_EQ(asker.messages_until_pong().size(), 6u);
  }
}

TEST_P(Responses, AU_53_NegativeMaxAndExpiryAreWithoutLimit) {
  start_limited(std::string(responder) + R"({max: -1, expires: "-1s"})");
  Client one = lim();
  subscribe(one, "req");
  Client asker = listener("inbox.>");
  asker.send("PUB req inbox.1 0\r\n\r\n");
  one.expect("MSG req 1 inbox.1 0\r\n\r\n");
  for (int i = 0; i < 100; ++i) one.send("PUB inbox.1 1\r\nx\r\n");
  one.ping();
  EXPECT_EQ(asker.messages_until_pong().size(), 100u);
}

TEST_P(Responses, AU_53_AT_28_NotAfterItExpired) {
  for (const char* key : {"expires", "expiration", "ttl"}) {
    SCOPED_TRACE(key);
    start_limited(fmt::format("{}{{max: -1, {}: \"300ms\"}}", responder, key));
    Client one = lim();
    subscribe(one, "req");
    Client asker = listener("inbox.>");
    asker.send("PUB req inbox.1 0\r\n\r\n");
    one.expect("MSG req 1 inbox.1 0\r\n\r\n");
    std::string answer;
    server().wait_until(
        [&] {
          one.send("PUB inbox.1 1\r\nx\r\n");
          answer = one.until_pong();
          return !answer.empty();
        },
        "the end of a permit to answer");
    EXPECT_EQ(answer, publish_violation("inbox.1"));
    expect_publish_refused(one, "inbox.1");
  }
}

TEST_P(Responses, AU_53_AT_28_WhatAnotherConnectionOfTheUserReceivedCountsForNothing) {
  start_limited(std::string(responder) + "true");
  Client one = lim();
  subscribe(one, "req");
  Client two = lim();
  Client asker = listener("inbox.>");
  asker.send("PUB req inbox.1 0\r\n\r\n");
  one.expect("MSG req 1 inbox.1 0\r\n\r\n");
  expect_publish_refused(two, "inbox.1");
  publish(one, "inbox.1");
  asker.expect("MSG inbox.1 1 1\r\nx\r\n");
}

TEST_P(Responses, AU_53_WhateverTheListsSay) {
  start_limited(R"(publish: {allow: "ok", deny: "inbox.>"}, subscribe: "req", allow_responses: true)");
  Client one = lim();
  subscribe(one, "req");
  Client asker = listener("inbox.>");
  expect_publish_refused(one, "inbox.1");
  asker.send("PUB req inbox.1 0\r\n\r\n");
  one.expect("MSG req 1 inbox.1 0\r\n\r\n");
  publish(one, "inbox.1");
  asker.expect("MSG inbox.1 1 1\r\nx\r\n");
  publish(one, "ok");
}

TEST_P(Responses, AU_53_CF_50_AloneItClosesPublishToEverythingElse) {
  start_limited(R"(allow_responses: true)");
  Client one = lim();
  expect_publish_refused(one, "anything");
  start_limited(R"(allow_responses: true, publish: {deny: "no"})");
  Client only_deny = lim();
  expect_publish_refused(only_deny, "anything");
  start_limited(R"(allow_responses: true, publish: {allow: "ok"})");
  Client two = lim();
  publish(two, "ok");
  expect_publish_refused(two, "no");
  start_limited(R"(publish_allow_responses: false)");
  Client three = lim();
  publish(three, "anything");
}

// Requests that are never answered are forgotten some time; the latest never before its time.
TEST_P(Responses, AU_53_UnansweredRequestsDoNotPushOutTheLatest) {
  start_limited(std::string(responder) + R"({max: 1, expires: "30s"})");
  Client one = lim();
  subscribe(one, "req");
  Client asker = listener("inbox.>");
  const size_t requests = scaled(5000);
  for (size_t i = 1; i <= requests; ++i) asker.send(fmt::format("PUB req inbox.{} 0\r\n\r\n", i));
  asker.ping();
  EXPECT_EQ(one.messages_until_pong().size(), requests);
  publish(one, fmt::format("inbox.{}", requests));
  asker.expect(fmt::format("MSG inbox.{} 1 1\r\nx\r\n", requests));
}

// The reply subject is not judged by the publisher's rights: who answers uses its own (AT-27).
TEST_P(Responses, AT_27_TheRightsOfWhoAnswersCount) {
  start_limited(R"(publish: ["ask"], subscribe: ["inbox.>"])");
  Client one = lim();
  subscribe(one, "inbox.>");
  Client service = listener("ask");
  one.send("PUB ask inbox.1 0\r\n\r\n");  // which lim may not publish to
  one.ping();
  service.expect("MSG ask 1 inbox.1 0\r\n\r\n");
  publish(service, "inbox.1", "answer");
  one.expect("MSG inbox.1 1 6\r\nanswer\r\n");

  subscribe(one, "inbox.> q", "2");
  service.send("PUB inbox.2 not.yours 0\r\n\r\n");  // lim is asked and may not answer there
  service.ping();
  EXPECT_EQ(one.messages_until_pong().size(), 2u);
  expect_publish_refused(one, "not.yours");
}

}  // namespace
}  // namespace nuncio::test
