#include "auth/permissions.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "auth/auth_table.h"
#include "auth/nkey.h"
#include "auth/subject_set.h"
#include "core/nkey_text.h"
#include "core/subject.h"
#include "tests/auth/login.h"

namespace nuncio::auth {
namespace {

using Subscribing = Permissions::Subscribing;
using Subjects = std::vector<std::string>;

std::shared_ptr<const Permissions> publishing(std::optional<Subjects> allow, Subjects deny = {}) {
  PermissionOptions options;
  options.publish = {std::move(allow), std::move(deny)};
  return Permissions::make(options);
}

std::shared_ptr<const Permissions> subscribing(std::optional<Subjects> allow, Subjects deny = {}) {
  PermissionOptions options;
  options.subscribe = {std::move(allow), std::move(deny)};
  return Permissions::make(options);
}

// Which of plain, v1, v2 and v1.x may be used to subscribe `subject`.
std::string queues_allowed(const Permissions& permissions, std::string_view subject) {
  std::string allowed;
  for (const std::string_view queue : {"", "v1", "v2", "v1.x"}) {
    if (permissions.may_subscribe(subject, queue) == Subscribing::refused) continue;
    allowed += queue.empty() ? "plain" : fmt::format(" {}", queue);
  }
  return allowed;
}

ResponseRules responses(int64_t max, std::chrono::nanoseconds expires = std::chrono::seconds(1)) {
  return {.max = max, .expires = expires};
}

constexpr int64_t second = 1'000'000'000;

}  // namespace

TEST(Permissions, AU_48_PublishNeedsAnAllowAndNoDeny) {
  const auto both = publishing(Subjects{"a.*", "b", "c.>"}, {"a.secret", "c.*.x"});
  for (const std::string_view subject : {"a.b", "b", "c.d", "c.d.y", "c.d.x.z"})
    EXPECT_TRUE(both->may_publish(subject)) << subject;
  for (const std::string_view subject : {"a", "a.b.c", "a.secret", "b.b", "bb", "c", "c.d.x", "d", ""})
    EXPECT_FALSE(both->may_publish(subject)) << subject;
  EXPECT_TRUE(both->restricts_publish());

  const auto only_deny = publishing({}, {"a.>"});
  EXPECT_TRUE(only_deny->may_publish("b"));
  EXPECT_TRUE(only_deny->may_publish("a"));
  EXPECT_FALSE(only_deny->may_publish("a.b"));
  EXPECT_TRUE(only_deny->restricts_publish());
  EXPECT_FALSE(subscribing(Subjects{"a"})->restricts_publish());
}

TEST(Permissions, AU_48_AnEmptyAllowListAdmitsNothing) {
  const auto none = publishing(Subjects{});
  EXPECT_TRUE(none->restricts_publish());
  EXPECT_FALSE(none->may_publish("a"));
  EXPECT_EQ(subscribing(Subjects{})->may_subscribe("a", ""), Subscribing::refused);
  EXPECT_EQ(subscribing(Subjects{})->may_subscribe("a", "q"), Subscribing::refused);
  EXPECT_EQ(subscribing({})->may_subscribe("a", ""), Subscribing::allowed);
}

TEST(Permissions, AU_49_WildcardsInAPublishedSubjectAreOrdinaryCharacters) {
  const auto allow = publishing(Subjects{"foo.*"});
  EXPECT_TRUE(allow->may_publish("foo.*"));
  EXPECT_FALSE(allow->may_publish("*.a"));
  EXPECT_FALSE(publishing(Subjects{"foo.bar"})->may_publish("foo.*"));
  EXPECT_TRUE(publishing(Subjects{"foo.>"})->may_publish("foo.>"));
  const auto deny = publishing({}, {"foo.*"});
  EXPECT_FALSE(deny->may_publish("foo.*"));
  EXPECT_FALSE(deny->may_publish("foo.>"));
  EXPECT_TRUE(publishing({}, {"foo.bar"})->may_publish("foo.*"));
}

TEST(Permissions, AU_50_PublishToATailWildcardNeedsOneInTheAllow) {
  EXPECT_FALSE(publishing(Subjects{"foo.*"})->may_publish("foo.>"));
  EXPECT_FALSE(publishing(Subjects{"*"})->may_publish(">"));
}

TEST(Permissions, AU_50_SubscribeNeedsASupersetAmongTheAllowed) {
  const auto allow = subscribing(Subjects{"foo.*", "a.>", "b.x", "b.y"});
  for (const std::string_view subject : {"foo.*", "foo.bar", "a.*", "a.>", "a.b.c", "a.*.>", "b.x"})
    EXPECT_EQ(allow->may_subscribe(subject, ""), Subscribing::allowed) << subject;
  for (const std::string_view subject : {"foo", "a", "b.*", "*.x", "c"})
    EXPECT_EQ(allow->may_subscribe(subject, ""), Subscribing::refused) << subject;
}

TEST(Permissions, AT_25_SupersetsOfTheAllowedAreRefused) {
  const auto allow = subscribing(Subjects{"foo.*"});
  for (const std::string_view subject : {"foo.>", "*", ">", "foo.*.x", "*.*", "*.>"}) {
    EXPECT_EQ(allow->may_subscribe(subject, ""), Subscribing::refused) << subject;
    EXPECT_EQ(allow->may_subscribe(subject, "q"), Subscribing::refused) << subject;
  }
}

TEST(Permissions, AU_51_AWiderSubscriptionIsFilteredOnlyWhenADenyOverlaps) {
  const auto deny = subscribing({}, {"foo.secret", "*.hidden", "bar.* v1"});
  EXPECT_TRUE(deny->withholds());
  for (const std::string_view subject : {"foo.*", ">", "foo.>", "x.*", "*.*"})
    EXPECT_EQ(deny->may_subscribe(subject, ""), Subscribing::filtered) << subject;
  for (const std::string_view subject : {"foo.secret", "*.hidden", "x.hidden"})
    EXPECT_EQ(deny->may_subscribe(subject, ""), Subscribing::refused) << subject;
  for (const std::string_view subject : {"foo.x", "*", "x.*.*", "bar.x", "foo.*.>"})
    EXPECT_EQ(deny->may_subscribe(subject, ""), Subscribing::allowed) << subject;
  EXPECT_FALSE(deny->may_receive("foo.secret"));
  EXPECT_FALSE(deny->may_receive("foo.hidden"));
  EXPECT_TRUE(deny->may_receive("foo.x"));
  EXPECT_TRUE(deny->may_receive("bar.x"));
  EXPECT_FALSE(subscribing({}, {"bar.* v1"})->withholds());
}

TEST(Permissions, AT_26_WhatIsDeniedIsWithheldFromWildcardAndQueueSubscriptions) {
  const auto both = subscribing(Subjects{"foo.>"}, {"foo.secret"});
  for (const std::string_view subject : {"foo.*", "foo.>"})
    for (const std::string_view queue : {"", "q"})
      EXPECT_EQ(both->may_subscribe(subject, queue), Subscribing::filtered) << subject << " " << queue;
  EXPECT_EQ(both->may_subscribe("foo.secret", "q"), Subscribing::refused);
  EXPECT_FALSE(both->may_receive("foo.secret"));
}

TEST(Permissions, AU_52_QueuesInAllowLists) {
  EXPECT_EQ(queues_allowed(*subscribing(Subjects{"foo"}), "foo"), "plain v1 v2 v1.x");
  EXPECT_EQ(queues_allowed(*subscribing(Subjects{"foo v1"}), "foo"), " v1");
  EXPECT_EQ(queues_allowed(*subscribing(Subjects{"foo *"}), "foo"), " v1 v2");
  EXPECT_EQ(queues_allowed(*subscribing(Subjects{"foo >"}), "foo"), " v1 v2 v1.x");
  EXPECT_EQ(queues_allowed(*subscribing(Subjects{"foo", "foo v1", "foo v1.>"}), "foo"), "plain v1 v1.x");
  const auto mixed = subscribing(Subjects{"foo.* v1", "foo.bar"});
  EXPECT_EQ(queues_allowed(*mixed, "foo.bar"), "plain v1");
  EXPECT_EQ(queues_allowed(*mixed, "foo.*"), " v1");
  EXPECT_EQ(queues_allowed(*mixed, "foo.>"), "");
}

TEST(Permissions, AU_52_QueuesInDenyLists) {
  EXPECT_EQ(queues_allowed(*subscribing({}, {"foo v1"}), "foo"), "plain v2 v1.x");
  EXPECT_EQ(queues_allowed(*subscribing({}, {"foo v1.*"}), "foo"), "plain v1 v2");
  EXPECT_EQ(queues_allowed(*subscribing({}, {"foo *"}), "foo"), "plain v1.x");
  EXPECT_EQ(queues_allowed(*subscribing({}, {"> v1"}), "foo.bar"), "plain v2 v1.x");
  EXPECT_EQ(queues_allowed(*subscribing({}, {"foo"}), "foo"), "");
  // nats-server lets v2 through here.
  EXPECT_EQ(queues_allowed(*subscribing({}, {"foo", "foo v1"}), "foo"), "");
  EXPECT_EQ(queues_allowed(*subscribing(Subjects{"foo"}, {"foo v1"}), "foo"), "plain v2 v1.x");
  EXPECT_EQ(queues_allowed(*subscribing(Subjects{"foo v1"}, {"foo"}), "foo"), "");
}

TEST(Permissions, AU_52_ADenyOfAQueueIsNotAppliedAtDelivery) {
  const auto deny = subscribing({}, {"foo.secret v1"});
  EXPECT_EQ(deny->may_subscribe("foo.*", "v1"), Subscribing::allowed);
  EXPECT_TRUE(deny->may_receive("foo.secret"));
}

TEST(Permissions, AU_53_ResponsesAreApartFromTheLists) {
  PermissionOptions options;
  EXPECT_FALSE(Permissions::make(options)->responses());
  options.publish.allow.emplace();  // as the configuration has it beside allow_responses
  options.responses = responses(3);
  EXPECT_FALSE(Permissions::make(options)->may_publish("a"));
  ASSERT_TRUE(Permissions::make(options)->responses());
  EXPECT_EQ(Permissions::make(options)->responses()->max, 3);
}

TEST(Permissions, AT_31_SubjectsOfOddBytesAndLengthsMeanWhatTheyMeanToTheIndex) {
  const std::string nul("a\0b", 3);
  const auto allow = publishing(Subjects{"foo*", "\xff.*", nul, "deep.>"});
  EXPECT_TRUE(allow->may_publish("foo*"));
  EXPECT_FALSE(allow->may_publish("foobar"));
  EXPECT_TRUE(allow->may_publish("\xff.\xfe"));
  EXPECT_TRUE(allow->may_publish(nul));
  EXPECT_FALSE(allow->may_publish("a"));
  std::string thousands = "deep";
  for (int i = 0; i < 5000; ++i) thousands += ".x";
  EXPECT_TRUE(allow->may_publish(thousands));
  EXPECT_FALSE(allow->may_publish(thousands + "."));
  for (const std::string_view subject : {"deep.", "deep..x", ".deep", "deep.x..y", "\xff."})
    EXPECT_FALSE(allow->may_publish(subject)) << subject;
  // What no subscription can match is denied by none either.
  EXPECT_TRUE(publishing({}, {">"})->may_publish("a..b"));
}

TEST(Permissions, AU_57_EqualRulesHaveOneIdentity) {
  PermissionOptions one;
  one.publish = {Subjects{"a", "b"}, {"c"}};
  PermissionOptions other = one;
  other.publish.allow = Subjects{"b", "a", "b"};
  EXPECT_EQ(Permissions::make(one)->identity(), Permissions::make(other)->identity());
  EXPECT_EQ(Permissions::make(one)->identity(), Permissions::identity_of(one));
  const auto differs = [&](auto change) {
    PermissionOptions changed = one;
    change(changed);
    return Permissions::identity_of(changed) != Permissions::identity_of(one);
  };
  EXPECT_TRUE(differs([](PermissionOptions& o) { o.publish.allow = Subjects{"ab"}; }));
  EXPECT_TRUE(differs([](PermissionOptions& o) { o.subscribe.allow = Subjects{}; }));
  EXPECT_TRUE(differs([](PermissionOptions& o) { std::swap(o.publish, o.subscribe); }));
  EXPECT_TRUE(differs([](PermissionOptions& o) { o.publish.deny = {}; }));
  EXPECT_TRUE(differs([](PermissionOptions& o) { o.responses = ResponseRules{}; }));
}

TEST(Permissions, AU_57_UsersWithEqualRightsShareThem) {
  const KeyPair key = make_key_pair(nkey_prefix_user);
  AuthorizationOptions options = users({{"a", "p"}, {"b", "p"}, {"c", "p"}, {"d", "p"}});
  options.users.emplace_back().nkey = key.public_key;
  for (UserOptions& user : options.users) user.permissions.emplace().publish.allow = Subjects{"x"};
  options.users[2].permissions->publish.allow = Subjects{"y"};
  options.users[3].permissions.reset();
  const auto made = table(options);
  ASSERT_NE(made, nullptr);
  const auto rights_of = [&](std::string_view name) {
    return decide(*made, given(name, "p")).login.user->permissions;
  };
  ASSERT_NE(rights_of("a"), nullptr);
  EXPECT_EQ(rights_of("a"), rights_of("b"));
  ASSERT_NE(rights_of("c"), nullptr);
  EXPECT_NE(rights_of("a"), rights_of("c"));
  EXPECT_EQ(rights_of("d"), nullptr);  // AU-55
  Credentials by_key;
  by_key.nkey = key.public_key;
  by_key.signature = encode_signature(*sign(key.seed, "nonce"));
  const Decision decision = decide(*made, by_key, "nonce");
  ASSERT_NE(decision.login.user, nullptr);
  EXPECT_EQ(decision.login.user->permissions, rights_of("a"));
}

TEST(SubjectSet, AU_50_AgreesWithComparingEveryEntry) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const auto subject = [&] {
    static constexpr const char* tokens[] = {"a", "b", "c", "*", ">"};
    std::string made;
    do {
      made.clear();
      for (auto left = random() % 4 + 1; left > 0; --left)
        made += fmt::format("{}{}", made.empty() ? "" : ".", tokens[random() % 5]);
    } while (!is_valid_subject(made));
    return made;
  };
  for (int round = 0; round < 200; ++round) {
    SubjectSet set;
    Subjects entries;
    for (auto left = random() % 12; left > 0; --left) set.add(entries.emplace_back(subject()), {});
    for (int i = 0; i < 100; ++i) {
      const std::string asked = subject();
      bool is_contained = false, is_matched = false;
      for (const std::string& entry : entries) {
        is_contained |= is_subset(asked, entry);
        is_matched |= subject_matches(entry, asked);
      }
      EXPECT_EQ(set.contains(asked), is_contained)
          << asked << " in " << fmt::format("{}", fmt::join(entries, " "));
      EXPECT_EQ(set.matches(asked), is_matched)
          << asked << " in " << fmt::format("{}", fmt::join(entries, " "));
    }
  }
}

