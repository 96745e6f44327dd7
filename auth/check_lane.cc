#include "auth/check_lane.h"

#include <algorithm>

namespace nuncio::auth {
namespace {

constexpr auto overdue_after = std::chrono::milliseconds(250);  // of waiting

}  // namespace

CheckLane::CheckLane(const LaneSettings& settings, const std::shared_ptr<Semaphore>& events)
    : queue_(settings.queue_max, settings.queue_per_source_max),
      rescuer_(settings.rescuer_name, false, events) {
  for (size_t i = 0; i < settings.threads; ++i)
    threads_.push_back(
        std::make_unique<CheckThread>(settings.thread_name, settings.at_idle_priority, events));
}

bool CheckLane::add(Check check, const Digest& key, Time now, std::shared_ptr<Work> work) {
  switch (queue_.add(std::move(check), key, now, std::move(work))) {
    case CheckQueue::Added::refused:
      ++counters_.refused_full;
      return false;
    case CheckQueue::Added::joined:
      ++counters_.joined;
      return true;
    case CheckQueue::Added::queued:
      break;
  }
  assign(now);
  return true;
}

std::shared_ptr<const CheckJob> CheckLane::cancel(const Ticket& ticket) {
  if (!queue_.has(ticket)) return nullptr;
  ++counters_.cancelled;
  return queue_.cancel(ticket);
}

void CheckLane::collect(std::vector<Finished>& finished, Time now) {
  for (const auto& thread : threads_) {
    if (take_result(*thread, finished) && backlog_) backlog_->note_progress(now);
  }
  take_result(rescuer_, finished);
}

// Of a job that two threads have made, the later result finds nobody waiting.
bool CheckLane::take_result(CheckThread& thread, std::vector<Finished>& finished) {
  auto outcome = thread.take();
  if (!outcome) return false;
  if (auto waiters = queue_.finish(*outcome->job)) {
    ++counters_.done;
    finished.push_back({std::move(outcome->job), std::move(*waiters), std::move(outcome->matching)});
  }
  return true;
}

void CheckLane::assign(Time now) {
  for (const auto& thread : threads_) {
    if (!thread->is_free() || thread->is_avoided(now)) continue;
    auto job = queue_.take();
    if (!job) break;
    thread->hand_over(std::move(job), now);
  }
  watch_backlog(now);
  if (!rescuer_.is_free()) return;
  if (auto job = job_to_rescue(now)) {
    ++counters_.rescued;
    rescuer_.hand_over(std::move(job), now);
  }
}

void CheckLane::watch_backlog(Time now) {
  if (queue_.waiting() == 0) {
    backlog_.reset();
  } else if (!backlog_) {
    backlog_.emplace(threads_.size(), now, cpu_time());
  } else if (now >= backlog_->next_look()) {
    backlog_->look(now, cpu_time());
  }
}

std::shared_ptr<const CheckJob> CheckLane::job_to_rescue(Time now) {
  if (backlog_ && backlog_->is_stuck()) {
    if (auto job = queue_.take_queued_before(now - overdue_after)) return job;
  }
  for (const auto& thread : threads_) {
    if (auto job = thread->take_starved(now)) return job;
  }
  const auto is_avoided = [&](const auto& thread) { return thread->is_avoided(now); };
  return std::all_of(threads_.begin(), threads_.end(), is_avoided) ? queue_.take() : nullptr;
}

std::chrono::nanoseconds CheckLane::cpu_time() const {
  auto sum = rescuer_.cpu_time();
  for (const auto& thread : threads_) sum += thread->cpu_time();
  return sum;
}

// None while the rescuer is busy, since its end is an event.
std::optional<CheckLane::Time> CheckLane::next_deadline() const {
  if (!rescuer_.is_free()) return std::nullopt;
  std::optional<Time> deadline;
  const auto not_after = [&](Time at) { deadline = deadline ? std::min(*deadline, at) : at; };
  if (backlog_) {
    not_after(backlog_->next_look());
    const auto oldest = queue_.oldest_queued_at();
    if (backlog_->is_stuck() && oldest) not_after(*oldest + overdue_after);
  }
  for (const auto& thread : threads_) {
    if (const auto at = thread->starved_at()) not_after(*at);
  }
  return deadline;
}

void CheckLane::stop() {
  for (const auto& thread : threads_) thread->stop();
  rescuer_.stop();
}

void CheckLane::join_until(Time deadline) {
  for (const auto& thread : threads_) thread->join_until(deadline);
  rescuer_.join_until(deadline);
}

Verifier::LaneCounters CheckLane::counters() const {
  Verifier::LaneCounters now = counters_;
  now.waiting = queue_.waiting();
  return now;
}

}  // namespace nuncio::auth
