// The NATS configuration format (CF-1 … CF-30): text to tree, with variables and includes resolved. The first
// syntax error ends it, because what follows a lost bracket or quote only confuses. One thread; recursion
// bounded by depth_max.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/map_builder.h"
#include "core/config/scanner.h"
#include "core/config/sources.h"

namespace nuncio::config {

class NatsParser {
 public:
  // `context` goes before every error text.
  NatsParser(Scanner scanner, Sources& sources, std::string context = "")
      : scanner_(std::move(scanner)), sources_(sources), context_(std::move(context)) {}

  // A whole file. Empty after an error, which is in the findings of `sources`.
  std::optional<Value> file();
  // One value and nothing else: an environment variable.
  std::optional<Value> lone_value();

 private:
  // What stands between two pairs or elements; `marks` are the characters that separate besides line ends.
  bool separator(std::string_view marks, char closer, bool is_first);
  bool pair(MapBuilder&);
  bool value_start(const Entry&);
  bool include(MapBuilder&, const Position& at);
  std::optional<Value> value();
  std::optional<Value> any_value();
  std::optional<Value> map();
  std::optional<Value> array();
  std::optional<Value> word();
  std::optional<Value> text(const tl::expected<Secret, SyntaxError>&);
  std::optional<Value> variable(std::string_view name, const Position& at);
  std::nullopt_t fail(const Position&, std::string_view text);

  Scanner scanner_;
  Sources& sources_;
  std::string context_;
  std::vector<MapBuilder*> scopes_;  // maps being filled, outermost first
  size_t depth_ = 0;
};

}  // namespace nuncio::config
