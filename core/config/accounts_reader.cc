// The block `accounts` (CF-53): users, limits and mappings of each; what crosses between them is read in
// crossings_reader.cc.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/config/crossings_reader.h"
#include "core/config/options_reader.h"
#include "core/config/permissions_reader.h"
#include "core/config/users_reader.h"
#include "core/log.h"
#include "core/nkey_text.h"
#include "core/subject.h"

namespace nuncio::config {
namespace {

using Kind = Value::Kind;
using Reader = FieldReader;
using Destination = MappingOptions::Destination;

constexpr std::string_view default_account = "$G";

struct AccountEntry {
  AccountOptions account;
  const Entry* users = nullptr;
  const Entry* permissions = nullptr;
};

// Negative numbers mean no limit.
template <auto member>
void account_limit(AccountOptions& account, Reader& reader, const Entry& entry) {
  const auto found = reader.integer(entry, {std::numeric_limits<int64_t>::min()});
  if (found) account.*member = std::max<int64_t>(*found, -1);
}

void leafnode_limit(AccountOptions&, Reader& reader, const Entry& entry) {
  if (reader.integer(entry, {std::numeric_limits<int64_t>::min()}))
    reader.warning(
        entry, fmt::format("\"{}\" is accepted but has no effect: there are no leaf nodes in this version "
                           "of nuncio",
                           to_lower(entry.key)));
}

void limits(AccountEntry& account, Reader& reader, const Entry& entry) {
  using Account = AccountOptions;
  static constexpr std::array<Field<Account>, 8> fields = {{
      {"max_connections", "max_connections", account_limit<&Account::connections_max>},
      {"max_conn", "max_connections", account_limit<&Account::connections_max>},
      {"max_subscriptions", "max_subscriptions", account_limit<&Account::subscriptions_max>},
      {"max_subs", "max_subscriptions", account_limit<&Account::subscriptions_max>},
      {"max_payload", "max_payload", account_limit<&Account::payload_max>},
      {"max_pay", "max_payload", account_limit<&Account::payload_max>},
      {"max_leafnodes", "max_leafnodes", leafnode_limit},
      {"max_leafs", "max_leafnodes", leafnode_limit},
  }};
  const Value* map = reader.of_kind(entry, Kind::map);
  if (map == nullptr) return;
  const Reader::Section section(reader, "limits");
  read_fields<Account>(*map, fields, {}, reader, account.account);
}

struct DestinationEntry {
  Destination destination;
  bool has_weight = false;
};

void destination_subject(DestinationEntry& found, Reader& reader, const Entry& entry) {
  if (auto text = reader.text(entry)) found.destination.subject = std::move(*text);
}

void destination_cluster(DestinationEntry& found, Reader& reader, const Entry& entry) {
  if (auto text = reader.text(entry)) found.destination.cluster = std::move(*text);
}

// A number, or a text with or without a percent sign.
void destination_weight(DestinationEntry& found, Reader& reader, const Entry& entry) {
  found.has_weight = true;
  int64_t weight = -1;
  if (entry.value.is(Kind::integer)) {
    weight = *reader.integer(entry, {std::numeric_limits<int64_t>::min()});
  } else {
    const auto given = reader.text(entry);
    if (!given) return;
    std::string_view text = *given;
    if (text.ends_with('%')) text.remove_suffix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), weight);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) weight = -1;
  }
  if (weight < 0 || weight > 100)
    return reader.error(entry,
                        "Invalid weight for mapping destination: it must be between 0 and 100 percent");
  found.destination.weight = static_cast<uint32_t>(weight);
}

