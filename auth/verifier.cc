#include "auth/verifier.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "auth/check_queue.h"
#include "auth/credential_cache.h"
#include "auth/semaphore.h"

namespace nuncio::auth {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto overdue_after = std::chrono::milliseconds(250);  // of waiting
// Later than overdue: whoever has not begun goes first, or one costly check would take the rescuer from all
// others.
constexpr auto starved_after = std::chrono::milliseconds(400);
constexpr auto farewell_wait = std::chrono::seconds(1);

// A thread that computes one hash at a time. It shares no lock: a job is handed over through `state` and a
// semaphore, so that it may starve at SCHED_IDLE in any place without holding up the thread that hands over.
struct Hasher {
  enum class State : uint8_t { idle, busy, done };

  std::thread thread;
  std::atomic<State> state =
      State::idle;  // idle → busy and done → idle by the Verifier, busy → done by `thread`
  std::atomic<bool> is_stopping = false;
  Semaphore wake;
  Semaphore ended;
  std::shared_ptr<Semaphore> finished;  // posted after each hash
  std::shared_ptr<const CheckJob> job;
  std::shared_ptr<const StoredSecret> matching;  // which of the job's, or null
  // The Verifier's notes about a busy one.
  Clock::time_point watched_since{};
  std::chrono::nanoseconds cpu_time_then{};
  bool is_rescued = false;  // its job was given to the thread of normal priority as well
};

// Workers' threads come first: at SCHED_IDLE these run on what is left (nice 19 where that is forbidden).
void yield_to_everybody() {
  const sched_param none{};
  if (sched_setscheduler(0, SCHED_IDLE, &none) != 0) setpriority(PRIO_PROCESS, 0, 19);
}

std::shared_ptr<const StoredSecret> first_match(const CheckJob& job) {
  for (const auto& stored : job.stored) {
    if (stored->matches(job.candidate.reveal())) return stored;
  }
  return nullptr;
}

void run_hasher(Hasher& self) {
  while (true) {
    self.wake.wait();
    if (self.is_stopping.load(std::memory_order_acquire)) break;
    self.matching = first_match(*self.job);
    self.state.store(Hasher::State::done, std::memory_order_release);
    self.finished->post();
  }
  self.ended.post();
}

std::chrono::nanoseconds cpu_time(std::thread& thread) {
  clockid_t clock;
  timespec now{};
  if (pthread_getcpuclockid(thread.native_handle(), &clock) != 0 || clock_gettime(clock, &now) != 0)
    return {};
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// Signals of the process are for other threads.
template <typename Function>
std::thread start_thread(const char* name, Function function) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(function));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), name);
  return thread;
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

struct Delivery {
  std::shared_ptr<const CheckJob> job;
  std::vector<Ticket> waiters;
  std::shared_ptr<const StoredSecret> matching;
};

}  // namespace

// The dispatcher, a thread of normal priority, hands jobs to the hashers, takes their results and delivers
// them. submit() hands a job to a free hasher itself, to spare a login the detour.
struct Verifier::State {
  State(const VerifierSettings& wanted, std::function<void(CheckResult)> deliver_to);
  ~State();

  void start_hashers(size_t count);
  void dispatch();
  std::vector<Delivery> collect();
  void remember(const Delivery& delivery);
  void deliver(const std::vector<Delivery>& deliveries);
  void assign();
  void assign_overdue(Clock::time_point now);
  std::shared_ptr<const CheckJob> take_starved(Clock::time_point now);
  std::optional<Clock::time_point> next_deadline() const;
  void hand_over(Hasher& hasher, std::shared_ptr<const CheckJob> job, Clock::time_point now);

  const VerifierSettings settings;
  const std::function<void(CheckResult)> done;
  CredentialCache cache;

