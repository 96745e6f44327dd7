// What a login costs on its worker (a table lookup, a plain comparison, a signature's text, a cache hit) and
// on the verifier (hashes and signatures).
#include <benchmark/benchmark.h>

#include <latch>

#include "auth/auth_table.h"
#include "auth/hash_run.h"
#include "auth/nkey.h"
#include "auth/semaphore.h"
#include "auth/verifier.h"
#include "core/nkey_text.h"

namespace nuncio::auth {
namespace {

AuthorizationOptions thousand_users(std::string_view password) {
  AuthorizationOptions options;
  for (int i = 0; i < 1000; ++i) {
    UserOptions user;
    user.name = "user" + std::to_string(i);
    user.passwords.push_back({.text = Secret(password)});
    options.users.push_back(std::move(user));
  }
  return options;
}

void decide(benchmark::State& state, std::string_view configured, std::string_view user) {
  AuthTable::Findings findings;
  const auto table = AuthTable::make(thousand_users(configured), findings);
  Credentials credentials;
  credentials.user = user;
  credentials.password = Secret("s3cret");
  for (auto _ : state) benchmark::DoNotOptimize(table->decide(credentials, {}, ConnectionType::standard, {}));
}
BENCHMARK_CAPTURE(decide, plain, "s3cret", "user500");
BENCHMARK_CAPTURE(decide, plain_wrong, "other", "user500");
BENCHMARK_CAPTURE(decide, plain_unknown, "s3cret", "nobody");
BENCHMARK_CAPTURE(decide, hash, "$2a$11$1oJy/wZYNTxr9jNwMNwS3eUGhBpHT3On8CL9o7ey89mpgo88VG6ba", "user500");

// A second login with a right password, from one and from two workers.
void known_good(benchmark::State& state) {
  static std::latch verified(1);
  static Verifier verifier({}, [](CheckResult) { verified.count_down(); });
  static const auto stored = *StoredSecret::make(make_hash("$2b$", 4, "s3cret").reveal());
  const Check check{{0, 0, 0}, "127.0.0.1", "user500", {stored}, Secret("s3cret")};
  if (state.thread_index() == 0 && !verified.try_wait()) verifier.submit(check);
  verified.wait();
  for (auto _ : state) benchmark::DoNotOptimize(verifier.known_good(check));
}
BENCHMARK(known_good)->Threads(1)->Threads(2);

// One check of each method at the cost its tools choose by default.
void hash(benchmark::State& state, const char* prefix, unsigned long cost) {
  const auto stored = *StoredSecret::make(make_hash(prefix, cost, "s3cret").reveal());
  for (auto _ : state) benchmark::DoNotOptimize(stored->matches("s3cret"));
}
BENCHMARK_CAPTURE(hash, bcrypt_11, "$2b$", 11)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(hash, yescrypt_5, "$y$", 5)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(hash, scrypt_7, "$7$", 7)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(hash, sha512_100000, "$6$", 100000)->Unit(benchmark::kMillisecond);

struct SignedNonce {
  KeyPair pair = make_key_pair(nkey_prefix_user);
  std::string nonce = make_nonce();
  Signature signature = *sign(pair.seed, nonce);
};

void decide_nkey(benchmark::State& state) {
  const SignedNonce given;
  AuthorizationOptions options = thousand_users("s3cret");
  options.users.emplace_back().nkey = given.pair.public_key;
  AuthTable::Findings findings;
  const auto table = AuthTable::make(options, findings);
  Credentials credentials;
  credentials.nkey = given.pair.public_key;
  credentials.signature = encode_signature(given.signature);
  for (auto _ : state)
    benchmark::DoNotOptimize(table->decide(credentials, given.nonce, ConnectionType::standard, {}));
}
BENCHMARK(decide_nkey);

void signature(benchmark::State& state) {
  const SignedNonce given;
  const PublicKey key = *parse_user_nkey(given.pair.public_key);
  for (auto _ : state) benchmark::DoNotOptimize(is_signed_by(key, given.signature, given.nonce));
}
BENCHMARK(signature);

// A burst of logins by nkey through the verifier, per login.
void signatures_in_a_burst(benchmark::State& state) {
  constexpr uint32_t burst = 1000;
  Semaphore came;
  Verifier verifier({}, [&](CheckResult) { came.post(); });
  const SignedNonce given;
  const auto stored = *StoredSecret::make_nkey(given.pair.public_key);
  uint32_t generation = 0;
  for (auto _ : state) {
    ++generation;
    for (uint32_t slot = 0; slot < burst; ++slot) {
      // Each its own text, as each connection has its own nonce.
      const std::string nonce = std::to_string(generation * burst + slot);
      verifier.submit({{0, slot, generation},
                       "127.0.0.1",
                       given.pair.public_key,
                       {stored},
                       StoredSecret::signature_candidate(given.signature, nonce)});
    }
    for (uint32_t slot = 0; slot < burst; ++slot) came.wait();
  }
  state.SetItemsProcessed(state.iterations() * burst);
}
BENCHMARK(signatures_in_a_burst)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace nuncio::auth
