// The block `authorization { … }` (CF-41 … CF-51, AU-13 … AU-15). Whether a stored secret that looks like a
// hash is a good one is judged where hashes are known, not here.
#include <fmt/format.h>

#include <array>

#include "core/config/options_reader.h"
#include "core/config/permissions_reader.h"
#include "core/config/secrets_reader.h"
#include "core/config/users_reader.h"
#include "core/log.h"

namespace nuncio::config {
namespace {

using Kind = Value::Kind;
using Reader = FieldReader;

// Entries by what they set; the order of the file does not matter for what depends on several of them.
struct Block {
  FileOptions& file;
  const Entry* user = nullptr;
  const Entry* password = nullptr;  // the last of the three that set some
  const Entry* token = nullptr;     // likewise
  const Entry* users = nullptr;
  const Entry* permissions = nullptr;
  SecretsReader passwords, tokens;
};

void block_timeout(Block& block, Reader& reader, const Entry& entry) {
  const auto found = reader.timeout(entry);
  if (!found) return;
  block.file.positions["timeout"] = entry.value.position;
  block.file.options.authorization.timeout = *found;
}

template <auto member>
void keep(Block& block, Reader&, const Entry& entry) {
  block.*member = &entry;
}

template <auto add>
void password(Block& block, Reader&, const Entry& entry) {
  block.password = &entry;
  (block.passwords.*add)(entry);
}

template <auto add>
void token(Block& block, Reader& reader, const Entry& entry) {
  block.token = &entry;
  if (entry.value.is(Kind::string) && entry.value.text.empty())
    return reader.error(entry, "the token is empty, which would let everybody in");
  (block.tokens.*add)(entry);
}

constexpr std::array<Field<Block>, 14> block_fields = {{
    {"user", "user", keep<&Block::user>},
    {"username", "user", keep<&Block::user>},
    {"pass", "password", password<&SecretsReader::add_text>},
    {"password", "password", password<&SecretsReader::add_text>},
    {"passwords", "passwords", password<&SecretsReader::add_list>},
    {"password_file", "password_file", password<&SecretsReader::add_file>},
    {"token", "token", token<&SecretsReader::add_text>},
    {"tokens", "tokens", token<&SecretsReader::add_list>},
    {"token_file", "token_file", token<&SecretsReader::add_file>},
    {"users", "users", keep<&Block::users>},
    {"timeout", "timeout", block_timeout},
    {"default_permissions", "permissions", keep<&Block::permissions>},
    {"default_permission", "permissions", keep<&Block::permissions>},
    {"permissions", "permissions", keep<&Block::permissions>},
}};

constexpr std::array<Unsupported, 3> block_unsupported = {
    {{"auth_callout"}, {"auth_hook"}, {"proxy_required"}}};

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
void read_single_user(Block& block, Reader& reader) {
  if (block.user == nullptr && block.password == nullptr) return;
  UserOptions user;
  if (block.user != nullptr) {
    user.name = reader.text(*block.user).value_or("");
    user.position = block.user->value.position.text();
    if (user.name.empty() && block.user->value.is(Kind::string))
      reader.error(*block.user, "the user name is empty, which would let everybody in");
  }
  user.passwords = block.passwords.take();
  block.file.options.authorization.single_user = std::move(user);
}

void read_users_of_block(Block& block, Reader& reader) {
  if (block.users == nullptr) return;
  const Value& list = block.users->value;
  if (list.is(Kind::array) && list.items.empty())
    return reader.error(*block.users, "the users array is empty, which would let everybody in");
  read_users(block.file, reader, *block.users, "$G", block.file.default_permissions);
}

}  // namespace

void read_authorization(FileOptions& file, FieldReader& reader, const Entry& entry) {
  const Value* map = reader.of_kind(entry, Kind::map);
  if (map == nullptr) return;
  const Reader::Section section(reader, "authorization");
  file.positions["authorization"] = entry.value.position;
  Block block{.file = file,
              .passwords = SecretsReader(reader, SecretKind::password),
              .tokens = SecretsReader(reader, SecretKind::token)};
  read_fields<Block>(*map, block_fields, block_unsupported, reader, block);
  if (block.user != nullptr) file.positions["user"] = block.user->value.position;
  if (block.password != nullptr) file.positions["password"] = block.password->value.position;
  if (block.token != nullptr) file.positions["token"] = block.token->value.position;
  if (block.permissions != nullptr) {
    file.positions["permissions"] = block.permissions->value.position;
    file.default_permissions = read_permissions(reader, *block.permissions);
  }
  check_exclusions(block, reader);
  read_single_user(block, reader);
  file.options.authorization.tokens = block.tokens.take();
  read_users_of_block(block, reader);
}

}  // namespace nuncio::config
