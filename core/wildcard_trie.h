// The wildcard subjects of one account: a trie of tokens whose nodes find their children by a concurrent hash
// table. Read without a lock; writers share one lock and touch only the path of the subject. Private to the
// interest index.
//
// Versions tell caches when to look again. A change moves the version of its lane: the lane of the subject's
// first token, or lane 0, which all subjects share, when that token is a wildcard. So the clients that come
// with their
// `_INBOX.x.*` do not flush what is cached for `orders.new`.
#pragma once

#include <array>
#include <mutex>
#include <string_view>
#include <vector>

#include "core/concurrent_table.h"
#include "core/subject_node.h"

namespace nuncio {

class WildcardTrie {
 public:
  // A walk's stack, kept by the reader so that walking allocates nothing in the steady state.
  struct TrieNode;
  class Children;
  struct Step {
    const TrieNode* node;
    size_t begin;  // of the next token; past the end of the subject when there is none
  };

  explicit WildcardTrie(Epochs& epochs);
  ~WildcardTrie();  // nobody uses it; the nodes' places must be gone
  WildcardTrie(const WildcardTrie&) = delete;
  WildcardTrie& operator=(const WildcardTrie&) = delete;

  static uint32_t lane_of(std::string_view subject);
  // Any worker. It changes whenever anything changes in this lane or in lane 0.
  uint64_t version(uint32_t lane) const {
    // Both only grow, so an equal sum means that both are equal.
    return lanes_[0].version.load(std::memory_order_acquire) +
           lanes_[lane].version.load(std::memory_order_acquire);
  }

  // Any worker, online. Appends the nodes of all wildcard subjects that want `subject`; none if it has an
  // empty token.
  void collect(std::string_view subject, std::vector<Step>& stack,
               std::vector<const SubjectNode*>& found) const;
  // Any worker, online: the node of exactly this wildcard subject, or null.
  SubjectNode* find(std::string_view subject, uint64_t hash) const;

  // Writers hold the lock for all of these.
  std::mutex& lock_of(uint32_t) { return mutex_; }
  void insert(unsigned participant, SubjectNode* node, uint64_t hash);
  void erase(unsigned participant, SubjectNode* node);
  void move_version(const SubjectNode& node);

  // Nobody else uses it.
  template <typename Function>
  void for_each(Function function) {
    std::vector<SubjectNode*> nodes;
    list(nodes);
    for (SubjectNode* node : nodes) function(node);
  }

 private:
  static constexpr uint32_t lanes_count = 32;
  struct alignas(64) Lane {
    std::atomic<uint64_t> version{0};
  };

  TrieNode* child_for(unsigned participant, TrieNode* parent, std::string_view token);
  void prune(unsigned participant, TrieNode* node);
  void list(std::vector<SubjectNode*>& nodes);

  Epochs& epochs_;
  TrieNode* root_;
  std::mutex mutex_;
  std::array<Lane, lanes_count> lanes_;
};

}  // namespace nuncio
