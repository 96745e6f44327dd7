#include "core/interest.h"

#include <mutex>
#include <unordered_set>

#include "core/assert.h"
#include "core/interest_shared.h"
#include "core/subject.h"

// What a SUB or UNSUB touches when the worker has
//   receivers on the subject already: its own list; a queue group's count and the subject's version too;
//   none, but others have: a place (32 B), linked to the node under the sharded lock;
//   nobody has: one allocation for node, place and subscription (104 B and the subject), its slot in the
//   table.
//
// With 500,000 subjects (bench/interest_bench.cc, as in matcher.cc): 560 ns and 178 B to add one, 390 ns to
// add and remove one, the sid table included.
//
// A change becomes visible in the order of I4: the private list is complete before the place is linked
// (release), and the version moves last, so that whoever sees the new version finds the new state, and
// whoever builds a cache entry from the new state under the old version only builds it again.

namespace nuncio {

// What only worker w touches, but for `count`.
struct alignas(64) Interest::Worker {
  // Its queue places, so that joining one of thousands of groups on a subject needs no walk.
  struct QueueKey {
    const SubjectNode* node;
    std::string_view name;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(const QueueKey& key) const {
      return hash_bytes(key.name, reinterpret_cast<uint64_t>(key.node) ^ hash_seed());
    }
    size_t operator()(const QueuePlace* place) const { return (*this)(QueueKey{place->node, place->name()}); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const QueuePlace* a, const QueuePlace* b) const { return a == b; }
    bool operator()(const QueueKey& a, const QueuePlace* b) const {
      return a.node == b->node && a.name == b->name();
    }
    bool operator()(const QueuePlace* a, const QueueKey& b) const { return (*this)(b, a); }
  };

  void count_by(int64_t change) {
    count.store(count.load(std::memory_order_relaxed) + static_cast<uint64_t>(change),
                std::memory_order_relaxed);
  }