  std::mutex mutex;  // guards the queue and the Verifier's side of the hashers
  CheckQueue queue;
  std::vector<std::shared_ptr<Hasher>> hashers;  // at SCHED_IDLE
  std::shared_ptr<Hasher> rescuer;               // at normal priority, for overdue jobs only
  const std::shared_ptr<Semaphore> events = std::make_shared<Semaphore>();
  std::atomic<bool> is_stopping = false;
  std::thread dispatcher;

  std::atomic<uint64_t> hashes = 0, joined = 0, cache_hits = 0, refused_full = 0, cancelled = 0;
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
  const std::lock_guard lock(state_->mutex);
  switch (state_->queue.add(std::move(check), key, now)) {
    case CheckQueue::Added::refused:
      state_->refused_full.fetch_add(1, std::memory_order_relaxed);
      return false;
    case CheckQueue::Added::joined:
      state_->joined.fetch_add(1, std::memory_order_relaxed);
      return true;
    case CheckQueue::Added::queued:
      break;
  }
  state_->assign();
  state_->events->post();  // the dispatcher watches for jobs that become overdue
  return true;
}

void Verifier::cancel(const Ticket& ticket) {
  const std::lock_guard lock(state_->mutex);
  if (state_->queue.cancel(ticket)) state_->cancelled.fetch_add(1, std::memory_order_relaxed);
}

Verifier::Counters Verifier::counters() const {
  const std::lock_guard lock(state_->mutex);
  return {state_->hashes,       state_->joined,    state_->cache_hits,
          state_->refused_full, state_->cancelled, state_->queue.waiting()};
}

Verifier::State::State(const VerifierSettings& wanted, std::function<void(CheckResult)> deliver_to)
    : settings(wanted),
      done(std::move(deliver_to)),
      cache(wanted.cache_ttl, wanted.cache_entries_max),
      queue(wanted.queue_max, wanted.queue_per_source_max) {
  start_hashers(settings.threads != 0 ? settings.threads
                                      : std::max(1u, std::thread::hardware_concurrency() / 2));
  dispatcher = start_thread("verifier", [this] { dispatch(); });
}

void Verifier::State::start_hashers(size_t count) {
  const auto start = [this](const char* name, bool yields) {
    auto hasher = std::make_shared<Hasher>();
    hasher->finished = events;
    hasher->thread = start_thread(name, [hasher, yields] {
      if (yields) yield_to_everybody();
      run_hasher(*hasher);
    });
    return hasher;
  };
  for (size_t i = 0; i < count; ++i) hashers.push_back(start("verifier idle", settings.at_idle_priority));
  rescuer = start("verifier late", false);
}

Verifier::State::~State() {
  is_stopping = true;
  events->post();
  dispatcher.join();
  hashers.push_back(std::move(rescuer));
  for (const auto& hasher : hashers) {
    hasher->is_stopping.store(true, std::memory_order_release);
    hasher->wake.post();
  }
  // A hash cannot be interrupted, and a costly one must not hold up the end of the server. What such a thread
  // still uses (itself, its job) it owns.
  const auto deadline = Clock::now() + farewell_wait;
  for (const auto& hasher : hashers) {
    if (hasher->ended.wait_until(deadline)) {
      hasher->thread.join();
    } else {
      hasher->thread.detach();
    }
  }
}

void Verifier::State::dispatch() {
  std::optional<Clock::time_point> deadline;
  while (!is_stopping) {
    if (deadline) {
      events->wait_until(*deadline);
    } else {
      events->wait();
    }
    std::vector<Delivery> deliveries;
    {
      const std::lock_guard lock(mutex);
      deliveries = collect();
      assign();
      assign_overdue(Clock::now());
      deadline = next_deadline();
    }
    deliver(deliveries);
  }
}

