// Subject mappings (AU-63): what is published on one subject goes to another.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>
#include <optional>

#include "harness.h"
#include "logins.h"
#include "rights.h"

namespace nuncio::test {
namespace {

class Mappings : public ServerTest {
 protected:
  // Where a publish on `subject` arrives.
  std::string arrival(std::string_view subject, Where where = Where::current()) {
    if (!listener_) {
      listener_.emplace(connected());
      subscribe(*listener_, ">", "1", where);
      publisher_.emplace(connected());
    }
    publish(*publisher_, subject, "x", where);
    const std::vector<Message> got = listener_->messages_until_pong(where);
    if (got.size() != 1) fail(fmt::format("{} messages", got.size()), where);
    return got[0].subject;
  }
  void start_mapped(std::string_view mappings) {
    listener_.reset();
    publisher_.reset();
    start_config(fmt::format("mappings = {{ {} }}", mappings));
  }

 private:
  std::optional<Client> listener_, publisher_;
};
NUNCIO_ON_EVERY_BACKEND(Mappings);

TEST_P(Mappings, AU_63_OneSubjectToAnother) {
  start_mapped("in: out, \"a.b\": \"c.d.e\"");
  EXPECT_EQ(arrival("in"), "out");
  EXPECT_EQ(arrival("a.b"), "c.d.e");
  EXPECT_EQ(arrival("a.b.c"), "a.b.c");
  EXPECT_EQ(arrival("out"), "out");
  EXPECT_EQ(arrival("In"), "In");
}

TEST_P(Mappings, AU_63_TheOldSubjectGetsNothing) {
  start_mapped("in: out");
  Client one = connected();
  subscribe(one, "in");
  Client two = connected();
  subscribe(two, "out");
  Client three = connected();
  three.send("PUB in reply.to 1\r\nx\r\nHPUB in 12 13\r\nNATS/1.0\r\n\r\ny\r\n");
  three.ping();
  two.expect("MSG out 1 reply.to 1\r\nx\r\nHMSG out 1 12 13\r\nNATS/1.0\r\n\r\ny\r\n");
  one.ping();
}

TEST_P(Mappings, AU_63_TokensByTheirNumber) {
  start_mapped(
      R"("bar.*.*": "baz.$2.$1", "w.*.*": "{{wildcard(2)}}.w.{{ wildcard( 1 ) }}", "t.*.>": "u.$1.>", "f.>": "g.>")");
  EXPECT_EQ(arrival("bar.a.b"), "baz.b.a");
  EXPECT_EQ(arrival("bar.a"), "bar.a");
  EXPECT_EQ(arrival("w.1.2"), "2.w.1");
  EXPECT_EQ(arrival("t.x.y.z"), "u.x.y.z");
  EXPECT_EQ(arrival("f.y.z"), "g.y.z");
}

TEST_P(Mappings, AU_63_APartitionIsTheReferences) {
  start_mapped(R"("part.*": "p.{{partition(10,1)}}.$1", "two.*.*": "q.{{partition(5,1,2)}}.$1.$2")");
  EXPECT_EQ(arrival("part.a"), "p.0.a");
  EXPECT_EQ(arrival("part.b"), "p.7.b");
  EXPECT_EQ(arrival("part.hello"), "p.3.hello");
  EXPECT_EQ(arrival("part.0123456789"), "p.2.0123456789");
  EXPECT_EQ(arrival("two.a.b"), "q.1.a.b");
  EXPECT_EQ(arrival("two.x.yz"), "q.3.x.yz");
  EXPECT_EQ(arrival("two.ab.c"), "q.1.ab.c");
}

TEST_P(Mappings, AU_63_SplittingTokens) {
  start_mapped(R"(
    "s.*": "o.{{split(1,-)}}"
    "fl.*": "o.{{splitfromleft(1,2)}}"
    "fr.*": "o.{{SplitFromRight(1,2)}}"
    "sl.*": "o.{{slicefromleft(1,3)}}"
    "sr.*": "o.{{SliceFromRight(1,3)}}"
  )");
  EXPECT_EQ(arrival("s.a-b--c"), "o.a.b.c");
  EXPECT_EQ(arrival("s.-ab-"), "o.ab");
  EXPECT_EQ(arrival("fl.abcde"), "o.ab.cde");
  EXPECT_EQ(arrival("fl.ab"), "o.ab");
  EXPECT_EQ(arrival("fr.abcde"), "o.abc.de");
  EXPECT_EQ(arrival("sl.1234567890"), "o.123.456.789.0");
  EXPECT_EQ(arrival("sr.1234567890"), "o.1.234.567.890");
}

// Younger than 2.9.10.
TEST_P(Mappings, AU_63_LeftAndRight) {
  NUNCIO_OURS_ONLY();
  start_mapped(R"("l.*": "o.{{left(1,2)}}", "r.*": "o.{{right(1,2)}}")");
  EXPECT_EQ(arrival("l.abcde"), "o.ab");
  EXPECT_EQ(arrival("r.abcde"), "o.de");
  EXPECT_EQ(arrival("l.a"), "o.a");
}

TEST_P(Mappings, AU_63_Weights) {
  start_mapped(R"(
    w: [ {destination: w.a, weight: "20%"}, {destination: w.b, weight: 40} ]
    all: [ {destination: all.a, weight: 50%}, {destination: all.b, weight: 50%} ]
    none: [ {destination: none.a, weight: 0%} ]
  )");
  const size_t messages = 2000;
  std::map<std::string, size_t> counts;
  Client listener = connected();
  subscribe(listener, ">");
  Client publisher = connected();
  for (const char* subject : {"w", "all", "none"}) {
    for (size_t i = 0; i < messages; ++i) publisher.send(fmt::format("PUB {} 0\r\n\r\n", subject));
    publisher.ping();
    for (const Message& each : listener.messages_until_pong()) ++counts[each.subject];
  }
  EXPECT_EQ(counts["w"] + counts["w.a"] + counts["w.b"], messages);  // the rest keeps its subject
  EXPECT_NEAR(static_cast<double>(counts["w"]), 800, 200);
  EXPECT_NEAR(static_cast<double>(counts["w.a"]), 400, 150);
  EXPECT_NEAR(static_cast<double>(counts["w.b"]), 800, 200);
  EXPECT_EQ(counts["all.a"] + counts["all.b"], messages);
  EXPECT_NEAR(static_cast<double>(counts["all.a"]), 1000, 200);
  EXPECT_EQ(counts["none"], messages);
}

TEST_P(Mappings, AU_63_OnlyInTheNamedCluster) {
  start_mapped(R"(c: [ {destination: c.a, weight: 100%, cluster: elsewhere} ])");
  EXPECT_EQ(arrival("c"), "c");
}

TEST_P(Mappings, AU_63_WhatIsWrongIsRefusedAtTheStart) {
  for (const char* mappings :
       {R"(x: [ {destination: a, weight: 60%}, {destination: b, weight: 60%} ])", R"(x: "a..b")",
        R"("x.*": "y.$2")", R"("a..b": x)", R"(x: [ {destination: a, weight: 101%} ])",
        R"(x: [ {weight: 10%} ])", R"("x.*": "y.{{wildcard(2)}}")", R"("x.*": "y.{{wildcard()}}")",
        R"("x.*": "y.{{nofunction(1)}}")", "x: 7"}) {
    SCOPED_TRACE(mappings);
    const Finished end = run_server(
        {.flags = {"-a", "127.0.0.1", "-p", "-1"}, .config = fmt::format("mappings = {{ {} }}", mappings)});
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_FALSE(end.err.empty());
  }
}

TEST_P(Mappings, AU_63_AT_30_OfOneAccountOnly) {
  start_config(R"(
accounts {
  A { users = [ {user: a, password: p} ], mappings = { in: out } }
  B { users = [ {user: b, password: p} ], maps = { in: [ {destination: elsewhere, weight: 100%} ] } }
  C { users = [ {user: c, password: p} ] }
}
)");
  for (const auto& [name, subject] : {std::pair{"a", "out"}, {"b", "elsewhere"}, {"c", "in"}}) {
    Client one = connected(user(name, "p"));
    subscribe(one, ">");
    one.send("PUB in 1\r\nx\r\n");
    one.expect(fmt::format("MSG {} 1 1\r\nx\r\n", subject));
    one.ping();
  }
}

// Longer than any subject can be: such a message stays what it was.
TEST_P(Mappings, AU_63_I6_AMappingThatGrowsWithoutEnd) {
  NUNCIO_OURS_ONLY();
  std::string destination = "\"m";
  for (int i = 0; i < 20; ++i) destination += ".$1";
  start_mapped("\"in.*\": " + destination + "\"");
  EXPECT_EQ(arrival("in.ab").size(), 1u + 20 * 3);
  const std::string token(3900, 'x');
  std::vector<Client> listeners;
  for (int i = 0; i < 4; ++i) subscribe(listeners.emplace_back(connected()), ">");
  Client one = connected();
  publish(one, "in." + token);
  publish(one, "in.ab");
  for (Client& listener : listeners) {
    EXPECT_EQ(listener.message().subject, "in." + token);
    EXPECT_EQ(listener.message().subject.size(), 1u + 20 * 3);
    listener.ping();
  }
}

}  // namespace
}  // namespace nuncio::test
