// Checks password hashes and signatures off the workers (AU-26…AU-28, AT-11, AT-17), and does the steps of
// TLS handshakes there. Each kind is a lane with a queue and threads of its own (check_lane.h): SCHED_IDLE
// threads, and one of normal priority that takes jobs that have waited 250 ms when the others get nowhere;
// fair over source addresses; bounded; equal checks in flight are joined. A cache of verified credentials
// answers repeated logins without a hash. Thread-safe.
// The SCHED_IDLE threads share no lock with anybody: a starved one that held it would stop the workers.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "auth/auth_table.h"

namespace nuncio::auth {

// Whom a result is for: the connection's worker, slot and generation. The generation tells a reused slot
// apart (AT-16).
struct Ticket {
  uint32_t worker;
  uint32_t slot;
  uint32_t generation;

  friend bool operator==(const Ticket&, const Ticket&) = default;
};

// Other costly work for a connection than a check: a step of a TLS handshake. Owns what it works on. Goes
// back to its owner with the result; dropped work is destroyed on any thread, under no lock.
class Work {
 public:
  virtual ~Work() = default;
  virtual void run() = 0;  // on a verifier thread, once; must not throw
};

struct Check {
  Ticket ticket;
  std::string source;                                       // address without port, for fairness
  std::string user;                                         // part of the cache key
  std::vector<std::shared_ptr<const StoredSecret>> stored;  // tried in turn until one matches
  Secret candidate;
};

struct CheckResult {
  Ticket ticket;
  std::shared_ptr<const StoredSecret> stored;  // the one that matches, or null
  std::shared_ptr<Work> work = nullptr;        // done; null for checks
};

struct VerifierSettings {
  unsigned threads = 0;            // for hashes; 0: max(1, cores / 2)
  unsigned handshake_threads = 0;  // 0: the same
  bool at_idle_priority = true;    // false: for tests that count on progress beside a busy machine
  size_t queue_max = 4096;         // waiting checks of each lane, joined ones not counted
  size_t queue_per_source_max = 1024;
  bool cache = true;
  std::chrono::nanoseconds cache_ttl = std::chrono::minutes(10);
  size_t cache_entries_max = 65536;
};

class Verifier {
 public:
  // `done` is called on verifier threads, once for everything submitted that was not cancelled; must not
  // block. It may submit the connection's next check or work.
  Verifier(const VerifierSettings&, std::function<void(CheckResult)> done);
  // Drops what waits and joins the threads; those in the middle of a hash or work are waited for briefly,
  // then left to end alone.
  ~Verifier();

  // The stored secret these credentials were verified against lately (a keyed MAC each, no hash), or null.
  // Never for signatures. Any thread.
  std::shared_ptr<const StoredSecret> known_good(const Check&) const;
  // Queues a check. False when the queue is full (the login is refused as verifier_overloaded). A ticket has
  // one check or work at a time, a second one is refused. Takes a short lock, never waits for a hash.
  bool submit(Check);
  // Queues work in the lane of handshakes, under the same rules: fair over sources, bounded; false when that
  // is full, the work untouched. Never joined and never done twice. The result has it as `work`.
  bool submit(const Ticket&, std::string source, std::shared_ptr<Work>);
  // The connection is gone: its check or work is dropped if it has not begun, its result in any case (AU-7)
  // but for one that is being delivered at this moment; the generation tells.
  void cancel(const Ticket&);

  struct LaneCounters {
    uint64_t done = 0, joined = 0, refused_full = 0, cancelled = 0;
    uint64_t rescued = 0;  // given to the thread of normal priority
    size_t waiting = 0;
  };
  struct Counters {
    LaneCounters hashes, signatures, handshakes;
    uint64_t cache_hits;
  };
  Counters counters() const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace nuncio::auth
