// The block `authorization { … }` (CF-41 … CF-48, AU-13 … AU-15). Whether a stored secret that looks like a
// hash is a good one is judged where hashes are known, not here.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "core/config/options_reader.h"
#include "core/log.h"

namespace nuncio::config {
namespace {

using Kind = Value::Kind;
using Reader = FieldReader;

struct Block {
  FileOptions& file;
  const Entry* user = nullptr;
  const Entry* password = nullptr;
  const Entry* token = nullptr;
  const Entry* users = nullptr;
};

struct UserEntry {
  UserOptions user;
  const Entry* name = nullptr;
  bool is_bad = false;
};

void block_timeout(Block& block, Reader& reader, const Entry& entry) {
  const auto found = reader.seconds(entry);
  if (!found || *found == Nanoseconds(0)) return;
  block.file.options.authorization.timeout = *found;
  if (*found > std::chrono::seconds(60)) {
    reader.warning(
        entry, fmt::format("timeout of {} seconds is high, consider keeping it under 60 seconds; an unquoted "
                           "1m is the number 1000000, write \"1m\"",
                           std::chrono::duration_cast<std::chrono::seconds>(*found).count()));
  }
}

void user_name(UserEntry& user, Reader& reader, const Entry& entry) {
  user.name = &entry;
  const auto found = reader.text(entry);
  user.is_bad |= !found;
  if (found) user.user.name = *found;
}

void user_password(UserEntry& user, Reader& reader, const Entry& entry) {
  auto found = reader.secret(entry);
  user.is_bad |= !found;
  if (found) user.user.passwords = {{.text = std::move(*found), .position = entry.value.position.text()}};
}

constexpr std::array<Field<Block>, 7> block_fields = {{
    {"user", "user", [](Block& block, Reader&, const Entry& entry) { block.user = &entry; }},
    {"username", "user", [](Block& block, Reader&, const Entry& entry) { block.user = &entry; }},
    {"pass", "password", [](Block& block, Reader&, const Entry& entry) { block.password = &entry; }},
    {"password", "password", [](Block& block, Reader&, const Entry& entry) { block.password = &entry; }},
    {"token", "token", [](Block& block, Reader&, const Entry& entry) { block.token = &entry; }},
    {"users", "users", [](Block& block, Reader&, const Entry& entry) { block.users = &entry; }},
    {"timeout", "timeout", block_timeout},
}};

constexpr std::array<Unsupported, 6> block_unsupported = {{{"default_permissions"},
                                                           {"default_permission"},
                                                           {"permissions"},
                                                           {"auth_callout"},
                                                           {"auth_hook"},
                                                           {"proxy_required"}}};

constexpr std::array<Field<UserEntry>, 4> user_fields = {{
    {"user", "user", user_name},
    {"username", "user", user_name},
    {"pass", "password", user_password},
    {"password", "password", user_password},
}};

constexpr std::array<Unsupported, 8> user_unsupported = {{{"nkey"},
                                                          {"permissions"},
                                                          {"permission"},
                                                          {"authorization"},
                                                          {"allowed_connection_types"},
                                                          {"connection_types"},
                                                          {"clients"},
                                                          {"proxy_required"}}};

// Of several ways to log in only one may be configured (CF-42).
void check_exclusions(const Block& block, Reader& reader) {
  const bool has_user = block.user != nullptr || block.password != nullptr;
  const Entry* user = block.user != nullptr ? block.user : block.password;
  if (has_user && block.token != nullptr) {
    reader.findings().error(
        block.token->position,
        fmt::format("Cannot have a user/pass and token (the user is at {})", user->position.text()));
  }
  if (has_user && block.users != nullptr) {
    reader.findings().error(
        block.users->position,
        fmt::format("Can not have a single user/pass and a users array (the user is at {})",
                    user->position.text()));
  }
  if (block.token != nullptr && block.users != nullptr) {
    reader.findings().error(block.users->position,
                            fmt::format("Can not have a token and a users array (the token is "
                                        "at {})",
                                        block.token->position.text()));
  }
}

// A password alone may still be completed by --user; load.cc looks at the result.
void read_single_user(const Block& block, Reader& reader) {
  AuthorizationOptions& options = block.file.options.authorization;
  if (block.user == nullptr && block.password == nullptr) return;
  UserOptions user;
  if (block.user != nullptr) {
    user.name = reader.text(*block.user).value_or("");
    user.position = block.user->value.position.text();
    if (user.name.empty() && block.user->value.is(Kind::string))
      reader.error(*block.user, "the user name is empty, which would let everybody in");
  }
  if (block.password != nullptr) {
    if (auto password = reader.secret(*block.password))
      user.passwords.push_back(
          {.text = std::move(*password), .position = block.password->value.position.text()});
  }
  options.single_user = std::move(user);
}

void read_token(const Block& block, Reader& reader) {
  AuthorizationOptions& options = block.file.options.authorization;
  if (block.token == nullptr) return;
  auto token = reader.secret(*block.token);
  if (!token) return;
  if (token->empty()) return reader.error(*block.token, "the token is empty, which would let everybody in");
  options.tokens.push_back({.text = std::move(*token), .position = block.token->value.position.text()});
}

std::optional<UserOptions> read_user(const Value& item, size_t number, Reader& reader) {
  if (!item.is(Kind::map)) {
    reader.findings().error(
        item.position, fmt::format("Expected user entry to be a map/struct, got {}", describe(item.kind)));
    return std::nullopt;
  }
  const Reader::Section section(reader, fmt::format("users[{}]", number));
  UserEntry entry;
  const size_t errors = reader.findings().errors.size();
  read_fields<UserEntry>(item, user_fields, user_unsupported, reader, entry);
  if (entry.is_bad) return std::nullopt;
  if (entry.user.name.empty()) {
    // An entry with an nkey has been complained about already.
    if (entry.name != nullptr || reader.findings().errors.size() == errors) {
      reader.findings().error(item.position, "User entry requires a user");
    }
    return std::nullopt;
  }
  entry.user.position = entry.name->value.position.text();
  return std::move(entry.user);
}

void read_users(const Block& block, Reader& reader) {
  if (block.users == nullptr) return;
  const Value& list = block.users->value;
  if (!list.is(Kind::array)) {
    return reader.error(*block.users,
                        fmt::format("Expected users field to be an array, got {}", describe(list.kind)));
  }
  if (list.items.empty())
    return reader.error(*block.users, "the users array is empty, which would let everybody in");
  std::map<std::string, std::string> seen;  // name → position
  for (size_t i = 0; i < list.items.size(); ++i) {
    auto user = read_user(list.items[i], i, reader);
    block.file.has_bad_users |= !user;
    if (!user) continue;
    const auto [first, is_new] = seen.try_emplace(user->name, user->position);
    if (!is_new) {
      reader.findings().error(list.items[i].position,
                              fmt::format("Duplicate user {} detected (the first is at {})",
                                          log::quoted(user->name), first->second));
      continue;
    }
    block.file.options.authorization.users.push_back(std::move(*user));
  }
}

}  // namespace

void read_authorization(FileOptions& file, FieldReader& reader, const Entry& entry) {
  const Value* map = reader.of_kind(entry, Kind::map);
  if (map == nullptr) return;
  const Reader::Section section(reader, "authorization");
  file.positions["authorization"] = entry.value.position;
  Block block{file};
  read_fields<Block>(*map, block_fields, block_unsupported, reader, block);
  if (block.user != nullptr) file.positions["user"] = block.user->value.position;
  if (block.password != nullptr) file.positions["password"] = block.password->value.position;
  check_exclusions(block, reader);
  read_single_user(block, reader);
  read_token(block, reader);
  read_users(block, reader);
}

}  // namespace nuncio::config
