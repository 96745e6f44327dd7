// A hash table of nodes that any number of threads read without a lock while one writer at a time (who holds
// a lock outside of this) inserts and erases in place. Open addressing; a slot is a node's address with 16
// bits of its hash on top, so that a probe touches only nodes that very likely are the one. Growing makes a
// new block and retires the old one; readers in the old block see it as it was.
//
// With versions: a word for a few neighbouring slots, which the writer moves after each change; who remembers
// what it found, even that it found nothing, compares that word. It holds the block's generation too.
//
// Why a reader never misses a node that is there: nodes do not move within a block, and an erased slot
// becomes free again only when the slot after it is free, so no free slot ever comes between a node and where
// its search begins.
#pragma once

#include <atomic>
#include <cstdint>
#include <new>
#include <string_view>

#include "core/assert.h"
#include "core/epochs.h"

namespace nuncio {

// `Node` has `uint32_t hash` (the low half of its key's hash) and `std::string_view text()` (its key).
template <typename Node, bool with_versions>
class ConcurrentTable {
 public:
  class Block {
   public:
    // Reader, online in Epochs, or the writer.
    Node* find(uint64_t hash, std::string_view text) const {
      for (uint32_t i = static_cast<uint32_t>(hash) & mask_;; i = (i + 1) & mask_) {
        const uint64_t slot = slots()[i].load(std::memory_order_acquire);
        if (slot == free_slot) return nullptr;
        if ((slot ^ tag_of(hash)) >> tag_shift != 0) continue;
        Node* node = node_of(slot);
        // A node is up to three lines; ask for all at once.
        __builtin_prefetch(reinterpret_cast<const char*>(node) + 64);
        __builtin_prefetch(reinterpret_cast<const char*>(node) + 128);
        if (node->text() == text) return node;
      }
    }

    uint64_t version(uint64_t hash) const requires with_versions {
      return versions()[hash & version_mask_].load(std::memory_order_acquire);
    }

    // Asks for the lines that find() and version() will read.
    void prefetch(uint64_t hash) const {
      __builtin_prefetch(&slots()[static_cast<uint32_t>(hash) & mask_]);
      if constexpr (with_versions) __builtin_prefetch(&versions()[hash & version_mask_]);
    }

   private:
    friend class ConcurrentTable;
    static constexpr uint64_t free_slot = 0;
    static constexpr uint64_t erased_slot = 1;  // no node's: a node's tag is never 0
    static constexpr unsigned tag_shift = 48;

    static uint64_t tag_of(uint64_t hash) {
      return (hash | uint64_t{1} << tag_shift) & ~uint64_t{0} << tag_shift;
    }
    static Node* node_of(uint64_t slot) {
      return reinterpret_cast<Node*>(slot &
                                     ((uint64_t{1} << tag_shift) - 1));  // NOLINT(performance-no-int-to-ptr)
    }

    std::atomic<uint64_t>* slots() { return reinterpret_cast<std::atomic<uint64_t>*>(this + 1); }
    const std::atomic<uint64_t>* slots() const {
      return reinterpret_cast<const std::atomic<uint64_t>*>(this + 1);
    }
    std::atomic<uint64_t>* versions() { return slots() + mask_ + 1; }
    const std::atomic<uint64_t>* versions() const { return slots() + mask_ + 1; }

    uint32_t mask_ = 0;  // slots - 1
    uint32_t version_mask_ = 0;
  };

  // What only the writer needs; kept apart from the block's address so that writing it disturbs no reader.
  struct Fill {
    uint32_t live = 0;
    uint32_t used = 0;  // live and erased slots
  };

  ConcurrentTable() {
    if constexpr (with_versions) block_.store(make_block(slots_min, 0), std::memory_order_relaxed);
  }
  ~ConcurrentTable() { ::operator delete(block_.load(std::memory_order_relaxed)); }
  ConcurrentTable(const ConcurrentTable&) = delete;
  ConcurrentTable& operator=(const ConcurrentTable&) = delete;

  // Reader or writer; without versions it is null until the first insert.
  const Block* block() const { return block_.load(std::memory_order_acquire); }

  // Writer. `node` (of full hash `hash`) is visible to every search that begins after this returns.
  void insert(Fill& fill, Node* node, uint64_t hash, Epochs& epochs, unsigned participant) {
    Block* block = block_.load(std::memory_order_relaxed);
    if (block == nullptr || (fill.used + 1) * 4 > (block->mask_ + 1) * 3)
      block = resize(fill, epochs, participant);
    const uint64_t address = reinterpret_cast<uint64_t>(node);
    NUNCIO_DEBUG_ASSERT(address >> Block::tag_shift == 0 && node->hash == static_cast<uint32_t>(hash));
    const uint64_t replaced = put(block, Block::tag_of(hash) | address, node->hash);
    fill.live += 1;
    fill.used += replaced == Block::free_slot ? 1 : 0;
  }

