// Tells a queue that is merely long from one whose threads get nowhere: threads that together get less than
// half of the processor time they can use, as on a saturated server, where SCHED_IDLE may mean never, and
// threads that all make checks of half a second and more. Plain bookkeeping, one for each backlog, which
// lasts from the first job that finds no free thread until none waits. Not synchronised.
#pragma once

#include <chrono>
#include <cstddef>

namespace nuncio::auth {

class BacklogWatch {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `cpu_time` here and below: what the threads have had in all. What the rescuer had counts too, since it
  // may be the very one that keeps the others from the processor.
  BacklogWatch(size_t threads, Time now, std::chrono::nanoseconds cpu_time);

  // One of the threads, not the rescuer, has a result.
  void note_progress(Time now) { progress_at_ = now; }
  // When look() is due.
  Time next_look() const;
  void look(Time now, std::chrono::nanoseconds cpu_time);
  // As of the last look; false before the first.
  bool is_stuck() const { return is_stuck_; }

 private:
  size_t threads_;
  Time progress_at_;
  Time looked_at_;
  std::chrono::nanoseconds cpu_time_then_;
  bool is_stuck_ = false;
};

}  // namespace nuncio::auth
