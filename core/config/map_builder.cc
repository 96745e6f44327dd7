#include "core/config/map_builder.h"

#include <fmt/format.h>

namespace nuncio::config {

void MapBuilder::add(Entry entry) {
  const auto [found, is_new] = index_.try_emplace(entry.key, map_.entries.size());
  if (is_new) {
    map_.entries.push_back(std::move(entry));
    return;
  }
  Entry& old = map_.entries[found->second];
  findings_.warning(entry.position, fmt::format("duplicate key {}: this value replaces the one at {}",
                                                shown_key(entry), old.position.text()));
  entry.is_used_as_variable |= old.is_used_as_variable;
  old = std::move(entry);
}

Entry* MapBuilder::find(const std::string& key) {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &map_.entries[found->second];
}

}  // namespace nuncio::config
