// Cost of a 16-byte publish to one subscriber of the same worker, from match to outbox: cache lines: the
// match, the list, the subscription, the receiver, its outbox chunk; copies: subject, sid, tail (each one or
// two words or vectors); system calls: none here. Measured as a whole by `nuncio-bench pubsub`.
#include "net/delivery.h"

#include <fmt/format.h>

#include <cstring>

#include "core/assert.h"
#include "core/log.h"
#include "net/connection.h"
#include "net/server.h"
#include "net/trace.h"
#include "net/worker.h"

namespace nuncio::net {
namespace {

// Records that wait for a ring, above which none is passed on to it.
constexpr size_t passed_on_max = 1024;
// Queue names that go into one record; more of them make several.
constexpr size_t record_names_max = 16 * 1024;

template <typename Word>
char* put_ends(char* to, const char* from, size_t size) {  // first and last word, which may overlap
  Word first, last;
  std::memcpy(&first, from, sizeof(Word));
  std::memcpy(&last, from + size - sizeof(Word), sizeof(Word));
  std::memcpy(to, &first, sizeof(Word));
  std::memcpy(to + size - sizeof(Word), &last, sizeof(Word));
  return to + size;
}

struct Bytes16 {
  uint64_t low, high;
};
struct Bytes32 {
  Bytes16 low, high;
};

// Copies without a call and without touching a byte outside, for the sizes that matter: sids, subjects, small
// tails.
inline char* put(char* to, std::string_view text) {
  const size_t size = text.size();
  const char* from = text.data();
  if (size >= 16) {
    if (size <= 32) return put_ends<Bytes16>(to, from, size);
    if (size <= 64) return put_ends<Bytes32>(to, from, size);
    std::memcpy(to, from, size);
    return to + size;
  }
  if (size >= 8) return put_ends<uint64_t>(to, from, size);
  if (size >= 4) return put_ends<uint32_t>(to, from, size);
  for (size_t i = 0; i < size; ++i) to[i] = from[i];
  return to + size;
}

uint64_t next_random(uint64_t& state) {  // xorshift64*: even enough to spread messages over queue members
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545F4914F6CDD1Dull;
}

}  // namespace

// What travels in a ring. Small, because every cache line of it crosses from core to core: a 16-byte message
// takes 72 bytes with the ring's own header. Followed by `More` if there is any, the subject, a blank, head,
// the payload unless it is in a block, and the queue names (each behind its 16-bit size).
struct Delivery::Record {
  uint32_t account;
  uint32_t publisher_slot;
  uint32_t publisher_generation;
  uint32_t payload_size;
  uint32_t header_size;
  uint32_t head_size;
  uint16_t subject_size;  // a control line has at most 64 KiB
  uint16_t reply_size;
  uint8_t publisher_worker;
  uint8_t is_plain : 1;  // for the plain subscriptions; else for the named queues only
  uint8_t is_stall : 1;  // not a message: slow down the publisher
  uint8_t has_more : 1;
  uint8_t is_answer : 1;  // to a request of another account that the receiving worker keeps
  uint16_t queues;        // names at the end

