#include "core/subject_node.h"

namespace nuncio {

void SubjectNode::link(SubjectOfWorker* place) {
  std::atomic<SubjectOfWorker*>& head = place->is_queue ? queues : plain;
  SubjectOfWorker* first = head.load(std::memory_order_relaxed);
  place->next.store(first, std::memory_order_relaxed);
  if (place->is_queue && first != nullptr)
    static_cast<QueuePlace*>(first)->previous = static_cast<QueuePlace*>(place);
  head.store(place, std::memory_order_release);
}

void SubjectNode::unlink(SubjectOfWorker* place) {
  SubjectOfWorker* next = place->next.load(std::memory_order_relaxed);
  std::atomic<SubjectOfWorker*>* link = place->is_queue ? &queues : &plain;
  if (place->is_queue) {
    // There may be thousands of groups: no walk.
    QueuePlace* previous = static_cast<QueuePlace*>(place)->previous;
    if (previous != nullptr) link = &previous->next;
    if (next != nullptr) static_cast<QueuePlace*>(next)->previous = previous;
  } else {
    while (link->load(std::memory_order_relaxed) != place)
      link = &link->load(std::memory_order_relaxed)->next;
  }
  link->store(next, std::memory_order_release);
}

}  // namespace nuncio
