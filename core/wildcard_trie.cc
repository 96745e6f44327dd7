#include "core/wildcard_trie.h"

#include "core/hash.h"

namespace nuncio {
namespace {

bool is_star(std::string_view token) {
  return token == "*";
}
bool is_full(std::string_view token) {
  return token == ">";
}

// The token that begins at `begin`, which is at most subject.size().
std::string_view token_at(std::string_view subject, size_t begin) {
  const size_t end = subject.find('.', begin);
  return subject.substr(begin, end == std::string_view::npos ? end : end - begin);
}

bool has_empty_token(std::string_view subject) {
  if (subject.empty() || subject.front() == '.' || subject.back() == '.') return true;
  return subject.find("..") != std::string_view::npos;
}

uint64_t token_hash(std::string_view token) {
  return hash_bytes(token, 0x746f6b656eU ^ hash_seed());
}

}  // namespace

// The children of one node that are no wildcards. A node with thousands of them shards its table, so that no
// growing takes long: one table of 500,000 children took 13 ms to double, its shards take 0.2 ms each.
class WildcardTrie::Children {
 public:
  ~Children() { delete wide_.load(std::memory_order_relaxed); }

  // Any worker, online, or the writer.
  TrieNode* find(std::string_view token) const;
  bool is_empty() const {
    return narrow_.block() == nullptr && wide_.load(std::memory_order_acquire) == nullptr;
  }

  // Writer.
  uint32_t count() const { return count_; }
  void insert(TrieNode* node, uint64_t hash, Epochs& epochs, unsigned participant);
  void erase(TrieNode* node, Epochs& epochs, unsigned participant);

  // Nobody else uses it.
  template <typename Function>
  void for_each(Function function);

 private:
  using Table = ConcurrentTable<TrieNode, false>;
  static constexpr uint32_t narrow_max = 4096;
  static constexpr size_t shards_count = 64;
  struct Wide {
    std::array<Table, shards_count> tables;
    std::array<Table::Fill, shards_count> fills;
  };

  static size_t shard_of(uint32_t hash) { return hash >> 26; }
  void widen(Epochs& epochs, unsigned participant);

  Table narrow_;
  std::atomic<Wide*> wide_{nullptr};  // instead of narrow_ once there are many
  Table::Fill fill_;                  // of narrow_
  uint32_t count_ = 0;
};

struct WildcardTrie::TrieNode {
  static TrieNode* make(TrieNode* parent, std::string_view token, uint64_t hash) {
    auto* node = new (::operator new(sizeof(TrieNode) + token.size())) TrieNode;
    node->parent = parent;
    node->hash = static_cast<uint32_t>(hash);
    node->length = static_cast<uint32_t>(token.size());
    std::memcpy(reinterpret_cast<char*>(node + 1), token.data(), token.size());
    return node;
  }
  static void destroy(void* memory) {
    static_cast<TrieNode*>(memory)->~TrieNode();
    ::operator delete(memory);
  }

  std::string_view text() const { return {reinterpret_cast<const char*>(this + 1), length}; }
  bool is_empty() const {
    return children.count() == 0 && star.load(std::memory_order_relaxed) == nullptr &&
           full.load(std::memory_order_relaxed) == nullptr &&
           subject.load(std::memory_order_relaxed) == nullptr;
  }

