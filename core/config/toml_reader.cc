#include "core/config/toml_reader.h"

#include <fmt/format.h>

// toml++ 3.3 asserts about its input here and there instead of reporting a mistake, and without assertions
// takes them for granted. So they are exceptions, caught below, in every kind of build; that needs its
// exceptions too.
namespace {
struct TomlAssertion {};
[[noreturn]] void toml_assertion_failed() {
  throw TomlAssertion();
}
}  // namespace
#undef NDEBUG
#define TOML_ASSERT(condition) ((condition) ? void() : toml_assertion_failed())
#define TOML_EXCEPTIONS 1
#define TOML_HEADER_ONLY 1
#define TOML_MAX_NESTED_VALUES 32
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>
#include <vector>

#include "core/config/map_builder.h"

namespace nuncio::config {
namespace {

constexpr size_t dots_per_line_max = 64;

class TomlTree {
 public:
  TomlTree(const std::string& name, Sources& sources)
      : file_(std::make_shared<const std::string>(name)), sources_(sources) {}

  std::optional<Value> root(toml::table& table) {
    MapBuilder pairs(sources_.findings(), position(table.source()));
    if (!includes(table, pairs)) return std::nullopt;
    return fill(table, pairs) ? std::optional<Value>(pairs.take()) : std::nullopt;
  }

  Position position(const toml::source_region& region) const {
    return {file_, static_cast<uint32_t>(region.begin.line), static_cast<uint32_t>(region.begin.column)};
  }
  Position line(uint32_t number) const { return {file_, number, 1}; }

 private:
  // The included pairs come first, so that this file's own win.
  bool includes(toml::table& table, MapBuilder& into) {
    toml::node* node = table.get("include");
    if (node == nullptr) return true;
    const Position at = position(node->source());
    std::vector<std::string> paths;
    if (const auto* one = node->as_string()) paths.push_back(one->get());
    if (const auto* list = node->as_array()) {
      for (const toml::node& item : *list) {
        if (const auto* path = item.as_string()) paths.push_back(path->get());
      }
      if (paths.size() != list->size()) paths.clear();
      if (list->empty()) return table.erase("include"), true;
    }
    if (paths.empty()) {
      sources_.findings().error(at, "include must be an array of paths");
      return false;
    }
    for (const std::string& path : paths) {
      auto included = sources_.include(path, at);
      if (!included) return false;
      for (Entry& entry : included->entries) into.add(std::move(entry));
    }
    table.erase("include");
    return true;
  }

  // Tables come sorted by name; variables and "the last wins" need the order of the file.
  bool fill(toml::table& table, MapBuilder& into) {
    struct Pair {
      const toml::key* key;
      toml::node* node;
    };
    std::vector<Pair> pairs;
    for (auto&& [key, node] : table) pairs.push_back({&key, &node});
    const auto place = [](const Pair& pair) {
      const auto& begin = pair.key->source().begin;
      return std::pair(begin.line, begin.column);
    };
    std::ranges::stable_sort(pairs, {}, place);

    scopes_.push_back(&into);
    for (const auto& [key, node] : pairs) {
      Entry entry;
      entry.key = std::string(key->str());
      entry.position = position(key->source());
      auto found = value(*node);
      if (!found) return false;
      entry.value = std::move(*found);
      into.add(std::move(entry));
    }
    scopes_.pop_back();
    return true;
  }

  std::optional<Value> value(toml::node& node) {
    const Position at = position(node.source());
    if (depth_ == depth_max) {
      sources_.findings().error(at, fmt::format("nested more than {} levels deep", depth_max));
      return std::nullopt;
    }
    ++depth_;
    auto found = any_value(node, at);
    --depth_;
    if (!found) return std::nullopt;
    found->position = at;
    if (!sources_.charge({1, found->text.reveal().size(), 1}, at)) return std::nullopt;
    return found;
  }

  std::optional<Value> any_value(toml::node& node, const Position& at) {
    Value value;
    if (auto* table = node.as_table()) {
      MapBuilder pairs(sources_.findings(), at);
      return fill(*table, pairs) ? std::optional<Value>(pairs.take()) : std::nullopt;
    }
    if (auto* array = node.as_array()) {
      value.kind = Value::Kind::array;
      for (toml::node& item : *array) {
        auto found = this->value(item);
        if (!found) return std::nullopt;
        value.items.push_back(std::move(*found));
      }
    } else if (auto* text = node.as_string()) {
      value.text = Secret(text->get());
      wipe(text->get());
      const std::string_view seen = value.text.reveal();
      if (seen.size() > 3 && seen.starts_with("${") && seen.ends_with('}')) {
        return variable(std::string(seen.substr(2, seen.size() - 3)), at);
      }
    } else if (const auto* integer = node.as_integer()) {
      value.kind = Value::Kind::integer;
      value.integer = integer->get();
    } else if (const auto* real = node.as_floating_point()) {
      value.kind = Value::Kind::real;
      value.real = real->get();
    } else if (const auto* truth = node.as_boolean()) {
      value.kind = Value::Kind::boolean;
      value.boolean = truth->get();
    } else {
      value.kind = Value::Kind::datetime;
    }
    return value;
  }

