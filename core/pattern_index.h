// Which of many patterns may match a subject, without looking at each: literals by their hash, those that
// begin with a literal token by that token's, the rest one by one. A few are all looked at. Built once; any
// thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/hash.h"

namespace nuncio {

class PatternIndex {
 public:
  // Up to so many patterns comparing beats hashing: 16 that do not match cost 40 to 100 ns to compare, two
  // hashes 10 (bench/account_rules_bench.cc).
  static constexpr uint32_t scan_max = 2;

  PatternIndex() = default;
  explicit PatternIndex(std::span<const std::string_view> patterns);

  // Calls `visit(place)` for those of the patterns that may match the literal `subject`, in ascending order,
  // until it gives true. True when it did. Allocates nothing.
  template <typename Visit>
  bool any_of(std::string_view subject, Visit&& visit) const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const noexcept { return hash_bytes(text, hash_seed()); }
  };
  using Places = std::vector<uint32_t>;
  using Buckets = std::unordered_map<std::string, Places, Hash, std::equal_to<>>;

  static std::span<const uint32_t> bucket(const Buckets& buckets, std::string_view key) {
    const auto found = buckets.find(key);
    return found == buckets.end() ? std::span<const uint32_t>() : found->second;
  }

  uint32_t count_ = 0;
  Buckets literals_, first_tokens_;  // empty when all are looked at
  Places open_;                      // begin with a wildcard
};

template <typename Visit>
bool PatternIndex::any_of(std::string_view subject, Visit&& visit) const {
  if (count_ <= scan_max) {
    for (uint32_t place = 0; place < count_; ++place)
      if (visit(place)) return true;
    return false;
  }
  std::span<const uint32_t> lists[] = {bucket(literals_, subject),
                                       bucket(first_tokens_, subject.substr(0, subject.find('.'))), open_};
  for (;;) {
    std::span<const uint32_t>* next = nullptr;
    for (auto& list : lists)
      if (!list.empty() && (next == nullptr || list.front() < next->front())) next = &list;
    if (next == nullptr) return false;
    if (visit(next->front())) return true;
    *next = next->subspan(1);
  }
}

}  // namespace nuncio
