#include "auth/check_queue.h"

#include <algorithm>

namespace nuncio::auth {

CheckQueue::CheckQueue(size_t jobs_max, size_t jobs_per_source_max)
    : jobs_max_(jobs_max), jobs_per_source_max_(jobs_per_source_max) {}

CheckQueue::Added CheckQueue::add(Check check, const Digest& key, Time now, std::shared_ptr<Work> work) {
  if (jobs_by_ticket_.contains(check.ticket)) return Added::refused;
  const auto equal = jobs_.find(key);
  const bool is_joined = equal != jobs_.end();
  const auto line = sources_.find(check.source);
  const bool is_line_full = line != sources_.end() && line->second->jobs.size() >= jobs_per_source_max_;
  if (!is_joined && (is_line_full || waiting() >= jobs_max_)) return Added::refused;

  std::shared_ptr<CheckJob> job;
  if (is_joined) {
    job = equal->second;
  } else {
    job = std::make_shared<CheckJob>(CheckJob{key, std::move(check.user), std::move(check.stored),
                                              std::move(check.candidate), std::move(work), now});
    job->place_by_age = by_age_.insert(by_age_.end(), job.get());
    jobs_.emplace(key, job);
  }
  job->waiters.push_back(check.ticket);
  jobs_by_ticket_.emplace(check.ticket, job.get());
  if (job->is_waiting && !is_line_full) stand_in_line(*job, source_of(check.source));
  return is_joined ? Added::joined : Added::queued;
}

std::shared_ptr<CheckJob> CheckQueue::take() {
  return turns_.empty() ? nullptr : take_from(turns_.begin());
}

std::shared_ptr<CheckJob> CheckQueue::take_queued_before(Time limit) {
  const auto source = std::find_if(turns_.begin(), turns_.end(),
                                   [&](const Source& s) { return s.jobs.front()->queued_at <= limit; });
  return source == turns_.end() ? nullptr : take_from(source);
}

std::shared_ptr<CheckJob> CheckQueue::take_from(std::list<Source>::iterator source) {
  turns_.splice(turns_.end(), turns_, source);
  CheckJob& job = *source->jobs.front();
  leave_lines(job);
  job.is_waiting = false;
  return jobs_.at(job.key);
}

std::optional<std::vector<Ticket>> CheckQueue::finish(const CheckJob& job) {
  const auto found = jobs_.find(job.key);
  // A newer job of the same key is not this one.
  if (found == jobs_.end() || found->second.get() != &job) return std::nullopt;
  std::vector<Ticket> waiters = std::move(found->second->waiters);
  for (const Ticket& ticket : waiters) jobs_by_ticket_.erase(ticket);
  jobs_.erase(found);
  return waiters;
}

std::shared_ptr<CheckJob> CheckQueue::cancel(const Ticket& ticket) {
  const auto found = jobs_by_ticket_.find(ticket);
  if (found == jobs_by_ticket_.end()) return nullptr;
  CheckJob& job = *found->second;
  jobs_by_ticket_.erase(found);
  std::erase(job.waiters, ticket);
  if (!job.waiters.empty() || !job.is_waiting) return nullptr;
  leave_lines(job);
  return std::move(jobs_.extract(job.key).mapped());
}

std::optional<CheckQueue::Time> CheckQueue::oldest_queued_at() const {
  if (by_age_.empty()) return std::nullopt;
  return by_age_.front()->queued_at;
}

std::list<CheckJob::Source>::iterator CheckQueue::source_of(const std::string& address) {
  const auto found = sources_.find(address);
  if (found != sources_.end()) return found->second;
  const auto source = turns_.insert(turns_.end(), Source{address, {}});
  sources_.emplace(address, source);
  return source;
}

void CheckQueue::stand_in_line(CheckJob& job, std::list<Source>::iterator source) {
  const auto stands = [&](const CheckJob::Place& place) { return place.source == source; };
  // A thousand sources that wait for one job need not all pull it forward.
  constexpr size_t places_max = 16;
  if (job.places.size() >= places_max || std::any_of(job.places.begin(), job.places.end(), stands)) return;
  job.places.push_back({source, source->jobs.insert(source->jobs.end(), &job)});
}

void CheckQueue::leave_lines(CheckJob& job) {
  for (const CheckJob::Place& place : job.places) {
    place.source->jobs.erase(place.at);
    if (!place.source->jobs.empty()) continue;
    sources_.erase(place.source->address);
    turns_.erase(place.source);
  }
  job.places.clear();
  by_age_.erase(job.place_by_age);
}

size_t CheckQueue::TicketHash::operator()(const Ticket& ticket) const noexcept {
  const uint64_t place =
      (uint64_t{ticket.worker} << 32 | ticket.slot) + uint64_t{ticket.generation} * 0x9e3779b97f4a7c15;
  return place * 0xbf58476d1ce4e5b9 ^ place >> 29;
}

}  // namespace nuncio::auth
