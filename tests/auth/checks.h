// How tests of the verifier ask: checks of passwords and signatures, a place for results, and a verifier that
// stands still while a test fills its queue.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "auth/hash_run.h"
#include "auth/nkey.h"
#include "auth/verifier.h"
#include "core/nkey_text.h"

namespace nuncio::auth {

inline std::shared_ptr<const StoredSecret> hashed(std::string_view password, unsigned long cost = 4) {
  return *StoredSecret::make(make_hash("$2b$", cost, password).reveal());
}

inline Check check_for(uint32_t slot, std::string_view user, std::shared_ptr<const StoredSecret> stored,
                       std::string_view candidate, std::string_view source = "10.0.0.1") {
  return {{0, slot, 1}, std::string(source), std::string(user), {std::move(stored)}, Secret(candidate)};
}

// An nkey, and checks of what it signs.
class Nkey {
 public:
  Check check(uint32_t slot, std::string_view nonce, std::string_view signed_text,
              std::string_view source = "10.0.0.1") const {
    const Secret candidate = StoredSecret::signature_candidate(*sign(pair_.seed, signed_text), nonce);
    return check_for(slot, pair_.public_key, stored, candidate.reveal(), source);
  }

 private:
  const KeyPair pair_ = make_key_pair(nkey_prefix_user);

 public:
  const std::shared_ptr<const StoredSecret> stored = *StoredSecret::make_nkey(pair_.public_key);
};

// A hash that takes the better part of a second at least; nobody knows its password.
inline std::shared_ptr<const StoredSecret> costly() {
  return *StoredSecret::make("$2b$15$" + std::string(53, 'a'));
}

// Collects results; wait_for() ends with a deadline instead of a hanging test.
class Results {
 public:
  std::function<void(CheckResult)> sink() {
    return [this](CheckResult result) {
      const std::lock_guard lock(mutex_);
      results_.push_back(std::move(result));
      came_.notify_all();
    };
  }
  ::testing::AssertionResult wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    if (came_.wait_for(lock, std::chrono::seconds(60), [&] { return results_.size() >= count; }))
      return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << results_.size() << " of " << count << " results";
  }
  std::vector<CheckResult> all() {
    const std::lock_guard lock(mutex_);
    return results_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<CheckResult> results_;
};

// A sink that holds the dispatcher in its first delivery, so that everything submitted meanwhile is decided
// by the queue alone.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return is_open_; });
  }
  void wait_for_arrival() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ > 0; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
  bool is_open_ = false;
};

// A verifier with one thread whose dispatcher stands still after one check: one more check can begin, the
// rest waits.
class HeldVerifier {
 public:
  explicit HeldVerifier(VerifierSettings settings = {}, std::shared_ptr<const StoredSecret> checked = nullptr)
      : secret(checked ? std::move(checked) : hashed("right")) {
    settings.threads = 1;
    settings.at_idle_priority = false;
    settings.cache = false;
    const auto collect = results.sink();
    verifier.emplace(settings, [this, collect](CheckResult result) {
      if (result.ticket.slot == opener) return gate.pass();
      collect(std::move(result));
    });
    EXPECT_TRUE(verifier->submit(check_for(opener, "opener", secret, "opener", "opener")));
    gate.wait_for_arrival();
    EXPECT_TRUE(verifier->submit(check_for(blocker, "blocker", secret, "blocker", "blocker")));
    EXPECT_EQ(lane().waiting, 0u);
  }
  Verifier::LaneCounters lane() const {
    const auto counters = verifier->counters();
    return secret->kind() == StoredSecret::Kind::public_key ? counters.signatures : counters.hashes;
  }
  ~HeldVerifier() { gate.open(); }

  static constexpr uint32_t opener = 1'000'000, blocker = 1'000'001;
  const std::shared_ptr<const StoredSecret> secret;
  Results results;
  Gate gate;
  std::optional<Verifier> verifier;
};

}  // namespace nuncio::auth
