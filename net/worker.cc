#include "net/worker.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "core/assert.h"
#include "core/log.h"
#include "net/client.h"
#include "net/server.h"

namespace nuncio::net {
namespace {

constexpr uint64_t turn_received_max =
    256 * 1024;  // bytes executed before outboxes are sent (a turn's bound)
constexpr unsigned turns_held_back_max = 4;
constexpr Slot slots_max = 16 * 1024 * 1024;  // whatever max_connections becomes
constexpr size_t rechecks_per_turn = 1000;
constexpr unsigned removals_per_turn = 1000;
constexpr int64_t spill_retry_ns = 50'000;
constexpr int64_t stop_limit_ns = 2'000'000'000;
constexpr unsigned refusals_per_second = 10;
constexpr uint64_t flush_encrypted_max = 1024 * 1024;  // bytes, of about a millisecond
constexpr size_t plain_buffer_size = 64 * 1024;

int64_t monotonic_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Worker::Worker(Server& server, WorkerId id)
    : server_(server),
      id_(id),
      state_(server.state),
      delivery_(*this, id, server.workers_count),
      crossings_(*this, id),
      matchers_(accounts_max) {
  pick_up_state();
}

void Worker::make_matcher(const Account& account) {
  matchers_[account.index] = std::make_unique<Matcher>(server_.account(account.index).interest, id_);
}

Worker::~Worker() = default;

bool Worker::start(std::string& why_not) {
  std::atomic<int> started{0};  // 1: runs, -1: does not
  thread_ = std::thread([&] { run(&why_not, &started); });
  started.wait(0);
  if (started.load() > 0) return true;
  thread_.join();
  return false;
}

void Worker::wait_until_ended() {
  phase_.wait(running);
}

void Worker::join() {
  phase_.store(may_finish);
  phase_.notify_one();
  if (thread_.joinable()) thread_.join();
}

// One order, on which visibility rests (I4): take completions; drain every inbox up to the tails seen after
// that; execute what arrived; publish this turn's batches; send each outbox once.
void Worker::run(std::string* why_not, std::atomic<int>* started) {
  pthread_setname_np(pthread_self(), fmt::format("worker-{}", id_).c_str());
  IoSettings settings;
  settings.slots_max = slots_max;
  io_ = server_.make_io(settings, *why_not);
  started->store(io_ != nullptr ? 1 : -1);
  started->notify_one();
  if (io_ == nullptr) return;

  while (!is_stopping_ || !is_done()) {
    const std::span<const IoEvent> events = sleep();
    take_controls();
    delivery_.reset_appended();
    // Others may publish faster than we fan out: after some turns that were held back, drain whatever it
    // takes.
    if (delivery_.drain(turns_held_back_ == turns_held_back_max)) [[likely]] {
      turns_held_back_ = 0;
      resume_paused();
      take_results();
      recheck_some();
      if (execute(events)) fire_timers();
      if (is_stop_asked_ && !is_stopping_) begin_stop();  // what was sent before has been drained (OP-5)
    } else {
      ++turns_held_back_;
      hold_back(events);
    }
    remove_subscriptions();
    crossings_.expire(now_ns_);
    delivery_.publish_batches();
    flush();
  }
  for (Place& place : places_) {  // what did not end in time
    if (place.connection != nullptr) place.connection->session->remove_subscriptions(UINT32_MAX);
  }
  server_.epochs.offline(id_);
  phase_.store(ended);
  phase_.notify_one();
  phase_.wait(ended);  // others may still wake us
  io_.reset();         // on this thread, and first: sends under way refer to the outboxes
  places_.clear();
}

// False when the inboxes could not be drained in between: nothing more may be executed in this turn.
bool Worker::execute(std::span<const IoEvent> events) {
  uint64_t received = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    const IoEvent& event = events[i];
    handle(event);
    received += event.kind == IoEvent::Kind::received ? event.size : 0;
    if (received > turn_received_max || delivery_.appended() > turn_appended_max) {
      delivery_.publish_batches();
      flush();
      received = 0;
      delivery_.reset_appended();
      // Go round: what others sent meanwhile, stalls among it, comes before what is left.
      if (!delivery_.drain(false)) {
        hold_back(events.subspan(i + 1));
        return false;
      }
    }
  }
  return true;
}

std::span<const IoEvent> Worker::sleep() {
  int64_t timeout_ns = time_to_sleep_ns();
  if (timeout_ns != 0) {
    is_asleep_.store(true, std::memory_order_seq_cst);
    if (has_controls_.load(std::memory_order_seq_cst) || !delivery_.is_drained()) timeout_ns = 0;
  }
  server_.epochs.offline(id_);
  const std::span<const IoEvent> events = io_->wait(timeout_ns);
  is_asleep_.store(false, std::memory_order_relaxed);
  server_.epochs.online(id_);
  now_ns_ = monotonic_ns();
  if (state_.refresh()) [[unlikely]]
    pick_up_state();
  return events;
}

// From here on logins are judged by the new state; who is connected is checked again in the following turns.
void Worker::pick_up_state() {
  rules_.clear();
  const std::span<const AccountRules> all = state_->accounts->accounts();
  for (size_t place = 0; place < all.size(); ++place) {
    if (all[place].is_plain()) continue;
    const uint32_t index = state_->account_at[place]->index;
    if (index >= rules_.size()) rules_.resize(index + 1, nullptr);
    rules_[index] = &all[place];
  }
  std::erase_if(verdicts_, [](const auto& entry) { return entry.second.expired(); });
  crossings_.forget_what_is_closed();
  recheck_next_ = 0;
}

void Worker::recheck_some() {
  if (recheck_next_ == SIZE_MAX) [[likely]]
    return;
  const size_t end = std::min(places_.size(), recheck_next_ + rechecks_per_turn);
  for (; recheck_next_ < end; ++recheck_next_) {
    Connection* connection = places_[recheck_next_].connection.get();
    if (connection != nullptr && !connection->is_closing()) connection->session->adopt_state();
  }
  if (recheck_next_ < places_.size() || rechecks_pending_ != 0) return;
  recheck_next_ = SIZE_MAX;
  adopted_.store(state_->version, std::memory_order_release);
  adopted_.notify_one();
}

void Worker::wait_until_adopted(uint64_t version) {
  for (uint64_t adopted = adopted_.load(); adopted < version; adopted = adopted_.load())
    adopted_.wait(adopted);
}

void Worker::for_each_client(const std::function<void(Connection&)>& visit) {
  for (const Place& place : places_) {
    if (place.connection != nullptr && !place.connection->is_closing()) visit(*place.connection);
  }
}

std::shared_ptr<auth::SubjectVerdicts> Worker::verdicts(
    const std::shared_ptr<const auth::Permissions>& rights) {
  std::weak_ptr<auth::SubjectVerdicts>& known = verdicts_[rights.get()];
  std::shared_ptr<auth::SubjectVerdicts> shared = known.lock();
  if (!shared) known = shared = std::make_shared<auth::SubjectVerdicts>(rights);
  return shared;
}

std::span<char> Worker::plain_buffer() {
  if (plain_buffer_ == nullptr) plain_buffer_ = std::make_unique<char[]>(plain_buffer_size + io_padding);
  return {plain_buffer_.get(), plain_buffer_size};
}

int64_t Worker::time_to_sleep_ns() {
  const bool is_rechecking =
      recheck_next_ < places_.size() || (recheck_next_ != SIZE_MAX && rechecks_pending_ == 0);
  if (is_rechecking || !resume_list_.empty() || !removing_.empty() || !flush_list_.empty() ||
      !results_.empty())
    return 0;
  int64_t sleep_ns = -1;
  if (!timers_.empty()) sleep_ns = std::max<int64_t>(timers_.top().at_ns - monotonic_ns(), 0);
  if (delivery_.has_spills() && (sleep_ns < 0 || sleep_ns > spill_retry_ns)) sleep_ns = spill_retry_ns;
  if (const auto look_ns = crossings_.next_look_ns()) {
    const int64_t wait_ns = std::max<int64_t>(*look_ns - monotonic_ns(), 0);
    if (sleep_ns < 0 || wait_ns < sleep_ns) sleep_ns = wait_ns;
  }
  if (is_stopping_ && (sleep_ns < 0 || sleep_ns > 10'000'000)) sleep_ns = 10'000'000;
  return sleep_ns;
}

void Worker::wake_if_asleep() {
  if (is_asleep_.load(std::memory_order_seq_cst) && is_asleep_.exchange(false, std::memory_order_seq_cst))
    io_->wake();
}

void Worker::post(Control control) {
  {
    const std::lock_guard lock(controls_mutex_);
    controls_.push_back(std::move(control));
  }
  has_controls_.store(true, std::memory_order_seq_cst);
  wake_if_asleep();
}

void Worker::take_controls() {
  if (!has_controls_.load(std::memory_order_relaxed)) [[likely]]
    return;
  has_controls_.store(false, std::memory_order_relaxed);
  {
    const std::lock_guard lock(controls_mutex_);
    controls_taken_.swap(controls_);
  }
  for (const Control& control : controls_taken_) {
    if (const auto* socket = std::get_if<NewSocket>(&control)) {
      adopt(*socket);
    } else if (const auto* result = std::get_if<auth::CheckResult>(&control)) {
      results_.push_back(*result);
    } else if (const auto* task = std::get_if<Task>(&control)) {
      task->run(*this);
    } else if (std::holds_alternative<Stop>(control)) {
      is_stop_asked_ = true;
    } else if (state_.refresh()) {  // published behind this turn's first look
      pick_up_state();
    }
  }
  controls_taken_.clear();
}

void Worker::take_results() {
  for (const auth::CheckResult& result : results_) {
    Connection* connection = find(result.ticket.slot, result.ticket.generation);
    if (connection == nullptr || connection->is_closing()) continue;
    result.work ? connection->on_handshake_step() : connection->session->on_verified(result);
  }
  results_.clear();
}

void Worker::adopt(const NewSocket& from) {
  Slot slot;
  if (is_stopping_) {
    ::close(from.socket);
    return count_out(from.refusal != Reason::none);
  }
  if (free_slots_.empty()) {
    slot = static_cast<Slot>(places_.size());
    places_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  Place& place = places_[slot];
  place.is_closed = place.is_removing = false;
  place.is_refused = from.refusal != Reason::none;
  place.connection = std::make_unique<Connection>(*this, slot, ++place.generation, from.address, from.id);
  Connection& connection = *place.connection;
  connection.session = std::make_unique<Client>(connection);
  io_->open(slot, from.socket);
  connection.session->open();
  if (from.refusal != Reason::none) connection.close(from.refusal);
}

Connection* Worker::find(uint32_t slot, uint32_t generation) {
  if (slot >= places_.size() || places_[slot].generation != generation) return nullptr;
  return places_[slot].connection.get();
}

void Worker::handle(const IoEvent& event) {
  Place& place = places_[event.slot];
  NUNCIO_DEBUG_ASSERT(place.connection != nullptr);
  Connection& connection = *place.connection;
  switch (event.kind) {
    case IoEvent::Kind::received:
      return connection.on_received({event.data, event.size});
    case IoEvent::Kind::sent:
      return connection.on_sent(event.size, event.error);
    case IoEvent::Kind::end_of_stream:
      return connection.on_end_of_stream();
    case IoEvent::Kind::receive_failed:
      return connection.on_receive_failed();
    case IoEvent::Kind::closed:
      place.is_closed = true;
      return release(event.slot);
  }
}

// The inboxes were not drained to the end: what was received must wait for the next turn, or a PING could be
// answered before a message that was published earlier.
void Worker::hold_back(std::span<const IoEvent> events) {
  for (const IoEvent& event : events) {
    Connection& connection = *places_[event.slot].connection;
    if (event.kind == IoEvent::Kind::received || event.kind == IoEvent::Kind::end_of_stream)
      resume_next_turn(connection);
    handle(event);
  }
}

// Frees the slot when the socket is closed and the last subscription gone.
void Worker::release(Slot slot) {
  Place& place = places_[slot];
  if (!place.is_closed || place.is_removing) return;
  if (place.connection->is_in_flush_list) std::erase(flush_list_, place.connection.get());
  place.connection.reset();
  free_slots_.push_back(slot);
  count_out(place.is_refused);
}

void Worker::count_out(bool is_refused) {
  load.fetch_sub(1, std::memory_order_relaxed);
  (is_refused ? server_.refused : server_.connections).fetch_sub(1, std::memory_order_relaxed);
}

void Worker::remove_subscriptions_later(Connection& connection) {
  places_[connection.slot].is_removing = true;
  removing_.push_back(connection.slot);
}

void Worker::remove_subscriptions() {
  for (unsigned budget = removals_per_turn; budget > 0 && !removing_.empty();) {
    const Slot slot = removing_.back();
    const unsigned step = std::min(budget, 100u);
    budget -= step;
    if (!places_[slot].connection->session->remove_subscriptions(step)) continue;
    removing_.pop_back();
    places_[slot].is_removing = false;
    release(slot);
  }
}

void Worker::resume_next_turn(Connection& connection) {
  if (connection.is_paused(Connection::turn_over) || connection.is_closing()) return;
  connection.pause(Connection::turn_over);
  resume_list_.push_back({connection.slot, connection.generation});
}

void Worker::wait_for_spills(Connection& connection) {
  if (connection.is_paused(Connection::spilling) || connection.is_closing()) return;
  connection.pause(Connection::spilling);
  spill_list_.push_back({connection.slot, connection.generation});
}

void Worker::resume_paused() {
  const auto resume_all = [this](std::vector<Reference>& list, Connection::Pause why) {
    references_.swap(list);
    for (const Reference& reference : references_) {
      if (Connection* connection = find(reference.slot, reference.generation)) connection->resume(why);
    }
    references_.clear();
  };
  if (!resume_list_.empty()) resume_all(resume_list_, Connection::turn_over);
  if (delivery_.retry_spills() && !spill_list_.empty()) resume_all(spill_list_, Connection::spilling);
}

void Worker::add_timer(int64_t at_ns, const Connection& connection) {
  timers_.push({at_ns, {connection.slot, connection.generation}});
}

void Worker::fire_timers() {
  while (!timers_.empty() && timers_.top().at_ns <= now_ns_) {
    const Timer timer = timers_.top();
    timers_.pop();
    if (Connection* connection = find(timer.whose.slot, timer.whose.generation)) {
      connection->on_timer(timer.at_ns, now_ns_);
    }
  }
}

void Worker::flush() {
  flushing_.swap(flush_list_);
  encrypted_ = 0;
  for (Connection* connection : flushing_) {
    // A thousand that take all they can get would hold up everybody else.
    if (encrypted_ > flush_encrypted_max && connection->tls() != nullptr) [[unlikely]] {
      flush_list_.push_back(connection);
      continue;
    }
    connection->is_in_flush_list = false;
    connection->flush(now_ns_);
  }
  flushing_.clear();
}

void Worker::begin_stop() {
  is_stopping_ = true;
  stop_by_ns_ = now_ns_ + stop_limit_ns;
  for (Place& place : places_) {
    if (place.connection != nullptr) place.connection->close(Reason::server_shutdown);
  }
}

bool Worker::is_done() {
  if (monotonic_ns() > stop_by_ns_) return true;  // what is left is cut
  return free_slots_.size() == places_.size();
}

bool Worker::may_log_refusal() {
  if (now_ns_ - refusal_window_ns_ > 1'000'000'000) {
    if (refusals_unlogged_ != 0) log::error("{} more errors of clients were not logged", refusals_unlogged_);
    refusal_window_ns_ = now_ns_;
    refusals_logged_ = 0;
    refusals_unlogged_ = 0;
  }
  if (refusals_logged_ < refusals_per_second) return ++refusals_logged_ != 0;
  ++refusals_unlogged_;
  return false;
}

}  // namespace nuncio::net
