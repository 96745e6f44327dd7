#include "core/config/users_reader.h"

#include <fmt/format.h>

#include <array>

#include "core/config/permissions_reader.h"
#include "core/config/secrets_reader.h"
#include "core/log.h"
#include "core/nkey_text.h"

namespace nuncio::config {
namespace {

using Kind = Value::Kind;
using Reader = FieldReader;

struct UserEntry {
  explicit UserEntry(Reader& reader) : secrets(reader, SecretKind::password) {}

  UserOptions user;
  SecretsReader secrets;
  const Entry* name = nullptr;
  const Entry* nkey = nullptr;
  bool is_bad = false;
};

void user_name(UserEntry& user, Reader& reader, const Entry& entry) {
  user.name = &entry;
  const auto found = reader.text(entry);
  user.is_bad |= !found;
  if (found) user.user.name = *found;
}

void user_nkey(UserEntry& user, Reader& reader, const Entry& entry) {
  user.nkey = &entry;
  const auto found = reader.text(entry);
  user.is_bad |= !found;
  if (found) user.user.nkey = *found;
}

void user_permissions(UserEntry& user, Reader& reader, const Entry& entry) {
  user.user.permissions = read_permissions(reader, entry);
}

void user_connection_types(UserEntry& user, Reader& reader, const Entry& entry) {
  user.user.connection_types = read_connection_types(reader, entry);
}

template <bool (SecretsReader::*add)(const Entry&)>
void user_secret(UserEntry& user, Reader&, const Entry& entry) {
  user.is_bad |= !(user.secrets.*add)(entry);
}

constexpr std::array<Field<UserEntry>, 13> user_fields = {{
    {"user", "user", user_name},
    {"username", "user", user_name},
    {"pass", "password", user_secret<&SecretsReader::add_text>},
    {"password", "password", user_secret<&SecretsReader::add_text>},
    {"passwords", "passwords", user_secret<&SecretsReader::add_list>},
    {"password_file", "password_file", user_secret<&SecretsReader::add_file>},
    {"nkey", "nkey", user_nkey},
    {"permissions", "permissions", user_permissions},
    {"permission", "permissions", user_permissions},
    {"authorization", "permissions", user_permissions},
    {"allowed_connection_types", "allowed_connection_types", user_connection_types},
    {"connection_types", "allowed_connection_types", user_connection_types},
    {"clients", "allowed_connection_types", user_connection_types},
}};

constexpr std::array<Unsupported, 1> user_unsupported = {{{"proxy_required"}}};

bool has_text(const std::vector<SecretOptions>& secrets) {
  return !secrets.empty() && (secrets.size() > 1 || !secrets[0].text.empty());
}

// What a user must be (CF-44, CF-48); nats-server, too, lets an nkey have an empty password.
bool is_complete(const UserEntry& entry, const Value& item, Reader& reader) {
  const UserOptions& user = entry.user;
  if (user.nkey.empty() && user.name.empty()) {
    reader.findings().error(item.position, "User entry requires a user");
    return false;
  }
  if (user.nkey.empty()) return true;
  if (!is_user_nkey(user.nkey)) {
    reader.error(*entry.nkey, "Not a valid public nkey for a user");
    return false;
  }
  if (!user.name.empty() || has_text(user.passwords)) {
    reader.error(*entry.nkey, "Nkey users do not take usernames or passwords");
    return false;
  }
  return true;
}

std::optional<UserOptions> read_user(const Value& item, size_t number, Reader& reader) {
  if (!item.is(Kind::map)) {
    reader.findings().error(
        item.position, fmt::format("Expected user entry to be a map/struct, got {}", describe(item.kind)));
    return std::nullopt;
  }
  const Reader::Section section(reader, fmt::format("users[{}]", number));
  UserEntry entry(reader);
  read_fields<UserEntry>(item, user_fields, user_unsupported, reader, entry);
  entry.user.passwords = entry.secrets.take();
  if (entry.is_bad || !is_complete(entry, item, reader)) return std::nullopt;
  if (!entry.user.nkey.empty()) entry.user.passwords.clear();
  entry.user.position = (entry.user.nkey.empty() ? entry.name : entry.nkey)->value.position.text();
  return std::move(entry.user);
}

}  // namespace

void read_users(FileOptions& file, FieldReader& reader, const Entry& list, const std::string& account,
                const std::optional<PermissionOptions>& defaults) {
  if (!list.value.is(Kind::array)) {
    return reader.error(
        list, fmt::format("Expected users field to be an array, got {}", describe(list.value.kind)));
  }
  for (size_t i = 0; i < list.value.items.size(); ++i) {
    const Value& item = list.value.items[i];
    auto user = read_user(item, i, reader);
    file.has_bad_users |= !user;
    if (!user) continue;
    const bool is_nkey = !user->nkey.empty();
    const std::string& name = is_nkey ? user->nkey : user->name;
    const auto [first, is_new] = file.user_positions.try_emplace(name, user->position);
    if (!is_new) {
      reader.findings().error(item.position,
                              fmt::format("Duplicate {} {} detected (the first is at {})",
                                          is_nkey ? "nkey" : "user", log::quoted(name), first->second));
      continue;
    }
    user->account = account;
    if (!user->permissions) user->permissions = defaults;
    file.options.authorization.users.push_back(std::move(*user));
  }
}

}  // namespace nuncio::config
