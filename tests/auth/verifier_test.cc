// The verifier pool: results, joins, bounds, fairness, cancellation and the credential cache.
#include "auth/verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "auth/credential_cache.h"
#include "tests/auth/checks.h"

namespace nuncio::auth {
namespace {

using namespace std::chrono_literals;

TEST(Verifier, AU_26_TellsRightFromWrong) {
  Results results;
  Verifier verifier({}, results.sink());
  const auto secret = hashed("right");
  ASSERT_TRUE(verifier.submit(check_for(1, "a", secret, "right")));
  ASSERT_TRUE(verifier.submit(check_for(2, "a", secret, "wrong")));
  ASSERT_TRUE(results.wait_for(2));
  for (const auto& result : results.all()) {
    EXPECT_EQ(result.stored, result.ticket.slot == 1 ? secret : nullptr);
  }
  EXPECT_EQ(verifier.counters().hashes.done, 2u);
}

TEST(Verifier, AU_27_EqualChecksInFlightAreOneHash) {
  HeldVerifier held;
  for (uint32_t slot = 0; slot < 1000; ++slot) {
    ASSERT_TRUE(held.verifier->submit(check_for(slot, "a", held.secret, "right", std::to_string(slot % 7))));
  }
  // Another user, another candidate, another stored secret of the same password: not equal.
  ASSERT_TRUE(held.verifier->submit(check_for(2000, "b", held.secret, "right")));
  ASSERT_TRUE(held.verifier->submit(check_for(2001, "a", held.secret, "wrong")));
  ASSERT_TRUE(held.verifier->submit(check_for(2002, "a", hashed("right"), "right")));
  EXPECT_EQ(held.verifier->counters().hashes.waiting, 4u);
  EXPECT_EQ(held.verifier->counters().hashes.joined, 999u);
  held.gate.open();
  ASSERT_TRUE(held.results.wait_for(1004));
  EXPECT_EQ(held.verifier->counters().hashes.done, 6u);
  std::set<uint32_t> slots;
  for (const auto& result : held.results.all()) {
    slots.insert(result.ticket.slot);
    EXPECT_EQ(result.stored != nullptr,
              result.ticket.slot != 2001 && result.ticket.slot != HeldVerifier::blocker);
  }
  EXPECT_EQ(slots.size(), 1004u);
}

TEST(Verifier, AU_26_FullQueuesRefuse) {
  VerifierSettings settings;
  settings.queue_max = 10;
  settings.queue_per_source_max = 4;
  HeldVerifier held(settings);
  const auto submit = [&](uint32_t slot, const char* source) {
    return held.verifier->submit(check_for(slot, "a", held.secret, std::to_string(slot), source));
  };
  for (uint32_t slot = 0; slot < 4; ++slot) EXPECT_TRUE(submit(slot, "A"));
  EXPECT_FALSE(submit(4, "A"));
  for (uint32_t slot = 5; slot < 9; ++slot) EXPECT_TRUE(submit(slot, "B"));
  EXPECT_TRUE(submit(9, "C"));
  EXPECT_TRUE(submit(10, "D"));
  EXPECT_FALSE(submit(11, "E"));
  // A joined check takes no room.
  EXPECT_TRUE(held.verifier->submit(check_for(12, "a", held.secret, "9", "E")));
  EXPECT_EQ(held.verifier->counters().hashes.refused_full, 2u);
  EXPECT_EQ(held.verifier->counters().hashes.waiting, 10u);
  held.gate.open();
  ASSERT_TRUE(held.results.wait_for(12));  // with the blocker
}

TEST(Verifier, AU_26_SourcesTakeTurns) {
  HeldVerifier held;
  for (uint32_t slot = 0; slot < 20; ++slot) {
    ASSERT_TRUE(held.verifier->submit(check_for(slot, "a", held.secret, std::to_string(slot), "flooder")));
  }
  ASSERT_TRUE(held.verifier->submit(check_for(100, "a", held.secret, "x", "other")));
  // Joins a check at the end of the flood, and must not wait for the flood's turn.
  ASSERT_TRUE(held.verifier->submit(check_for(101, "a", held.secret, "19", "third")));
  held.gate.open();
  ASSERT_TRUE(held.results.wait_for(23));
  std::vector<uint32_t> order;
  for (const auto& result : held.results.all()) order.push_back(result.ticket.slot);
  const auto place = [&](uint32_t slot) {
    return std::find(order.begin(), order.end(), slot) - order.begin();
  };
  EXPECT_LT(place(100), 6);
  EXPECT_LT(place(101), 6);
}

// The one idle-class thread is busy for a second; whoever waits meanwhile gets the other thread. On a machine
// busy enough to starve the first check, that one may be given to the other thread instead: try again.
TEST(Verifier, AT_11_OverdueChecksDoNotWaitBehindACostlyOne) {
  VerifierSettings settings;
  settings.threads = 1;
  const auto slow = costly(), cheap = hashed("right");
  bool has_overtaken = false;
  for (int attempt = 0; attempt < 5 && !has_overtaken; ++attempt) {
    Results results;
    Verifier verifier(settings, results.sink());
    ASSERT_TRUE(verifier.submit(check_for(1, "costly", slow, "wrong")));
    ASSERT_TRUE(verifier.submit(check_for(2, "cheap", cheap, "right")));
    ASSERT_TRUE(results.wait_for(1));
    has_overtaken = results.all().front().ticket.slot == 2;
    // The Verifier ends beside the costly hash, which nobody can interrupt.
  }
  EXPECT_TRUE(has_overtaken);
}

// Where threads of normal priority take every core, those at SCHED_IDLE would take minutes.
TEST(Verifier, AU_26_ASaturatedMachineStillChecks) {
  VerifierSettings settings;
  settings.threads = 1;
  const auto secret = hashed("right", 8);
  std::vector<std::jthread> load;
  for (unsigned i = 0; i < 2 * std::thread::hardware_concurrency(); ++i) {
    load.emplace_back([](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
      }
    });
  }
  Results results;
  Verifier verifier(settings, results.sink());
  for (uint32_t slot = 0; slot < 20; ++slot)
    ASSERT_TRUE(verifier.submit(check_for(slot, "a", secret, std::to_string(slot))));
  EXPECT_TRUE(results.wait_for(20));
  EXPECT_GT(verifier.counters().hashes.rescued, 0u);
}

TEST(Verifier, AU_7_CancelledChecksFreeTheirPlaceAndGiveNoResult) {
  VerifierSettings settings;
  settings.queue_max = 2;
  HeldVerifier held(settings);
  ASSERT_TRUE(held.verifier->submit(check_for(1, "a", held.secret, "1")));
  ASSERT_TRUE(held.verifier->submit(check_for(2, "a", held.secret, "2")));
  ASSERT_TRUE(held.verifier->submit(check_for(3, "a", held.secret, "2")));  // joined
  ASSERT_FALSE(held.verifier->submit(check_for(4, "a", held.secret, "4")));
  held.verifier->cancel({0, 1, 1});
  held.verifier->cancel({0, 2, 1});
  held.verifier->cancel({0, HeldVerifier::blocker, 1});  // begun already: only its result goes
  held.verifier->cancel({0, 77, 1});                     // never came
  EXPECT_EQ(held.verifier->counters().hashes.waiting, 1u);
  EXPECT_EQ(held.verifier->counters().hashes.cancelled, 3u);
  ASSERT_TRUE(held.verifier->submit(check_for(4, "a", held.secret, "4")));
  held.gate.open();
  ASSERT_TRUE(held.results.wait_for(2));
  std::set<uint32_t> slots;
  for (const auto& result : held.results.all()) slots.insert(result.ticket.slot);
  EXPECT_THAT(slots, ::testing::ElementsAre(3u, 4u));
}

TEST(Verifier, AT_16_ReusedSlotGetsOnlyItsOwnResult) {
  HeldVerifier held;
  Check first = check_for(5, "a", held.secret, "right");
  Check second = check_for(5, "a", held.secret, "wrong");
  second.ticket.generation = 2;
  ASSERT_TRUE(held.verifier->submit(first));
  held.verifier->cancel(first.ticket);
  ASSERT_TRUE(held.verifier->submit(second));
  ASSERT_FALSE(held.verifier->submit(second));  // one check at a time
  held.gate.open();
  ASSERT_TRUE(held.results.wait_for(2));
  for (const auto& result : held.results.all()) {
    EXPECT_EQ(result.stored, nullptr);
    EXPECT_EQ(result.ticket.generation, result.ticket.slot == 5 ? 2u : 1u);
  }
}

TEST(Verifier, AU_27_AT_10_CacheKnowsExactlyWhatWasVerified) {
  Results results;
  Verifier verifier({}, results.sink());
  const auto secret = hashed("right");
  const Check right = check_for(1, "a", secret, "right");
  EXPECT_EQ(verifier.known_good(right), nullptr);
  ASSERT_TRUE(verifier.submit(right));
  ASSERT_TRUE(verifier.submit(check_for(2, "a", secret, "wrong")));
  ASSERT_TRUE(results.wait_for(2));
  EXPECT_NE(verifier.known_good(right), nullptr);
  EXPECT_NE(verifier.known_good(check_for(9, "a", secret, "right", "other source")), nullptr);
  EXPECT_EQ(verifier.known_good(check_for(1, "a", secret, "wrong")), nullptr) << "only successes";
  EXPECT_EQ(verifier.known_good(check_for(1, "b", secret, "right")), nullptr) << "another user";
  EXPECT_EQ(verifier.known_good(check_for(1, "a", hashed("right"), "right")), nullptr)
      << "changed stored secret";
  EXPECT_EQ(verifier.known_good(check_for(1, "ar", secret, "ight")), nullptr) << "shifted boundary";
  EXPECT_EQ(verifier.known_good(check_for(1, "a", secret, "")), nullptr);
  EXPECT_EQ(verifier.counters().cache_hits, 2u);
  EXPECT_EQ(verifier.counters().hashes.done, 2u);
}

TEST(Verifier, AU_27_CacheSurvivesAReloadThatKeepsTheHash) {
  Results results;
  Verifier verifier({}, results.sink());
  const Secret text = make_hash("$2b$", 4, "right");
  ASSERT_TRUE(verifier.submit(check_for(1, "a", *StoredSecret::make(text.reveal()), "right")));
  ASSERT_TRUE(results.wait_for(1));
  EXPECT_NE(verifier.known_good(check_for(1, "a", *StoredSecret::make(text.reveal()), "right")), nullptr);
}

TEST(Verifier, AU_27_CacheCanBeOffAndExpires) {
  for (const bool is_off : {true, false}) {
    VerifierSettings settings;
    settings.cache = !is_off;
    if (!is_off) settings.cache_ttl = 0ns;
    Results results;
    Verifier verifier(settings, results.sink());
    const Check right = check_for(1, "a", hashed("right"), "right");
    ASSERT_TRUE(verifier.submit(right));
    ASSERT_TRUE(results.wait_for(1));
    EXPECT_EQ(verifier.known_good(right), nullptr);
  }
}

TEST(Verifier, AU_72_TellsWhichOfSeveralSecretsMatched) {
  Results results;
  Verifier verifier({}, results.sink());
  const auto before = hashed("old"), after = hashed("new");
  const auto check = [&](uint32_t slot, std::string_view password) {
    Check made = check_for(slot, "a", before, password);
    made.stored.push_back(after);
    return made;
  };
  for (const auto& [slot, password] : {std::pair{1u, "old"}, {2u, "new"}, {3u, "other"}}) {
    ASSERT_TRUE(verifier.submit(check(slot, password)));
    ASSERT_TRUE(results.wait_for(slot));
    EXPECT_EQ(results.all().back().stored, slot == 1 ? before : slot == 2 ? after : nullptr) << password;
  }
  EXPECT_EQ(verifier.known_good(check(4, "old")), before);
  EXPECT_EQ(verifier.known_good(check(4, "new")), after);
  EXPECT_EQ(verifier.known_good(check(4, "other")), nullptr);
  // After the old one was taken away it is not known any more.
  EXPECT_EQ(verifier.known_good(check_for(4, "a", after, "old")), nullptr);
}

TEST(Verifier, AU_28_UnknownUserCostsExactlyTheHashOfAWrongPassword) {
  AuthorizationOptions options;
  const Secret hash = make_hash("$2b$", 4, "right");
  UserOptions& known = options.users.emplace_back();
  known.name = "known";
  known.passwords.push_back({.text = hash});
  AuthTable::Findings findings;
  const auto table = AuthTable::make(options, findings);
  ASSERT_NE(table, nullptr);
  Results results;
  Verifier verifier({}, results.sink());
  uint32_t slot = 0;
  for (const char* user : {"known", "unknown"}) {
    for (const char* password : {"wrong", "wrong", "right"}) {
      Credentials credentials;
      credentials.user = user;
      credentials.password = Secret(password);
      const Decision decision = table->decide(credentials, {}, ConnectionType::standard, {});
      ASSERT_EQ(decision.kind, Decision::Kind::check);
      const Check check = check_for(slot++, user, decision.stored.at(0), password);
      ASSERT_EQ(verifier.known_good(check), nullptr);
      ASSERT_TRUE(verifier.submit(check));
      ASSERT_TRUE(results.wait_for(slot));
      EXPECT_EQ(verifier.counters().hashes.done, slot) << user << " " << password;
      const bool is_in = results.all().back().stored && decision.login.user;
      EXPECT_EQ(is_in, slot == 3) << user << " " << password;
    }
  }
}

TEST(Verifier, AT_12_EndsWhileChecksWaitAndOneRuns) {
  Results results;
  const auto secret = hashed("right", 9);
  {
    VerifierSettings settings;
    settings.threads = 1;
    Verifier verifier(settings, results.sink());
    for (uint32_t slot = 0; slot < 200; ++slot) {
      ASSERT_TRUE(verifier.submit(check_for(slot, "a", secret, std::to_string(slot))));
    }
  }
  const size_t delivered = results.all().size();
  EXPECT_LT(delivered, 200u);
}

// Everything at once from several threads; what each ticket gets is checked against what it asked for.
TEST(Verifier, AT_11_AT_16_ConcurrentSubmitsJoinsAndCancels) {
  constexpr uint32_t threads = 4, rounds = 400;
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  VerifierSettings settings;
  settings.threads = 2;
  settings.queue_max = 24;
  settings.queue_per_source_max = 12;
  settings.cache_entries_max = 64;
  const auto secret = hashed("right");

  const Nkey nkey;

  struct Seen {
    std::atomic<uint32_t> results = 0;
    std::atomic<bool> matched = false;
  };
  std::vector<Seen> seen(threads * rounds);
  std::atomic<uint32_t> delivered = 0;
  std::vector<uint8_t> fate(threads * rounds);  // by its own thread: 0 refused, 1 submitted, 2 cancelled
  Verifier verifier(settings, [&](CheckResult result) {
    Seen& mine = seen[result.ticket.slot];
    mine.results.fetch_add(1);
    mine.matched = result.stored != nullptr;
    delivered.fetch_add(1);
  });
  const auto is_right = [](uint32_t slot) { return slot % 3 == 0; };
  {
    std::vector<std::jthread> clients;
    for (uint32_t t = 0; t < threads; ++t) {
      clients.emplace_back([&, t] {
        std::mt19937_64 random(seed + t);
        for (uint32_t i = 0; i < rounds; ++i) {
          const uint32_t slot = t * rounds + i;
          const std::string source = std::to_string(random() % 3);
          const std::string wrong = std::to_string(random() % 8);
          const Check check = slot % 2 == 0
                                  ? check_for(slot, "a", secret, is_right(slot) ? "right" : wrong, source)
                                  : nkey.check(slot, "nonce", is_right(slot) ? "nonce" : wrong, source);
          EXPECT_FALSE(!is_right(slot) && verifier.known_good(check));
          fate[slot] = verifier.submit(check);
          if (fate[slot] == 1 && random() % 4 == 0) {
            verifier.cancel(check.ticket);
            fate[slot] = 2;
          }
          if (random() % 16 == 0) std::this_thread::yield();
        }
      });
    }
  }
  const auto submitted =
      static_cast<uint32_t>(std::count_if(fate.begin(), fate.end(), [](auto f) { return f != 0; }));
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  const auto unanswered = [&] {
    for (uint32_t slot = 0; slot < seen.size(); ++slot) {
      if (fate[slot] == 1 && seen[slot].results == 0) return true;
    }
    return false;
  };
  while (unanswered() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  for (uint32_t slot = 0; slot < seen.size(); ++slot) {
    const uint32_t results = seen[slot].results;
    // A cancelled one may have been answered just before.
    const bool is_expected = fate[slot] == 0 ? results == 0 : fate[slot] == 1 ? results == 1 : results <= 1;
    EXPECT_TRUE(is_expected) << "fate " << int{fate[slot]} << ", " << results << " results";
    EXPECT_EQ(seen[slot].matched, results != 0 && is_right(slot)) << slot;
  }
  const auto counters = verifier.counters();
  EXPECT_EQ(counters.hashes.refused_full + counters.signatures.refused_full, seen.size() - submitted);
  EXPECT_EQ(counters.hashes.waiting + counters.signatures.waiting, 0u);
  EXPECT_LE(delivered, submitted);
}

TEST(CredentialCache, AU_27_BoundedAndTimeLimited) {
  const CredentialCache::Time start{};
  CredentialCache cache(10s, 64);
  for (int i = 0; i < 10'000; ++i) cache.add(keyed_digest({"test", std::to_string(i)}), start);
  EXPECT_LE(cache.size(), 64u);
  EXPECT_TRUE(cache.contains(keyed_digest({"test", "9999"}), start)) << "the newest stays";
  EXPECT_FALSE(cache.contains(keyed_digest({"test", "0"}), start)) << "the oldest goes";
  EXPECT_TRUE(cache.contains(keyed_digest({"test", "9999"}), start + 9s));
  EXPECT_FALSE(cache.contains(keyed_digest({"test", "9999"}), start + 10s));
}

TEST(CredentialCache, AU_27_RenewedEntriesOutliveTheirFirstTerm) {
  const CredentialCache::Time start{};
  const Digest key = keyed_digest({"test", "key"});
  CredentialCache cache(10s, 1024);
  cache.add(key, start);
  cache.add(key, start + 8s);
  cache.add(key, start + 12s);  // drops the first entry's trace, not the key
  EXPECT_TRUE(cache.contains(key, start + 17s));
  EXPECT_FALSE(cache.contains(key, start + 22s));
  EXPECT_EQ(cache.size(), 1u);
}

}  // namespace
}  // namespace nuncio::auth
