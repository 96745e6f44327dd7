#include "core/config/options_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/config/tls_reader.h"
#include "core/log.h"

namespace nuncio::config {
namespace {

using Kind = Value::Kind;
using Reader = FieldReader;

// Plain options: a member of Options, of its log settings, and the range allowed.
template <auto member>
void flag(FileOptions& file, Reader& reader, const Entry& entry) {
  if (const auto found = reader.boolean(entry)) file.options.*member = *found;
}

template <auto member>
void no_flag(FileOptions& file, Reader& reader, const Entry& entry) {
  if (const auto found = reader.boolean(entry)) file.options.*member = !*found;
}

template <auto member>
void log_flag(FileOptions& file, Reader& reader, const Entry& entry) {
  if (const auto found = reader.boolean(entry)) file.options.log.*member = *found;
}

template <auto member>
void text(FileOptions& file, Reader& reader, const Entry& entry) {
  if (auto found = reader.text(entry)) file.options.*member = std::move(*found);
}

// Zero stands for the default, as in nats-server; the fields of Options hold their defaults already.
template <auto member, int64_t max>
void size(FileOptions& file, Reader& reader, const Entry& entry) {
  const auto found = reader.integer(entry, {0, max});
  if (found && *found != 0)
    file.options.*member = static_cast<std::decay_t<decltype(file.options.*member)>>(*found);
}

// Zero and below mean "no limit", which the field holds as 0.
template <auto member, int64_t max>
void limit(FileOptions& file, Reader& reader, const Entry& entry) {
  const auto found = reader.integer(entry, {std::numeric_limits<int64_t>::min(), max});
  if (found) {
    const int64_t number = std::max<int64_t>(*found, 0);
    file.options.*member = static_cast<std::decay_t<decltype(file.options.*member)>>(number);
  }
}

template <auto member>
void duration(FileOptions& file, Reader& reader, const Entry& entry) {
  const auto found = reader.duration(entry);
  if (found && *found != Nanoseconds(0)) file.options.*member = *found;
}

void set_port(FileOptions& file, int64_t port) {
  file.options.port = port == 0 ? port_default : static_cast<int>(port);
}

void port(FileOptions& file, Reader& reader, const Entry& entry) {
  if (const auto found = reader.integer(entry, {-1, port_max})) set_port(file, *found);
}

void listen(FileOptions& file, Reader& reader, const Entry& entry) {
  if (entry.value.is(Kind::integer)) return port(file, reader, entry);
  const auto address = reader.text(entry);
  if (!address) return;
  const auto found = parse_host_port(*address);
  if (!found)
    return reader.error(entry, fmt::format("could not parse address string {}", log::quoted(*address)));
  if (found->port < -1 || found->port > port_max)
    return reader.error(entry, "the port of listen is out of range");
  if (!found->host.empty()) file.options.host = found->host;
  set_port(file, found->port);
}

void host(FileOptions& file, Reader& reader, const Entry& entry) {
  auto found = reader.text(entry);
  if (found && !found->empty()) file.options.host = std::move(*found);
}

// 2.9 took 0 as the default and later versions as "refuse everybody": nobody means either (CP-59).
void connections(FileOptions& file, Reader& reader, const Entry& entry) {
  if (entry.value.is(Kind::integer) && entry.value.integer <= 0) {
    return reader.error(
        entry, fmt::format("{} must be at least 1: what 0 or a negative number means differs between "
                           "versions of nats-server",
                           entry.key));
  }
  if (const auto found = reader.integer(entry, {1, UINT32_MAX})) {
    file.options.connections_max = static_cast<uint32_t>(*found);
  }
}

void payload(FileOptions& file, Reader& reader, const Entry& entry) {
  constexpr int64_t advised_max = 8 * 1024 * 1024;
  file.positions["max_payload"] = entry.value.position;
  const auto found = reader.integer(entry, {0, INT32_MAX});
  if (!found || *found == 0) return;
  file.options.payload_max = static_cast<uint32_t>(*found);
  if (*found > advised_max) reader.warning(entry, "maximum payloads over 8 MB are not recommended");
}

void pending(FileOptions& file, Reader& reader, const Entry& entry) {
  file.positions["max_pending"] = entry.value.position;
  size<&Options::pending_max, INT64_MAX>(file, reader, entry);
}

void subject_tokens(FileOptions& file, Reader& reader, const Entry& entry) {
  if (const auto found = reader.integer(entry, {1, 255})) {
    file.options.subject_tokens_max = static_cast<uint32_t>(*found);
  }
}

void server_name(FileOptions& file, Reader& reader, const Entry& entry) {
  file.positions["server_name"] = entry.value.position;
  text<&Options::server_name>(file, reader, entry);
}

void client_advertise(FileOptions& file, Reader& reader, const Entry& entry) {
  file.positions["client_advertise"] = entry.value.position;
  if (auto found = reader.text(entry)) file.client_advertise = std::move(*found);
}

void tls(FileOptions& file, Reader& reader, const Entry& entry) {
  file.positions["tls"] = entry.value.position;
  file.options.tls = read_tls(reader, entry);
  file.has_bad_tls = !file.options.tls;
}

void allow_non_tls(FileOptions& file, Reader& reader, const Entry& entry) {
  file.positions["allow_non_tls"] = entry.value.position;
  flag<&Options::allow_non_tls>(file, reader, entry);
}

void no_auth_user(FileOptions& file, Reader& reader, const Entry& entry) {
  file.positions["no_auth_user"] = entry.value.position;
  if (auto found = reader.text(entry)) file.options.authorization.no_auth_user = std::move(*found);
}

void log_file(FileOptions& file, Reader& reader, const Entry& entry) {
  if (auto found = reader.text(entry)) file.options.log.file = std::move(*found);
}

// nats-server shows its internal subjects too; here are none, so it is the same as trace.
void trace_verbose(FileOptions& file, Reader& reader, const Entry& entry) {
  if (reader.boolean(entry).value_or(false)) file.options.log.trace = true;
}

// Clients are closed when a write takes too long; nothing else exists here yet.
void write_timeout(FileOptions&, Reader& reader, const Entry& entry) {
  const auto found = reader.text(entry);
  if (!found) return;
  const std::string choice = to_lower(*found);
  if (choice == "retry")
    return reader.error(entry, "\"write_timeout: retry\" is not supported by this version of nuncio");
  if (choice != "default" && choice != "close")
    reader.error(entry, "write_timeout must be default, retry or close");
}

void system_account(FileOptions& file, Reader& reader, const Entry& entry) {
  file.positions["system_account"] = entry.value.position;
  text<&Options::system_account>(file, reader, entry);
}

// There is nothing that only a system account could be asked for yet.
void no_system_account(FileOptions&, Reader& reader, const Entry& entry) {
  reader.boolean(entry);
}

// Options that tune or describe what does not exist here: nothing is lost by going on without them.
void without_effect(FileOptions&, Reader& reader, const Entry& entry) {
  reader.warning(entry, fmt::format("\"{}\" is accepted but has no effect in this version of nuncio",
                                    to_lower(entry.key)));
}

void workers(FileOptions& file, Reader& reader, const Entry& entry) {
  if (entry.value.is(Kind::string) && to_lower(entry.value.text.reveal()) == "auto") {
    file.options.workers = 0;
    return;
  }
  if (const auto found = reader.integer(entry, {1, 64})) file.options.workers = static_cast<uint32_t>(*found);
}

void io_backend(FileOptions& file, Reader& reader, const Entry& entry) {
  const auto found = reader.text(entry);
  if (!found) return;
  if (const auto backend = parse_io_backend(*found)) {
    file.options.io_backend = *backend;
  } else {
    reader.error(entry, "io_backend must be auto, io_uring or epoll");
  }
}

void verifier_threads(FileOptions& file, Reader& reader, const Entry& entry) {
  if (const auto found = reader.integer(entry, {0, 64}))
    file.options.verifier_threads = static_cast<uint32_t>(*found);
}

void backoff_failures(LoginBackoffOptions& backoff, Reader& reader, const Entry& entry) {
  if (const auto found = reader.integer(entry, {1, 1'000'000}))
    backoff.failures_free = static_cast<uint32_t>(*found);
}

template <auto member>
void backoff_wait(LoginBackoffOptions& backoff, Reader& reader, const Entry& entry) {
  const auto found = reader.duration(entry);
  if (!found) return;
  if (*found == Nanoseconds(0) || *found > std::chrono::hours(24)) {
    return reader.error(
        entry, fmt::format("{} must be between 1ns and 24h; \"login_backoff: false\" switches it off",
                           to_lower(entry.key)));
  }
  backoff.*member = *found;
}

// A boolean, or a map of limits, which switches it on (AU-74).
void login_backoff(FileOptions& file, Reader& reader, const Entry& entry) {
  using Backoff = LoginBackoffOptions;
  static constexpr std::array<Field<Backoff>, 3> fields = {{
      {"failures", "failures", backoff_failures},
      {"wait", "wait", backoff_wait<&Backoff::wait>},
      {"wait_max", "wait_max", backoff_wait<&Backoff::wait_max>},
  }};
  Backoff& backoff = file.options.login_backoff;
  if (entry.value.is(Kind::boolean)) {
    backoff.is_enabled = *reader.boolean(entry);
    return;
  }
  if (!entry.value.is(Kind::map)) {
    return reader.error(entry, fmt::format("expected true, false or a map for login_backoff, got {}",
                                           describe(entry.value.kind)));
  }
  const Reader::Section section(reader, "login_backoff");
  const size_t errors = reader.findings().errors.size();
  backoff.is_enabled = true;
  read_fields<Backoff>(entry.value, fields, {}, reader, backoff);
  if (backoff.wait_max < backoff.wait && reader.findings().errors.size() == errors)
    reader.error(entry, "wait_max of login_backoff must not be shorter than wait");
}

// "syslog" in any case means just that, everything else is a path.
void audit_log(FileOptions& file, Reader& reader, const Entry& entry) {
  auto found = reader.text(entry);
  if (!found) return;
  file.options.audit_log = to_lower(*found) == "syslog" ? "syslog" : std::move(*found);
}

void tls_revocation_file(FileOptions& file, Reader& reader, const Entry& entry) {
  file.positions["tls_revocation_file"] = entry.value.position;
  if (auto found = reader.text(entry)) file.tls_revocation_file = std::move(*found);
}

void nuncio_block(FileOptions& file, Reader& reader, const Entry& entry) {
  static constexpr std::array<Field<FileOptions>, 8> fields = {{
      {"workers", "workers", workers},
      {"io_backend", "io_backend", io_backend},
      {"verifier_threads", "verifier_threads", verifier_threads},
      {"credential_cache", "credential_cache", flag<&Options::credential_cache>},
      {"credential_cache_ttl", "credential_cache_ttl", duration<&Options::credential_cache_ttl>},
      {"login_backoff", "login_backoff", login_backoff},
      {"audit_log", "audit_log", audit_log},
      {"tls_revocation_file", "tls_revocation_file", tls_revocation_file},
  }};
  const Value* block = reader.of_kind(entry, Kind::map);
  if (block == nullptr) return;
  const Reader::Section section(reader, "nuncio");
  read_fields<FileOptions>(*block, fields, {}, reader, file);
}

constexpr std::array<Field<FileOptions>, 54> top_level_fields = {{
    {"listen", "listen", listen},
    {"host", "host", host},
    {"net", "host", host},
    {"port", "port", port},
    {"client_advertise", "client_advertise", client_advertise},
    {"server_name", "server_name", server_name},
    {"server_tags", "server_tags", without_effect},
    {"server_metadata", "server_metadata", without_effect},
    {"max_connections", "max_connections", connections},
    {"max_conn", "max_connections", connections},
    {"max_subscriptions", "max_subscriptions", limit<&Options::subscriptions_max, INT64_MAX>},
    {"max_subs", "max_subscriptions", limit<&Options::subscriptions_max, INT64_MAX>},
    {"max_sub_tokens", "max_sub_tokens", subject_tokens},
    {"max_subscription_tokens", "max_sub_tokens", subject_tokens},
    {"max_control_line", "max_control_line", size<&Options::control_line_max, 64 * 1024>},
    {"max_payload", "max_payload", payload},
    {"max_pending", "max_pending", pending},
    {"write_deadline", "write_deadline", duration<&Options::write_deadline>},
    {"write_timeout", "write_timeout", write_timeout},
    {"ping_interval", "ping_interval", duration<&Options::ping_interval>},
    {"ping_max", "ping_max", size<&Options::pings_max, INT32_MAX>},
    {"disable_short_first_ping", "disable_short_first_ping", no_flag<&Options::short_first_ping>},
    {"max_traced_msg_len", "max_traced_msg_len", limit<&Options::traced_message_max, INT32_MAX>},
    {"max_closed_clients", "max_closed_clients", without_effect},
    {"no_header_support", "no_header_support", no_flag<&Options::headers>},
    {"disable_sublist_cache", "disable_sublist_cache", without_effect},
    {"no_sublist_cache", "disable_sublist_cache", without_effect},
    {"no_fast_producer_stall", "no_fast_producer_stall", no_flag<&Options::stall_fast_producers>},
    {"tls", "tls", tls},
    {"allow_non_tls", "allow_non_tls", allow_non_tls},
    {"authorization", "authorization", read_authorization},
    {"no_auth_user", "no_auth_user", no_auth_user},
    {"accounts", "accounts", read_accounts},
    {"mappings", "mappings", read_default_mappings},
    {"maps", "mappings", read_default_mappings},
    {"system_account", "system_account", system_account},
    {"system", "system_account", system_account},
    {"no_system_account", "no_system_account", no_system_account},
    {"no_system", "no_system_account", no_system_account},
    {"no_sys_acc", "no_system_account", no_system_account},
    {"debug", "debug", log_flag<&log::Settings::debug>},
    {"trace", "trace", log_flag<&log::Settings::trace>},
    {"trace_verbose", "trace_verbose", trace_verbose},
    {"logtime", "logtime", log_flag<&log::Settings::time>},
    {"logtime_utc", "logtime_utc", log_flag<&log::Settings::utc>},
    {"log_file", "log_file", log_file},
    {"logfile", "log_file", log_file},
    {"syslog", "syslog", log_flag<&log::Settings::syslog>},
    {"pid_file", "pid_file", text<&Options::pid_file>},
    {"pidfile", "pid_file", text<&Options::pid_file>},
    {"ports_file_dir", "ports_file_dir", text<&Options::ports_file_dir>},
    {"connect_error_reports", "connect_error_reports", without_effect},
    {"reconnect_error_reports", "reconnect_error_reports", without_effect},
    {"nuncio", "nuncio", nuncio_block},
}};

constexpr std::string_view profiling = "is about profiling of Go programs and has no meaning here";

constexpr std::array<Unsupported, 44> top_level_unsupported = {{
    {"ocsp"},
    {"ocsp_cache"},
    {"cluster"},
    {"operator"},
    {"operators"},
    {"resolver"},
    {"resolver_preload"},
    {"resolver_tls"},
    {"account_resolver"},
    {"account_resolver_tls"},
    {"trusted_keys"},
    {"trusted"},
    {"default_sentinel"},
    {"resolver_pinned_accounts"},
    {"root"},
    {"roots"},
    {"leafnodes"},
    {"leaf"},
    {"websocket"},
    {"ws"},
    {"gateway"},
    {"mqtt"},
    {"jetstream"},
    {"default_js_domain"},
    {"store_dir"},
    {"http"},
    {"https"},
    {"http_port"},
    {"monitor_port"},
    {"https_port"},
    {"http_base_path"},
    {"trace_headers"},
    {"log_size_limit"},
    {"logfile_size_limit"},
    {"log_max_num"},
    {"logfile_max_num"},
    {"remote_syslog"},
    {"lame_duck_duration"},
    {"lame_duck_grace_period"},
    {"proxy_protocol"},
    {"proxies"},
    {"feature_flags"},
    {"prof_port", profiling},
    {"prof_block_rate", profiling},
}};

}  // namespace

Position FileOptions::position(std::string_view name) const {
  const auto found = positions.find(name);
  return found == positions.end() ? Position() : found->second;
}

FileOptions read_options(const Value& tree, FieldReader& reader) {
  FileOptions file;
  read_fields<FileOptions>(tree, top_level_fields, top_level_unsupported, reader, file);
  return file;
}

std::optional<HostPort> parse_host_port(std::string_view address) {
  HostPort found;
  std::string_view port;
  if (address.starts_with('[')) {
    const size_t close = address.find("]:");
    if (close == std::string_view::npos) return std::nullopt;
    found.host = address.substr(1, close - 1);
    port = address.substr(close + 2);
  } else {
    const size_t colon = address.find(':');
    if (colon == std::string_view::npos || address.find(':', colon + 1) != std::string_view::npos)
      return std::nullopt;
    found.host = address.substr(0, colon);
    port = address.substr(colon + 1);
  }
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), found.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size()) return std::nullopt;
  return found;
}

std::optional<IoBackend> parse_io_backend(std::string_view name) {
  if (name == "auto") return IoBackend::automatic;
  if (name == "io_uring") return IoBackend::io_uring;
  if (name == "epoll") return IoBackend::epoll;
  return std::nullopt;
}

}  // namespace nuncio::config
