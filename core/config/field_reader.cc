#include "core/config/field_reader.h"

#include <sodium.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/config/scalar.h"
#include "core/log.h"

namespace nuncio::config {
namespace {

// Insertions, deletions, replacements and swaps of neighbours that turn one word into another.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

// The known key that `key` is a likely misspelling of, or nothing.
std::string_view nearest(std::string_view key, std::span<const FieldName> names,
                         std::span<const Unsupported> others) {
  if (key.size() < 3 || key.size() > 40) return {};
  std::string_view best;
  size_t best_distance = key.size() <= 5 ? 2 : 3;
  const auto consider = [&](std::string_view name) {
    const size_t distance = edit_distance(key, name);
    if (distance < best_distance) best = name, best_distance = distance;
  };
  for (const FieldName& field : names) consider(field.name);
  for (const Unsupported& other : others) consider(other.name);
  return best;
}

}  // namespace

std::optional<bool> FieldReader::boolean(const Entry& entry) {
  if (!entry.value.is(Value::Kind::boolean)) return mismatch(entry, "true or false");
  record(entry, entry.value.boolean ? "true" : "false");
  return entry.value.boolean;
}

std::optional<int64_t> FieldReader::integer(const Entry& entry, SizeRange range) {
  if (!entry.value.is(Value::Kind::integer)) return mismatch(entry, "a number");
  const int64_t number = entry.value.integer;
  if (number > range.max)
    return error(entry, fmt::format("{} value is too big: {} at most", entry.key, range.max)), std::nullopt;
  if (number < range.min) {
    error(entry, range.min == 0 ? fmt::format("{} value can not be negative", entry.key)
                                : fmt::format("{} value is too small: {} at least", entry.key, range.min));
    return std::nullopt;
  }
  record(entry, fmt::format("{}", number));
  return number;
}

std::optional<std::string> FieldReader::text(const Entry& entry) {
  if (!entry.value.is(Value::Kind::string)) return mismatch(entry, "a string");
  record(entry, entry.value.text.reveal());
  return std::string(entry.value.text.reveal());
}

std::optional<std::vector<FieldReader::PlacedText>> FieldReader::texts(const Entry& entry) {
  std::vector<PlacedText> found;
  const auto add = [&](const Value& value) {
    if (!value.is(Value::Kind::string)) return false;
    found.push_back({std::string(value.text.reveal()), value.position});
    record(entry, found.back().text);
    return true;
  };
  if (add(entry.value)) return found;
  if (!entry.value.is(Value::Kind::array)) return mismatch(entry, "a string or an array of strings");
  for (const Value& item : entry.value.items) {
    if (add(item)) continue;
    findings_.error(item.position, fmt::format("expected a string in {}, got {}", log::quoted(entry.key, 64),
                                               describe(item.kind)));
    return std::nullopt;
  }
  return found;
}

std::optional<Secret> FieldReader::secret(const Entry& entry) {
  if (!entry.value.is(Value::Kind::string)) {
    error(entry, fmt::format("{} must be a string: put it in quotes", entry.key));
    return std::nullopt;
  }
  if (!entry.value.is_from_environment && entry.value.position.file) {
    files_with_secrets_.insert(*entry.value.position.file);
  }
  record(entry, "a secret");
  return entry.value.text;
}

std::optional<Nanoseconds> FieldReader::duration(const Entry& entry) {
  constexpr int64_t seconds_max = 9'000'000'000;
  if (entry.value.is(Value::Kind::integer)) {
    const auto count = integer(entry, {0, seconds_max});
    if (!count) return std::nullopt;
    findings_.deprecated(
        entry.value.position, entry.key,
        fmt::format("{} should be converted to a duration, like \"{}s\"", entry.key, *count));
    return std::chrono::seconds(*count);
  }
  if (!entry.value.is(Value::Kind::string)) return mismatch(entry, "a duration like \"10s\"");
  const auto found = parse_duration(entry.value.text.reveal());
  if (!found) {
    error(entry,
          fmt::format("error parsing {}: not a duration like \"10s\", \"250ms\" or \"1h30m\"", entry.key));
    return std::nullopt;
  }
  if (*found < Nanoseconds(0)) {
    error(entry, fmt::format("invalid {}, needs to be positive", entry.key));
    return std::nullopt;
  }
  record(entry, fmt::format("{}ns", found->count()));
  return found;
}

std::optional<Nanoseconds> FieldReader::seconds(const Entry& entry) {
  if (entry.value.is(Value::Kind::string)) return duration(entry);
  const bool is_whole = entry.value.is(Value::Kind::integer);
  if (!is_whole && !entry.value.is(Value::Kind::real))
    return mismatch(entry, "seconds or a duration like \"2s\"");
  const double count = is_whole ? static_cast<double>(entry.value.integer) : entry.value.real;
  if (!(count >= 0))
    return error(entry, fmt::format("invalid {}, needs to be positive", entry.key)), std::nullopt;
  if (!(count <= 1e9)) return error(entry, fmt::format("{} value is too big", entry.key)), std::nullopt;
  const Nanoseconds found(std::llround(count * 1e9));
  record(entry, fmt::format("{}ns", found.count()));
  return found;
}

std::optional<Nanoseconds> FieldReader::timeout(const Entry& entry) {
  const auto found = seconds(entry);
  if (!found || *found == Nanoseconds(0)) return std::nullopt;
  if (*found > std::chrono::seconds(60)) {
    warning(entry, fmt::format("{} of {} seconds is high, consider keeping it under 60 seconds; an unquoted "
                               "1m is the number 1000000, write \"1m\"",
                               to_lower(entry.key),
                               std::chrono::duration_cast<std::chrono::seconds>(*found).count()));
  }
  return found;
}

const Value* FieldReader::of_kind(const Entry& entry, Value::Kind kind) {
  if (!entry.value.is(kind)) {
    mismatch(entry, describe(kind));
    return nullptr;
  }
  return &entry.value;
}

void FieldReader::error(const Entry& entry, std::string_view text) {
  findings_.error(entry.value.position, text);
}

void FieldReader::warning(const Entry& entry, std::string_view text) {
  findings_.warning(entry.value.position, text);
}

std::nullopt_t FieldReader::mismatch(const Entry& entry, std::string_view expected) {
  const bool needs_quotes = expected == "a string" && entry.value.is_unquoted;
  const std::string_view quotes = needs_quotes ? "; put it in quotes" : "";
  error(entry, fmt::format("expected {} for {}, got {}{}", expected, log::quoted(entry.key, 64),
                           describe(entry.value.kind), quotes));
  return std::nullopt;
}

void FieldReader::record(std::string_view key, std::string_view value) {
  std::string line;
  for (const std::string& part : path_) line += part + '.';
  // Lengths make the line unambiguous whatever the value holds.
  lines_.push_back(fmt::format("{}{}={}:{}", line, to_lower(key), value.size(), value));
}

std::string FieldReader::digest() const {
  std::vector<std::string> sorted = lines_;
  std::ranges::sort(sorted);
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  for (const std::string& line : sorted) {
    const std::string sized = fmt::format("{}:{}\n", line.size(), line);
    crypto_hash_sha256_update(&state, reinterpret_cast<const unsigned char*>(sized.data()), sized.size());
  }
  unsigned char hash[crypto_hash_sha256_BYTES];
  crypto_hash_sha256_final(&state, hash);
  std::string text = "sha256:";
  for (const unsigned char byte : hash) text += fmt::format("{:02x}", byte);
  return text;
}

std::vector<NamedEntry> select_fields(const Value& map, std::span<const FieldName> names,
                                      std::span<const Unsupported> unsupported, FieldReader& reader) {
  std::vector<NamedEntry> found;
  std::map<std::string_view, size_t> chosen;  // canonical name → index in found
  for (const Entry& entry : map.entries) {
    const std::string key = to_lower(entry.key);
    const auto field = std::ranges::find(names, key, &FieldName::name);
    if (field != names.end()) {
      const NamedEntry named{static_cast<size_t>(field - names.begin()), &entry, {}};
      const auto [at, is_first] = chosen.try_emplace(field->canonical, found.size());
      if (is_first) {
        found.push_back(named);
        continue;
      }
      reader.findings().warning(entry.position,
                                fmt::format("{} replaces the value given at {}", shown_key(entry),
                                            found[at->second].entry->position.text()));
      found[at->second] = named;
      continue;
    }
    const auto other = std::ranges::find(unsupported, key, &Unsupported::name);
    if (other != unsupported.end()) {
      found.push_back({0, &entry, fmt::format("\"{}\" {}", other->name, other->reason)});
    } else if (!entry.is_used_as_variable) {
      const std::string_view near =
          entry.is_key_hidden ? std::string_view() : nearest(key, names, unsupported);
      const std::string hint = near.empty() ? "" : fmt::format(", did you mean \"{}\"?", near);
      found.push_back({0, &entry, fmt::format("unknown field {}{}", shown_key(entry), hint)});
    }
  }
  return found;
}

}  // namespace nuncio::config