  std::unordered_set<QueuePlace*, Hash, Equal> queue_places;
  std::atomic<uint64_t> count{0};
};

struct Interest::Wanted {
  Receiver* receiver;
  std::string_view subject;
  std::string_view queue;
  uint64_t hash;  // of the subject
  bool is_wildcard;
};

namespace {

void free_memory(void* memory) {
  ::operator delete(memory);
}

template <typename Shared, typename Function>
void with_index(Shared& shared, bool is_wildcard, Function function) {
  if (is_wildcard) {
    function(shared.wildcards);
  } else {
    function(shared.literals);
  }
}

}  // namespace

Interest::Interest(unsigned workers, Epochs& epochs)
    : shared_(std::make_unique<Shared>(epochs)),
      workers_(std::make_unique<Worker[]>(workers)),
      workers_count_(workers) {
  NUNCIO_ASSERT(workers >= 1 && workers <= workers_max);
}

Subscription* Interest::add(WorkerId w, Receiver* receiver, std::string_view subject, std::string_view queue,
                            std::string_view sid) {
  NUNCIO_ASSERT(w < workers_count_);
  Worker& own = workers_[w];
  const Wanted wanted{.receiver = receiver,
                      .subject = subject,
                      .queue = queue,
                      .hash = shared_->hash_of(subject),
                      .is_wildcard = has_wildcards(subject)};
  own.count_by(1);
  SubjectOfWorker* place = find_place(own, w, wanted);
  Subscription* subscription = nullptr;
  if (place == nullptr) {
    subscription = open_place(own, w, wanted);
  } else {
    subscription = new Subscription(receiver, place);
    place->add(subscription);
    if (place->is_queue) publish_members(place, place->size());
  }
  subscription->set_sid(sid);
  return subscription;
}

void Interest::remove(WorkerId w, Subscription* subscription) {
  NUNCIO_ASSERT(w < workers_count_);
  Worker& own = workers_[w];
  SubjectOfWorker* place = subscription->place;
  NUNCIO_DEBUG_ASSERT(place->worker == w);
  const bool is_in_node = place->node->holds(subscription);
  subscription->free_sid();
  own.count_by(-1);
  if (place->size() == 1) {
    close_place(own, w, place);
  } else {
    if (place->is_queue) publish_members(place, place->size() - 1);
    place->SubscriptionList::remove(subscription);
  }
  if (!is_in_node) delete subscription;
}

// The worker's own place is stable for the worker, so no lock is needed to find it.
SubjectOfWorker* Interest::find_place(Worker& own, WorkerId w, const Wanted& wanted) const {
  const SubjectNode* node = wanted.is_wildcard ? shared_->wildcards.find(wanted.subject, wanted.hash)
                                               : shared_->literals.find(wanted.subject, wanted.hash);
  if (node == nullptr) return nullptr;
  if (!wanted.queue.empty()) {
    const auto found = own.queue_places.find(Worker::QueueKey{node, wanted.queue});
    return found == own.queue_places.end() ? nullptr : *found;
  }
  SubjectOfWorker* place = node->plain.load(std::memory_order_acquire);
  while (place != nullptr && place->worker != w) place = place->next.load(std::memory_order_acquire);
  return place;
}

// The worker's first subscription on the subject.
Subscription* Interest::open_place(Worker& own, WorkerId w, const Wanted& wanted) {
  const bool is_plain = wanted.queue.empty();
  SubjectOfWorker* place = nullptr;
  Subscription* subscription = nullptr;
  with_index(*shared_, wanted.is_wildcard, [&](auto& index) {
    const std::lock_guard lock(index.lock_of(static_cast<uint32_t>(wanted.hash)));
    SubjectNode* node = index.find(wanted.subject, wanted.hash);
    const bool is_new = node == nullptr;
    if (is_new) node = SubjectNode::make(wanted.subject, wanted.hash, wanted.is_wildcard, is_plain);
    if (is_new && is_plain) {
      place = new (&node->first()->place) SubjectOfWorker(w, node, false);
      subscription = new (&node->first()->subscription) Subscription(wanted.receiver, place);
    } else {
      place = is_plain ? new SubjectOfWorker(w, node, false) : QueuePlace::make(w, node, wanted.queue);
      subscription = new Subscription(wanted.receiver, place);
    }
    place->add(subscription);
    if (!is_plain) static_cast<QueuePlace*>(place)->members.store(1, std::memory_order_relaxed);
    node->link(place);
    if (is_new) index.insert(w, node, wanted.hash);
    index.move_version(*node);
  });
  if (!is_plain) own.queue_places.insert(static_cast<QueuePlace*>(place));
  return subscription;
}

// Shared first, then private: the reverse of open_place().
void Interest::close_place(Worker& own, WorkerId w, SubjectOfWorker* place) {
  SubjectNode* node = place->node;
  const bool is_in_node = node->holds(place);
  if (place->is_queue) own.queue_places.erase(static_cast<QueuePlace*>(place));
  with_index(*shared_, node->is_wildcard != 0, [&](auto& index) {
    const std::lock_guard lock(index.lock_of(node->hash));
    node->unlink(place);
    const bool is_last = node->is_empty();
    if (is_last) index.erase(w, node);
    index.move_version(*node);
    if (is_last) shared_->epochs.retire(w, node, SubjectNode::destroy);
  });
  // From here on another worker may retire the node, but it is freed after this turn.
  place->SubscriptionList::remove((*place)[0]);
  if (!is_in_node) shared_->epochs.retire(w, place, free_memory);
}

void Interest::publish_members(SubjectOfWorker* place, uint32_t members) {
  SubjectNode* node = place->node;
  with_index(*shared_, node->is_wildcard != 0, [&](auto& index) {
    // The lock keeps the version's block from being replaced meanwhile.
    const std::lock_guard lock(index.lock_of(node->hash));
    static_cast<QueuePlace*>(place)->members.store(members, std::memory_order_release);
    index.move_version(*node);
  });
}

uint64_t Interest::subscription_count() const {
  uint64_t count = 0;
  for (unsigned w = 0; w < workers_count_; ++w) count += workers_[w].count.load(std::memory_order_relaxed);
  return count;
}

Interest::~Interest() {
  const auto free_places = [](SubjectNode* node, SubjectOfWorker* place) {
    while (place != nullptr) {
      SubjectOfWorker* next = place->next.load(std::memory_order_relaxed);
      while (place->size() > 0) {
        Subscription* last = (*place)[place->size() - 1];
        place->SubscriptionList::remove(last);
        last->free_sid();
        if (!node->holds(last)) delete last;
      }
      if (!node->holds(place)) free_memory(place);
      place = next;
    }
  };
  const auto free_node = [&](SubjectNode* node) {
    free_places(node, node->plain.load(std::memory_order_relaxed));
    free_places(node, node->queues.load(std::memory_order_relaxed));
    SubjectNode::destroy(node);
  };
  for (unsigned w = 0; w < workers_count_; ++w) workers_[w].queue_places.clear();
  shared_->literals.for_each(free_node);
  shared_->wildcards.for_each(free_node);
}

}  // namespace nuncio
