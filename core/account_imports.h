// From the exports and imports of all accounts to the ways that messages take between them (AU-59, AU-60),
// with what is wrong with them. Used while an AccountTable is built.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/account_rules.h"
#include "core/options.h"

namespace nuncio {

// A crossing with where it starts and what asked for it.
struct ImportedCrossing {
  uint32_t from;
  Crossing crossing;
  const ImportOptions* import;
  std::string_view importer;  // the name of its account
};

struct NamedAccounts {
  // By place; null for those that are not configured. Both outlive the crossings.
  const std::vector<const AccountOptions*>& options;
  const std::unordered_map<std::string, uint32_t>& places;
};

// Adds to `errors` what exports name wrongly.
void check_exports(NamedAccounts accounts, std::vector<std::string>& errors);
// What the imports amount to; an import that is not admitted or wrong adds to `errors` and gives nothing.
std::vector<ImportedCrossing> resolve_imports(NamedAccounts accounts, std::vector<std::string>& errors);

// "file:line:col: what", or only the latter without a position.
std::string at_position(std::string_view position, std::string_view what);
// How messages begin that tell why an import cannot be: that of the reference.
std::string import_error(const ImportOptions& import, std::string_view importer, std::string_view why);

}  // namespace nuncio
