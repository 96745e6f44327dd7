#include "core/interest.h"

#include <mutex>
#include <unordered_set>

#include "core/assert.h"
#include "core/block_pool.h"
#include "core/interest_shared.h"

// What a SUB or UNSUB touches:
//
//   the worker has receivers on this subject already    its own list; a queue group's count and the subject's
//   version its first on the subject                            a place (32 B) linked to the node under the
//   sharded lock the first of all on the subject                     the node (24 B + the subject) and its
//   slot in the table too
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

  Worker()
      : subscriptions(new BlockPool(sizeof(Subscription))), places(new BlockPool(sizeof(SubjectOfWorker))) {}
  ~Worker() {
    BlockPool::let_go(subscriptions);
    BlockPool::let_go(places);
  }

  void count_by(int64_t change) {
    count.store(count.load(std::memory_order_relaxed) + static_cast<uint64_t>(change),
                std::memory_order_relaxed);
  }

  BlockPool* subscriptions;
  BlockPool* places;
  std::unordered_set<QueuePlace*, Hash, Equal> queue_places;
  std::atomic<uint64_t> count{0};
};

namespace {

// A plain place on its way through Epochs keeps in its (empty, private) list the pool it returns to.
struct RetiredPlace {
  BlockPool* pool;
};
static_assert(sizeof(RetiredPlace) <= sizeof(SubscriptionList));

void free_plain_place(void* memory) {
  BlockPool* pool = static_cast<RetiredPlace*>(memory)->pool;
  pool->release(memory);
  BlockPool::let_go(pool);
}

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
  auto* subscription = new (own.subscriptions->allocate()) Subscription{};
  subscription->receiver = receiver;
  subscription->set_sid(sid);
  own.count_by(1);

  const bool is_wildcard = WildcardTrie::is_wildcard(subject);
  const uint64_t hash = shared_->hash_of(subject);
  SubjectOfWorker* place = find_place(own, w, subject, hash, is_wildcard, queue);
  if (place == nullptr) {
    open_place(own, w, subscription, subject, hash, is_wildcard, queue);
    return subscription;
  }
  subscription->place = place;
  place->add(subscription);
  if (place->is_queue) publish_members(place, place->size());
  return subscription;
}

void Interest::remove(WorkerId w, Subscription* subscription) {
  NUNCIO_ASSERT(w < workers_count_);
  Worker& own = workers_[w];
  SubjectOfWorker* place = subscription->place;
  NUNCIO_DEBUG_ASSERT(place->worker == w);
  if (place->size() > 1) {
    if (place->is_queue) publish_members(place, place->size() - 1);
    place->SubscriptionList::remove(subscription);
  } else {
    close_place(own, w, place);
  }
  subscription->free_sid();
  own.subscriptions->release(subscription);
  own.count_by(-1);
}

// The worker's own place is stable for the worker, so no lock is needed to find it.
SubjectOfWorker* Interest::find_place(Worker& own, WorkerId w, std::string_view subject, uint64_t hash,
                                      bool is_wildcard, std::string_view queue) const {
  const SubjectNode* node =
      is_wildcard ? shared_->wildcards.find(subject, hash) : shared_->literals.find(subject, hash);
  if (node == nullptr) return nullptr;
  if (!queue.empty()) {
    const auto found = own.queue_places.find(Worker::QueueKey{node, queue});
    return found == own.queue_places.end() ? nullptr : *found;
  }
  SubjectOfWorker* place = node->plain.load(std::memory_order_acquire);
  while (place != nullptr && place->worker != w) place = place->next.load(std::memory_order_acquire);
  return place;
}

void Interest::open_place(Worker& own, WorkerId w, Subscription* first, std::string_view subject,
                          uint64_t hash, bool is_wildcard, std::string_view queue) {
  SubjectOfWorker* place = nullptr;
  if (queue.empty()) {
    place = new (own.places->allocate()) SubjectOfWorker(w, nullptr, false);
  } else {
    place = QueuePlace::make(w, nullptr, queue);
    static_cast<QueuePlace*>(place)->members.store(1, std::memory_order_relaxed);
  }
  first->place = place;
  place->add(first);

  with_index(*shared_, is_wildcard, [&](auto& index) {
    const std::lock_guard lock(index.lock_of(static_cast<uint32_t>(hash)));
    SubjectNode* node = index.find(subject, hash);
    const bool is_new = node == nullptr;
    if (is_new) node = SubjectNode::make(subject, hash, is_wildcard);
    place->node = node;
    node->link(place);
    if (is_new) index.insert(w, node, hash);
    index.move_version(*node);
  });
  if (place->is_queue) own.queue_places.insert(static_cast<QueuePlace*>(place));
}

// Shared first, then private: the reverse of open_place().
void Interest::close_place(Worker& own, WorkerId w, SubjectOfWorker* place) {
  SubjectNode* node = place->node;
  if (place->is_queue) own.queue_places.erase(static_cast<QueuePlace*>(place));
  with_index(*shared_, node->is_wildcard != 0, [&](auto& index) {
    const std::lock_guard lock(index.lock_of(node->hash));
    node->unlink(place);
    const bool is_last = node->is_empty();
    if (is_last) index.erase(w, node);
    index.move_version(*node);
    if (is_last) shared_->epochs.retire(w, node, free_memory);
  });

  place->SubscriptionList::remove((*place)[0]);
  if (place->is_queue) {
    shared_->epochs.retire(w, place, free_memory);
  } else {
    own.places->hold();
    new (static_cast<SubscriptionList*>(place)) RetiredPlace{own.places};
    shared_->epochs.retire(w, place, free_plain_place);
  }
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
  const auto free_chain = [](SubjectOfWorker* place, BlockPool* const* pools) {
    while (place != nullptr) {
      SubjectOfWorker* next = place->next.load(std::memory_order_relaxed);
      while (place->size() > 0) {
        Subscription* last = (*place)[place->size() - 1];
        place->SubscriptionList::remove(last);
        last->free_sid();
        // Its memory goes with the pool; under a sanitizer it must go by itself.
        pools[place->worker]->release(last);
      }
      if (place->is_queue) {
        free_memory(place);
      } else {
        pools[workers_max + place->worker]->release(place);
      }
      place = next;
    }
  };
  BlockPool* pools[2 * workers_max] = {};
  for (unsigned w = 0; w < workers_count_; ++w) {
    pools[w] = workers_[w].subscriptions;
    pools[workers_max + w] = workers_[w].places;
    workers_[w].queue_places.clear();
  }
  const auto free_node = [&](SubjectNode* node) {
    free_chain(node->plain.load(std::memory_order_relaxed), pools);
    free_chain(node->queues.load(std::memory_order_relaxed), pools);
    free_memory(node);
  };
  shared_->literals.for_each(free_node);
  shared_->wildcards.for_each(free_node);
}

}  // namespace nuncio