TEST(SubjectVerdicts, AU_57_RemembersPublishAndReceiveApart) {
  PermissionOptions options;
  options.publish.allow = Subjects{"out.*"};
  options.subscribe.deny = {"in.*"};
  SubjectVerdicts verdicts(Permissions::make(options));
  for (int round = 0; round < 3; ++round) {
    for (const char* suffix : {"a", "b", "c"}) {
      EXPECT_TRUE(verdicts.may_publish(fmt::format("out.{}", suffix)));
      EXPECT_TRUE(verdicts.may_receive(fmt::format("out.{}", suffix)));
      EXPECT_FALSE(verdicts.may_receive(fmt::format("in.{}", suffix)));
      EXPECT_FALSE(verdicts.may_publish(fmt::format("in.{}", suffix)));
    }
  }
}

// Far more subjects than it holds, of sizes on both sides of every limit, and repeated so that hits, misses,
// growth and replacement all happen.
TEST(SubjectVerdicts, AU_57_AnswersAsThePermissionsDoHoweverManySubjectsThereAre) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  PermissionOptions options;
  options.publish = {Subjects{"a.*", "b.>", "c.7"}, {"b.5.>", "a.3"}};
  options.subscribe.deny = {"a.*", "b.6.>"};
  const auto permissions = Permissions::make(options);
  SubjectVerdicts verdicts(permissions);
  static constexpr size_t paddings[] = {0, 0, 0, 40, 44, 60, 61, 700, 1020, 1500};
  for (int i = 0; i < 200'000; ++i) {
    const unsigned range = i % 3 == 0 ? 5000 : 10;
    std::string subject = fmt::format("{}.{}", "abc"[random() % 3], random() % range);
    if (const size_t padding = paddings[random() % std::size(paddings)]; padding > 0)
      subject += "." + std::string(padding, 'x');
    if (random() % 2 == 0) {
      ASSERT_EQ(verdicts.may_publish(subject), permissions->may_publish(subject)) << subject;
    } else {
      ASSERT_EQ(verdicts.may_receive(subject), permissions->may_receive(subject)) << subject;
    }
  }
}

