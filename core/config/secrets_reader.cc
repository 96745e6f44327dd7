#include "core/config/secrets_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/config/scalar.h"
#include "core/log.h"

namespace nuncio::config {
namespace {

using Kind = Value::Kind;
using Reader = FieldReader;

tl::expected<Secret, std::string> read_secret_file(const std::string& path);

std::string_view name_of(SecretKind kind) {
  return kind == SecretKind::password ? "password" : "token";
}

// Relative to the configuration file; what is not there may be one of systemd's credentials.
std::string find_secret_file(const std::string& name, const Value& value) {
  std::filesystem::path path(name);
  if (path.is_absolute()) return name;
  if (value.position.file) path = std::filesystem::path(*value.position.file).parent_path() / name;
  const char* credentials = ::getenv("CREDENTIALS_DIRECTORY");
  if (credentials == nullptr || *credentials == '\0' || ::access(path.c_str(), F_OK) == 0)
    return path.string();
  const std::filesystem::path other = std::filesystem::path(credentials) / name;
  return ::access(other.c_str(), F_OK) == 0 ? other.string() : path.string();
}

std::optional<Secret> secret_from_file(Reader& reader, const Entry& entry) {
  const auto name = reader.text(entry);
  if (!name) return std::nullopt;
  if (name->empty() || name->find('\0') != std::string::npos) {
    reader.error(entry, fmt::format("{} must name a file", to_lower(entry.key)));
    return std::nullopt;
  }
  const std::string path = find_secret_file(*name, entry.value);
  auto secret = read_secret_file(path);
  if (!secret) {
    reader.error(entry, fmt::format("{} {}: {}", to_lower(entry.key), log::quoted(path), secret.error()));
    return std::nullopt;
  }
  reader.add_file_with_secret(path);
  return std::move(*secret);
}

// One map of a list of secrets.
struct Item {
  SecretOptions secret;
  const Entry* text = nullptr;
  const Entry* file = nullptr;
  bool is_bad = false;
};

void item_text(Item& item, Reader&, const Entry& entry) {
  item.text = &entry;
}
void item_file(Item& item, Reader&, const Entry& entry) {
  item.file = &entry;
}
void item_name(Item& item, Reader& reader, const Entry& entry) {
  if (auto found = reader.text(entry)) item.secret.label = std::move(*found);
}

template <auto member>
void item_time(Item& item, Reader& reader, const Entry& entry) {
  const bool is_text = entry.value.is(Kind::string) || entry.value.is(Kind::datetime);
  const auto found = is_text ? parse_time(entry.value.text.reveal()) : std::nullopt;
  if (!found) {
    item.is_bad = true;
    return reader.error(entry,
                        fmt::format("{} must be a time like \"2026-01-31T12:00:00Z\"", to_lower(entry.key)));
  }
  item.secret.*member = *found;
  reader.record(entry.key, entry.value.text.reveal());
}

constexpr std::array<Field<Item>, 6> password_fields = {{
    {"password", "text", item_text},
    {"pass", "text", item_text},
    {"password_file", "file", item_file},
    {"name", "name", item_name},
    {"not_before", "not_before", item_time<&SecretOptions::not_before>},
    {"not_after", "not_after", item_time<&SecretOptions::not_after>},
}};

constexpr std::array<Field<Item>, 5> token_fields = {{
    {"token", "text", item_text},
    {"token_file", "file", item_file},
    {"name", "name", item_name},
    {"not_before", "not_before", item_time<&SecretOptions::not_before>},
    {"not_after", "not_after", item_time<&SecretOptions::not_after>},
}};

}  // namespace

bool SecretsReader::add_text(const Entry& entry) {
  auto found = reader_.secret(entry);
  if (!found) return false;
  secrets_.push_back({.text = std::move(*found), .position = entry.value.position.text()});
  return true;
}

bool SecretsReader::add_file(const Entry& entry) {
  auto found = secret_from_file(reader_, entry);
  if (!found) return false;
  secrets_.push_back({.text = std::move(*found), .position = entry.value.position.text()});
  return true;
}

bool SecretsReader::add_list(const Entry& entry) {
  if (!entry.value.is(Kind::array)) {
    reader_.error(entry, fmt::format("Expected {} to be an array, got {}", to_lower(entry.key),
                                     describe(entry.value.kind)));
    return false;
  }
  if (entry.value.items.empty()) {
    reader_.error(entry,
                  fmt::format("the {} array is empty, which would let everybody in", to_lower(entry.key)));
    return false;
  }
  bool is_good = true;
  for (size_t i = 0; i < entry.value.items.size(); ++i) {
    const Reader::Section section(reader_, fmt::format("{}[{}]", to_lower(entry.key), i));
    is_good &= add_item(entry.value.items[i], entry);
  }
  return is_good;
}

bool SecretsReader::add_item(const Value& value, const Entry& list) {
  Item item;
  const Entry plain{std::string(name_of(kind_)), value.position, {}};
  if (value.is(Kind::map)) {
    if (kind_ == SecretKind::password) {
      read_fields<Item>(value, password_fields, {}, reader_, item);
    } else {
      read_fields<Item>(value, token_fields, {}, reader_, item);
    }
    if ((item.text == nullptr) == (item.file == nullptr)) {
      reader_.findings().error(value.position, fmt::format("an entry of {} requires a {}, or a file of one",
                                                           to_lower(list.key), name_of(kind_)));
      return false;
    }
  }
  if (item.file != nullptr) {
    auto found = secret_from_file(reader_, *item.file);
    if (!found) return false;
    item.secret.text = std::move(*found);
  } else {
    Entry entry = plain;
    if (item.text == nullptr) entry.value = value;
    auto found = reader_.secret(item.text != nullptr ? *item.text : entry);
    if (!found) return false;
    if (found->empty()) {
      reader_.findings().error(value.position,
                               fmt::format("a {} is empty, which would let everybody in", name_of(kind_)));
      return false;
    }
    item.secret.text = std::move(*found);
  }
  const auto& secret = item.secret;
  if (secret.not_before && secret.not_after && *secret.not_before >= *secret.not_after) {
    reader_.findings().error(value.position, "not_after must be later than not_before");
    return false;
  }
  item.secret.position = value.position.text();
  secrets_.push_back(std::move(item.secret));
  return !item.is_bad;
}

namespace {

tl::expected<Secret, std::string> read_secret_file(const std::string& path) {
  const auto system_error = [] {
    return tl::unexpected(std::string("cannot read the file: ") + ::strerrordesc_np(errno));
  };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a FIFO must not hold the start
  if (fd < 0) return system_error();
  std::array<char, secret_file_bytes_max + 1> bytes;
  size_t size = 0;
  ssize_t count = 0;
  struct stat status {};
  const bool is_file = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  if (is_file) {
    while (size < bytes.size() && (count = ::read(fd, &bytes[size], bytes.size() - size)) > 0)
      size += static_cast<size_t>(count);
  }
  const int read_error = errno;
  ::close(fd);
  errno = read_error;
  std::string_view text(bytes.data(), size);
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  tl::expected<Secret, std::string> found;
  if (!is_file) {
    found = tl::unexpected(std::string("not a regular file"));
  } else if (count < 0) {
    found = system_error();
  } else if (size > secret_file_bytes_max) {
    found = tl::unexpected(fmt::format("the file is longer than {} bytes", secret_file_bytes_max));
  } else if (text.empty()) {
    found = tl::unexpected(std::string("the file is empty, which would let everybody in"));
  } else if (text.find('\n') != std::string_view::npos) {
    found = tl::unexpected(std::string("the file has more than one line"));
  } else {
    found = Secret(text);
  }
  wipe(bytes.data(), size);
  return found;
}

}  // namespace
}  // namespace nuncio::config
