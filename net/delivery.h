// Takes a published message to everybody who wants it: this worker's own subscriptions, and the rings to the
// workers that have others. The hot path of the broker (I2). One per worker, on its thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/account.h"
#include "net/message.h"
#include "net/peer_ring.h"

namespace nuncio::net {

class Connection;
class Worker;

// Bytes appended in one turn after which it flushes and goes round.
inline constexpr uint64_t turn_appended_max = 1024 * 1024;

class Delivery {
 public:
  Delivery(Worker& worker, WorkerId id, unsigned workers);

  // Delivers `message`, published by `from` in `account`, to those in `match`. True when somebody got it or
  // another worker has it. Pauses the publisher when a ring is full or a subscriber far behind. `publisher`:
  // its connection, null when that is another worker's: then what finds a way blocked for long is dropped, as
  // nobody can be paused.
  bool publish(const Account& account, const Match& match, Message& message, const Publisher& from,
               Connection* publisher);
  // Hands an answer that was published in `account` to the worker that keeps its request (net/crossings.h).
  void send_answer(WorkerId to, const Account& account, Message& message, const Publisher& from,
                   Connection* publisher);

  // Delivers what other workers published, up to what was visible when it was called. False when the turn's
  // limit was reached first (not when unlimited): then nothing received may be executed in this turn (I4).
  bool drain(bool is_unlimited);
  // Nothing waits in the rings to this worker. For the sleeper's last look.
  bool is_drained() const;

  // Makes this turn's records visible and wakes the workers that sleep.
  void publish_batches();
  // Moves spilled records into their rings; true when none is left.
  bool retry_spills();
  bool has_spills() const { return has_spills_; }

  // The ring from this worker to worker `to`; read by that worker.
  PeerRing& ring_to(WorkerId to) { return *rings_[to]; }

  // Releases what still waits in the rings from this worker. When the threads have ended.
  void discard_rings();

  // Bytes appended to outboxes since reset_appended(), to bound a turn.
  uint64_t appended() const { return appended_; }
  void reset_appended() { appended_ = 0; }

 private:
  struct Record;
  struct More;
  struct QueueShare {
    WorkerId worker;
    std::string_view name;
  };

  bool deliver(Subscription& subscription, Message& message, const Publisher& from,
               const Connection* publisher);
  void append(Connection& receiver, const Subscription& subscription, Message& message);
  void append_unusual(Connection& receiver, const Subscription& subscription, Message& message);
  bool deliver_to_queue(const QueueMatch& queue, Message& message, const Publisher& from,
                        const Connection* publisher, uint64_t tried);
  bool deliver_to_own(const QueueMatch& queue, Message& message, const Publisher& from,
                      const Connection* publisher);
  bool deliver_to_member(const SubscriptionList& members, Message& message, const Publisher& from,
                         const Connection* publisher);
  void send_to_workers(const Account& account, Message& message, const Publisher& from, uint64_t plain,
                       uint64_t tried);
  enum class For : uint8_t { plain, queues, answer };
  void send_record(WorkerId to, const Account& account, Message& message, const Publisher& from, For whom,
                   uint64_t tried);
  uint64_t without_blocked(uint64_t plain);
  char* begin_record(WorkerId to, const Record& record, const More* more, size_t names);
  char* put_message(char* at, const Message& message, size_t payload_size);
  void end_record(WorkerId to);
  void send_stall(const Publisher& to);
  void receive_record(const Record& record, const char* bytes);
  void receive_for_queues(const Record& record, const char* names, const Match& match, Message& message,
                          uint64_t tried);
  void stall(const Publisher& from);
  void remove_expired();

  Worker& worker_;
  const WorkerId id_;
  std::vector<std::unique_ptr<PeerRing>> rings_;  // to each worker; none to itself
  std::vector<Subscription*> expired_;            // reached their UNSUB max during this delivery
  std::vector<QueueShare> shares_;                // queue groups of this message drawn on other workers
  uint64_t appended_ = 0;
  uint64_t random_;
  uint64_t record_targets_ = 0;  // bit w: records for w wait to be published
  bool has_spills_ = false;
  bool is_record_spilled_ = false;  // the record being written
  WorkerId drain_next_ = 0;         // which ring to read first, so that none is last for ever
  Publisher stalled_last_{UINT32_MAX, 0, 0};
};

}  // namespace nuncio::net
