#include "auth/check_thread.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

namespace nuncio::auth {
namespace {

// Later than a waiting job is overdue (check_lane.cc): whoever has not begun goes first, or one costly check
// would take the rescuer from all others.
constexpr auto starved_after = std::chrono::milliseconds(400);
// Work takes milliseconds, a client waits for a second or two, and nothing else is held up by looking early.
constexpr auto work_starved_after = std::chrono::milliseconds(100);
constexpr auto avoided_for = std::chrono::seconds(5);

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

}  // namespace

std::thread start_thread(const char* name, std::function<void()> function) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(function));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), name);
  return thread;
}

CheckThread::CheckThread(const char* name, bool is_idle_class, std::shared_ptr<Semaphore> finished)
    : is_idle_class_(is_idle_class) {
  shared_->finished = std::move(finished);
  thread_ = start_thread(name, [shared = shared_, is_idle_class] {
    if (is_idle_class) yield_to_everybody();
    run(*shared);
  });
}

void CheckThread::run(Shared& self) {
  while (true) {
    self.wake.wait();
    if (self.is_stopping.load(std::memory_order_acquire)) break;
    if (self.job->work) {
      self.job->work->run();
    } else {
      self.matching = first_match(*self.job);
    }
    self.state.store(State::done, std::memory_order_release);
    self.finished->post();
  }
  self.ended.post();
}

bool CheckThread::is_free() const {
  return shared_->state.load(std::memory_order_relaxed) == State::idle;
}

void CheckThread::hand_over(std::shared_ptr<const CheckJob> job, Time now) {
  shared_->job = std::move(job);
  watched_since_ = now;
  cpu_time_then_ = cpu_time();
  is_rescued_ = false;
  shared_->state.store(State::busy, std::memory_order_relaxed);
  shared_->wake.post();  // orders everything above before the thread's reading
}

std::optional<CheckThread::Outcome> CheckThread::take() {
  if (shared_->state.load(std::memory_order_acquire) != State::done) return std::nullopt;
  Outcome outcome{std::move(shared_->job), std::move(shared_->matching)};
  shared_->job = nullptr;
  shared_->matching = nullptr;
  if (is_raised_) set_policy(SCHED_IDLE);
  is_raised_ = false;
  shared_->state.store(State::idle, std::memory_order_relaxed);
  return outcome;
}

// On a saturated server SCHED_IDLE may mean never.
std::shared_ptr<const CheckJob> CheckThread::take_starved(Time now) {
  const auto at = starved_at();
  if (!at || now < *at) return nullptr;
  const auto used = cpu_time();
  const bool is_starved = used - cpu_time_then_ < (now - watched_since_) / 2;
  if (is_starved && !shared_->job->work) {
    is_rescued_ = true;
    return shared_->job;
  }
  if (is_starved) {
    avoided_until_ = now + avoided_for;
    is_raised_ = is_idle_class_ && set_policy(SCHED_OTHER);
  }
  watched_since_ = now;
  cpu_time_then_ = used;
  return nullptr;
}

std::optional<CheckThread::Time> CheckThread::starved_at() const {
  const bool is_busy = shared_->state.load(std::memory_order_relaxed) == State::busy;
  if (!is_busy || is_rescued_) return std::nullopt;
  return watched_since_ + (shared_->job->work ? work_starved_after : starved_after);
}

// To leave SCHED_IDLE takes CAP_SYS_NICE or an RLIMIT_NICE of 20.
bool CheckThread::set_policy(int policy) {
  const sched_param none{};
  return pthread_setschedparam(thread_.native_handle(), policy, &none) == 0;
}

void CheckThread::stop() {
  shared_->is_stopping.store(true, std::memory_order_release);
  shared_->wake.post();
}

void CheckThread::join_until(Time deadline) {
  if (shared_->ended.wait_until(deadline)) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

std::chrono::nanoseconds CheckThread::cpu_time() const {
  clockid_t clock;
  timespec now{};
  if (pthread_getcpuclockid(thread_.native_handle(), &clock) != 0 || clock_gettime(clock, &now) != 0)
    return {};
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace nuncio::auth