  Publisher publisher() const { return {publisher_worker, publisher_slot, publisher_generation}; }
};

struct Delivery::More {
  Block* block;  // or null; one reference travels with the record
  const char* payload;
  uint64_t tried;  // workers that could not place a queue's message
};

Delivery::Delivery(Worker& worker, WorkerId id, unsigned workers)
    : worker_(worker), id_(id), rings_(workers), random_(0x9E3779B97F4A7C15ull * (id + 1)) {
  const uint32_t capacity = workers <= 8 ? 1024 * 1024 : 256 * 1024;
  for (WorkerId to = 0; to < workers; ++to) {
    if (to != id) rings_[to] = std::make_unique<PeerRing>(capacity);
  }
}

bool Delivery::publish(const Account& account, const Match& match, Message& message, const Publisher& from,
                       Connection* publisher) {
  bool is_delivered = false;
  for (const SubscriptionList* list : match.plain) {
    for (Subscription* subscription : *list) is_delivered |= deliver(*subscription, message, from, publisher);
  }
  if (match.workers != 0 || !match.queues.empty()) {
    for (const QueueMatch& queue : match.queues)
      is_delivered |= deliver_to_queue(queue, message, from, publisher, 0);
    const uint64_t plain = publisher != nullptr ? match.workers : without_blocked(match.workers);
    if (plain != 0 || !shares_.empty()) {
      send_to_workers(account, message, from, plain, 0);
      is_delivered = true;
      if (has_spills_ && publisher != nullptr) [[unlikely]]
        worker_.wait_for_spills(*publisher);
    }
  }
  if (!expired_.empty()) [[unlikely]]
    remove_expired();
  return is_delivered;
}

// Nobody can be paused for what is passed on: when the way to a worker is blocked for long, it is dropped.
// Gives those of `plain` that are open and leaves the others out of `shares_`.
uint64_t Delivery::without_blocked(uint64_t plain) {
  const auto is_blocked = [this](WorkerId to) { return rings_[to]->spill_size() > passed_on_max; };
  std::erase_if(shares_, [&](const QueueShare& share) { return is_blocked(share.worker); });
  for (WorkerId to = 0; to < rings_.size(); ++to) {
    if ((plain >> to & 1) != 0 && is_blocked(to)) plain &= ~(uint64_t{1} << to);
  }
  return plain;
}

void Delivery::send_answer(WorkerId to, const Account& account, Message& message, const Publisher& from,
                           Connection* publisher) {
  if (publisher == nullptr && without_blocked(uint64_t{1} << to) == 0) return;
  send_record(to, account, message, from, For::answer, 0);
  if (has_spills_ && publisher != nullptr) [[unlikely]]
    worker_.wait_for_spills(*publisher);
}

inline bool Delivery::deliver(Subscription& subscription, Message& message, const Publisher& from,
                              const Connection* publisher) {
  Connection& receiver = static_cast<Connection&>(*subscription.receiver);
  if (&receiver == publisher && !receiver.wants_echo) return false;
  if (receiver.delivery_filter != 0) [[unlikely]] {
    const bool is_open = (receiver.delivery_filter & Connection::takes_nothing) == 0;
    if (!is_open || !receiver.session->may_receive(message)) return false;
  }
  if (subscription.max != 0) [[unlikely]] {
    if (subscription.delivered >= subscription.max) return false;
    if (subscription.delivered + 1 == subscription.max) expired_.push_back(&subscription);
  }
  ++subscription.delivered;
  append(receiver, subscription, message);
  const uint64_t pending = receiver.outbox.pending();
  const uint64_t pending_max = worker_.options().pending_max;
  if (pending > pending_max / 4 * 3) [[unlikely]] {
    if (pending > pending_max) {
      receiver.close(Reason::slow_consumer_pending);
    } else if (worker_.options().stall_fast_producers) {
      stall(from);
    }
  }
  return true;
}

inline void Delivery::append(Connection& receiver, const Subscription& subscription, Message& message) {
  const std::string_view sid = subscription.sid();
  const auto tail_size = static_cast<uint32_t>(message.head.size() + message.payload.size());
  const uint64_t line = 5 + message.subject.size() + 1 + sid.size() + 1;
  const bool has_header = message.header_size != 0;
  if (!message.is_plain_copy || (has_header && !receiver.wants_headers) ||
      line + tail_size > Outbox::reserve_max) [[unlikely]] {
    return append_unusual(receiver, subscription, message);
  }
  char* const begin = receiver.outbox.reserve(static_cast<uint32_t>(line) + tail_size);
  std::memcpy(begin, has_header ? "HMSG " : "MSG  ", 5);
  char* to = put(begin + (has_header ? 5 : 4), message.subject);
  *to++ = ' ';
  to = put(to, sid);
  *to++ = ' ';
  to = put(to, {message.head.data(), tail_size});
  receiver.outbox.commit(to);
  appended_ += static_cast<uint64_t>(to - begin);
  ++receiver.messages_out;
  receiver.bytes_out += message.size();
  receiver.flush_later();
}

// Large payloads, headers for a client without them, pieces that are not back to back.
[[gnu::cold]] void Delivery::append_unusual(Connection& receiver, const Subscription& subscription,
                                            Message& message) {
  Outbox& outbox = receiver.outbox;
  const uint64_t before = outbox.pending();
  std::string_view payload = message.payload;
  fmt::basic_memory_buffer<char, 512> line;
  const bool is_header_cut = message.header_size != 0 && !receiver.wants_headers;
  const auto add = [&line](std::string_view text) { line.append(text); };
  add(message.header_size != 0 && !is_header_cut ? "HMSG " : "MSG ");
  add(message.subject);
  add(" ");
  add(subscription.sid());
  add(" ");
  if (is_header_cut) {  // CP-49: the body alone, as a plain MSG
    payload.remove_prefix(message.header_size);
    if (!message.reply.empty()) {
      add(message.reply);
      add(" ");
    }
    fmt::format_to(std::back_inserter(line), "{}\r\n", payload.size() - 2);
  } else {
    add(message.head);
  }
  if (log::enabled(log::Level::trace)) trace_sent(receiver, {line.data(), line.size()});
  outbox.append({line.data(), line.size()});
  if (payload.size() <= payload_copied_max) {
    outbox.append(payload);
  } else {
    message.move_to_block();
    payload = message.payload.substr(message.payload.size() - payload.size());
    outbox.append_block(message.block.share(), payload.data(), static_cast<uint32_t>(payload.size()));
  }
  appended_ += outbox.pending() - before;
  ++receiver.messages_out;
  receiver.bytes_out += payload.size() - 2;
  receiver.flush_later();
}

// Draws the worker by its members, then the member; when nobody here can take it, another worker gets its
// chance. Shares of other workers go to `shares_`.
bool Delivery::deliver_to_queue(const QueueMatch& queue, Message& message, const Publisher& from,
                                const Connection* publisher, uint64_t tried) {
  const auto is_tried = [&tried](const QueueMatch::Share& share) { return (tried >> share.worker & 1) != 0; };
  for (;;) {
    uint64_t members = 0;
    for (const auto& share : queue.shares) members += is_tried(share) ? 0 : share.members;
    if (members == 0) return false;
    uint64_t draw = next_random(random_) % members;
    for (const auto& share : queue.shares) {
      if (is_tried(share)) continue;
      if (draw >= share.members) {
        draw -= share.members;
        continue;
      }
      if (share.own == nullptr) {
        shares_.push_back({share.worker, queue.name});
        return true;
      }
      if (deliver_to_member(*share.own, message, from, publisher)) return true;
      if (deliver_to_own(queue, message, from, publisher)) return true;
      tried |= uint64_t{1} << share.worker;
      break;
    }
  }
}

// To any member on this worker: the group may have some on several matching subjects.
bool Delivery::deliver_to_own(const QueueMatch& queue, Message& message, const Publisher& from,
                              const Connection* publisher) {
  for (const auto& share : queue.shares) {
    if (share.own != nullptr && deliver_to_member(*share.own, message, from, publisher)) return true;
  }
  return false;
}

bool Delivery::deliver_to_member(const SubscriptionList& members, Message& message, const Publisher& from,
                                 const Connection* publisher) {
  const uint32_t count = members.size();
  if (count == 0) return false;
  const auto first = static_cast<uint32_t>(next_random(random_) % count);
  for (uint32_t i = 0; i < count; ++i) {
    if (deliver(*members[(first + i) % count], message, from, publisher)) return true;
  }
  return false;
}

void Delivery::send_to_workers(const Account& account, Message& message, const Publisher& from,
                               uint64_t plain, uint64_t tried) {
  uint64_t targets = plain;
  for (const QueueShare& share : shares_) targets |= uint64_t{1} << share.worker;
  while (targets != 0) {
    const auto to = static_cast<WorkerId>(__builtin_ctzll(targets));
    targets &= targets - 1;
    send_record(to, account, message, from, (plain >> to & 1) != 0 ? For::plain : For::queues, tried);
  }
  shares_.clear();
}

void Delivery::send_record(WorkerId to, const Account& account, Message& message, const Publisher& from,
                           For whom, uint64_t tried) {
  Record record{};
  record.account = account.index;
  record.publisher_slot = from.slot;
  record.publisher_generation = from.generation;
  record.publisher_worker = static_cast<uint8_t>(from.worker);
  record.payload_size = static_cast<uint32_t>(message.payload.size());
  record.header_size = message.header_size;
  record.head_size = static_cast<uint32_t>(message.head.size());
  record.subject_size = static_cast<uint16_t>(message.subject.size());
  record.reply_size = static_cast<uint16_t>(message.reply.size());
  record.is_plain = whom == For::plain;
  record.is_answer = whom == For::answer;
  if (shares_.empty() && record.payload_size <= payload_copied_max) [[likely]] {
    char* at = begin_record(to, record, nullptr, 0);
    put_message(at, message, message.payload.size());
    return end_record(to);
  }
  if (record.payload_size > payload_copied_max) message.move_to_block();
  size_t next_share = 0;
  do {
    // The names of this worker's queues, as many as one record takes.
    const size_t first_share = next_share;
    size_t names = 0;
    record.queues = 0;
    for (; next_share < shares_.size() && names < record_names_max; ++next_share) {
      if (shares_[next_share].worker != to) continue;
      names += sizeof(uint16_t) + shares_[next_share].name.size();
      ++record.queues;
    }
    if (!record.is_plain && !record.is_answer && record.queues == 0) break;
    record.has_more = 1;
    const More more{message.block.share().detach(), message.payload.data(), tried};
    char* at = begin_record(to, record, &more, names);
    at = put_message(at, message, more.block == nullptr ? message.payload.size() : 0);
    for (size_t i = first_share; i < next_share; ++i) {
      if (shares_[i].worker != to) continue;
      const auto name_size = static_cast<uint16_t>(shares_[i].name.size());
      std::memcpy(at, &name_size, sizeof(name_size));
      at = put(at + sizeof(name_size), shares_[i].name);
    }
    end_record(to);
    record.is_plain = record.is_answer = 0;
  } while (next_share < shares_.size());
}

// Room for a record in the ring, or in its spill; begins to write it. `names`: bytes of queue names.
inline char* Delivery::begin_record(WorkerId to, const Record& record, const More* more, size_t names) {
  const bool is_in_block = more != nullptr && more->block != nullptr;
  const size_t size = sizeof(Record) + (more != nullptr ? sizeof(More) : 0) + record.subject_size + 1 +
                      record.head_size + (is_in_block ? 0 : record.payload_size) + names;
  const uint32_t weight = is_in_block ? record.payload_size : 0;
  PeerRing& ring = *rings_[to];
  char* at = ring.has_spill() ? nullptr : ring.reserve(static_cast<uint32_t>(size), weight);
  is_record_spilled_ = at == nullptr;
  if (is_record_spilled_) [[unlikely]] {
    at = ring.spill(static_cast<uint32_t>(size), weight);
    has_spills_ = true;
  }
  appended_ += size;
  std::memcpy(at, &record, sizeof(Record));
  if (more == nullptr) return at + sizeof(Record);
  std::memcpy(at + sizeof(Record), more, sizeof(More));
  return at + sizeof(Record) + sizeof(More);
}

// Subject, blank, head and the first `payload_size` bytes of the payload: one copy where they lie as they
// came.
inline char* Delivery::put_message(char* at, const Message& message, size_t payload_size) {
  const size_t subject_size = message.subject.size() + 1;
  if (message.is_plain_copy && message.subject.data() + subject_size == message.head.data() &&
      payload_size != 0) [[likely]] {
    return put(at, {message.subject.data(), subject_size + message.head.size() + payload_size});
  }
  at = put(at, message.subject);
  *at++ = ' ';
  at = put(at, message.head);
  return put(at, message.payload.substr(0, payload_size));
}

inline void Delivery::end_record(WorkerId to) {
  if (!is_record_spilled_) rings_[to]->commit();
  record_targets_ |= uint64_t{1} << to;
}

bool Delivery::drain(bool is_unlimited) {
  const auto workers = static_cast<WorkerId>(rings_.size());
  for (WorkerId from = 0; from < workers; ++from) {
    if (from != id_) worker_.server().worker(from).delivery().ring_to(id_).begin_read();
  }
  for (WorkerId i = 0; i < workers; ++i) {
    const WorkerId from = (drain_next_ + i) % workers;
    if (from == id_) continue;
    PeerRing& ring = worker_.server().worker(from).delivery().ring_to(id_);
    while (const char* at = ring.next()) {
      Record record;
      std::memcpy(&record, at, sizeof(Record));
      receive_record(record, at + sizeof(Record));
      if (appended_ > turn_appended_max && !is_unlimited) [[unlikely]] {
        ring.finish_read();
        drain_next_ = from;
        return false;
      }
    }
    ring.finish_read();
  }
  drain_next_ = (drain_next_ + 1) % workers;
  return true;
}

void Delivery::receive_record(const Record& record, const char* bytes) {
  const Publisher from = record.publisher();
  if (record.is_stall) [[unlikely]] {
    if (Connection* publisher = worker_.find(from.slot, from.generation))
      publisher->pause(Connection::stalled);
    return;
  }
  More more{};
  if (record.has_more) {
    std::memcpy(&more, bytes, sizeof(More));
    bytes += sizeof(More);
  }
  Message message;
  message.subject = {bytes, record.subject_size};
  message.head = {bytes + record.subject_size + 1, record.head_size};
  message.reply = message.head.substr(0, record.reply_size);
  const char* const after_head = message.head.data() + record.head_size;
  message.block = BlockRef(more.block);
  message.payload = {more.block != nullptr ? more.payload : after_head, record.payload_size};
  message.header_size = record.header_size;
  message.judge(log::enabled(log::Level::trace));

  if (record.is_answer) [[unlikely]]
    return worker_.crossings().receive_answer(record.account, message, from);
  const Account& account = worker_.server().account(record.account);
  const Match& match = worker_.matcher(account).match(message.subject);
  if (record.is_plain) {
    for (const SubscriptionList* list : match.plain) {
      for (Subscription* subscription : *list) deliver(*subscription, message, from, nullptr);
    }
  }
  if (record.queues != 0) {
    const uint64_t tried = more.tried | uint64_t{1} << id_;
    receive_for_queues(record, after_head + (more.block != nullptr ? 0 : record.payload_size), match, message,
                       tried);
    without_blocked(0);
    if (!shares_.empty()) send_to_workers(account, message, from, 0, tried);
  }
  if (!expired_.empty()) [[unlikely]]
    remove_expired();
}

// Each queue was drawn for this worker by the publisher's; when none of its members here can take the message
// it is passed on to a worker that has not tried yet.
void Delivery::receive_for_queues(const Record& record, const char* names, const Match& match,
                                  Message& message, uint64_t tried) {
  const Publisher from = record.publisher();
  const Connection* publisher = from.worker == id_ ? worker_.find(from.slot, from.generation) : nullptr;
  for (uint16_t i = 0; i < record.queues; ++i) {
    uint16_t name_size;
    std::memcpy(&name_size, names, sizeof(name_size));
    const std::string_view name(names + sizeof(name_size), name_size);
    names += sizeof(name_size) + name_size;
    for (const QueueMatch& queue : match.queues) {
      if (queue.name != name) continue;
      if (!deliver_to_own(queue, message, from, publisher))
        deliver_to_queue(queue, message, from, publisher, tried);
      break;
    }
  }
}

bool Delivery::is_drained() const {
  for (WorkerId from = 0; from < rings_.size(); ++from) {
    if (from != id_ && !worker_.server().worker(from).delivery().ring_to(id_).is_empty()) return false;
  }
  return true;
}

void Delivery::publish_batches() {
  while (record_targets_ != 0) {
    const auto to = static_cast<WorkerId>(__builtin_ctzll(record_targets_));
    record_targets_ &= record_targets_ - 1;
    if (rings_[to]->publish()) worker_.server().worker(to).wake_if_asleep();
  }
  stalled_last_.worker = UINT32_MAX;
}

bool Delivery::retry_spills() {
  if (!has_spills_) return true;
  has_spills_ = false;
  for (WorkerId to = 0; to < rings_.size(); ++to) {
    if (rings_[to] == nullptr || !rings_[to]->has_spill()) continue;
    has_spills_ |= !rings_[to]->retry_spill();
    record_targets_ |= uint64_t{1} << to;
  }
  return !has_spills_;
}

void Delivery::stall(const Publisher& from) {
  if (std::memcmp(&from, &stalled_last_, sizeof(from)) == 0) return;  // asked for in this turn already
  stalled_last_ = from;
  if (from.worker == id_) {
    if (Connection* publisher = worker_.find(from.slot, from.generation))
      publisher->pause(Connection::stalled);
  } else {
    send_stall(from);
  }
}

void Delivery::send_stall(const Publisher& to) {
  PeerRing& ring = *rings_[to.worker];
  char* at = ring.has_spill() ? nullptr : ring.reserve(sizeof(Record), 0);
  if (at == nullptr) return;  // a full ring stalls that worker's publishers anyway
  Record record{};
  record.is_stall = 1;
  record.publisher_slot = to.slot;
  record.publisher_generation = to.generation;
  record.publisher_worker = static_cast<uint8_t>(to.worker);
  std::memcpy(at, &record, sizeof(Record));
  ring.commit();
  record_targets_ |= uint64_t{1} << to.worker;
}

void Delivery::discard_rings() {
  const auto release = [](const char* at) {
    Record record;
    std::memcpy(&record, at, sizeof(Record));
    if (!record.has_more) return;
    More more;
    std::memcpy(&more, at + sizeof(Record), sizeof(More));
    BlockRef(more.block).reset();
  };
  for (auto& ring : rings_) {
    if (ring != nullptr) ring->discard(release);
  }
}

void Delivery::remove_expired() {
  for (Subscription* subscription : expired_) {
    static_cast<Connection&>(*subscription->receiver).session->on_expired(*subscription);
  }
  expired_.clear();
}

}  // namespace nuncio::net
