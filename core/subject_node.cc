#include "core/subject_node.h"

#include "core/assert.h"

namespace nuncio {

SubjectNode* SubjectNode::make(std::string_view subject, uint64_t hash, bool is_wildcard, bool has_first) {
  NUNCIO_ASSERT(subject.size() < uint32_t{1} << 30);
  const size_t size = sizeof(SubjectNode) + (has_first ? sizeof(First) : 0) + subject.size();
  auto* node = new (::operator new(size)) SubjectNode;
  node->hash = static_cast<uint32_t>(hash);
  node->length = static_cast<uint32_t>(subject.size()) & 0x3fffffff;
  node->is_wildcard = is_wildcard ? 1 : 0;
  node->has_first = has_first ? 1 : 0;
  std::memcpy(const_cast<char*>(node->text().data()), subject.data(), subject.size());
  return node;
}

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
