#include "core/config/tls_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/config/scalar.h"
#include "core/log.h"
#include "core/tls_names.h"

namespace nuncio::config {
namespace {

using Kind = Value::Kind;
using Reader = FieldReader;
using KeyPair = TlsOptions::KeyPair;

constexpr Nanoseconds fallback_default = std::chrono::milliseconds(50);

struct Block {
  TlsOptions tls;
  KeyPair pair;                   // of cert_file and key_file
  const Entry* verify = nullptr;  // as written: verify_and_map, wherever it stands, verifies too
  const Entry* certs = nullptr;
};

void add_once(std::vector<std::string>& list, std::string_view text) {
  if (std::ranges::find(list, text) == list.end()) list.emplace_back(text);
}

// An empty name is none, as in nats-server.
std::string file_name(Reader& reader, const Entry& entry) {
  std::string name = reader.text(entry).value_or("");
  if (name.find('\0') != std::string::npos)
    reader.error(entry, fmt::format("{} must name a file", to_lower(entry.key)));
  return name;
}

template <auto member>
void pair_file(KeyPair& pair, Reader& reader, const Entry& entry) {
  pair.*member = file_name(reader, entry);
  if (pair.position.empty()) pair.position = entry.value.position.text();
}

template <auto member>
void block_pair_file(Block& block, Reader& reader, const Entry& entry) {
  pair_file<member>(block.pair, reader, entry);
}

void ca_file(Block& block, Reader& reader, const Entry& entry) {
  block.tls.ca_file = file_name(reader, entry);
}

void certs(Block& block, Reader& reader, const Entry& entry) {
  static constexpr std::array<Field<KeyPair>, 2> fields = {{
      {"cert_file", "cert_file", pair_file<&KeyPair::cert_file>},
      {"key_file", "key_file", pair_file<&KeyPair::key_file>},
  }};
  block.certs = &entry;
  const Value* list = reader.of_kind(entry, Kind::array);
  if (list == nullptr) return;
  for (size_t i = 0; i < list->items.size(); ++i) {
    const Value& item = list->items[i];
    const Reader::Section section(reader, fmt::format("certs[{}]", i));
    KeyPair pair;
    if (item.is(Kind::map)) read_fields<KeyPair>(item, fields, {}, reader, pair);
    if (pair.cert_file.empty() || pair.key_file.empty()) {
      reader.findings().error(item.position, "an entry of certs needs both 'cert_file' and 'key_file'");
    } else {
      pair.position = item.position.text();
      block.tls.pairs.push_back(std::move(pair));
    }
  }
}

void verify(Block& block, Reader& reader, const Entry& entry) {
  block.verify = &entry;
  if (reader.boolean(entry).value_or(false)) block.tls.is_verifying = true;
}

void verify_and_map(Block& block, Reader& reader, const Entry& entry) {
  block.tls.maps_users = reader.boolean(entry).value_or(false);
  if (block.tls.maps_users) block.tls.is_verifying = true;
}

void insecure(Block&, Reader& reader, const Entry& entry) {
  if (reader.boolean(entry).value_or(false)) {
    reader.warning(entry,
                   "\"insecure\" has no effect here: it is about the certificates of servers that this one "
                   "connects to");
  }
}

void timeout(Block& block, Reader& reader, const Entry& entry) {
  if (const auto found = reader.timeout(entry)) block.tls.timeout = *found;
}

// A list that names something; nats-server refuses an empty one and a single text.
std::vector<Reader::PlacedText> names(Reader& reader, const Entry& entry) {
  if (reader.of_kind(entry, Kind::array) == nullptr) return {};
  if (entry.value.items.empty())
    reader.error(entry, fmt::format("'{}' cannot be empty", to_lower(entry.key)));
  return reader.texts(entry).value_or(std::vector<Reader::PlacedText>());
}

void cipher_suites(Block& block, Reader& reader, const Entry& entry) {
  for (const auto& [name, position] : names(reader, entry)) {
    const TlsCipherSuite* suite = find_tls_cipher_suite(name);
    if (suite == nullptr) {
      reader.findings().error(position, fmt::format("unrecognized cipher {}", log::quoted(name)));
    } else if (!suite->is_default) {
      reader.findings().error(position,
                              fmt::format("{} is refused: only cipher suites with forward secrecy and "
                                          "authenticated encryption are offered",
                                          name));
    } else {
      add_once(block.tls.cipher_suites, suite->name);
    }
  }
}

void allow_insecure_cipher_suites(Block&, Reader& reader, const Entry& entry) {
  if (reader.boolean(entry).value_or(false))
    reader.error(entry, "insecure cipher suites are not supported by nuncio");
}

void curve_preferences(Block& block, Reader& reader, const Entry& entry) {
  for (const auto& [name, position] : names(reader, entry)) {
    const TlsCurve* curve = find_tls_curve(name);
    if (curve == nullptr) {
      reader.findings().error(position, fmt::format("unrecognized curve preference {}", log::quoted(name)));
    } else {
      add_once(block.tls.curves, curve->name);
    }
  }
}

void min_version(Block& block, Reader& reader, const Entry& entry) {
  if (entry.value.is(Kind::real)) return reader.error(entry, "min_version must be in quotes, like \"1.2\"");
  const auto text = reader.text(entry);
  if (!text) return;
  if (const auto version = parse_tls_version(*text)) {
    block.tls.version_min = *version;
  } else {
    reader.error(entry, fmt::format("unsupported TLS version {}: min_version is \"1.2\" or \"1.3\"",
                                    log::quoted(*text)));
  }
}

void pinned_certs(Block& block, Reader& reader, const Entry& entry) {
  if (reader.of_kind(entry, Kind::array) == nullptr) return;
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  for (const auto& [text, position] : reader.texts(entry).value_or(std::vector<Reader::PlacedText>())) {
    const std::string digest = to_lower(text);
    if (digest.size() == 64 && std::ranges::all_of(digest, is_hex)) {
      block.tls.pinned_certs.push_back(digest);
    } else {
      reader.findings().error(position, fmt::format("pinned_certs holds {}, which does not look like the "
                                                    "SHA-256 of a public key info in 64 hex digits",
                                                    log::quoted(text, 80)));
    }
  }
}

// True, false, or how long to wait before INFO goes out in clear after all; "auto" is a wait of 50 ms.
void handshake_first(Block& block, Reader& reader, const Entry& entry) {
  const bool is_boolean = entry.value.is(Kind::boolean);
  const std::string choice = is_boolean                     ? (entry.value.boolean ? "true" : "false")
                             : entry.value.is(Kind::string) ? to_lower(entry.value.text.reveal())
                                                            : "";
  const auto wait = parse_duration(choice);
  block.tls.is_handshake_first = choice != "false" && choice != "off";
  if (choice == "auto" || choice == "auto_fallback") {
    block.tls.handshake_first_fallback = fallback_default;
  } else if (wait && *wait >= Nanoseconds(0)) {
    block.tls.handshake_first_fallback = *wait;
  } else if (choice != "true" && choice != "on" && block.tls.is_handshake_first) {
    return reader.error(entry, fmt::format("{} must be true, false, \"auto\" or a duration like \"50ms\"",
                                           to_lower(entry.key)));
  }
  reader.record("handshake_first", choice);
}

void connection_rate_limit(Block& block, Reader& reader, const Entry& entry) {
  const auto found = reader.integer(entry, {std::numeric_limits<int64_t>::min(), UINT32_MAX});
  if (found) block.tls.handshakes_per_second = static_cast<uint32_t>(std::max<int64_t>(*found, 0));
}

void check_known_urls(Block&, Reader& reader, const Entry& entry) {
  if (reader.boolean(entry).value_or(false)) {
    reader.error(entry,
                 "verify_cert_and_check_known_urls not supported in this context: it is for routes and "
                 "gateways only");
  }
}

void ocsp_peer(Block&, Reader& reader, const Entry& entry) {
  if (entry.value.is(Kind::boolean) && !entry.value.boolean) return;
  reader.error(entry, "\"ocsp_peer\" is not supported by this version of nuncio");
}

constexpr std::array<Field<Block>, 20> block_fields = {{
    {"cert_file", "cert_file", block_pair_file<&KeyPair::cert_file>},
    {"key_file", "key_file", block_pair_file<&KeyPair::key_file>},
    {"certs", "certs", certs},
    {"certificates", "certs", certs},
    {"ca_file", "ca_file", ca_file},
    {"verify", "verify", verify},
    {"verify_and_map", "verify_and_map", verify_and_map},
    {"verify_cert_and_check_known_urls", "verify_cert_and_check_known_urls", check_known_urls},
    {"insecure", "insecure", insecure},
    {"timeout", "timeout", timeout},
    {"cipher_suites", "cipher_suites", cipher_suites},
    {"allow_insecure_cipher_suites", "allow_insecure_cipher_suites", allow_insecure_cipher_suites},
    {"curve_preferences", "curve_preferences", curve_preferences},
    {"min_version", "min_version", min_version},
    {"pinned_certs", "pinned_certs", pinned_certs},
    {"handshake_first", "handshake_first", handshake_first},
    {"first", "handshake_first", handshake_first},
    {"immediate", "handshake_first", handshake_first},
    {"connection_rate_limit", "connection_rate_limit", connection_rate_limit},
    {"ocsp_peer", "ocsp_peer", ocsp_peer},
}};

constexpr std::string_view windows = "is about the certificate stores of Windows and has no meaning here";

constexpr std::array<Unsupported, 5> block_unsupported = {{
    {"cert_store", windows},
    {"cert_match_by", windows},
    {"cert_match", windows},
    {"ca_certs_match", windows},
    {"cert_match_skip_invalid", windows},
}};

void settle_pairs(Block& block, Reader& reader, const Entry& entry) {
  const bool has_cert = !block.pair.cert_file.empty(), has_key = !block.pair.key_file.empty();
  if (has_cert != has_key) {
    reader.error(entry,
                 fmt::format("missing '{}' in TLS configuration", has_cert ? "key_file" : "cert_file"));
  } else if (has_cert && block.certs != nullptr && !block.certs->value.items.empty()) {
    reader.error(*block.certs, "cannot combine 'cert_file' option with 'certs' option");
  } else if (has_cert) {
    block.tls.pairs.push_back(std::move(block.pair));
  }
}

}  // namespace

std::optional<TlsOptions> read_tls(FieldReader& reader, const Entry& entry) {
  const Value* map = reader.of_kind(entry, Kind::map);
  if (map == nullptr) return std::nullopt;
  const size_t errors = reader.findings().errors.size();
  const Reader::Section section(reader, "tls");
  Block block;
  read_fields<Block>(*map, block_fields, block_unsupported, reader, block);
  settle_pairs(block, reader, entry);
  if (reader.findings().errors.size() != errors) return std::nullopt;
  if (block.tls.maps_users && block.verify != nullptr && !block.verify->value.boolean)
    reader.warning(*block.verify, "\"verify: false\" is ignored: verify_and_map verifies clients");
  auto& pins = block.tls.pinned_certs;
  std::ranges::sort(pins);
  pins.erase(std::unique(pins.begin(), pins.end()), pins.end());  // clang 14 cannot compile ranges::unique
  block.tls.position = entry.value.position.text();
  return std::move(block.tls);
}

}  // namespace nuncio::config