  std::optional<Value> variable(const std::string& name, const Position& at) {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      Entry* definition = (*scope)->find(name);
      if (definition == nullptr) continue;
      definition->is_used_as_variable = true;
      const Weight weight = weigh(definition->value);
      if (depth_ + weight.depth > depth_max) {
        sources_.findings().error(at, fmt::format("nested more than {} levels deep", depth_max));
        return std::nullopt;
      }
      if (!sources_.charge(weight, at)) return std::nullopt;
      return definition->value;
    }
    auto outside = sources_.environment(name, at);
    if (outside.is_set) return std::move(outside.value);
    sources_.findings().error(
        at, fmt::format("variable reference for '{}' on line {} can not be found", name, at.line));
    return std::nullopt;
  }

  std::shared_ptr<const std::string> file_;
  Sources& sources_;
  std::vector<MapBuilder*> scopes_;
  size_t depth_ = 0;
};

// The number of the line at which parsing ends in an assertion: found by halving, since an assertion has no
// position.
uint32_t asserting_line(std::string_view text) {
  std::vector<size_t> ends;
  for (size_t at = 0; at != std::string_view::npos; at = text.find('\n', at + 1)) ends.push_back(at);
  ends.erase(ends.begin());
  ends.push_back(text.size());
  const auto is_harmless = [text](size_t end) {
    try {
      static_cast<void>(toml::parse(text.substr(0, end)));
    } catch (const toml::parse_error&) {
    } catch (const TomlAssertion&) {
      return false;
    }
    return true;
  };
  const auto first = std::ranges::partition_point(ends, is_harmless);
  return static_cast<uint32_t>(first - ends.begin()) + 1;
}

}  // namespace

std::optional<Value> read_toml(std::string_view text, const std::string& name, Sources& sources) {
  TomlTree tree(name, sources);
  if (!is_toml_depth_bounded(text)) {
    sources.findings().error(tree.position({{1, 1}, {1, 1}, {}}),
                             "a line has too many dots outside of strings");
    return std::nullopt;
  }
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    // What toml++ says may quote the text around the mistake, and that may be a secret: its first words are
    // enough.
    const std::string_view said = error.description();
    const std::string_view kind = said.substr(0, std::min(said.find_first_of(":;'\""), said.size()));
    sources.findings().error(tree.position(error.source()), fmt::format("not valid TOML: {}", kind));
    return std::nullopt;
  } catch (const TomlAssertion&) {
    sources.findings().error(tree.line(asserting_line(text)), "not valid TOML");
    return std::nullopt;
  }
  return tree.root(table);
}

bool is_toml_depth_bounded(std::string_view text) {
  enum class In { nothing, comment, basic, literal, long_basic, long_literal } in = In::nothing;
  size_t dots = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const std::string_view three = text.substr(i, 3);
    if (c == '\n') {
      dots = 0;
      if (in != In::long_basic && in != In::long_literal) in = In::nothing;
      continue;
    }
    switch (in) {
      case In::comment:
        break;
      case In::basic:
        if (c == '\\') ++i;
        if (c == '"') in = In::nothing;
        break;
      case In::literal:
        if (c == '\'') in = In::nothing;
        break;
      case In::long_basic:
        if (c == '\\') ++i;
        if (three == "\"\"\"") i += 2, in = In::nothing;
        break;
      case In::long_literal:
        if (three == "'''") i += 2, in = In::nothing;
        break;
      case In::nothing:
        if (c == '#') in = In::comment;
        if (three == "\"\"\"") {
          i += 2, in = In::long_basic;
        } else if (three == "'''") {
          i += 2, in = In::long_literal;
        } else if (c == '"') {
          in = In::basic;
        } else if (c == '\'') {
          in = In::literal;
        } else if (c == '.' && ++dots > dots_per_line_max) {
          return false;
        }
        break;
    }
  }
  return true;
}

}  // namespace nuncio::config
