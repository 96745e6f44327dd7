// A thread of the Verifier that makes one check or does one work at a time. It shares no lock: a job is
// handed over through an atomic and a semaphore, so that it may starve at SCHED_IDLE in any place without
// holding up who hands over. All members are for the Verifier, under its lock.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "auth/check_queue.h"
#include "auth/semaphore.h"

namespace nuncio::auth {

// Starts a thread that takes no signals: those of the process are for others. `name`: at most 15 characters.
std::thread start_thread(const char* name, std::function<void()> function);

class CheckThread {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Outcome {
    std::shared_ptr<const CheckJob> job;
    std::shared_ptr<const StoredSecret> matching;  // which of the job's, or null
  };

  // `is_idle_class`: at SCHED_IDLE. `finished` is posted after each check.
  CheckThread(const char* name, bool is_idle_class, std::shared_ptr<Semaphore> finished);
  // join_until() must have been called.
  ~CheckThread() = default;
  CheckThread(const CheckThread&) = delete;
  CheckThread& operator=(const CheckThread&) = delete;

  bool is_free() const;
  // Work starved here lately: to be given nothing for now.
  bool is_avoided(Time now) const { return now < avoided_until_; }
  void hand_over(std::shared_ptr<const CheckJob> job, Time now);
  // What came out when the check is done; the thread is free then.
  std::optional<Outcome> take();

  // The check under way when its thread hardly gets the processor, for another thread to make as well; once.
  // With work the thread is avoided instead, and gets normal priority for the rest of it where that is
  // permitted.
  std::shared_ptr<const CheckJob> take_starved(Time now);
  // When take_starved() is worth a look; nullopt: not before the job is done.
  std::optional<Time> starved_at() const;

  // Processor time it has had since it began.
  std::chrono::nanoseconds cpu_time() const;

  void stop();
  // A check cannot be interrupted, and a costly one must not hold up the end of the server: when it is not
  // done by then the thread goes on alone, with what it owns.
  void join_until(Time deadline);

 private:
  enum class State : uint8_t { idle, busy, done };
  // What the thread itself touches, and keeps alive while it runs.
  struct Shared {
    std::atomic<State> state = State::idle;  // idle → busy and done → idle by the Verifier, busy → done by it
    std::atomic<bool> is_stopping = false;
    Semaphore wake;
    Semaphore ended;
    std::shared_ptr<Semaphore> finished;
    std::shared_ptr<const CheckJob> job;
    std::shared_ptr<const StoredSecret> matching;
  };
  static void run(Shared& self);
  bool set_policy(int policy);  // false: not permitted

  const bool is_idle_class_;
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  mutable std::thread thread_;  // native_handle() is not const
  // Notes about a busy one.
  Time watched_since_{};
  std::chrono::nanoseconds cpu_time_then_{};
  bool is_rescued_ = false;  // its job was given to another thread as well
  bool is_raised_ = false;   // until the work it has is done
  Time avoided_until_{};
};

}  // namespace nuncio::auth
