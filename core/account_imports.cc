#include "core/account_imports.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tl/expected.hpp>
#include <tuple>
#include <utility>

#include "core/subject.h"

namespace nuncio {
namespace {

using Resolved = tl::expected<ImportedCrossing, std::string>;

std::string duplicate_error(const ImportOptions& import, const ImportOptions& first,
                            std::string_view importer);
Resolved resolve(NamedAccounts accounts, uint32_t importer, const ImportOptions& import);
const ExportOptions* find_export(const AccountOptions& exporter, const ImportOptions& import,
                                 std::string_view importer);
bool admits(const ExportOptions& offer, const ImportOptions& import, std::string_view importer);
SubjectTransform::Made transform_of(const ImportOptions& import);

std::string_view token_at(std::string_view subject, uint32_t position);  // from 1; empty beyond the last

std::string_view kind_of(bool is_service) {
  return is_service ? "service" : "stream";
}

const std::string& local_subject(const ImportOptions& import) {
  return import.to.empty() ? import.subject : import.to;
}

}  // namespace

std::vector<ImportedCrossing> resolve_imports(NamedAccounts accounts, std::vector<std::string>& errors) {
  std::vector<ImportedCrossing> crossings;
  // By account, exporter, kind, and the subject that must not be imported twice: a stream's there, a
  // service's here.
  std::map<std::tuple<uint32_t, std::string_view, bool, std::string_view>, const ImportOptions*> seen;
  for (uint32_t place = 0; place < accounts.options.size(); ++place) {
    const AccountOptions* const account = accounts.options[place];
    if (account == nullptr) continue;
    for (const ImportOptions& import : account->imports) {
      const std::string& once = import.is_service ? local_subject(import) : import.subject;
      const auto [first, is_new] = seen.emplace(
          std::tuple(place, std::string_view(import.account), import.is_service, std::string_view(once)),
          &import);
      if (!is_new) {
        errors.push_back(duplicate_error(import, *first->second, account->name));
        continue;
      }
      Resolved resolved = resolve(accounts, place, import);
      if (resolved)
        crossings.push_back(std::move(*resolved));
      else
        errors.push_back(std::move(resolved.error()));
    }
  }
  return crossings;
}

void check_exports(NamedAccounts accounts, std::vector<std::string>& errors) {
  for (const AccountOptions* const account : accounts.options) {
    if (account == nullptr) continue;
    for (const ExportOptions& offer : account->exports) {
      const std::string_view kind = kind_of(offer.is_service);
      for (const std::string& name : offer.accounts) {
        if (accounts.places.contains(name)) continue;
        errors.push_back(at_position(
            offer.position, fmt::format("\"{}\" account not defined for {} export (\"{}\" of account \"{}\")",
                                        name, kind, offer.subject, account->name)));
      }
      const uint32_t token = offer.account_token_position;
      if (is_valid_subject(offer.subject) && (token == 0 || token_at(offer.subject, token) == "*")) continue;
      const std::string why =
          is_valid_subject(offer.subject) ? fmt::format(", token {} must be \"*\"", token) : "";
      errors.push_back(at_position(
          offer.position, fmt::format("Error adding {} export \"{}\": invalid subject{} (account \"{}\")",
                                      kind, offer.subject, why, account->name)));
    }
  }
}

std::string at_position(std::string_view position, std::string_view what) {
  return fmt::format("{}{}{}", position, position.empty() ? "" : ": ", what);
}

std::string import_error(const ImportOptions& import, std::string_view importer, std::string_view why) {
  return at_position(import.position,
                     fmt::format("Error adding {} import \"{}\": {} (account \"{}\" imports it from account "
                                 "\"{}\" as \"{}\")",
                                 kind_of(import.is_service), import.subject, why, importer, import.account,
                                 local_subject(import)));
}

namespace {

std::string duplicate_error(const ImportOptions& import, const ImportOptions& first,
                            std::string_view importer) {
  if (!import.is_service) return import_error(import, importer, "stream import already exists");
  return at_position(
      import.position,
      fmt::format("Duplicate service import subject \"{}\", previously used in import for "
                  "account \"{}\", subject \"{}\" (account \"{}\" imports \"{}\" as it, too)",
                  local_subject(import), first.account, first.subject, importer, import.subject));
}

Resolved resolve(NamedAccounts accounts, uint32_t importer, const ImportOptions& import) {
  const std::string& name = accounts.options[importer]->name;
  const std::string_view kind = kind_of(import.is_service);
  const auto found = accounts.places.find(import.account);
  if (found == accounts.places.end())
    return tl::unexpected(at_position(
        import.position, fmt::format("\"{}\" account not defined for {} import (\"{}\" by account \"{}\")",
                                     import.account, kind, import.subject, name)));
  if (!is_valid_subject(import.subject)) return tl::unexpected(import_error(import, name, "invalid subject"));

  const AccountOptions* const exporter = accounts.options[found->second];
  const ExportOptions* const offer = exporter == nullptr ? nullptr : find_export(*exporter, import, name);
  if (offer == nullptr)
    return tl::unexpected(import_error(import, name, fmt::format("{} import not authorized", kind)));

  auto subject = transform_of(import);
  if (!subject) return tl::unexpected(import_error(import, name, subject.error()));
  const bool is_service = import.is_service;
  Crossing crossing{is_service ? found->second : importer, std::move(*subject), is_service};
  if (is_service) {
    crossing.shares_client = import.shares_client;
    crossing.response = offer->response;
    crossing.response_threshold = offer->response_threshold;
  }
  return ImportedCrossing{is_service ? importer : found->second, std::move(crossing), &import, name};
}

// Of the exports that cover the subject only the narrowest decide: an export to few accounts is not opened by
// a wider one to all. One that is restricted counts alone among those of the same subject.
const ExportOptions* find_export(const AccountOptions& exporter, const ImportOptions& import,
                                 std::string_view importer) {
  const auto covers = [&](const ExportOptions& offer) {
    return offer.is_service == import.is_service && is_subset(import.subject, offer.subject);
  };
  const auto is_open = [](const ExportOptions& offer) {
    return offer.is_public && offer.account_token_position == 0;
  };
  const auto overrides = [&](const ExportOptions& other, const ExportOptions& offer) {
    if (!covers(other)) return false;
    if (other.subject == offer.subject) return is_open(offer) && !is_open(other);
    return is_subset(other.subject, offer.subject);
  };
  for (const ExportOptions& offer : exporter.exports) {
    if (!covers(offer) || !admits(offer, import, importer)) continue;
    if (std::none_of(exporter.exports.begin(), exporter.exports.end(),
                     [&](const ExportOptions& other) { return overrides(other, offer); }))
      return &offer;
  }
  return nullptr;
}

bool admits(const ExportOptions& offer, const ImportOptions& import, std::string_view importer) {
  // With a token position the importer's name in the subject decides, and a list of accounts does not.
  if (offer.account_token_position > 0)
    return token_at(import.subject, offer.account_token_position) == importer;
  return offer.is_public ||
         std::find(offer.accounts.begin(), offer.accounts.end(), importer) != offer.accounts.end();
}

SubjectTransform::Made transform_of(const ImportOptions& import) {
  const std::string& local = local_subject(import);
  auto made = SubjectTransform::make_for_import(import.subject, local);
  // A service's goes from here to there, but it is the local subject that may use "$1".
  if (made && import.is_service) made = made->reversed();
  if (made) return made;
  const bool is_service = import.is_service;
  return tl::unexpected(fmt::format(
      "failed to create mapping transform for {} import subject \"{}\" to \"{}\": {}", kind_of(is_service),
      is_service ? local : import.subject, is_service ? import.subject : local, made.error()));
}

std::string_view token_at(std::string_view subject, uint32_t position) {
  for (; position > 1; --position) {
    const size_t dot = subject.find('.');
    if (dot == std::string_view::npos) return {};
    subject.remove_prefix(dot + 1);
  }
  return subject.substr(0, subject.find('.'));
}

}  // namespace
}  // namespace nuncio
