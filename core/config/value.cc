#include "core/config/value.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/log.h"

namespace nuncio::config {

std::string Position::text() const {
  if (!file) return "command line";
  return line == 0 ? *file : fmt::format("{}:{}:{}", *file, line, column);
}

std::string_view describe(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::boolean:
      return "a boolean";
    case Value::Kind::integer:
      return "a number";
    case Value::Kind::real:
      return "a number with a fraction";
    case Value::Kind::string:
      return "a string";
    case Value::Kind::datetime:
      return "a date";
    case Value::Kind::array:
      return "an array";
    case Value::Kind::map:
      return "a map";
  }
  return "a value";
}

Weight weigh(const Value& value) {
  Weight sum{1, value.text.reveal().size(), 1};
  const auto add = [&sum](const Value& part) {
    const Weight more = weigh(part);
    sum.nodes += more.nodes;
    sum.bytes += more.bytes;
    sum.depth = std::max(sum.depth, more.depth + 1);
  };
  for (const Value& item : value.items) add(item);
  for (const Entry& entry : value.entries) {
    sum.bytes += entry.key.size();
    add(entry.value);
  }
  return sum;
}

std::string shown_key(const Entry& entry) {
  if (entry.is_key_hidden) return "(not shown, it follows a secret on the same line)";
  return log::quoted(entry.key, 64);
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

}  // namespace nuncio::config
