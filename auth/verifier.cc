#include "auth/verifier.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "auth/check_lane.h"
#include "auth/check_thread.h"
#include "auth/credential_cache.h"
#include "auth/semaphore.h"

namespace nuncio::auth {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto farewell_wait = std::chrono::seconds(1);

size_t threads_of(unsigned wanted) {
  return wanted != 0 ? wanted : std::max(1u, std::thread::hardware_concurrency() / 2);
}

LaneSettings hash_lane(const VerifierSettings& wanted) {
  return {"verify hashes",         "late hashes",    threads_of(wanted.threads),
          wanted.at_idle_priority, wanted.queue_max, wanted.queue_per_source_max};
}

// One thread makes some 10,000 signatures a second.
LaneSettings signature_lane(const VerifierSettings& wanted) {
  return {"verify nkeys",          "late nkeys",     1,
          wanted.at_idle_priority, wanted.queue_max, wanted.queue_per_source_max};
}

LaneSettings handshake_lane(const VerifierSettings& wanted) {
  return {"verify tls",
          "late tls",
          threads_of(wanted.handshake_threads),
          wanted.at_idle_priority,
          wanted.queue_max,
          wanted.queue_per_source_max};
}

Digest cache_key(std::string_view user, const StoredSecret& stored, const Secret& candidate) {
  return keyed_digest({"check", user, stored.identity(), candidate.reveal()});
}

// Equal for checks that have the same answer.
Digest job_key(const Check& check) {
  std::string identities;
  for (const auto& stored : check.stored) identities += stored->identity();
  return keyed_digest({"job", check.user, identities, check.candidate.reveal()});
}

bool is_signature(const Check& check) {
  return !check.stored.empty() && check.stored.front()->kind() == StoredSecret::Kind::public_key;
}

}  // namespace

// The dispatcher, a thread of normal priority, hands jobs to the lanes' threads, takes their results and
// delivers them. submit() hands a job to a free thread itself, to spare a login the detour.
struct Verifier::State {
  State(const VerifierSettings& wanted, std::function<void(CheckResult)> deliver_to);
  ~State();

  void dispatch();
  void remember(const CheckLane::Finished& finished);
  void deliver(const CheckLane::Finished& finished);
  bool has(const Ticket& ticket);
  std::array<CheckLane*, 3> lanes() { return {&signatures, &handshakes, &hashes}; }

  const VerifierSettings settings;
  const std::function<void(CheckResult)> done;
  CredentialCache cache;
  std::atomic<uint64_t> cache_hits = 0;

  const std::shared_ptr<Semaphore> events = std::make_shared<Semaphore>();
  std::mutex mutex;  // guards the lanes
  CheckLane signatures;
  CheckLane handshakes;
  CheckLane hashes;
  uint64_t works = 0;  // ever submitted, to tell them apart
  std::atomic<bool> is_stopping = false;
  std::thread dispatcher;
};

Verifier::Verifier(const VerifierSettings& settings, std::function<void(CheckResult)> done)
    : state_(std::make_unique<State>(settings, std::move(done))) {}

Verifier::~Verifier() = default;

std::shared_ptr<const StoredSecret> Verifier::known_good(const Check& check) const {
  if (!state_->settings.cache) return nullptr;
  const auto now = Clock::now();
  for (const auto& stored : check.stored) {
    if (stored->kind() != StoredSecret::Kind::hash) continue;
    if (!state_->cache.contains(cache_key(check.user, *stored, check.candidate), now)) continue;
    state_->cache_hits.fetch_add(1, std::memory_order_relaxed);
    return stored;
  }
  return nullptr;
}

bool Verifier::submit(Check check) {
  const Digest key = job_key(check);
  const auto now = Clock::now();
  CheckLane& lane = is_signature(check) ? state_->signatures : state_->hashes;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->has(check.ticket) || !lane.add(std::move(check), key, now)) return false;
  }
  state_->events->post();  // the dispatcher watches for jobs that become overdue
  return true;
}

bool Verifier::submit(const Ticket& ticket, std::string source, std::shared_ptr<Work> work) {
  Check none{ticket, std::move(source), {}, {}, {}};
  const auto now = Clock::now();
  {  // `work` outlives the lock, also when it is refused
    const std::lock_guard lock(state_->mutex);
    Digest key{};  // any that no other work under way has
    std::memcpy(key.data(), &++state_->works, sizeof state_->works);
    if (state_->has(ticket) || !state_->handshakes.add(std::move(none), key, now, work)) return false;
  }
  state_->events->post();
  return true;
}

void Verifier::cancel(const Ticket& ticket) {
  std::shared_ptr<const CheckJob> dropped;  // destroyed after the lock is gone
  const std::lock_guard lock(state_->mutex);
  for (CheckLane* lane : state_->lanes()) {
    if (!dropped) dropped = lane->cancel(ticket);
  }
}

Verifier::Counters Verifier::counters() const {
  const std::lock_guard lock(state_->mutex);
  return {state_->hashes.counters(), state_->signatures.counters(), state_->handshakes.counters(),
          state_->cache_hits};
}

bool Verifier::State::has(const Ticket& ticket) {
  const auto all = lanes();
  return std::any_of(all.begin(), all.end(), [&](const CheckLane* lane) { return lane->has(ticket); });
}

Verifier::State::State(const VerifierSettings& wanted, std::function<void(CheckResult)> deliver_to)
    : settings(wanted),
      done(std::move(deliver_to)),
      cache(wanted.cache_ttl, wanted.cache_entries_max),
      signatures(signature_lane(wanted), events),
      handshakes(handshake_lane(wanted), events),
      hashes(hash_lane(wanted), events) {
  dispatcher = start_thread("verifier", [this] { dispatch(); });
}

Verifier::State::~State() {
  is_stopping = true;
  events->post();
  dispatcher.join();
  const auto deadline = Clock::now() + farewell_wait;
  for (CheckLane* lane : lanes()) lane->stop();
  for (CheckLane* lane : lanes()) lane->join_until(deadline);
}

void Verifier::State::dispatch() {
  std::optional<Clock::time_point> deadline;
  std::vector<CheckLane::Finished> finished;
  while (!is_stopping) {
    if (deadline) {
      events->wait_until(*deadline);
    } else {
      events->wait();
    }
    deadline.reset();
    {
      const std::lock_guard lock(mutex);
      const auto now = Clock::now();
      for (CheckLane* lane : lanes()) {
        lane->collect(finished, now);
        lane->assign(now);
        if (const auto next = lane->next_deadline()) deadline = deadline ? std::min(*deadline, *next) : next;
      }
    }
    for (const auto& each : finished) {
      remember(each);
      deliver(each);
    }
    finished.clear();
  }
}

// Signatures are over a nonce that never comes again.
void Verifier::State::remember(const CheckLane::Finished& finished) {
  const bool is_worth_it = finished.matching && finished.matching->kind() == StoredSecret::Kind::hash;
  if (!settings.cache || !is_worth_it) return;
  cache.add(cache_key(finished.job->user, *finished.matching, finished.job->candidate), Clock::now());
}

void Verifier::State::deliver(const CheckLane::Finished& finished) {
  for (const Ticket& ticket : finished.waiters) done({ticket, finished.matching, finished.job->work});
}

}  // namespace nuncio::auth