  // Writer. No search that begins after this finds `node`; the caller retires it.
  void erase(Fill& fill, Node* node, Epochs& epochs, unsigned participant) {
    Block* block = block_.load(std::memory_order_relaxed);
    std::atomic<uint64_t>* slots = block->slots();
    uint32_t i = node->hash & block->mask_;
    while (Block::node_of(slots[i].load(std::memory_order_relaxed)) != node) i = (i + 1) & block->mask_;
    slots[i].store(Block::erased_slot, std::memory_order_release);
    fill.live -= 1;
    if (slots[(i + 1) & block->mask_].load(std::memory_order_relaxed) == Block::free_slot) {
      while (slots[i].load(std::memory_order_relaxed) == Block::erased_slot) {
        slots[i].store(Block::free_slot, std::memory_order_release);
        fill.used -= 1;
        i = (i - 1) & block->mask_;
      }
    }
    if (block->mask_ + 1 > slots_min && fill.live * 8 < block->mask_ + 1) resize(fill, epochs, participant);
  }

  // Writer: who looked at the slots around `hash` before this must look again.
  void move_version(uint32_t hash) requires with_versions {
    Block* block = block_.load(std::memory_order_relaxed);
    std::atomic<uint64_t>& version = block->versions()[hash & block->version_mask_];
    version.store(version.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  // Writer: no search that begins after this finds anything. The nodes are the caller's.
  void clear(Fill& fill, Epochs& epochs, unsigned participant) requires(!with_versions) {
    fill = {};
    Block* old = block_.load(std::memory_order_relaxed);
    block_.store(nullptr, std::memory_order_release);
    if (old != nullptr) epochs.retire(participant, old, [](void* memory) { ::operator delete(memory); });
  }

  // Nobody else uses the table.
  template <typename Function>
  void for_each(Function function) {
    Block* block = block_.load(std::memory_order_relaxed);
    if (block == nullptr) return;
    for (uint32_t i = 0; i <= block->mask_; ++i) {
      const uint64_t slot = block->slots()[i].load(std::memory_order_relaxed);
      if (slot != Block::free_slot && slot != Block::erased_slot) function(Block::node_of(slot));
    }
  }

 private:
  static constexpr uint32_t slots_min = with_versions ? 8 : 4;
  static constexpr uint32_t versions_min = 16;  // with 64 shards, 1,024 a table; then a fourth of the slots

  static uint32_t versions_for(uint32_t slots) {
    if (!with_versions) return 0;
    return slots / 4 > versions_min ? slots / 4 : versions_min;
  }

  static Block* make_block(uint32_t slots, uint64_t first_version) {
    const uint32_t versions = versions_for(slots);
    void* memory = ::operator new(sizeof(Block) + (size_t{slots} + versions) * sizeof(std::atomic<uint64_t>));
    Block* block = new (memory) Block;
    block->mask_ = slots - 1;
    block->version_mask_ = versions - 1;
    for (uint32_t i = 0; i < slots; ++i) new (&block->slots()[i]) std::atomic<uint64_t>(Block::free_slot);
    for (uint32_t i = 0; i < versions; ++i) new (&block->versions()[i]) std::atomic<uint64_t>(first_version);
    return block;
  }

  // Returns what the slot held before.
  static uint64_t put(Block* block, uint64_t slot, uint32_t hash) {
    uint32_t i = hash & block->mask_;
    uint64_t held = block->slots()[i].load(std::memory_order_relaxed);
    while (held != Block::free_slot && held != Block::erased_slot) {
      i = (i + 1) & block->mask_;
      held = block->slots()[i].load(std::memory_order_relaxed);
    }
    block->slots()[i].store(slot, std::memory_order_release);
    return held;
  }

  // Into a new block with twice as many slots as there are nodes at least, without the erased slots.
  Block* resize(Fill& fill, Epochs& epochs, unsigned participant) {
    uint32_t slots = slots_min;
    while (slots < (fill.live + 1) * 2) slots *= 2;
    Block* old = block_.load(std::memory_order_relaxed);
    uint64_t first_version = 0;
    if constexpr (with_versions) {
      // The next generation: no version of the old block is ever equal to one of the new.
      first_version = ((old->versions()[0].load(std::memory_order_relaxed) >> 32) + 1) << 32;
    }
    Block* block = make_block(slots, first_version);
    if (old != nullptr) {
      for (uint32_t i = 0; i <= old->mask_; ++i) {
        if (i + 8 <= old->mask_)
          __builtin_prefetch(Block::node_of(old->slots()[i + 8].load(std::memory_order_relaxed)));
        const uint64_t slot = old->slots()[i].load(std::memory_order_relaxed);
        if (slot != Block::free_slot && slot != Block::erased_slot)
          put(block, slot, Block::node_of(slot)->hash);
      }
    }
    fill.used = fill.live;
    block_.store(block, std::memory_order_release);
    if (old != nullptr) epochs.retire(participant, old, [](void* memory) { ::operator delete(memory); });
    return block;
  }

  std::atomic<Block*> block_{nullptr};
};

}  // namespace nuncio