// Takes the results of hashers that are done. Of a job that two have computed, the later result finds nobody
// waiting.
std::vector<Delivery> Verifier::State::collect() {
  std::vector<Delivery> deliveries;
  const auto take_result = [&](Hasher& hasher) {
    if (hasher.state.load(std::memory_order_acquire) != Hasher::State::done) return;
    Delivery delivery{std::move(hasher.job), {}, std::move(hasher.matching)};
    hasher.job = nullptr;
    hasher.state.store(Hasher::State::idle, std::memory_order_relaxed);
    if (auto waiters = queue.finish(*delivery.job)) {
      hashes.fetch_add(1, std::memory_order_relaxed);
      remember(delivery);
      delivery.waiters = std::move(*waiters);
      deliveries.push_back(std::move(delivery));
    }
  };
  for (const auto& hasher : hashers) take_result(*hasher);
  take_result(*rescuer);
  return deliveries;
}

// Signatures are over a nonce that never comes again.
void Verifier::State::remember(const Delivery& delivery) {
  const bool is_worth_it = delivery.matching && delivery.matching->kind() == StoredSecret::Kind::hash;
  if (!settings.cache || !is_worth_it) return;
  const CheckJob& job = *delivery.job;
  cache.add(cache_key(job.user, *delivery.matching, job.candidate), Clock::now());
}

void Verifier::State::deliver(const std::vector<Delivery>& deliveries) {
  for (const Delivery& delivery : deliveries) {
    for (const Ticket& ticket : delivery.waiters) done({ticket, delivery.matching});
  }
}

void Verifier::State::assign() {
  const auto now = Clock::now();
  for (const auto& hasher : hashers) {
    if (hasher->state.load(std::memory_order_relaxed) != Hasher::State::idle) continue;
    auto job = queue.take();
    if (!job) return;
    hand_over(*hasher, std::move(job), now);
  }
}

void Verifier::State::assign_overdue(Clock::time_point now) {
  if (rescuer->state.load(std::memory_order_relaxed) != Hasher::State::idle) return;
  std::shared_ptr<const CheckJob> job = queue.take_queued_before(now - overdue_after);
  if (!job) job = take_starved(now);
  if (job) hand_over(*rescuer, std::move(job), now);
}

// A job that was begun but whose thread hardly gets the processor: on a saturated server SCHED_IDLE may mean
// never.
std::shared_ptr<const CheckJob> Verifier::State::take_starved(Clock::time_point now) {
  for (const auto& hasher : hashers) {
    const auto watched = now - hasher->watched_since;
    const bool is_busy = hasher->state.load(std::memory_order_relaxed) == Hasher::State::busy;
    if (!is_busy || hasher->is_rescued || watched < starved_after) continue;
    const auto used = cpu_time(hasher->thread);
    if (used - hasher->cpu_time_then < watched / 2) {
      hasher->is_rescued = true;
      return hasher->job;
    }
    hasher->watched_since = now;
    hasher->cpu_time_then = used;
  }
  return nullptr;
}

// When the next job may become overdue; none while the rescuer is busy, since its end is an event.
std::optional<Clock::time_point> Verifier::State::next_deadline() const {
  if (rescuer->state.load(std::memory_order_relaxed) != Hasher::State::idle) return std::nullopt;
  std::optional<Clock::time_point> deadline;
  if (const auto oldest = queue.oldest_queued_at()) deadline = *oldest + overdue_after;
  for (const auto& hasher : hashers) {
    if (hasher->state.load(std::memory_order_relaxed) != Hasher::State::busy || hasher->is_rescued) continue;
    const auto starved_at = hasher->watched_since + starved_after;
    deadline = deadline ? std::min(*deadline, starved_at) : starved_at;
  }
  return deadline;
}

void Verifier::State::hand_over(Hasher& hasher, std::shared_ptr<const CheckJob> job, Clock::time_point now) {
  hasher.job = std::move(job);
  hasher.watched_since = now;
  hasher.cpu_time_then = cpu_time(hasher.thread);
  hasher.is_rescued = false;
  hasher.state.store(Hasher::State::busy, std::memory_order_relaxed);
  hasher.wake.post();  // orders everything above before the thread's reading
}

}  // namespace nuncio::auth
