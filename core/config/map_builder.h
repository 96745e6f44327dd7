// Fills the entries of one map. The last of equal keys wins, with a warning that names both places (CF-7).
// Keeps an index beside the entries, because a hostile file may have very many. One thread.
#pragma once

#include <string>
#include <unordered_map>

#include "core/config/findings.h"
#include "core/config/value.h"

namespace nuncio::config {

class MapBuilder {
 public:
  explicit MapBuilder(Findings& findings, Position position) : findings_(findings) {
    map_.kind = Value::Kind::map;
    map_.position = std::move(position);
  }

  void add(Entry);
  Entry* find(const std::string& key);  // null: none so far; valid until the next add
  const Entry* last() const { return map_.entries.empty() ? nullptr : &map_.entries.back(); }
  Value take() { return std::move(map_); }

 private:
  Findings& findings_;
  Value map_;
  std::unordered_map<std::string, size_t> index_;
};

}  // namespace nuncio::config