  std::atomic<SubjectNode*> subject{nullptr};  // the wildcard subject that ends here
  std::atomic<SubjectNode*> full{nullptr};     // the one that ends with a '>' after this
  std::atomic<TrieNode*> star{nullptr};
  Children children;
  TrieNode* parent = nullptr;
  uint32_t hash = 0;
  uint32_t length = 0;
};

// The narrow table first: it is cleared only when the wide ones are there, so who finds it cleared finds
// them.
WildcardTrie::TrieNode* WildcardTrie::Children::find(std::string_view token) const {
  const Table::Block* block = narrow_.block();
  const Wide* wide = wide_.load(std::memory_order_acquire);
  if (block == nullptr && wide == nullptr) return nullptr;
  const uint64_t hash = token_hash(token);
  if (wide != nullptr) block = wide->tables[shard_of(static_cast<uint32_t>(hash))].block();
  return block == nullptr ? nullptr : block->find(hash, token);
}

void WildcardTrie::Children::insert(TrieNode* node, uint64_t hash, Epochs& epochs, unsigned participant) {
  if (count_ == narrow_max && wide_.load(std::memory_order_relaxed) == nullptr) widen(epochs, participant);
  count_ += 1;
  if (Wide* wide = wide_.load(std::memory_order_relaxed)) {
    const size_t shard = shard_of(node->hash);
    wide->tables[shard].insert(wide->fills[shard], node, hash, epochs, participant);
  } else {
    narrow_.insert(fill_, node, hash, epochs, participant);
  }
}

void WildcardTrie::Children::erase(TrieNode* node, Epochs& epochs, unsigned participant) {
  count_ -= 1;
  if (Wide* wide = wide_.load(std::memory_order_relaxed)) {
    const size_t shard = shard_of(node->hash);
    wide->tables[shard].erase(wide->fills[shard], node, epochs, participant);
  } else {
    narrow_.erase(fill_, node, epochs, participant);
  }
}

void WildcardTrie::Children::widen(Epochs& epochs, unsigned participant) {
  auto* wide = new Wide;
  narrow_.for_each([&](TrieNode* node) {
    const size_t shard = shard_of(node->hash);
    wide->tables[shard].insert(wide->fills[shard], node, token_hash(node->text()), epochs, participant);
  });
  wide_.store(wide, std::memory_order_release);
  narrow_.clear(fill_, epochs, participant);
}

template <typename Function>
void WildcardTrie::Children::for_each(Function function) {
  narrow_.for_each(function);
  if (Wide* wide = wide_.load(std::memory_order_relaxed)) {
    for (Table& table : wide->tables) table.for_each(function);
  }
}

WildcardTrie::WildcardTrie(Epochs& epochs) : epochs_(epochs), root_(TrieNode::make(nullptr, "", 0)) {}

void WildcardTrie::collect(std::string_view subject, std::vector<Step>& stack,
                           std::vector<const SubjectNode*>& found) const {
  const bool is_trivial = root_->children.is_empty() &&
                          root_->star.load(std::memory_order_acquire) == nullptr &&
                          root_->full.load(std::memory_order_acquire) == nullptr;
  if (is_trivial || has_empty_token(subject)) return;

  stack.clear();
  stack.push_back({root_, 0});
  while (!stack.empty()) {
    const Step step = stack.back();
    stack.pop_back();
    if (step.begin > subject.size()) {
      if (const SubjectNode* node = step.node->subject.load(std::memory_order_acquire)) found.push_back(node);
      continue;
    }
    if (const SubjectNode* node = step.node->full.load(std::memory_order_acquire)) found.push_back(node);
    const std::string_view token = token_at(subject, step.begin);
    const size_t next = step.begin + token.size() + 1;
    if (const TrieNode* star = step.node->star.load(std::memory_order_acquire)) stack.push_back({star, next});
    if (const TrieNode* child = step.node->children.find(token)) stack.push_back({child, next});
  }
}

SubjectNode* WildcardTrie::find(std::string_view subject, uint64_t) const {
  const TrieNode* node = root_;
  for (size_t begin = 0; begin <= subject.size();) {
    const std::string_view token = token_at(subject, begin);
    if (is_full(token)) return node->full.load(std::memory_order_acquire);
    node = is_star(token) ? node->star.load(std::memory_order_acquire) : node->children.find(token);
    if (node == nullptr) return nullptr;
    begin += token.size() + 1;
  }
  return node->subject.load(std::memory_order_acquire);
}

void WildcardTrie::insert(unsigned participant, SubjectNode* node, uint64_t) {
  const std::string_view subject = node->text();
  TrieNode* at = root_;
  for (size_t begin = 0; begin <= subject.size();) {
    const std::string_view token = token_at(subject, begin);
    if (is_full(token)) {
      at->full.store(node, std::memory_order_release);
      return;
    }
    at = child_for(participant, at, token);
    begin += token.size() + 1;
  }
  at->subject.store(node, std::memory_order_release);
}

WildcardTrie::TrieNode* WildcardTrie::child_for(unsigned participant, TrieNode* parent,
                                                std::string_view token) {
  if (is_star(token)) {
    TrieNode* star = parent->star.load(std::memory_order_relaxed);
    if (star == nullptr) {
      star = TrieNode::make(parent, token, 0);
      parent->star.store(star, std::memory_order_release);
    }
    return star;
  }
  TrieNode* child = parent->children.find(token);
  if (child == nullptr) {
    const uint64_t hash = token_hash(token);
    child = TrieNode::make(parent, token, hash);
    parent->children.insert(child, hash, epochs_, participant);
  }
  return child;
}

void WildcardTrie::erase(unsigned participant, SubjectNode* node) {
  const std::string_view subject = node->text();
  TrieNode* at = root_;
  for (size_t begin = 0; begin <= subject.size();) {
    const std::string_view token = token_at(subject, begin);
    if (is_full(token)) {
      at->full.store(nullptr, std::memory_order_release);
      prune(participant, at);
      return;
    }
    at = child_for(participant, at, token);
    begin += token.size() + 1;
  }
  at->subject.store(nullptr, std::memory_order_release);
  prune(participant, at);
}

// Unlinks `node` and those above it as far as nothing hangs on them.
void WildcardTrie::prune(unsigned participant, TrieNode* node) {
  while (node != root_ && node->is_empty()) {
    TrieNode* parent = node->parent;
    if (parent->star.load(std::memory_order_relaxed) == node) {
      parent->star.store(nullptr, std::memory_order_release);
    } else {
      parent->children.erase(node, epochs_, participant);
    }
    epochs_.retire(participant, node, TrieNode::destroy);
    node = parent;
  }
}

uint32_t WildcardTrie::lane_of(std::string_view subject) {
  const std::string_view token = token_at(subject, 0);
  return 1 + static_cast<uint32_t>(token_hash(token) >> 32) % (lanes_count - 1);
}

void WildcardTrie::move_version(const SubjectNode& node) {
  const std::string_view token = token_at(node.text(), 0);
  std::atomic<uint64_t>& version = lanes_[is_star(token) || is_full(token) ? 0 : lane_of(token)].version;
  version.store(version.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

void WildcardTrie::list(std::vector<SubjectNode*>& nodes) {
  std::vector<TrieNode*> rest{root_};
  while (!rest.empty()) {
    TrieNode* node = rest.back();
    rest.pop_back();
    if (SubjectNode* subject = node->subject.load(std::memory_order_relaxed)) nodes.push_back(subject);
    if (SubjectNode* subject = node->full.load(std::memory_order_relaxed)) nodes.push_back(subject);
    if (TrieNode* star = node->star.load(std::memory_order_relaxed)) rest.push_back(star);
    node->children.for_each([&rest](TrieNode* child) { rest.push_back(child); });
  }
}

WildcardTrie::~WildcardTrie() {
  std::vector<TrieNode*> rest{root_};
  while (!rest.empty()) {
    TrieNode* node = rest.back();
    rest.pop_back();
    if (TrieNode* star = node->star.load(std::memory_order_relaxed)) rest.push_back(star);
    node->children.for_each([&rest](TrieNode* child) { rest.push_back(child); });
    TrieNode::destroy(node);
  }
}

}  // namespace nuncio
