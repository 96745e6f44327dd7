#include "core/epochs.h"

#include <algorithm>
#include <array>

#include "core/assert.h"

// How it is safe without fences. A participant's turn counter is odd while it is online. Going online is a
// read-modify-write of the counter; whoever closes a bag of retired pieces reads every counter by a
// read-modify-write too. Two of those on one counter have an order: either the collector's is first, then
// going online reads from it and so sees every unlink that came before (the reader cannot find the pieces);
// or it is second, then the collector sees an odd value and waits until it changes. The counter changes by
// release and is then read by acquire, so everything the reader did is before the freeing.
//
// Cost: online() is one uncontended exchange (2 ns) while nothing waits; a bag costs one cache line per
// participant, twice or more, for however many pieces are in it.

namespace nuncio {
namespace {

constexpr unsigned participants_max = 128;

}  // namespace

struct alignas(64) Epochs::Participant {
  std::atomic<uint64_t> turn{0};  // odd: online

  // Thread of the participant only, on lines of their own.
  alignas(64) std::atomic<size_t> waiting{0};  // all pieces below; read by retired_count()
  std::vector<Retired> open;                   // retired since the closed bag was closed
  std::vector<Retired> closed;                 // waits for `seen` to change, then is freed from the back
  std::array<uint64_t, participants_max> seen{};
  bool is_in_grace = false;  // closed, and somebody may still read it
};

Epochs::Epochs(unsigned participants)
    : participants_count_(participants), participants_(std::make_unique<Participant[]>(participants)) {
  NUNCIO_ASSERT(participants >= 1 && participants <= participants_max);
}

Epochs::~Epochs() {
  for (unsigned p = 0; p < participants_count_; ++p) {
    NUNCIO_ASSERT(participants_[p].turn.load(std::memory_order_acquire) % 2 == 0);
    for (const Retired& piece : participants_[p].closed) piece.free_it(piece.memory);
    for (const Retired& piece : participants_[p].open) piece.free_it(piece.memory);
  }
}

void Epochs::online(unsigned p) {
  NUNCIO_DEBUG_ASSERT(p < participants_count_);
  Participant& own = participants_[p];
  const uint64_t turn = own.turn.load(std::memory_order_relaxed);
  own.turn.exchange((turn + 1) | 1, std::memory_order_acq_rel);
  if (own.waiting.load(std::memory_order_relaxed) != 0) collect(p);
}

void Epochs::offline(unsigned p) {
  NUNCIO_DEBUG_ASSERT(p < participants_count_);
  Participant& own = participants_[p];
  const uint64_t turn = own.turn.load(std::memory_order_relaxed);
  own.turn.store((turn + 1) & ~uint64_t{1}, std::memory_order_release);
  if (own.waiting.load(std::memory_order_relaxed) != 0) collect(p);
}

void Epochs::retire(unsigned p, void* memory, void (*free_it)(void*)) {
  Participant& own = participants_[p];
  NUNCIO_DEBUG_ASSERT(own.turn.load(std::memory_order_relaxed) % 2 == 1);
  own.open.push_back({memory, free_it});
  own.waiting.store(own.waiting.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

size_t Epochs::retired_count() const {
  size_t count = 0;
  for (unsigned p = 0; p < participants_count_; ++p) {
    count += participants_[p].waiting.load(std::memory_order_relaxed);
  }
  return count;
}

// Between two turns of p, so that p itself holds no pointer any more.
void Epochs::collect(unsigned p) {
  Participant& own = participants_[p];
  if (own.closed.empty()) begin_grace(own, p);
  if (own.is_in_grace && !is_grace_over(own, p)) return;
  own.is_in_grace = false;

  const size_t count = std::min(own.closed.size(), freed_per_turn_max);
  for (size_t i = 0; i < count; ++i) {
    const Retired piece = own.closed.back();
    own.closed.pop_back();
    piece.free_it(piece.memory);
  }
  own.waiting.store(own.waiting.load(std::memory_order_relaxed) - count, std::memory_order_relaxed);
}

void Epochs::begin_grace(Participant& own, unsigned p) {
  own.closed.swap(own.open);
  own.is_in_grace = true;
  for (unsigned i = 0; i < participants_count_; ++i) {
    // A read-modify-write that changes nothing; see the top of this file.
    if (i != p) own.seen[i] = participants_[i].turn.fetch_add(0, std::memory_order_acq_rel);
  }
}

bool Epochs::is_grace_over(const Participant& own, unsigned p) const {
  for (unsigned i = 0; i < participants_count_; ++i) {
    if (i == p || own.seen[i] % 2 == 0) continue;
    if (participants_[i].turn.load(std::memory_order_acquire) == own.seen[i]) return false;
  }
  return true;
}

}  // namespace nuncio
