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

struct WildcardTrie::TrieNode {
  using Children = ConcurrentTable<TrieNode, false>;

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
    return fill.live == 0 && star.load(std::memory_order_relaxed) == nullptr &&
           full.load(std::memory_order_relaxed) == nullptr &&
           subject.load(std::memory_order_relaxed) == nullptr;
  }

  std::atomic<SubjectNode*> subject{nullptr};  // the wildcard subject that ends here
  std::atomic<SubjectNode*> full{nullptr};     // the one that ends with a '>' after this
  std::atomic<TrieNode*> star{nullptr};
  Children children;  // of tokens that are no wildcards
  Children::Fill fill;
  TrieNode* parent = nullptr;
  uint32_t hash = 0;
  uint32_t length = 0;
};

WildcardTrie::WildcardTrie(Epochs& epochs) : epochs_(epochs), root_(TrieNode::make(nullptr, "", 0)) {}

void WildcardTrie::collect(std::string_view subject, std::vector<Step>& stack,
                           std::vector<const SubjectNode*>& found) const {
  const bool is_trivial = root_->children.block() == nullptr &&
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
    if (const TrieNode::Children::Block* children = step.node->children.block()) {
      if (const TrieNode* child = children->find(token_hash(token), token)) stack.push_back({child, next});
    }
  }
}

SubjectNode* WildcardTrie::find(std::string_view subject, uint64_t) const {
  const TrieNode* node = root_;
  for (size_t begin = 0; begin <= subject.size();) {
    const std::string_view token = token_at(subject, begin);
    if (is_full(token)) return node->full.load(std::memory_order_acquire);
    if (is_star(token)) {
      node = node->star.load(std::memory_order_acquire);
    } else {
      const TrieNode::Children::Block* children = node->children.block();
      node = children == nullptr ? nullptr : children->find(token_hash(token), token);
    }
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
  const uint64_t hash = token_hash(token);
  const TrieNode::Children::Block* children = parent->children.block();
  TrieNode* child = children == nullptr ? nullptr : children->find(hash, token);
  if (child == nullptr) {
    child = TrieNode::make(parent, token, hash);
    parent->children.insert(parent->fill, child, hash, epochs_, participant);
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
      parent->children.erase(parent->fill, node, epochs_, participant);
    }
    epochs_.retire(participant, node, TrieNode::destroy);
    node = parent;
  }
}

bool WildcardTrie::is_wildcard(std::string_view subject) {
  for (size_t i = 0; i < subject.size(); ++i) {
    if (subject[i] != '*' && subject[i] != '>') continue;
    const bool begins = i == 0 || subject[i - 1] == '.';
    const bool ends = i + 1 == subject.size() || subject[i + 1] == '.';
    if (begins && ends) return true;
  }
  return false;
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
