#include "auth/login_guard.h"

#include <gmock/gmock.h>

#include <atomic>
#include <regex>
#include <string>
#include <thread>
#include <vector>

namespace nuncio::auth {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view here = "203.0.113.7";
constexpr std::string_view there = "198.51.100.9";
constexpr LoginBackoffOptions defaults;

struct Guarded : testing::Test {
  LoginGuard guard{defaults};
  LoginGuard::Time now{hours(1000)};

  // The log line of the last of so many failures.
  std::string fail(int times, std::string_view user, std::string_view network) {
    std::string line;
    for (int i = 0; i < times; ++i) line = guard.note_failure(user, network, now);
    return line;
  }
  bool may_try(std::string_view user, std::string_view network) { return guard.may_try(user, network, now); }
  // How long the pair is still held back, to the millisecond.
  milliseconds wait_of(std::string_view user, std::string_view network) {
    milliseconds wait{0};
    while (!guard.may_try(user, network, now + wait)) wait += milliseconds(1);
    return wait;
  }
  // One failure of each of so many users that nobody has.
  void fail_junk(int users, std::string_view network) {
    for (int i = 0; i < users; ++i) guard.note_failure("junk " + std::to_string(next_junk++), network, now);
  }
  // Many users from many networks, so that no network is held back.
  void flood(int failures) {
    for (int i = 0; i < failures; ++i) {
      const std::string number = std::to_string(next_junk++);
      guard.note_failure("junk " + number, "2001:db8::" + number, now);
    }
  }
  int next_junk = 0;
};

TEST_F(Guarded, AU_74_ThePairWaitsAfterTheFreeFailuresAndEachTimeTwiceAsLong) {
  EXPECT_THAT(fail(9, "bob", here), IsEmpty());
  EXPECT_TRUE(may_try("bob", here));
  EXPECT_EQ(fail(1, "bob", here),
            "login back-off: source 203.0.113.7 user \"bob\" is held back for 1s after 10 failures");
  for (const int expected : {1, 2, 4, 8, 16, 32, 60, 60}) {
    EXPECT_EQ(wait_of("bob", here), seconds(expected));
    now += seconds(expected);
    EXPECT_THAT(fail(1, "bob", here), HasSubstr("is held back"));
  }
}

TEST_F(Guarded, AU_74_OtherUsersAndOtherSourcesAreNotHeldBack) {
  fail(10, "bob", here);
  EXPECT_FALSE(may_try("bob", here));
  EXPECT_TRUE(may_try("alice", here));
  EXPECT_TRUE(may_try("bob", there));
  EXPECT_TRUE(may_try("", here));
}

TEST_F(Guarded, AU_74_RefusalsByTheGuardProlongNothing) {
  fail(10, "bob", here);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(may_try("bob", here));
  EXPECT_EQ(wait_of("bob", here), seconds(1));
}

// A burst is let in before its first failure is known.
TEST_F(Guarded, AU_74_FailuresOfOneBurstBeginOneWait) {
  fail(10, "bob", here);
  EXPECT_THAT(fail(100, "bob", here), IsEmpty());
  EXPECT_EQ(wait_of("bob", here), seconds(1));
  now += seconds(1);
  EXPECT_THAT(fail(1, "bob", here), HasSubstr("held back for 1m0s after 111 failures"));
}

TEST_F(Guarded, AU_74_ASuccessResetsAndIsNeverHeldBackForAnHour) {
  fail(10, "bob", here);
  guard.note_success("bob", here, now);
  EXPECT_TRUE(may_try("bob", here));
  EXPECT_THAT(fail(1000, "bob", here), IsEmpty());
  now += minutes(59);
  EXPECT_THAT(fail(1000, "bob", here), IsEmpty());
  EXPECT_TRUE(may_try("bob", here));
  now += minutes(1);
  EXPECT_THAT(fail(9, "bob", here), IsEmpty());  // counted anew
  EXPECT_THAT(fail(1, "bob", here), HasSubstr("after 10 failures"));
}

TEST_F(Guarded, AU_74_FailuresThatAreNotInARowDoNotAddUp) {
  for (int i = 0; i < 20; ++i) {
    fail(9, "bob", here);
    guard.note_success("bob", here, now);
    now += hours(1);
  }
  EXPECT_TRUE(may_try("bob", here));
  EXPECT_EQ(guard.counters().waits, 0u);
}

TEST_F(Guarded, AT_8_ANetworkThatTriesManyUsersIsHeldBackAsAWhole) {
  fail_junk(99, here);
  EXPECT_TRUE(may_try("bob", here));
  EXPECT_EQ(guard.note_failure("yet another", here, now),
            "login back-off: source 203.0.113.7 is held back for 1s after 100 failures");
  EXPECT_FALSE(may_try("bob", here));
  EXPECT_FALSE(may_try("", here));
  EXPECT_TRUE(may_try("bob", there));
  now += seconds(1);
  EXPECT_TRUE(may_try("bob", here));
  EXPECT_THAT(guard.note_failure("and another", here, now), HasSubstr("7 is held back for 2s"));
}

TEST_F(Guarded, AU_74_ATrustedNetworkIsNotHeldBackAsAWholeButItsStrangersAre) {
  guard.note_success("alice", here, now);
  fail_junk(1000, here);
  fail(10, "bob", here);
  EXPECT_TRUE(may_try("alice", here));
  EXPECT_TRUE(may_try("carol", here));
  EXPECT_FALSE(may_try("bob", here));
}

// A NAT with one client that knows a wrong password and asks all day.
TEST_F(Guarded, AU_74_OneMisconfiguredClientHoldsNobodyElseBack) {
  for (int i = 0; i < 5000; ++i) {
    now += seconds(1);
    if (may_try("bob", here)) fail(1, "bob", here);
    ASSERT_TRUE(may_try("alice", here));
  }
  EXPECT_GT(guard.counters().refused, 4000u);
}

TEST_F(Guarded, AT_9_AUserGuessedFromManyAddressesStillGetsIn) {
  for (int i = 0; i < 1000; ++i) fail(20, "bob", "198.51.100." + std::to_string(i));
  EXPECT_TRUE(may_try("bob", here));
}

TEST_F(Guarded, AU_74_WhatIsQuietForTenMinutesIsForgotten) {
  fail(9, "bob", here);
  now += minutes(10) - milliseconds(1);
  EXPECT_THAT(fail(1, "bob", here), HasSubstr("after 10 failures"));
  now += seconds(1) + minutes(10);  // of the wait
  EXPECT_THAT(fail(9, "bob", here), IsEmpty());
  EXPECT_TRUE(may_try("bob", here));
}

TEST_F(Guarded, AU_74_AWaitLongerThanTenMinutesIsNotForgotten) {
  guard.configure({.wait = hours(1), .wait_max = hours(3)});
  fail(10, "bob", here);
  now += hours(1) - milliseconds(1);
  EXPECT_FALSE(may_try("bob", here));
  now += milliseconds(1);
  EXPECT_TRUE(may_try("bob", here));
  EXPECT_THAT(fail(1, "bob", here), HasSubstr("held back for 2h0m0s after 11"));
}

TEST_F(Guarded, AT_8_MemoryIsBoundedWhateverTheNames) {
  flood(100'000);
  EXPECT_LE(guard.counters().entries, LoginGuard::entries_max);
  EXPECT_GT(guard.counters().entries, LoginGuard::entries_max * 9 / 10);
  EXPECT_EQ(guard.counters().failures, 100'000u);
}

TEST_F(Guarded, AT_8_AFloodOfJunkDropsNeitherRunningWaitsNorTheTrusted) {
  guard.configure({.wait = minutes(1)});
  for (int i = 0; i < 100; ++i) fail(10, "held " + std::to_string(i), here);
  for (int i = 0; i < 100; ++i) guard.note_success("good " + std::to_string(i), there, now);
  flood(100'000);
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(may_try("held " + std::to_string(i), here));
    fail(20, "good " + std::to_string(i), there);
    EXPECT_TRUE(may_try("good " + std::to_string(i), there));
  }
}

// Whoever holds many addresses and one login must not fill the table with trust and so end the defence.
TEST_F(Guarded, AT_8_TrustedOnesLeaveRoomForTheOthers) {
  for (int i = 0; i < 70'000; ++i) guard.note_success("mallory", "2001:db8::" + std::to_string(i), now);
  EXPECT_LE(guard.counters().entries, LoginGuard::entries_max * 3 / 4);
  fail(10, "bob", here);
  EXPECT_FALSE(may_try("bob", here));
}

TEST_F(Guarded, AT_8_WaitsGiveWayOnlyWhenNothingElseIsLeft) {
  guard.configure({.failures_free = 1, .wait = hours(1), .wait_max = hours(1)});
  for (int i = 0; i < 70'000; ++i) fail(1, "held", "2001:db8::" + std::to_string(i));
  EXPECT_LE(guard.counters().entries, LoginGuard::entries_max);
  fail(1, "bob", here);
  EXPECT_FALSE(may_try("bob", here));
}

TEST_F(Guarded, AU_74_OldEntriesAreDroppedByNewOnes) {
  flood(10'000);
  now += minutes(11);
  flood(10'000);
  EXPECT_LT(guard.counters().entries, 25'000u);  // a pair and a network each
}

TEST_F(Guarded, AU_74_SwitchedOffItDoesNothing) {
  fail(10, "bob", here);
  guard.configure({.is_enabled = false});
  EXPECT_TRUE(may_try("bob", here));
  EXPECT_THAT(fail(1000, "alice", here), IsEmpty());
  guard.configure(defaults);
  EXPECT_FALSE(may_try("bob", here));  // what was counted stays
  EXPECT_TRUE(may_try("alice", here));
}

TEST_F(Guarded, AU_74_NewLimitsHoldFromNowOn) {
  fail(5, "bob", here);
  guard.configure({.failures_free = 3, .wait = seconds(5), .wait_max = seconds(7)});
  EXPECT_TRUE(may_try("bob", here));
  EXPECT_THAT(fail(1, "bob", here), HasSubstr("held back for 7s after 6 failures"));
  EXPECT_THAT(fail(3, "alice", here), HasSubstr("held back for 5s after 3 failures"));
}

TEST_F(Guarded, AU_74_CountersTellFailuresWaitsAndRefusals) {
  fail(10, "bob", here);
  may_try("bob", here);
  may_try("bob", here);
  may_try("alice", here);
  const LoginGuard::Counters counters = guard.counters();
  EXPECT_EQ(counters.failures, 10u);
  EXPECT_EQ(counters.waits, 1u);
  EXPECT_EQ(counters.refused, 2u);
  EXPECT_EQ(counters.entries, 2u);
}

// The expression of auth/README.md with <SUBNET> spelt out. A name must not be able to forge a line.
TEST_F(Guarded, AU_74_TheLogLineMatchesTheDocumentedExpressionWhateverTheName) {
  const std::regex filter(
      R"(^login back-off: source ([0-9a-fA-F:.]+(?:/\d+)?)(?: user "(?:[^"\\]|\\.)*")? is held back for \S+ after \d+ failures$)");
  const std::string names[] = {"",
                               "bob",
                               "bob\" is held back\n",
                               "back\\",
                               std::string("\0\x01\xff\x1b[31m", 8),
                               std::string(5000, 'x'),
                               "x\nlogin back-off: source 1.1.1.1 is held back for 1s after 1 failures"};
  for (const std::string& name : names) {
    const std::string line = fail(10, name, source_network("2001:db8::17"));
    std::smatch found;
    ASSERT_TRUE(std::regex_match(line, found, filter)) << line;
    EXPECT_EQ(found[1], "2001:db8::/64");
    EXPECT_LT(line.size(), 1200u);
    guard.note_success(name, "2001:db8::/64", now);  // the network starts anew
    now += hours(1);
  }
}

TEST_F(Guarded, AU_74_ManyThreadsCountTogether) {
  constexpr int threads = 4, users = 20, failures = 25;
  std::atomic<int> lines = 0;
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      const std::string own = "own " + std::to_string(t);
      guard.note_success(own, there, now);
      for (int i = 0; i < failures * users; ++i) {
        const std::string user = "user " + std::to_string(i % users);
        guard.may_try(user, here, now);
        if (!guard.note_failure(user, here, now).empty()) ++lines;
        EXPECT_TRUE(guard.may_try(own, there, now));
        guard.counters();
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  EXPECT_EQ(guard.counters().failures, uint64_t{threads} * users * failures);
  EXPECT_EQ(guard.counters().waits, uint64_t{users} + 1);  // each pair one, the network one
  EXPECT_GE(lines, users);
  for (int i = 0; i < users; ++i) EXPECT_FALSE(may_try("user " + std::to_string(i), here));
}

TEST(SourceNetwork, AU_74_IsTheAddressOrTheSlash64) {
  EXPECT_EQ(source_network("203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(source_network("::ffff:203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(source_network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(source_network("2001:DB8:1:2::9"), "2001:db8:1:2::/64");
  EXPECT_EQ(source_network("fe80::1%eth0"), "fe80::/64");
  EXPECT_EQ(source_network("::1"), "::/64");
  EXPECT_EQ(source_network("no\naddress"), "\"no\\naddress\"");
  EXPECT_EQ(source_network(""), "\"\"");
}

}  // namespace
}  // namespace nuncio::auth
