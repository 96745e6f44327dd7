#include "core/pattern_index.h"

#include "core/subject.h"

namespace nuncio {

PatternIndex::PatternIndex(std::span<const std::string_view> patterns)
    : count_(static_cast<uint32_t>(patterns.size())) {
  if (count_ <= scan_max) return;
  for (uint32_t place = 0; place < count_; ++place) {
    const std::string_view pattern = patterns[place];
    const std::string_view first = pattern.substr(0, pattern.find('.'));
    if (!has_wildcards(pattern))
      literals_[std::string(pattern)].push_back(place);
    else if (has_wildcards(first))
      open_.push_back(place);
    else
      first_tokens_[std::string(first)].push_back(place);
  }
}

}  // namespace nuncio
