// One core's share of the broker: an I/O back end, the connections it owns, and the turns that move messages
// between them. Everything here belongs to the worker's thread but what is marked otherwise.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <queue>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include "auth/auth_table.h"
#include "auth/snapshot.h"
#include "auth/verifier.h"
#include "core/account.h"
#include "net/connection.h"
#include "net/crossings.h"
#include "net/delivery.h"
#include "net/io.h"
#include "net/server.h"
#include "net/state.h"

namespace nuncio::net {

class Worker;

// A socket from the acceptor. `refusal`: accepted only to be told why it cannot stay.
struct NewSocket {
  int socket;
  Address address;
  uint64_t id;
  Reason refusal;
};
struct Stop {};
struct Wake {};  // there is a new state to adopt
struct Task {
  std::function<void(Worker&)> run;
};
using Control = std::variant<NewSocket, auth::CheckResult, Stop, Wake, Task>;

// Aligned so that no line of it is shared with the next one (nor fetched with it, as pairs of lines are).
class alignas(128) Worker {
 public:
  Worker(Server& server, WorkerId id);
  ~Worker();

  // Starts the thread; false with `why_not` when the I/O back end cannot be made there.
  bool start(std::string& why_not);
  bool is_started() const { return thread_.joinable(); }
  // After Stop: returns when the thread has done its last turn. It stays, for others' wakes, until join().
  void wait_until_ended();
  void join();

  // Any thread: hands over a control message (never ordered against messages) and wakes the worker.
  void post(Control control);
  // Any thread: ends the worker's sleep if it sleeps.
  void wake_if_asleep();
  // Any thread: returns when this worker judges logins by the state of that version or a later one, and has
  // checked all its connections again (AU-71).
  void wait_until_adopted(uint64_t version);
  // Connections given to this worker and not yet gone; the acceptor counts up, the worker down.
  std::atomic<uint32_t> load{0};

  Server& server() { return server_; }
  WorkerId id() const { return id_; }
  int64_t now_ns() const { return now_ns_; }  // start of this turn, monotonic
  Io& io() { return *io_; }
  ChunkPool& chunks() { return chunks_; }
  // Scratch for one record or more, io_padding readable behind it. For TLS, within one call.
  std::span<char> plain_buffer();
  // So many bytes were encrypted to be sent.
  void count_encrypted(uint64_t bytes) { encrypted_ += bytes; }
  Delivery& delivery() { return delivery_; }
  Crossings& crossings() { return crossings_; }
  Matcher& matcher(const Account& account) {
    std::unique_ptr<Matcher>& found = matchers_[account.index];
    if (found == nullptr) [[unlikely]]
      make_matcher(account);
    return *found;
  }
  [[gnu::cold, gnu::noinline]] void make_matcher(const Account& account);
  const State& state() const { return *state_; }
  const Options& options() const { return state_->options; }
  const auth::AuthTable& table() const { return *state_->table; }
  // What the account does beside delivering; null when that is nothing. Valid for this turn.
  const AccountRules* rules(const Account& account) const {
    return account.index < rules_.size() ? rules_[account.index] : nullptr;
  }
  // The subject that a publish on `subject` goes to (AU-56). Valid until the next call.
  std::string_view map(const AccountRules& rules, std::string_view subject) {
    return rules.has_mappings() ? rules.map(subject, mapped_, random_) : subject;
  }
  // This worker's memory of the rights' answers, shared by all connections that have them.
  std::shared_ptr<auth::SubjectVerdicts> verdicts(const std::shared_ptr<const auth::Permissions>& rights);
  // The connection in `slot`, or null when that generation is gone.
  Connection* find(uint32_t slot, uint32_t generation);

