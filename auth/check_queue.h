// The checks that wait for a verifier thread and those under way: bounded, fair by source address, equal ones
// joined. Not synchronised and without threads: the Verifier guards it with its lock.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "auth/credential_cache.h"
#include "auth/verifier.h"

namespace nuncio::auth {

// One check to make, or work to do, and everybody who waits for it. `key` to `work` never change, so that the
// thread that computes it reads them without a lock; the rest belongs to the queue.
struct CheckJob {
  using Time = std::chrono::steady_clock::time_point;

  struct Source;
  struct Place {  // where a waiting job stands in the line of one source
    std::list<Source>::iterator source;
    std::list<CheckJob*>::iterator at;
  };
  struct Source {
    std::string address;
    std::list<CheckJob*> jobs;
  };

  const Digest key;
  const std::string user;
  const std::vector<std::shared_ptr<const StoredSecret>> stored;
  const Secret candidate;
  const std::shared_ptr<Work> work;  // null: a check
  const Time queued_at;
  std::list<CheckJob*>::iterator place_by_age{};
  bool is_waiting = true;  // else under way
  std::vector<Ticket> waiters{};
  std::vector<Place> places{};  // one for each source that asked for it, up to a limit
};

class CheckQueue {
 public:
  using Time = CheckJob::Time;
  enum class Added : uint8_t { queued, joined, refused };

  CheckQueue(size_t jobs_max, size_t jobs_per_source_max);

  // `key` tells equal checks. A joined job also gets a place in the line of the new source, so that nobody
  // waits behind another's flood.
  Added add(Check check, const Digest& key, Time now, std::shared_ptr<Work> work = nullptr);
  // The next job by turns of the sources, now under way; null when none waits.
  std::shared_ptr<CheckJob> take();
  // The same among the jobs queued at `limit` or before.
  std::shared_ptr<CheckJob> take_queued_before(Time limit);
  // Who waits for the job, in the order they came; nullopt when it was finished before.
  std::optional<std::vector<Ticket>> finish(const CheckJob& job);
  // A job that nobody waits for any more is dropped unless it is under way; returns that.
  std::shared_ptr<CheckJob> cancel(const Ticket& ticket);
  bool has(const Ticket& ticket) const { return jobs_by_ticket_.contains(ticket); }

  size_t waiting() const { return by_age_.size(); }
  std::optional<Time> oldest_queued_at() const;

 private:
  using Source = CheckJob::Source;
  struct TicketHash {
    size_t operator()(const Ticket& ticket) const noexcept;
  };

  std::shared_ptr<CheckJob> take_from(std::list<Source>::iterator source);
  std::list<Source>::iterator source_of(const std::string& address);
  void stand_in_line(CheckJob& job, std::list<Source>::iterator source);
  void leave_lines(CheckJob& job);

  const size_t jobs_max_;
  const size_t jobs_per_source_max_;
  std::unordered_map<Digest, std::shared_ptr<CheckJob>, DigestHash> jobs_;
  std::unordered_map<Ticket, CheckJob*, TicketHash> jobs_by_ticket_;
  std::list<Source> turns_;  // sources with waiting jobs; the first is next
  std::unordered_map<std::string, std::list<Source>::iterator> sources_;
  std::list<CheckJob*> by_age_;  // waiting jobs
};

}  // namespace nuncio::auth
