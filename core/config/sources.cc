#include "core/config/sources.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <tl/expected.hpp>

#include "core/config/nats_parser.h"
#include "core/config/toml_reader.h"
#include "core/log.h"

namespace nuncio::config {
namespace {

namespace fs = std::filesystem;

// The bytes of a file or pipe. They may hold secrets: wipe them.
tl::expected<std::string, std::string> read_bytes(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (file < 0) return tl::unexpected<std::string>(std::strerror(errno));
  std::string bytes;
  std::string problem;
  char chunk[16384];
  for (;;) {
    const ssize_t got = ::read(file, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) problem = std::strerror(errno);
    if (got <= 0) break;
    bytes.append(chunk, static_cast<size_t>(got));
    if (bytes.size() > file_bytes_max) {
      problem = fmt::format("larger than {} MiB", file_bytes_max >> 20);
      break;
    }
  }
  wipe(chunk, sizeof chunk);
  ::close(file);
  if (problem.empty()) return bytes;
  wipe(bytes);
  return tl::unexpected<std::string>(problem);
}

bool is_toml(const std::string& path) {
  return to_lower(path).ends_with(".toml");
}

void mark_from_environment(Value& value) {
  value.is_from_environment = true;
  for (Value& item : value.items) mark_from_environment(item);
  for (Entry& entry : value.entries) mark_from_environment(entry.value);
}

}  // namespace

std::optional<Value> Sources::read(const std::string& path) {
  return read_at(path, {});
}

std::optional<Value> Sources::read_nats(std::string_view text, const std::string& name) {
  const Position start{std::make_shared<const std::string>(name), 1, 1};
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    Position at = start;
    at.line += static_cast<uint32_t>(std::ranges::count(text.substr(0, nul), '\n'));
    findings_.error(at, "there is a NUL byte in this line: the file must be UTF-8 text");
    return std::nullopt;
  }
  return NatsParser(Scanner(text, start), *this).file();
}

std::optional<Value> Sources::read_toml(std::string_view text, const std::string& name) {
  return config::read_toml(text, name, *this);
}

std::optional<Value> Sources::include(const std::string& path, const Position& at) {
  const fs::path relative(path);
  if (relative.is_absolute() || !at.file) return read_at(path, at);
  return read_at((fs::path(*at.file).parent_path() / relative).string(), at);
}

// `at` is where an include says so; without a file it is the one named on the command line.
std::optional<Value> Sources::read_at(const std::string& path, const Position& at) {
  const auto fail = [&](std::string_view text) {
    const Position where = at.file ? at : Position{std::make_shared<const std::string>(path), 0, 0};
    findings_.error(where,
                    at.file ? fmt::format("include {}: {}", log::quoted(path), text) : std::string(text));
    return std::nullopt;
  };
  std::error_code ignored;
  const std::string real = fs::weakly_canonical(path, ignored).string();
  if (std::ranges::find(open_files_, real) != open_files_.end()) return fail("the file includes itself");
  if (open_files_.size() == include_depth_max) return fail("includes are nested too deeply");
  if (++files_ > includes_max) return fail("too many includes");

  auto bytes = read_bytes(path);
  if (!bytes) return fail(fmt::format("cannot read the file: {}", bytes.error()));
  open_files_.push_back(real);
  auto tree = is_toml(path) ? read_toml(*bytes, path) : read_nats(*bytes, path);
  open_files_.pop_back();
  wipe(*bytes);
  return tree;
}

Sources::Environment Sources::environment(const std::string& name, const Position& at) {
  const char* text = std::getenv(name.c_str());
  if (text == nullptr) return {};
  Environment found{true, std::nullopt};
  if (std::ranges::find(open_variables_, name) != open_variables_.end()) {
    findings_.error(at, fmt::format("the environment variable '{}' refers to itself", name));
    return found;
  }
  if (open_variables_.size() == include_depth_max) {
    findings_.error(at, fmt::format("the environment variable '{}' is part of too long a chain", name));
    return found;
  }
  open_variables_.push_back(name);
  NatsParser parser(Scanner::at_fixed_position(text, at), *this,
                    fmt::format("environment variable '{}': ", name));
  found.value = parser.lone_value();
  open_variables_.pop_back();
  if (found.value) mark_from_environment(*found.value);
  return found;
}

bool Sources::charge(Weight weight, const Position& at) {
  used_.nodes += weight.nodes;
  used_.bytes += weight.bytes;
  if (used_.nodes <= nodes_max && used_.bytes <= text_bytes_max) return true;
  findings_.error(at, "the configuration is too large");
  return false;
}

}  // namespace nuncio::config
