// Who wants which subject, within one account. Shared by all workers: a concurrent hash table for literal
// subjects and a trie for wildcards, read without a lock, changed in place under short sharded locks, old
// memory freed by Epochs. Each subject holds, for every worker with receivers, what that worker's peers may
// know (plain receivers or not, the members of each queue group) and the worker's own lists of subscriptions,
// which only that worker touches (I1).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "core/epochs.h"

namespace nuncio {

using WorkerId = uint32_t;
inline constexpr WorkerId workers_max = 64;  // one bit each in Match::workers

// Whoever receives messages: net's connection derives from it; core never looks inside.
class Receiver {};

struct SubjectOfWorker;  // one subject's part that belongs to one worker; see subject_node.h

// One SUB. Made and freed by Interest on the owning worker; the address is stable in between.
struct Subscription {
  Receiver* receiver;
  uint64_t delivered = 0;  // counted by whoever delivers
  uint64_t max = 0;        // remove after that many deliveries; 0: none
  SubjectOfWorker* place;  // where it is registered

  std::string_view sid() const;
  std::string_view subject() const;
  std::string_view queue() const;  // empty: plain

 private:
  friend class Interest;
  friend class SubscriptionList;
  Subscription(Receiver* r, SubjectOfWorker* p) : receiver(r), place(p) {}
  void set_sid(std::string_view sid);
  void free_sid();

  static constexpr uint8_t sid_is_elsewhere = 255;
  uint32_t index_ = 0;  // in its SubscriptionList
  uint8_t sid_length_ = 0;
  char sid_[11] = {};  // or the address of a longer one
};

// The subscriptions of one worker on one subject, or the members of one queue group there. Its worker's
// thread only.
class SubscriptionList {
 public:
  SubscriptionList() = default;
  SubscriptionList(const SubscriptionList&) = delete;
  SubscriptionList& operator=(const SubscriptionList&) = delete;

  uint32_t size() const { return size_; }
  Subscription* operator[](uint32_t i) const { return begin()[i]; }
  Subscription* const* begin() const { return capacity_log2_ == 0 ? &one_ : many_; }
  Subscription* const* end() const { return begin() + size_; }

 private:
  friend class Interest;
  void add(Subscription* subscription);
  void remove(Subscription* subscription);  // the last one takes its index
  void resize(uint8_t capacity_log2);

  union {
    Subscription* one_ = nullptr;
    Subscription** many_;
  };
  uint32_t size_ = 0;
  uint8_t capacity_log2_ = 0;  // 0: one_
};

// One queue group that wants a message: groups of one name on several matching subjects are one group.
struct QueueMatch {
  // A worker may have several: one for each matching subject.
  struct Share {
    WorkerId worker;
    uint32_t members;             // on that worker, as of the match
    const SubscriptionList* own;  // set when `worker` is the caller
  };
  std::string_view name;
  uint32_t members;  // over all shares
  std::span<const Share> shares;
};

// Everybody who wants a subject, as one worker sees it.
struct Match {
  std::span<const SubscriptionList* const> plain;  // the caller's own plain subscriptions, a list per subject
  uint64_t workers = 0;                            // bit w: worker w (not the caller) has plain receivers
  std::span<const QueueMatch> queues;              // sorted by name
  bool empty() const { return plain.empty() && workers == 0 && queues.empty(); }
};

class Interest {
 public:
  // Participant w of `epochs`, which must outlive this, is worker w.
  Interest(unsigned workers, Epochs& epochs);
  ~Interest();  // no worker uses it any more; frees what is left, subscriptions included
  Interest(const Interest&) = delete;
  Interest& operator=(const Interest&) = delete;

  // Thread of worker `w`, online in Epochs. `subject` must be valid (subject.h). When add() returns, every
  // match() that begins later, on any worker, sees it (I4). Never fails for valid input; may take a sharded
  // lock, allocates.
  Subscription* add(WorkerId w, Receiver* receiver, std::string_view subject, std::string_view queue,
                    std::string_view sid);
  // Thread of the worker that added it, online. The subscription is freed; no match() that begins later
  // returns it.
  void remove(WorkerId w, Subscription* subscription);

  uint64_t subscription_count() const;  // any thread, approximate while workers run

 private:
  friend class Matcher;
  struct Worker;
  struct Shared;

  struct Wanted;  // what a SUB asks for

  SubjectOfWorker* find_place(Worker& own, WorkerId w, const Wanted& wanted) const;
  Subscription* open_place(Worker& own, WorkerId w, const Wanted& wanted);
  void close_place(Worker& own, WorkerId w, SubjectOfWorker* place);
  void publish_members(SubjectOfWorker* place, uint32_t members);

  std::unique_ptr<Shared> shared_;
  std::unique_ptr<Worker[]> workers_;
  unsigned workers_count_;
};

// One worker's way to read an Interest: match with a cache. Lives on that worker's thread.
class Matcher {
 public:
  // Of match(); plain numbers of the owning thread.
  struct Counters {
    uint64_t hits = 0;
    uint64_t misses = 0;    // the cache did not know the subject
    uint64_t rebuilds = 0;  // it did, but interest had changed
  };

  Matcher(Interest& interest, WorkerId w);
  ~Matcher();
  Matcher(const Matcher&) = delete;
  Matcher& operator=(const Matcher&) = delete;

  // Everybody who wants `subject` now. The result is valid until the next match(), add() or remove() of this
  // worker. A subject with an empty token matches nothing; wildcards in it are ordinary characters (CP-40).
  // In the steady state: no lock, no allocation, no write to shared memory.
  const Match& match(std::string_view subject);

  const Counters& counters() const;

 private:
  struct Cache;
  std::unique_ptr<Cache> cache_;
};

}  // namespace nuncio
