// One kind of checks in the Verifier, with a queue and threads of its own, so that it never waits for another
// kind: some threads at SCHED_IDLE, and the rescuer of normal priority for when these get nowhere. A queue
// that is merely long waits: the rescuer would take the processor from the workers. For the Verifier, under
// its lock; nothing here waits for a check.
//
// A check that starves under way is made by the rescuer as well. Work cannot be: it changes what it owns. So
// its thread is raised until that step is done, which takes a privilege (check_thread.cc), and is given
// nothing for a while; when no other thread is left the rescuer takes whatever comes at once. What a
// saturated server costs is a step in some seconds that waits, without the privilege for long, and not a wait
// in each.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "auth/backlog_watch.h"
#include "auth/check_queue.h"
#include "auth/check_thread.h"
#include "auth/verifier.h"

namespace nuncio::auth {

struct LaneSettings {
  const char* thread_name;  // at most 15 characters, as the next
  const char* rescuer_name;
  size_t threads;
  bool at_idle_priority;
  size_t queue_max;
  size_t queue_per_source_max;
};

class CheckLane {
 public:
  using Time = CheckQueue::Time;
  struct Finished {
    std::shared_ptr<const CheckJob> job;
    std::vector<Ticket> waiters;
    std::shared_ptr<const StoredSecret> matching;
  };

  // `events` is posted after each check; then collect() and assign() have work to do.
  CheckLane(const LaneSettings&, const std::shared_ptr<Semaphore>& events);

  // Hands it to a free thread at once if there is one. False: refused.
  bool add(Check check, const Digest& key, Time now, std::shared_ptr<Work> work = nullptr);
  bool has(const Ticket& ticket) const { return queue_.has(ticket); }
  // The job that is dropped, if one is.
  std::shared_ptr<const CheckJob> cancel(const Ticket& ticket);

  // Appends what is done.
  void collect(std::vector<Finished>& finished, Time now);
  // Hands waiting jobs to free threads, and to the rescuer those that wait or starve too long.
  void assign(Time now);
  // When assign() may be needed without an event.
  std::optional<Time> next_deadline() const;

  // stop() for all lanes, then join_until() for all.
  void stop();
  void join_until(Time deadline);

  Verifier::LaneCounters counters() const;

 private:
  bool take_result(CheckThread& thread, std::vector<Finished>& finished);
  void watch_backlog(Time now);
  std::shared_ptr<const CheckJob> job_to_rescue(Time now);
  std::chrono::nanoseconds cpu_time() const;

  CheckQueue queue_;
  std::vector<std::unique_ptr<CheckThread>> threads_;
  CheckThread rescuer_;
  std::optional<BacklogWatch> backlog_;  // while jobs wait
  Verifier::LaneCounters counters_;
};

}  // namespace nuncio::auth
