#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/account_graph.h"
#include "core/account_imports.h"
#include "core/account_rules.h"

namespace nuncio {
namespace {

constexpr std::string_view default_name = "$G";
constexpr std::string_view system_name = "$SYS";

std::string text_of(const ExportOptions& offer);
std::string text_of(const ImportOptions& import);

}  // namespace

std::shared_ptr<const AccountTable> AccountTable::make(const std::vector<AccountOptions>& options,
                                                       std::string_view system_account,
                                                       std::string_view cluster, Findings& findings) {
  const size_t errors_before = findings.errors.size();
  auto table = std::make_shared<AccountTable>();
  table->add_accounts(options, system_account, findings);
  table->add_rules(options, cluster, findings);
  if (findings.errors.size() > errors_before) return nullptr;
  return table;
}

std::optional<uint32_t> AccountTable::find(std::string_view name) const {
  const auto found = places_.find(std::string(name));
  return found == places_.end() ? std::nullopt : std::optional(found->second);
}

void AccountTable::add_accounts(const std::vector<AccountOptions>& options, std::string_view system_account,
                                Findings& findings) {
  const auto add = [this](std::string_view name) {
    const auto [found, is_new] = places_.emplace(name, static_cast<uint32_t>(accounts_.size()));
    if (is_new) accounts_.emplace_back().name = name;
    return std::pair(found->second, is_new);
  };
  default_ = add(default_name).first;
  bool has_default = false;
  for (const AccountOptions& account : options) {
    const bool is_default = account.name == default_name;
    if (is_default && (!account.exports.empty() || !account.imports.empty()))
      findings.errors.push_back(
          at_position(account.position, fmt::format("\"{}\" is a Reserved Account", account.name)));
    const bool is_new = add(account.name).second || (is_default && !std::exchange(has_default, true));
    if (!is_new)
      findings.errors.push_back(
          at_position(account.position, fmt::format("Duplicate Account Entry: {}", account.name)));
  }
  if (system_account.empty() || system_account == system_name)
    system_ = add(system_name).first;
  else if (const auto place = find(system_account))
    system_ = *place;
  else
    findings.errors.push_back(
        fmt::format("error resolving system account: account missing (\"{}\")", system_account));
}

void AccountTable::add_rules(const std::vector<AccountOptions>& options, std::string_view cluster,
                             Findings& findings) {
  std::vector<const AccountOptions*> by_place(accounts_.size());
  for (const AccountOptions& account : options) by_place[places_.at(account.name)] = &account;
  for (uint32_t place = 0; place < accounts_.size(); ++place) {
    const AccountOptions* const account = by_place[place];
    if (account == nullptr) continue;
    AccountRules& rules = accounts_[place];
    rules.connections_max = account->connections_max;
    rules.subscriptions_max = account->subscriptions_max;
    rules.payload_max = account->payload_max;
    rules.set_mappings(account->mappings, cluster, findings.errors);
  }

  const NamedAccounts named{by_place, places_};
  check_exports(named, findings.errors);
  std::vector<ImportedCrossing> crossings = resolve_imports(named, findings.errors);
  check_cycles(crossings, findings.errors);
  for (ImportedCrossing& crossing : crossings)
    accounts_[crossing.from].crossings.push_back(std::move(crossing.crossing));
  for (uint32_t place = 0; place < accounts_.size(); ++place) {
    accounts_[place].index_crossings();
    fingerprints_.push_back(fingerprint_of(accounts_[place], by_place[place]));
  }
}

std::string AccountTable::fingerprint_of(const AccountRules& rules, const AccountOptions* options) const {
  std::vector<std::string> lines;
  for (const Crossing& crossing : rules.crossings)
    lines.push_back(fmt::format(
        "crossing {} {} to {} of {} shares {} response {} within {}", crossing.is_service,
        crossing.subject.source(), crossing.subject.destination(), accounts_[crossing.into].name,
        crossing.shares_client, static_cast<int>(crossing.response), crossing.response_threshold.count()));
  if (options != nullptr) {
    for (const ExportOptions& offer : options->exports) lines.push_back(text_of(offer));
    for (const ImportOptions& import : options->imports) lines.push_back(text_of(import));
  }
  std::sort(lines.begin(), lines.end());
  return fmt::format("{}\nlimits {} {} {}\n{}{}\n", rules.name, rules.connections_max,
                     rules.subscriptions_max, rules.payload_max, rules.mappings_text(),
                     fmt::join(lines, "\n"));
}

namespace {

std::string text_of(const ExportOptions& offer) {
  std::vector<std::string> accounts = offer.accounts;
  std::sort(accounts.begin(), accounts.end());
  return fmt::format("export {} {} public {} to {} token {} response {} within {}", offer.is_service,
                     offer.subject, offer.is_public, fmt::join(accounts, " "), offer.account_token_position,
                     static_cast<int>(offer.response), offer.response_threshold.count());
}

std::string text_of(const ImportOptions& import) {
  return fmt::format("import {} {} of {} to {} shares {}", import.is_service, import.subject, import.account,
                     import.to.empty() ? import.subject : import.to, import.shares_client);
}

}  // namespace
}  // namespace nuncio
