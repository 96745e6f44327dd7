// A hash table of nodes that any number of threads read without a lock while one writer at a time (who holds
// a lock outside of this) inserts and erases in place. Open addressing; a slot is a node's address with 16
// bits of its hash on top, so that a probe touches only nodes that very likely are the one. Growing makes a
// new block and retires the old one; readers in the old block see it as it was.
//
// With versions: the first word of each cache line is the version of the searches that begin in the line's
// seven slots. The writer moves it after each change; who remembers what it found, even that it found
// nothing, compares that word. It holds the block's generation too.
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
  class alignas(with_versions ? 64 : 8) Block {
   public:
    // Reader, online in Epochs, or the writer.
    Node* find(uint64_t hash, std::string_view text) const {
      for (uint32_t i = home(hash);; i = next(i)) {
        const uint64_t slot = words()[i].load(std::memory_order_acquire);
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
      return words()[version_at(hash)].load(std::memory_order_acquire);
    }

    // Asks for the line in which find() and version() begin.
    void prefetch(uint64_t hash) const { __builtin_prefetch(&words()[home(hash)]); }

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

    // Slots, and with versions a version in front of each seven.
    std::atomic<uint64_t>* words() { return reinterpret_cast<std::atomic<uint64_t>*>(this + 1); }
    const std::atomic<uint64_t>* words() const {
      return reinterpret_cast<const std::atomic<uint64_t>*>(this + 1);
    }
    static bool is_slot(uint32_t i) { return !with_versions || i % 8 != 0; }
    uint32_t version_at(uint64_t hash) const { return static_cast<uint32_t>(hash) & mask_ & ~7U; }
    uint32_t home(uint64_t hash) const {
      return with_versions ? version_at(hash) + 1 : static_cast<uint32_t>(hash) & mask_;
    }
    uint32_t next(uint32_t i) const {
      i = (i + 1) & mask_;
      return is_slot(i) ? i : i + 1;
    }
    uint32_t previous(uint32_t i) const {
      i = (i - 1) & mask_;
      return is_slot(i) ? i : (i - 1) & mask_;
    }
    static constexpr uint32_t slots_of(uint32_t words_count) {
      return with_versions ? words_count / 8 * 7 : words_count;
    }
    uint32_t slots_count() const { return slots_of(mask_ + 1); }

    uint32_t mask_ = 0;  // words - 1
  };

  // What only the writer needs; kept apart from the block's address so that writing it disturbs no reader.
  struct Fill {
    uint32_t live = 0;
    uint32_t used = 0;  // live and erased slots
  };

  ConcurrentTable() {
    if constexpr (with_versions) block_.store(make_block(words_min, 0), std::memory_order_relaxed);
  }
  ~ConcurrentTable() { free_block(block_.load(std::memory_order_relaxed)); }
  ConcurrentTable(const ConcurrentTable&) = delete;
  ConcurrentTable& operator=(const ConcurrentTable&) = delete;

  // Reader or writer; without versions it is null until the first insert.
  const Block* block() const { return block_.load(std::memory_order_acquire); }

  // Writer. `node` (of full hash `hash`) is visible to every search that begins after this returns.
  void insert(Fill& fill, Node* node, uint64_t hash, Epochs& epochs, unsigned participant) {
    Block* block = block_.load(std::memory_order_relaxed);
    if (block == nullptr || (fill.used + 1) * 4 > block->slots_count() * 3)
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
    std::atomic<uint64_t>* words = block->words();
    uint32_t i = block->home(node->hash);
    while (Block::node_of(words[i].load(std::memory_order_relaxed)) != node) i = block->next(i);
    words[i].store(Block::erased_slot, std::memory_order_release);
    fill.live -= 1;
    if (words[block->next(i)].load(std::memory_order_relaxed) == Block::free_slot) {
      while (words[i].load(std::memory_order_relaxed) == Block::erased_slot) {
        words[i].store(Block::free_slot, std::memory_order_release);
        fill.used -= 1;
        i = block->previous(i);
      }
    }
    if (block->mask_ + 1 > words_min && fill.live * 8 < block->slots_count()) {
      resize(fill, epochs, participant);
    }
  }

  // Writer: who looked at the slots around `hash` before this must look again.
  void move_version(uint32_t hash) requires with_versions {
    Block* block = block_.load(std::memory_order_relaxed);
    std::atomic<uint64_t>& version = block->words()[block->version_at(hash)];
    version.store(version.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  // Writer: no search that begins after this finds anything. The nodes are the caller's.
  void clear(Fill& fill, Epochs& epochs, unsigned participant) requires(!with_versions) {
    fill = {};
    Block* old = block_.load(std::memory_order_relaxed);
    block_.store(nullptr, std::memory_order_release);
    if (old != nullptr) epochs.retire(participant, old, free_block);
  }

  // Nobody else uses the table.
  template <typename Function>
  void for_each(Function function) {
    Block* block = block_.load(std::memory_order_relaxed);
    if (block == nullptr) return;
    for (uint32_t i = 0; i <= block->mask_; ++i) {
      const uint64_t slot = block->words()[i].load(std::memory_order_relaxed);
      if (Block::is_slot(i) && slot != Block::free_slot && slot != Block::erased_slot)
        function(Block::node_of(slot));
    }
  }

 private:
  static constexpr uint32_t words_min = with_versions ? 64 : 4;

  static Block* make_block(uint32_t words_count, uint64_t first_version) {
    const size_t size = sizeof(Block) + size_t{words_count} * sizeof(std::atomic<uint64_t>);
    Block* block = new (::operator new (size, std::align_val_t{alignof(Block)})) Block;
    block->mask_ = words_count - 1;
    for (uint32_t i = 0; i < words_count; ++i) {
      new (&block->words()[i]) std::atomic<uint64_t>(Block::is_slot(i) ? Block::free_slot : first_version);
    }
    return block;
  }
  static void free_block(void* block) { ::operator delete (block, std::align_val_t{alignof(Block)}); }

  // Returns what the slot held before.
  static uint64_t put(Block* block, uint64_t slot, uint32_t hash) {
    uint32_t i = block->home(hash);
    uint64_t held = block->words()[i].load(std::memory_order_relaxed);
    while (held != Block::free_slot && held != Block::erased_slot) {
      i = block->next(i);
      held = block->words()[i].load(std::memory_order_relaxed);
    }
    block->words()[i].store(slot, std::memory_order_release);
    return held;
  }

  // Into a new block with twice as many slots as there are nodes at least, without the erased slots.
  Block* resize(Fill& fill, Epochs& epochs, unsigned participant) {
    uint32_t words_count = words_min;
    while (Block::slots_of(words_count) < (fill.live + 1) * 2) words_count *= 2;
    Block* old = block_.load(std::memory_order_relaxed);
    uint64_t first_version = 0;
    if constexpr (with_versions) {
      // The next generation: no version of the old block is ever equal to one of the new.
      first_version = ((old->words()[0].load(std::memory_order_relaxed) >> 32) + 1) << 32;
    }
    Block* block = make_block(words_count, first_version);
    if (old != nullptr) move_nodes(old, block);
    fill.used = fill.live;
    block_.store(block, std::memory_order_release);
    if (old != nullptr) epochs.retire(participant, old, free_block);
    return block;
  }

  static void move_nodes(Block* from, Block* to) {
    constexpr uint32_t ahead = 8;
    for (uint32_t i = 0; i <= from->mask_; ++i) {
      if (i + ahead <= from->mask_ && Block::is_slot(i + ahead)) {
        __builtin_prefetch(Block::node_of(from->words()[i + ahead].load(std::memory_order_relaxed)));
      }
      const uint64_t slot = from->words()[i].load(std::memory_order_relaxed);
      if (!Block::is_slot(i) || slot == Block::free_slot || slot == Block::erased_slot) continue;
      put(to, slot, Block::node_of(slot)->hash);
    }
  }

  std::atomic<Block*> block_{nullptr};
};

}  // namespace nuncio
