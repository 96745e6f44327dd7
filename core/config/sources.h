// Reads configuration files, and everything they include, into one tree: NATS format, or TOML where the name
// ends in
// `.toml` (CF-66). Keeps the limits that hold for all files of one run together. One thread, reads files and
// the environment, never throws.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/findings.h"
#include "core/config/value.h"

namespace nuncio::config {

class Sources {
 public:
  explicit Sources(Findings& findings) : findings_(findings) {}

  // The tree of a file; empty when it cannot be read or parsed, findings then say why.
  std::optional<Value> read(const std::string& path);
  // The same for text in hand; `name` stands for the file in positions and includes.
  std::optional<Value> read_nats(std::string_view text, const std::string& name);
  std::optional<Value> read_toml(std::string_view text, const std::string& name);

  // For the parsers. The pairs of an included file; `path` is relative to the including file, `at` is where
  // it says so.
  std::optional<Value> include(const std::string& path, const Position& at);
  // The value of an environment variable, read like a value in a file (CF-27). Empty without a finding: not
  // set.
  struct Environment {
    bool is_set = false;
    std::optional<Value> value;
  };
  Environment environment(const std::string& name, const Position& at);
  // Counts nodes and text against the limits; false, with a finding, when they are used up.
  bool charge(Weight, const Position& at);
  Findings& findings() { return findings_; }

 private:
  std::optional<Value> read_at(const std::string& path, const Position& at);

  Findings& findings_;
  std::vector<std::string> open_files_;
  std::vector<std::string> open_variables_;
  size_t files_ = 0;
  Weight used_;
};

}  // namespace nuncio::config