std::optional<Destination> read_destination(const Value& value, Reader& reader) {
  static constexpr std::array<Field<DestinationEntry>, 4> fields = {{
      {"destination", "destination", destination_subject},
      {"dest", "destination", destination_subject},
      {"weight", "weight", destination_weight},
      {"cluster", "cluster", destination_cluster},
  }};
  if (!value.is(Kind::map)) {
    reader.findings().error(value.position, "Expected an entry for the mapping destination");
    return std::nullopt;
  }
  const size_t errors = reader.findings().errors.size();
  DestinationEntry found;
  read_fields<DestinationEntry>(value, fields, {}, reader, found);
  if (reader.findings().errors.size() > errors) return std::nullopt;
  if (found.destination.subject.empty()) {
    reader.findings().error(value.position, "Missing destination of the mapping");
    return std::nullopt;
  }
  if (!found.has_weight) {
    reader.findings().error(value.position, fmt::format("Missing weight for mapping destination {}",
                                                        log::quoted(found.destination.subject)));
    return std::nullopt;
  }
  return std::move(found.destination);
}

// "subject: destination", or one or several weighted destinations.
void read_mapping(AccountOptions& account, Reader& reader, const Entry& entry) {
  const Reader::Section section(reader, fmt::format("{}:{}", entry.key.size(), entry.key));
  MappingOptions mapping{entry.key, {}, entry.position.text()};
  if (!is_valid_subject(entry.key)) {
    return reader.findings().error(entry.position,
                                   fmt::format("Subject {} is not a valid subject", log::quoted(entry.key)));
  }
  const auto add = [&](const Value& value) {
    if (auto destination = read_destination(value, reader))
      mapping.destinations.push_back(std::move(*destination));
  };
  if (entry.value.is(Kind::string)) {
    mapping.destinations.push_back({.subject = *reader.text(entry), .cluster = {}});
  } else if (entry.value.is(Kind::array)) {
    for (const Value& item : entry.value.items) add(item);
  } else {
    add(entry.value);
  }
  if (!mapping.destinations.empty()) account.mappings.push_back(std::move(mapping));
}

void read_mappings(AccountOptions& account, Reader& reader, const Entry& entry) {
  const Value* map = reader.of_kind(entry, Kind::map);
  if (map == nullptr) return;
  const Reader::Section section(reader, "mappings");
  for (const Entry& each : map->entries) read_mapping(account, reader, each);
}

void mappings(AccountEntry& account, Reader& reader, const Entry& entry) {
  read_mappings(account.account, reader, entry);
}

void exports(AccountEntry& account, Reader& reader, const Entry& entry) {
  account.account.exports = read_exports(reader, entry);
}

void imports(AccountEntry& account, Reader& reader, const Entry& entry) {
  account.account.imports = read_imports(reader, entry);
}

// What other servers call the account by; nothing here depends on it.
void nkey(AccountEntry&, Reader& reader, const Entry& entry) {
  const auto text = reader.text(entry);
  if (!text) return;
  const auto found = decode_nkey(*text);
  if (!found || found->prefix != nkey_prefix_account)
    reader.error(entry, "Not a valid public nkey for an account");  // not shown: it may be a seed
}

// Only that it is not wanted can be granted.
void jetstream(AccountEntry&, Reader& reader, const Entry& entry) {
  const Value& value = entry.value;
  const std::string word = value.is(Kind::string) ? to_lower(value.text.reveal()) : "";
  if ((value.is(Kind::boolean) && !value.boolean) || word == "disabled" || word == "disable") return;
  reader.error(entry, "\"jetstream\" is not supported by this version of nuncio");
}

void users(AccountEntry& account, Reader&, const Entry& entry) {
  account.users = &entry;
}

void permissions(AccountEntry& account, Reader&, const Entry& entry) {
  account.permissions = &entry;
}

constexpr std::array<Field<AccountEntry>, 9> account_fields = {{
    {"users", "users", users},
    {"default_permissions", "default_permissions", permissions},
    {"exports", "exports", exports},
    {"imports", "imports", imports},
    {"mappings", "mappings", mappings},
    {"maps", "mappings", mappings},
    {"limits", "limits", limits},
    {"nkey", "nkey", nkey},
    {"jetstream", "jetstream", jetstream},
}};

