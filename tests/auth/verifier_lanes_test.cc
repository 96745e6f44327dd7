// Signatures beside hashes in the verifier: neither waits for the other, each is bounded and fair.
#include <gtest/gtest.h>

#include <algorithm>

#include "auth/verifier.h"
#include "tests/auth/checks.h"

namespace nuncio::auth {
namespace {

TEST(VerifierLanes, AU_32_TellsRightFromWrongSignatures) {
  Results results;
  Verifier verifier({}, results.sink());
  const Nkey nkey;
  const Check right = nkey.check(1, "nonce 1", "nonce 1");
  ASSERT_TRUE(verifier.submit(right));
  ASSERT_TRUE(verifier.submit(nkey.check(2, "nonce 2", "nonce 1")));
  ASSERT_TRUE(verifier.submit(check_for(3, "a", nkey.stored, "too short")));
  ASSERT_TRUE(results.wait_for(3));
  for (const auto& result : results.all())
    EXPECT_EQ(result.stored, result.ticket.slot == 1 ? nkey.stored : nullptr) << result.ticket.slot;
  EXPECT_EQ(verifier.counters().signatures.done, 3u);
  EXPECT_EQ(verifier.counters().hashes.done, 0u);
  EXPECT_EQ(verifier.known_good(right), nullptr) << "a signature is never taken twice";
}

// All threads for hashes are busy for seconds, the one of normal priority too once the rest has waited 250
// ms.
TEST(VerifierLanes, AT_17_SignaturesDoNotWaitBehindHashes) {
  VerifierSettings settings;
  settings.threads = 1;
  settings.at_idle_priority = false;
  Results results;
  Verifier verifier(settings, results.sink());
  const Nkey nkey;
  const auto slow = costly();
  for (uint32_t slot = 0; slot < 10; ++slot)
    ASSERT_TRUE(verifier.submit(check_for(slot, "a", slow, std::to_string(slot), std::to_string(slot))));
  for (uint32_t slot = 100; slot < 110; ++slot)
    ASSERT_TRUE(verifier.submit(nkey.check(slot, std::to_string(slot), std::to_string(slot))));
  ASSERT_TRUE(results.wait_for(10));
  const auto all = results.all();
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(all[i].stored, nkey.stored) << all[i].ticket.slot;
}

TEST(VerifierLanes, AT_17_AFloodOfSignaturesIsBoundedAndHashesGoOn) {
  VerifierSettings settings;
  settings.queue_max = 10;
  settings.queue_per_source_max = 4;
  const Nkey nkey;
  HeldVerifier held(settings, nkey.stored);
  const auto submit = [&](uint32_t slot, const char* source) {
    return held.verifier->submit(nkey.check(slot, std::to_string(slot), "x", source));
  };
  for (uint32_t slot = 0; slot < 4; ++slot) EXPECT_TRUE(submit(slot, "A"));
  for (uint32_t slot = 4; slot < 8; ++slot) EXPECT_FALSE(submit(slot, "A"));
  for (uint32_t slot = 8; slot < 12; ++slot) EXPECT_TRUE(submit(slot, "B"));
  EXPECT_TRUE(submit(12, "C"));
  EXPECT_TRUE(submit(13, "D"));
  EXPECT_FALSE(submit(14, "E"));
  EXPECT_EQ(held.lane().waiting, 10u);
  EXPECT_EQ(held.lane().refused_full, 5u);
  EXPECT_TRUE(held.verifier->submit(check_for(20, "a", hashed("right"), "right", "A")));
  EXPECT_EQ(held.verifier->counters().hashes.refused_full, 0u);
  held.gate.open();
  ASSERT_TRUE(held.results.wait_for(12));  // with the blocker and the hash
}

TEST(VerifierLanes, AT_17_SourcesOfSignaturesTakeTurns) {
  const Nkey nkey;
  HeldVerifier held({}, nkey.stored);
  for (uint32_t slot = 0; slot < 20; ++slot)
    ASSERT_TRUE(held.verifier->submit(nkey.check(slot, std::to_string(slot), "x", "flooder")));
  ASSERT_TRUE(held.verifier->submit(nkey.check(100, "mine", "mine", "other")));
  held.gate.open();
  ASSERT_TRUE(held.results.wait_for(22));
  const auto all = held.results.all();
  const auto mine = std::find_if(all.begin(), all.end(), [](const auto& each) { return each.stored; });
  ASSERT_NE(mine, all.end());
  EXPECT_EQ(mine->ticket.slot, 100u);
  EXPECT_LT(mine - all.begin(), 5);
}

TEST(VerifierLanes, AT_16_ATicketHasOneCheckInAllLanes) {
  const Nkey nkey;
  HeldVerifier held;
  ASSERT_TRUE(held.verifier->submit(check_for(5, "a", held.secret, "right")));
  EXPECT_FALSE(held.verifier->submit(nkey.check(5, "n", "n")));
  held.verifier->cancel({0, 5, 1});
  ASSERT_TRUE(held.verifier->submit(nkey.check(5, "n", "n")));
  EXPECT_FALSE(held.verifier->submit(check_for(5, "a", held.secret, "right")));
  held.verifier->cancel({0, 5, 1});
  ASSERT_TRUE(held.verifier->submit(check_for(6, "a", held.secret, "right")));
  held.gate.open();
  ASSERT_TRUE(held.results.wait_for(2));
  for (const auto& result : held.results.all()) EXPECT_NE(result.ticket.slot, 5u);
}

}  // namespace
}  // namespace nuncio::auth
