#include "core/config/nats_parser.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/config/scalar.h"
#include "core/log.h"

namespace nuncio::config {
namespace {

// True when `at` may be the second half of an unquoted secret that holds a comma or semicolon.
bool follows_secret(const Entry* previous, const Position& at) {
  if (previous == nullptr || !previous->value.is_unquoted || previous->value.position.line != at.line)
    return false;
  const std::string key = to_lower(previous->key);
  return key.find("pass") != std::string::npos || key.find("token") != std::string::npos;
}

// Names are shown only when they look like names: what begins with $ may be a password somebody forgot to
// quote.
std::string shown_variable(std::string_view name) {
  const bool is_name = !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
  return is_name && name.size() <= 64 ? fmt::format("'{}' ", name) : std::string();
}

}  // namespace

// The whole file may stand in one pair of braces (CF-5), and a stray closing one is tolerated as in
// nats-server (CF-22).
std::optional<Value> NatsParser::file() {
  MapBuilder pairs(sources_.findings(), scanner_.position());
  scopes_.push_back(&pairs);
  std::optional<Position> wrapper;
  for (bool is_first = true;; is_first = false) {
    if (!separator(",;", '}', is_first)) return std::nullopt;
    while (!scanner_.at_end() && (scanner_.peek() == '}' || (scanner_.peek() == '{' && !wrapper))) {
      const Position at = scanner_.position();
      if (scanner_.take() == '{') {
        wrapper = at;
      } else if (wrapper) {
        wrapper.reset();
      } else {
        sources_.findings().warning(at, "this '}' closes nothing");
      }
      if (!separator(",;", '}', true)) return std::nullopt;
    }
    if (scanner_.at_end()) break;
    if (!pair(pairs)) return std::nullopt;
  }
  if (wrapper) sources_.findings().warning(*wrapper, "the '{' opened here is not closed");
  return pairs.take();
}

std::optional<Value> NatsParser::lone_value() {
  const Position start = scanner_.position();
  scanner_.skip_spaces();
  if (scanner_.at_end()) {
    Value empty;
    empty.position = start;
    return empty;
  }
  auto found = value();
  if (!found || !separator("", '\0', false)) return std::nullopt;
  if (!scanner_.at_end()) return fail(start, "there is more than one value; put text in quotes");
  return found;
}

bool NatsParser::separator(std::string_view marks, char closer, bool is_first) {
  bool is_separated = is_first;
  bool is_marked = is_first;
  while (!scanner_.at_end()) {
    if (scanner_.at_comment()) {
      scanner_.skip_comment();
      is_separated = true;
    } else if (scanner_.at_space()) {
      is_separated |= scanner_.at_newline();
      scanner_.take();
    } else if (marks.find(scanner_.peek()) != std::string_view::npos) {
      if (is_marked) {
        fail(scanner_.position(), fmt::format("unexpected '{}': nothing stands before it", scanner_.peek()));
        return false;
      }
      scanner_.take();
      is_separated = is_marked = true;
    } else {
      break;
    }
  }
  if (is_separated || scanner_.at_end() || scanner_.peek() == closer) return true;
  fail(scanner_.position(), "a value must end with ',' or a new line; put text that holds blanks in quotes");
  return false;
}

bool NatsParser::pair(MapBuilder& into) {
  Entry entry;
  entry.position = scanner_.position();
  entry.is_key_hidden = follows_secret(into.last(), entry.position);
  const bool is_quoted = scanner_.peek() == '"' || scanner_.peek() == '\'';
  auto key = scanner_.key();
  if (!key) {
    fail(key.error().position, key.error().text);
    return false;
  }
  entry.key = std::move(*key);
  const bool is_followed_by_space = scanner_.at_space();
  scanner_.skip_blanks();
  const bool has_separator = scanner_.peek() == ':' || scanner_.peek() == '=';
  if (!is_quoted && is_followed_by_space && !has_separator && to_lower(entry.key) == "include") {
    return include(into, entry.position);
  }
  if (!value_start(entry)) return false;
  auto found = value();
  if (!found) return false;
  entry.value = std::move(*found);
  into.add(std::move(entry));
  return true;
}

// The value may stand on a line below its key as long as no separator has been given.
bool NatsParser::value_start(const Entry& entry) {
  scanner_.skip_spaces();
  if (scanner_.peek() == ':' || scanner_.peek() == '=') {
    scanner_.take();
    scanner_.skip_blanks();
  }
  constexpr std::string_view ends = ",;]}\r\n";
  if (!scanner_.at_end() && ends.find(scanner_.peek()) == std::string_view::npos) return true;
  fail(entry.position, fmt::format("the key {} has no value", shown_key(entry)));
  return false;
}

bool NatsParser::include(MapBuilder& into, const Position& at) {
  constexpr std::string_view ends = ",;]}\r\n";
  if (scanner_.at_end() || ends.find(scanner_.peek()) != std::string_view::npos) {
    fail(at, "include must be followed by a path");
    return false;
  }
  const char first = scanner_.peek();
  std::optional<Value> path;
  if (first == '"') {
    path = text(scanner_.double_quoted());
  } else if (first == '\'') {
    path = text(scanner_.single_quoted());
  } else {
    auto bare = scanner_.word();
    path = bare ? text(std::move(bare->text)) : text(tl::unexpected<SyntaxError>(bare.error()));
  }
  if (!path) return false;
  auto included = sources_.include(std::string(path->text.reveal()), at);
  if (!included) return false;
  for (Entry& entry : included->entries) into.add(std::move(entry));
  return true;
}

std::optional<Value> NatsParser::value() {
  const Position start = scanner_.position();
  if (depth_ == depth_max) return fail(start, fmt::format("nested more than {} levels deep", depth_max));
  ++depth_;
  auto found = any_value();
  --depth_;
  if (!found) return std::nullopt;
  found->position = start;
  if (!sources_.charge({1, found->text.reveal().size()}, start)) return std::nullopt;
  return found;
}

std::optional<Value> NatsParser::any_value() {
  switch (scanner_.peek()) {
    case '{':
      return map();
    case '[':
      return array();
    case '"':
      return text(scanner_.double_quoted());
    case '\'':
      return text(scanner_.single_quoted());
    case '(':
      return text(scanner_.block());
    default:
      return word();
  }
}

std::optional<Value> NatsParser::map() {
  const Position opened = scanner_.position();
  scanner_.take();
  MapBuilder pairs(sources_.findings(), opened);
  scopes_.push_back(&pairs);
  for (bool is_first = true;; is_first = false) {
    if (!separator(",;", '}', is_first)) return std::nullopt;
    if (scanner_.at_end())
      return fail(scanner_.position(), fmt::format("the map opened at {} is not closed", opened.text()));
    if (scanner_.peek() == '}') break;
    if (!pair(pairs)) return std::nullopt;
  }
  scanner_.take();
  scopes_.pop_back();
  return pairs.take();
}

std::optional<Value> NatsParser::array() {
  const Position opened = scanner_.position();
  scanner_.take();
  Value list;
  list.kind = Value::Kind::array;
  for (bool is_first = true;; is_first = false) {
    if (!separator(",", ']', is_first)) return std::nullopt;
    if (scanner_.at_end())
      return fail(scanner_.position(), fmt::format("the array opened at {} is not closed", opened.text()));
    if (scanner_.peek() == ']') break;
    auto item = value();
    if (!item) return std::nullopt;
    list.items.push_back(std::move(*item));
  }
  scanner_.take();
  return list;
}

std::optional<Value> NatsParser::word() {
  const Position start = scanner_.position();
  auto found = scanner_.word();
  if (!found) return fail(found.error().position, found.error().text);
  const std::string_view bare = found->text.reveal();
  if (!found->is_plain) {
    auto value = text(std::move(found->text));
    value->is_unquoted = true;
    return value;
  }
  if (bare.starts_with('$') && !is_hash_literal(bare)) return variable(bare.substr(1), start);
  auto meaning = classify_word(bare);
  if (!meaning) return fail(start, meaning.error());
  meaning->is_unquoted = true;
  return std::move(*meaning);
}

std::optional<Value> NatsParser::text(const tl::expected<Secret, SyntaxError>& found) {
  if (!found) return fail(found.error().position, found.error().text);
  Value value;
  value.text = *found;
  return value;
}

std::optional<Value> NatsParser::variable(std::string_view name, const Position& at) {
  const std::string key(name);
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    Entry* definition = (*scope)->find(key);
    if (definition == nullptr) continue;
    definition->is_used_as_variable = true;
    const Weight weight = weigh(definition->value);
    if (depth_ + weight.depth > depth_max)
      return fail(at, fmt::format("nested more than {} levels deep", depth_max));
    if (!sources_.charge(weight, at)) return std::nullopt;
    Value copy = definition->value;
    copy.is_unquoted = false;
    return copy;
  }
  auto outside = sources_.environment(key, at);
  if (outside.is_set) return std::move(outside.value);
  return fail(
      at, fmt::format("variable reference for {}on line {} can not be found; text that begins with '$' must "
                      "be in quotes",
                      shown_variable(name), at.line));
}

std::nullopt_t NatsParser::fail(const Position& at, std::string_view text) {
  sources_.findings().error(at, context_ + std::string(text));
  return std::nullopt;
}

}  // namespace nuncio::config
