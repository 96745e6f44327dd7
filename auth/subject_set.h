// One list of a user's rights (allow or deny), compiled so that an answer does not cost what the list is
// long: entries without wildcards are found by hash, the others by a trie over their tokens. Immutable once
// filled; then any thread may ask.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/hash.h"

namespace nuncio::auth {

class SubjectSet {
 public:
  SubjectSet();
  // `subject` must be valid. With a `queue`, which may hold wildcards, the entry speaks of that queue only
  // (AU-52).
  void add(std::string_view subject, std::string_view queue);
  bool empty() const { return entries_.empty(); }

  // An entry without queue matches `subject`, whose wildcards are ordinary characters (AU-49). As in the
  // subject index, nothing matches a subject with empty tokens (AT-31).
  bool matches(std::string_view subject) const;
  // An entry without queue contains all that `pattern` wants (AU-50).
  bool contains(std::string_view pattern) const;

  // What the entries that contain all of `pattern` say of queues.
  struct Found {
    bool has_plain = false;   // one without queue
    bool has_queues = false;  // one with some queue
    bool has_queue = false;   // one with a queue that matches the queue asked for
  };
  Found find(std::string_view pattern, std::string_view queue) const;

 private:
  struct Entry {  // of one subject
    bool is_plain = false;
    std::vector<std::string> queues;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return hash_bytes(text, hash_seed()); }
  };
  using IndexByText = std::unordered_map<std::string, uint32_t, Hash, std::equal_to<>>;

  static constexpr uint32_t none = UINT32_MAX;
  struct Node {
    IndexByText by_token;        // of nodes
    uint32_t any = none;         // node of '*'
    uint32_t tail_entry = none;  // of '>'
    uint32_t entry = none;       // that ends here
  };
  enum class Asking : uint8_t { subject, pattern };

  uint32_t& entry_slot(std::string_view subject);
  uint32_t child(uint32_t node, std::string_view token);
  template <typename Visit>
  bool visit_found(std::string_view subject, Asking asking, const Visit& visit) const;
  template <typename Visit>
  bool visit_below(const Node& node, std::string_view rest, Asking asking, const Visit& visit) const;

  std::vector<Entry> entries_;
  IndexByText literals_;     // of entries
  std::vector<Node> nodes_;  // the first is the root of the entries with wildcards
};

}  // namespace nuncio::auth
