// The literal subjects of one account: sharded, so that writers rarely meet and growing never takes long (a
// shard of half a million subjects has 8,000: 0.1 ms). Private to the interest index.
#pragma once

#include <array>
#include <mutex>
#include <string_view>

#include "core/concurrent_table.h"
#include "core/subject_node.h"

namespace nuncio {

class SubjectTable {
 public:
  using Table = ConcurrentTable<SubjectNode, true>;

  explicit SubjectTable(Epochs& epochs) : epochs_(epochs) {}

  // Any worker, online. The block stays valid for the turn; find() and version() of one block belong
  // together.
  const Table::Block* block(uint64_t hash) const {
    return tables_[shard_of(static_cast<uint32_t>(hash))].block();
  }
  SubjectNode* find(std::string_view subject, uint64_t hash) const {
    return block(hash)->find(hash, subject);
  }

  // Writers hold the lock of the subject's hash for all of these.
  std::mutex& lock_of(uint32_t hash) { return shards_[shard_of(hash)].mutex; }
  void insert(unsigned participant, SubjectNode* node, uint64_t hash) {
    const size_t shard = shard_of(node->hash);
    tables_[shard].insert(shards_[shard].fill, node, hash, epochs_, participant);
  }
  void erase(unsigned participant, SubjectNode* node) {
    const size_t shard = shard_of(node->hash);
    tables_[shard].erase(shards_[shard].fill, node, epochs_, participant);
  }
  void move_version(const SubjectNode& node) { tables_[shard_of(node.hash)].move_version(node.hash); }

  // Nobody else uses it.
  template <typename Function>
  void for_each(Function function) {
    for (Table& table : tables_) table.for_each(function);
  }

 private:
  static constexpr size_t shards_count = 64;
  static size_t shard_of(uint32_t hash) { return hash >> 26; }

  struct alignas(64) Shard {
    std::mutex mutex;
    Table::Fill fill;
  };

  Epochs& epochs_;
  // Apart from the locks: every match reads one of these, and they change only when a shard grows.
  std::array<Table, shards_count> tables_;
  std::array<Shard, shards_count> shards_;
};

}  // namespace nuncio
