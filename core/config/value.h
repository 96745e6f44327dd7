// The tree that a configuration file is read into, whatever its format. Every key and value knows where it
// stands in which file. All texts are held as Secret, because the tree is older than the knowledge which of
// them are passwords. A plain value type, one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/secret.h"

namespace nuncio::config {

// Line and column count from 1, columns in characters; line 0 means the file as a whole.
struct Position {
  std::shared_ptr<const std::string> file;  // null: not from a file
  uint32_t line = 0;
  uint32_t column = 0;

  std::string text() const;  // "file:line:col", "file", or "command line"
};

struct Entry;

struct Value {
  enum class Kind : uint8_t { boolean, integer, real, string, datetime, array, map };

  Kind kind = Kind::string;
  bool boolean = false;
  bool is_from_environment = false;
  bool is_unquoted = false;  // a text written as a bare word
  int64_t integer = 0;
  double real = 0;
  Secret text;                 // of a string or datetime
  std::vector<Value> items;    // of an array
  std::vector<Entry> entries;  // of a map, in the order of the file
  Position position;

  bool is(Kind wanted) const { return kind == wanted; }
};

struct Entry {
  std::string key;
  Position position;  // of the key
  Value value;
  bool is_used_as_variable = false;  // then it need not be an option (CF-29)
  bool is_key_hidden = false;        // the key may be the rest of an unquoted secret: do not print it
};

// What a user would call it: "a number", "a string", "a map" …
std::string_view describe(Value::Kind);

// Nodes, text bytes and levels of a value, as counted against the limits below.
struct Weight {
  size_t nodes = 0;
  size_t bytes = 0;
  size_t depth = 0;
};
Weight weigh(const Value&);

// The key in quotes, or a phrase instead of it where it may hold a part of a secret.
std::string shown_key(const Entry&);
std::string to_lower(std::string_view text);  // ASCII

// Limits of hostile input. Copies made by variables count too.
constexpr size_t file_bytes_max = 16 * 1024 * 1024;
constexpr size_t depth_max = 100;
constexpr size_t nodes_max = 1'000'000;
constexpr size_t text_bytes_max = 64 * 1024 * 1024;
constexpr size_t include_depth_max = 20;
constexpr size_t includes_max = 1000;
constexpr size_t findings_max = 1000;

}  // namespace nuncio::config
