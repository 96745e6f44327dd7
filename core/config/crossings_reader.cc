#include "core/config/crossings_reader.h"

#include <fmt/format.h>

#include <array>

#include "core/config/scalar.h"
#include "core/log.h"

namespace nuncio::config {
namespace {

using Kind = Value::Kind;
using Reader = FieldReader;

// Entries by what they set: they depend on each other, whatever their order.
struct ExportEntry {
  ExportOptions options;
  const Entry* stream = nullptr;
  const Entry* service = nullptr;
  const Entry* response = nullptr;  // the last option that only a service can have
};

struct ImportEntry {
  ImportOptions options;
  const Entry* stream = nullptr;
  const Entry* service = nullptr;
  const Entry* prefix = nullptr;
  const Entry* to = nullptr;
  const Entry* share = nullptr;
};

template <typename Target, auto member>
void keep(Target& target, Reader&, const Entry& entry) {
  target.*member = &entry;
}

void response_type(ExportEntry& found, Reader& reader, const Entry& entry) {
  using Response = ExportOptions::Response;
  found.response = &entry;
  const auto text = reader.text(entry);
  if (!text) return;
  const std::string type = to_lower(*text);
  if (type == "single" || type == "singleton") {
    found.options.response = Response::singleton;
  } else if (type == "stream") {
    found.options.response = Response::stream;
  } else if (type == "chunk" || type == "chunked") {
    found.options.response = Response::chunked;
  } else {
    reader.error(entry, fmt::format("Unknown response type: {}", log::quoted(*text)));
  }
}

void response_threshold(ExportEntry& found, Reader& reader, const Entry& entry) {
  found.response = &entry;
  if (!entry.value.is(Kind::string)) {
    return reader.error(entry,
                        fmt::format("Expected response threshold to be a parseable time duration, got {}",
                                    describe(entry.value.kind)));
  }
  const auto time = reader.duration(entry);
  if (time && *time != Nanoseconds(0)) found.options.response_threshold = *time;
}

void export_accounts(ExportEntry& found, Reader& reader, const Entry& entry) {
  if (!entry.value.is(Kind::array))
    return reader.error(entry,
                        fmt::format("Expected accounts to be an array, got {}", describe(entry.value.kind)));
  if (entry.value.items.empty()) {
    return reader.error(
        entry,
        "the list of accounts is empty, which nats-server takes for everybody: leave it out, or name "
        "them");
  }
  const auto names = reader.texts(entry);
  if (!names) return;
  found.options.is_public = false;
  for (const Reader::PlacedText& name : *names) found.options.accounts.push_back(name.text);
}

void account_token_position(ExportEntry& found, Reader& reader, const Entry& entry) {
  constexpr int64_t tokens_max = 255;
  const auto position = reader.integer(entry, {0, tokens_max});
  if (position) found.options.account_token_position = static_cast<uint32_t>(*position);
}

constexpr std::array<Field<ExportEntry>, 10> export_fields = {{
    {"stream", "stream", keep<ExportEntry, &ExportEntry::stream>},
    {"service", "service", keep<ExportEntry, &ExportEntry::service>},
    {"accounts", "accounts", export_accounts},
    {"account_token_position", "account_token_position", account_token_position},
    {"response", "response", response_type},
    {"response_type", "response", response_type},
    {"threshold", "threshold", response_threshold},
    {"response_threshold", "threshold", response_threshold},
    {"response_max_time", "threshold", response_threshold},
    {"response_time", "threshold", response_threshold},
}};

constexpr std::array<Unsupported, 2> export_unsupported = {{{"latency"}, {"allow_trace"}}};

std::optional<ExportOptions> read_export(const Value& item, Reader& reader) {
  if (!item.is(Kind::map)) {
    reader.findings().error(item.position, fmt::format("Export Items should be a map with type entry, got {}",
                                                       describe(item.kind)));
    return std::nullopt;
  }
  ExportEntry found;
  read_fields<ExportEntry>(item, export_fields, export_unsupported, reader, found);
  if (found.stream != nullptr && found.service != nullptr) {
    reader.findings().error(found.service->position, "Detected service but already saw a stream");
    return std::nullopt;
  }
  if (found.stream == nullptr && found.service == nullptr) {
    reader.findings().error(item.position, "an export requires a stream or a service");
    return std::nullopt;
  }
  if (found.stream != nullptr && found.response != nullptr) {
    reader.findings().error(found.response->position, "Detected response directive on non-service");
    return std::nullopt;
  }
  const Entry& subject = found.service != nullptr ? *found.service : *found.stream;
  auto text = reader.text(subject);
  if (!text) return std::nullopt;
  found.options.is_service = found.service != nullptr;
  found.options.subject = std::move(*text);
  found.options.position = subject.value.position.text();
  return std::move(found.options);
}

struct Source {
  std::string account, subject;
};

template <auto member>
void source_text(Source& source, Reader& reader, const Entry& entry) {
  if (auto text = reader.text(entry)) source.*member = std::move(*text);
}

// The map {account, subject} that an import takes from.
std::optional<Source> read_source(Reader& reader, const Entry& entry) {
  static constexpr std::array<Field<Source>, 2> fields = {{
      {"account", "account", source_text<&Source::account>},
      {"subject", "subject", source_text<&Source::subject>},
  }};
  if (!entry.value.is(Kind::map)) {
    reader.error(entry, fmt::format("{} entry should be an account map, got {}",
                                    to_lower(entry.key) == "stream" ? "Stream" : "Service",
                                    describe(entry.value.kind)));
    return std::nullopt;
  }
  const Reader::Section section(reader, to_lower(entry.key));
  Source source;
  const size_t errors = reader.findings().errors.size();
  read_fields<Source>(entry.value, fields, {}, reader, source);
  if (reader.findings().errors.size() > errors) return std::nullopt;
  if (source.account.empty() || source.subject.empty()) {
    reader.error(entry, "Expect an account name and a subject");
    return std::nullopt;
  }
  return source;
}

constexpr std::array<Field<ImportEntry>, 5> import_fields = {{
    {"stream", "stream", keep<ImportEntry, &ImportEntry::stream>},
    {"service", "service", keep<ImportEntry, &ImportEntry::service>},
    {"prefix", "prefix", keep<ImportEntry, &ImportEntry::prefix>},
    {"to", "to", keep<ImportEntry, &ImportEntry::to>},
    {"share", "share", keep<ImportEntry, &ImportEntry::share>},
}};

constexpr std::array<Unsupported, 1> import_unsupported = {{{"allow_trace"}}};

void without_effect(Reader& reader, const Entry& entry, std::string_view kind) {
  reader.findings().warning(
      entry.position, fmt::format("\"{}\" has no effect on the import of a {}", to_lower(entry.key), kind));
}

// Where the imported subject appears here, and for services whether the client is made known.
void read_local_side(ImportEntry& found, Reader& reader) {
  const bool is_service = found.options.is_service;
  if (found.share != nullptr) {
    const auto share = reader.boolean(*found.share);
    if (!is_service) without_effect(reader, *found.share, "stream");
    found.options.shares_client = is_service && share.value_or(false);
  }
  if (found.to != nullptr) found.options.to = reader.text(*found.to).value_or("");
  if (found.prefix == nullptr) return;
  std::string prefix = reader.text(*found.prefix).value_or("");
  if (is_service) return without_effect(reader, *found.prefix, "service");
  if (found.to != nullptr) {
    return reader.findings().error(found.prefix->position,
                                   "Stream import can not have a 'prefix' and a 'to' property");
  }
  if (prefix.empty()) return;
  if (!prefix.ends_with('.')) prefix += '.';
  found.options.to = prefix + found.options.subject;
}

std::optional<ImportOptions> read_import(const Value& item, Reader& reader) {
  if (!item.is(Kind::map)) {
    reader.findings().error(item.position, fmt::format("Import Items should be a map with type entry, got {}",
                                                       describe(item.kind)));
    return std::nullopt;
  }
  ImportEntry found;
  read_fields<ImportEntry>(item, import_fields, import_unsupported, reader, found);
  if (found.stream != nullptr && found.service != nullptr) {
    reader.findings().error(found.service->position, "Detected service but already saw a stream");
    return std::nullopt;
  }
  if (found.stream == nullptr && found.service == nullptr) {
    reader.findings().error(item.position, "an import requires a stream or a service");
    return std::nullopt;
  }
  const Entry& entry = found.service != nullptr ? *found.service : *found.stream;
  auto source = read_source(reader, entry);
  if (!source) return std::nullopt;
  found.options.is_service = found.service != nullptr;
  found.options.account = std::move(source->account);
  found.options.subject = std::move(source->subject);
  found.options.position = entry.value.position.text();
  read_local_side(found, reader);
  return std::move(found.options);
}

template <typename Options>
std::vector<Options> read_items(Reader& reader, const Entry& entry, std::string_view name,
                                std::optional<Options> (*read)(const Value&, Reader&)) {
  std::vector<Options> found;
  if (!entry.value.is(Kind::array)) {
    reader.error(entry, fmt::format("{} should be an array, got {}", name, describe(entry.value.kind)));
    return found;
  }
  for (size_t i = 0; i < entry.value.items.size(); ++i) {
    const Reader::Section section(reader, fmt::format("{}[{}]", name, i));
    if (auto item = read(entry.value.items[i], reader)) found.push_back(std::move(*item));
  }
  return found;
}

}  // namespace

std::vector<ExportOptions> read_exports(FieldReader& reader, const Entry& entry) {
  return read_items<ExportOptions>(reader, entry, "Exports", read_export);
}

std::vector<ImportOptions> read_imports(FieldReader& reader, const Entry& entry) {
  return read_items<ImportOptions>(reader, entry, "Imports", read_import);
}

}  // namespace nuncio::config
