// What the index holds for one subject (a wildcard subject too): a chain of places, one for each worker with
// plain subscriptions there and one for each worker's part of a queue group. Chains are read without a lock
// and changed under the subject's writer lock. Private to the interest index.
#pragma once

#include <atomic>
#include <cstring>
#include <new>
#include <string_view>

#include "core/interest.h"

namespace nuncio {

struct SubjectNode;

// The list belongs to the worker's thread; the rest is constant while linked, but for `next`. A plain place
// exists as long as it has subscriptions, so peers need no flag.
struct SubjectOfWorker : SubscriptionList {
  SubjectOfWorker(WorkerId w, SubjectNode* of, bool queue)
      : worker(static_cast<uint8_t>(w)), is_queue(queue), node(of) {}

  uint8_t worker;
  bool is_queue;
  std::atomic<SubjectOfWorker*> next{nullptr};
  SubjectNode* node;  // the worker's thread only
};
static_assert(sizeof(SubjectOfWorker) == 32,
              "one for each subject and worker, half a million of them in a large system");

struct QueuePlace : SubjectOfWorker {
  QueuePlace(WorkerId w, SubjectNode* of, std::string_view queue)
      : SubjectOfWorker(w, of, true), name_length(static_cast<uint32_t>(queue.size())) {
    std::memcpy(reinterpret_cast<char*>(this + 1), queue.data(), queue.size());
  }
  static QueuePlace* make(WorkerId w, SubjectNode* of, std::string_view queue) {
    return new (::operator new(sizeof(QueuePlace) + queue.size())) QueuePlace(w, of, queue);
  }

  std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), name_length}; }

  QueuePlace* previous = nullptr;  // the writer's
  std::atomic<uint32_t> members{0};
  uint32_t name_length;
};

// The first plain subscription of a new subject and its place lie in the node itself: most subjects never get
// another, and a match of a subject that is in no processor cache then waits for one piece of memory, not for
// three in a row. They are used once; when the node outlives them their 80 bytes stay empty.
struct SubjectNode {
  struct First {
    SubjectOfWorker place;
    Subscription subscription;
  };

  static SubjectNode* make(std::string_view subject, uint64_t hash, bool is_wildcard, bool has_first);
  static void destroy(void* node) { ::operator delete(node); }

  std::string_view text() const {
    return {reinterpret_cast<const char*>(this + 1) + has_first * sizeof(First), length};
  }
  First* first() { return reinterpret_cast<First*>(this + 1); }
  bool holds(const SubjectOfWorker* place) { return has_first != 0 && place == &first()->place; }
  bool holds(const Subscription* subscription) {
    return has_first != 0 && subscription == &first()->subscription;
  }
  bool is_empty() const {
    return plain.load(std::memory_order_relaxed) == nullptr &&
           queues.load(std::memory_order_relaxed) == nullptr;
  }

  // Writer. Who walks a chain meanwhile keeps his way on: an unlinked place still points to what follows.
  void link(SubjectOfWorker* place);
  void unlink(SubjectOfWorker* place);

  std::atomic<SubjectOfWorker*> plain{nullptr};   // at most one per worker
  std::atomic<SubjectOfWorker*> queues{nullptr};  // QueuePlaces, any number
  uint32_t hash;
  uint32_t length : 30;
  uint32_t is_wildcard : 1;
  uint32_t has_first : 1;
};
static_assert(sizeof(SubjectNode) == 24);
static_assert(sizeof(SubjectNode::First) == 80);

}  // namespace nuncio