TEST(ResponsePermits, AU_53_SoManyPublishesToTheReplyOfADelivery) {
  ResponsePermits permits(responses(2));
  EXPECT_FALSE(permits.take("r.1", 0));
  permits.add("r.1", 0);
  EXPECT_FALSE(permits.take("r.2", 1));
  EXPECT_FALSE(permits.take("r", 1));
  EXPECT_TRUE(permits.take("r.1", 1));
  EXPECT_TRUE(permits.take("r.1", 1));
  EXPECT_FALSE(permits.take("r.1", 1));
  EXPECT_EQ(permits.size(), 0u);
}

TEST(ResponsePermits, AU_53_ANewDeliveryWithTheSameReplyStartsAnew) {
  ResponsePermits permits(responses(2));
  permits.add("r", 0);
  EXPECT_TRUE(permits.take("r", second / 2));
  permits.add("r", second / 2);
  permits.add("r", second / 2);  // renewed, not added to
  EXPECT_EQ(permits.size(), 1u);
  EXPECT_TRUE(permits.take("r", second + second / 4));
  EXPECT_TRUE(permits.take("r", second + second / 4));
  EXPECT_FALSE(permits.take("r", second + second / 4));
}

TEST(ResponsePermits, AU_53_NegativeMeansNoLimit) {
  ResponsePermits any_number(responses(-1));
  any_number.add("r", 0);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(any_number.take("r", second));
  EXPECT_FALSE(any_number.take("r", second + 1));

  ResponsePermits for_ever(responses(1, std::chrono::nanoseconds(-1)));
  for_ever.add("r", 0);
  EXPECT_TRUE(for_ever.take("r", int64_t{1} << 62));
}