  // From connections.
  void add_to_flush_list(Connection& connection) { flush_list_.push_back(&connection); }
  void resume_next_turn(Connection& connection);
  void wait_for_spills(Connection& connection);
  void remove_subscriptions_later(Connection& connection);
  void add_timer(int64_t at_ns, const Connection& connection);
  // A connection waits for the verifier to say whether it stays after a reload; and has its answer, or is
  // gone.
  void begin_recheck() { ++rechecks_pending_; }
  void end_recheck() { --rechecks_pending_; }
  // For the server's tasks: calls `visit` with every client that is not closing.
  void for_each_client(const std::function<void(Connection&)>& visit);
  // True at most a few times a second: for log lines that an attacker could cause (OP-16).
  bool may_log_refusal();

 private:
  struct Place {  // of one connection
    std::unique_ptr<Connection> connection;
    uint32_t generation = 0;
    bool is_closed = false;    // io has reported `closed`
    bool is_refused = false;   // let in only to be told that the server is full
    bool is_removing = false;  // subscriptions are being removed
  };
  struct Reference {
    Slot slot;
    uint32_t generation;
  };
  struct Timer {
    int64_t at_ns;
    Reference whose;
    bool operator>(const Timer& other) const { return at_ns > other.at_ns; }
  };

  void run(std::string* why_not, std::atomic<int>* started);
  std::span<const IoEvent> sleep();
  void pick_up_state();
  void recheck_some();
  int64_t time_to_sleep_ns();
  void take_controls();
  void take_results();
  bool execute(std::span<const IoEvent> events);
  void adopt(const NewSocket& socket);
  void handle(const IoEvent& event);
  void hold_back(std::span<const IoEvent> events);
  void fire_timers();
  void resume_paused();
  void remove_subscriptions();
  void flush();
  void begin_stop();
  bool is_done();
  void release(Slot slot);
  void count_out(bool is_refused);

  enum Phase : int { running, ended, may_finish };

  Server& server_;
  const WorkerId id_;
  std::thread thread_;
  std::atomic<Phase> phase_{running};
  std::unique_ptr<Io> io_;
  auth::Snapshot<State>::Reader state_;
  std::string mapped_;
  std::minstd_rand random_;                 // for weighted mappings
  std::vector<const AccountRules*> rules_;  // by index of the account
  std::atomic<uint64_t> adopted_{0};        // version whose adoption is complete
  size_t recheck_next_ = SIZE_MAX;          // place to look at next; at the end: no recheck is under way
  unsigned rechecks_pending_ = 0;           // at the verifier
  std::unordered_map<const auth::Permissions*, std::weak_ptr<auth::SubjectVerdicts>> verdicts_;
  ChunkPool chunks_;
  uint64_t encrypted_ = 0;                // in this flush()
  std::unique_ptr<char[]> plain_buffer_;  // null: no TLS so far
  Delivery delivery_;
  Crossings crossings_;
  std::vector<std::unique_ptr<Matcher>> matchers_;
  int64_t now_ns_ = 0;

  std::vector<Place> places_;
  std::vector<Slot> free_slots_;
  std::vector<Connection*> flush_list_;
  std::vector<Connection*> flushing_;
  std::vector<Reference> resume_list_;
  std::vector<Reference> spill_list_;
  std::vector<Reference> references_;  // scratch for going through one of the two above
  std::vector<Slot> removing_;         // closing connections that still have subscriptions
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;

  std::mutex controls_mutex_;
  std::vector<Control> controls_;
  std::vector<Control> controls_taken_;
  std::vector<auth::CheckResult> results_;  // to be handled once the inboxes are drained
  std::atomic<bool> has_controls_{false};
  std::atomic<bool> is_asleep_{false};

  unsigned turns_held_back_ = 0;  // in a row
  bool is_stop_asked_ = false;
  bool is_stopping_ = false;
  int64_t stop_by_ns_ = 0;
  int64_t refusal_window_ns_ = 0;
  unsigned refusals_logged_ = 0;
  uint64_t refusals_unlogged_ = 0;
};

}  // namespace nuncio::net
