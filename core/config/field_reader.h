// Typed access to the values of a tree: each read gives the value or reports what was expected instead
// (CF-16). Keeps the canonical text of all that was read without its secrets, from which the digest is made
// (CF-38), and the files that secrets came from (CF-37). One thread.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/findings.h"
#include "core/config/value.h"
#include "core/options.h"

namespace nuncio::config {

struct SizeRange {
  int64_t min = 0;
  int64_t max = std::numeric_limits<int64_t>::max();
};

class FieldReader {
 public:
  explicit FieldReader(Findings& findings) : findings_(findings) {}

  std::optional<bool> boolean(const Entry&);
  std::optional<int64_t> integer(const Entry&, SizeRange = {});
  std::optional<std::string> text(const Entry&);
  // A string, or an array of strings, each with its place.
  struct PlacedText {
    std::string text;
    Position position;
  };
  std::optional<std::vector<PlacedText>> texts(const Entry&);
  std::optional<Secret> secret(const Entry&);
  // A duration string, or whole seconds, which is deprecated. Never negative.
  std::optional<Nanoseconds> duration(const Entry&);
  // Seconds with a fraction, or a duration string; neither is deprecated (CF-47).
  std::optional<Nanoseconds> seconds(const Entry&);
  // The same, where zero stands for the default and so gives nothing. A long one is warned about.
  std::optional<Nanoseconds> timeout(const Entry&);
  // The entry's value when it is of that kind.
  const Value* of_kind(const Entry&, Value::Kind);

  // For the canonical text, when it is read by other means than the above. Never a secret.
  void record(std::string_view key, std::string_view value);
  void add_file_with_secret(const std::string& path) { files_with_secrets_.insert(path); }

  void error(const Entry&, std::string_view text);  // at the value
  void warning(const Entry&, std::string_view text);
  Findings& findings() { return findings_; }

  // Names the part of the tree being read, for the canonical text.
  class Section {
   public:
    Section(FieldReader& reader, std::string name) : reader_(reader) {
      reader_.path_.push_back(std::move(name));
    }
    ~Section() { reader_.path_.pop_back(); }
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

   private:
    FieldReader& reader_;
  };

  std::string digest() const;  // "sha256:…", of the order of options independent
  const std::set<std::string>& files_with_secrets() const { return files_with_secrets_; }

 private:
  std::nullopt_t mismatch(const Entry&, std::string_view expected);
  void record(const Entry& entry, std::string_view value) { record(std::string_view(entry.key), value); }

  Findings& findings_;
  std::vector<std::string> path_;
  std::vector<std::string> lines_;
  std::set<std::string> files_with_secrets_;
};

// An option and the names it goes by.
template <typename Target>
struct Field {
  std::string_view name;       // lower case
  std::string_view canonical;  // the same for all names of one option
  void (*read)(Target&, FieldReader&, const Entry&);
};

// A known option that this version does not have.
struct Unsupported {
  std::string_view name;
  std::string_view reason = "is not supported by this version of nuncio";
};

struct FieldName {
  std::string_view name;
  std::string_view canonical;
};
// An entry of a map with the index of its name, or with what is wrong with its key.
struct NamedEntry {
  size_t field;
  const Entry* entry;
  std::string problem;
};
// The entries of a map in the order of the file. Of several for one option only the last is kept, with a
// warning (CF-7); entries that are only variables are left out (CF-29).
std::vector<NamedEntry> select_fields(const Value& map, std::span<const FieldName>,
                                      std::span<const Unsupported>, FieldReader&);

// Reads a map into `target` by a table of fields.
template <typename Target>
void read_fields(const Value& map, std::span<const Field<Target>> fields,
                 std::span<const Unsupported> unsupported, FieldReader& reader, Target& target) {
  std::vector<FieldName> names;
  for (const auto& field : fields) names.push_back({field.name, field.canonical});
  for (const NamedEntry& found : select_fields(map, names, unsupported, reader)) {
    if (found.problem.empty()) {
      fields[found.field].read(target, reader, *found.entry);
    } else {
      reader.findings().error(found.entry->position, found.problem);
    }
  }
}

}  // namespace nuncio::config