TEST(ResponsePermits, AT_28_TooManyTooLateOrNeverReceivedIsRefused) {
  ResponsePermits permits(responses(1));
  permits.add("r.1", 0);
  permits.add("r.2", 0);
  EXPECT_TRUE(permits.take("r.1", second));
  EXPECT_FALSE(permits.take("r.1", second));
  EXPECT_FALSE(permits.take("r.2", second + 1));
  EXPECT_FALSE(permits.take("r.3", second));
  EXPECT_FALSE(permits.take("", second));
  ResponsePermits of_another_connection(responses(1));
  permits.add("r.4", 2 * second);
  EXPECT_FALSE(of_another_connection.take("r.4", 2 * second));
}

TEST(ResponsePermits, AU_53_ExpiredOnesGoAndTheOldestMakeRoom) {
  ResponsePermits permits(responses(1));
  for (int i = 0; i < 100; ++i) permits.add(fmt::format("r.{}", i), i);
  EXPECT_EQ(permits.size(), 100u);
  permits.add("r.0", 100);
  permits.add("later", second + 49);  // r.1 … r.48 are too old
  EXPECT_EQ(permits.size(), 53u);
  EXPECT_TRUE(permits.take("r.0", second + 50));

  ResponsePermits unlimited(responses(-1, std::chrono::nanoseconds(-1)));
  for (int i = 0; i < 10'000; ++i) unlimited.add(fmt::format("r.{}", i), i);
  EXPECT_EQ(unlimited.size(), 4096u);
  EXPECT_FALSE(unlimited.take("r.5903", 10'000));
  EXPECT_TRUE(unlimited.take("r.5904", 10'000));
  EXPECT_TRUE(unlimited.take("r.9999", 10'000));
}

TEST(ResponsePermits, AU_53_LongRepliesAreBoundedByTheirBytes) {
  ResponsePermits permits(responses(1));
  for (int i = 0; i < 1000; ++i) permits.add(fmt::format("{}.{}", i, std::string(4000, 'x')), i);
  EXPECT_GT(permits.size(), 200u);
  EXPECT_LT(permits.size(), 270u);
  permits.add(std::string(2 << 20, 'x'), 1000);
  EXPECT_FALSE(permits.take(std::string(2 << 20, 'x'), 1000));
  EXPECT_TRUE(permits.take("999." + std::string(4000, 'x'), 1000));
}

TEST(ResponsePermits, AU_53_AgreesWithAPlainListOverManyDeliveriesAndAnswers) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  struct Expected {
    int64_t delivered_ns = -1, used = 0;
  };
  std::vector<Expected> expected(300);
  ResponsePermits permits({.max = 3, .expires = std::chrono::nanoseconds(500)});
  for (int64_t now_ns = 0; now_ns < 100'000; ++now_ns) {
    const size_t which = random() % expected.size();
    const std::string reply = fmt::format("_INBOX.{}", which);
    Expected& of_reply = expected[which];
    if (random() % 2 == 0) {
      permits.add(reply, now_ns);
      of_reply = {now_ns, 0};
    } else {
      const bool is_good =
          of_reply.delivered_ns >= 0 && now_ns - of_reply.delivered_ns <= 500 && of_reply.used < 3;
      ASSERT_EQ(permits.take(reply, now_ns), is_good) << reply << " at " << now_ns;
      ++of_reply.used;
    }
  }
}

}  // namespace nuncio::auth