constexpr std::array<Unsupported, 2> account_unsupported = {{{"msg_trace"}, {"trace_dest"}}};

bool is_name_allowed(const std::string& name, const Position& at, Reader& reader) {
  if (name == default_account) {
    reader.findings().error(at, fmt::format("{} is a Reserved Account", log::quoted(name)));
  } else if (name.empty()) {
    reader.findings().error(at, "the name of an account is empty");
  } else {
    return true;
  }
  return false;
}

void read_users_of_account(FileOptions& file, Reader& reader, const AccountEntry& account) {
  std::optional<PermissionOptions> defaults;
  if (account.permissions != nullptr) defaults = read_permissions(reader, *account.permissions);
  if (account.users == nullptr) return;
  // Empty ones matter only when they are all there is (load.cc).
  const bool is_empty = account.users->value.is(Kind::array) && account.users->value.items.empty();
  file.positions.try_emplace(is_empty ? "empty_users" : "account_users", account.users->value.position);
  read_users(file, reader, *account.users, account.account.name, defaults);
}

void read_account(FileOptions& file, Reader& reader, const Entry& entry) {
  if (!is_name_allowed(entry.key, entry.position, reader)) return;
  if (!entry.value.is(Kind::map)) {
    return reader.error(entry,
                        fmt::format("Expected map entries for accounts, got {}", describe(entry.value.kind)));
  }
  reader.record("account", entry.key);
  const Reader::Section section(reader, fmt::format("{}:{}", entry.key.size(), entry.key));
  AccountEntry account;
  account.account.name = entry.key;
  account.account.position = entry.position.text();
  read_fields<AccountEntry>(entry.value, account_fields, account_unsupported, reader, account);
  read_users_of_account(file, reader, account);
  file.options.accounts.push_back(std::move(account.account));
}

// Only names.
void read_account_list(FileOptions& file, Reader& reader, const Entry& entry) {
  const auto names = reader.texts(entry);
  if (!names) return;
  for (const Reader::PlacedText& name : *names) {
    if (!is_name_allowed(name.text, name.position, reader)) continue;
    if (std::ranges::find(file.options.accounts, name.text, &AccountOptions::name) !=
        file.options.accounts.end()) {
      reader.findings().error(name.position,
                              fmt::format("Duplicate Account Entry: {}", log::quoted(name.text)));
      continue;
    }
    AccountOptions account;
    account.name = name.text;
    account.position = name.position.text();
    file.options.accounts.push_back(std::move(account));
  }
}

void read_accounts_value(FileOptions& file, Reader& reader, const Entry& entry) {
  if (entry.value.is(Kind::array)) return read_account_list(file, reader, entry);
  if (!entry.value.is(Kind::map)) {
    return reader.error(entry, fmt::format("expected a map or an array of names for accounts, got {}",
                                           describe(entry.value.kind)));
  }
  for (const Entry& account : entry.value.entries) {
    if (!account.is_used_as_variable) read_account(file, reader, account);
  }
}

}  // namespace

void read_accounts(FileOptions& file, FieldReader& reader, const Entry& entry) {
  const Reader::Section section(reader, "accounts");
  file.positions["accounts"] = entry.position;
  const size_t errors = reader.findings().errors.size();
  read_accounts_value(file, reader, entry);
  file.has_bad_accounts |= reader.findings().errors.size() > errors;
}

void read_default_mappings(FileOptions& file, FieldReader& reader, const Entry& entry) {
  AccountOptions account;
  account.name = default_account;
  account.position = entry.position.text();
  const size_t errors = reader.findings().errors.size();
  read_mappings(account, reader, entry);
  file.has_bad_accounts |= reader.findings().errors.size() > errors;
  file.options.accounts.push_back(std::move(account));
}

}  // namespace nuncio::config
