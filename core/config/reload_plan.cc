#include "core/config/reload_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <tuple>

#include "core/duration.h"
#include "core/log.h"

namespace nuncio::config {
namespace {

// How a value is shown in a log line; of texts, what would break the line is escaped.
std::string shown(const std::string& text) {
  const bool is_plain = std::ranges::all_of(text, [](char c) { return c >= ' ' && c != '\x7f'; });
  return is_plain ? text : log::quoted(text);
}
std::string shown(bool truth) {
  return truth ? "true" : "false";
}
std::string shown(Nanoseconds duration) {
  return format_duration(duration);
}
std::string shown(IoBackend backend) {
  constexpr std::string_view names[] = {"auto", "io_uring", "epoll"};
  return std::string(names[static_cast<size_t>(backend)]);
}
template <typename Number>
requires(std::is_arithmetic_v<Number>) std::string shown(Number number) {
  return fmt::format("{}", number);
}

class Comparison {
 public:
  Comparison(const Options& running, const Options& wanted) : running_(running), wanted_(wanted) {}

  template <typename Value>
  void reloadable(std::string_view name, const Value& before, const Value& after) {
    if (before != after) plan.changed.push_back(fmt::format("{} = {}", name, shown(after)));
  }
  template <typename Value>
  void fixed(std::string_view name, const Value& before, const Value& after) {
    if (before == after) return;
    plan.refused.push_back(
        fmt::format("config reload not supported for {}: old={}, new={}", name, shown(before), shown(after)));
  }
  void named(std::string_view name, bool is_changed) {
    if (is_changed) plan.changed.emplace_back(name);
  }

  void compare_fixed();
  void compare_log();
  void compare_authorization(bool secrets_differ);
  void compare_tls(bool files_differ);
  void compare_limits();
  void compare_rest();

  ReloadPlan plan;

 private:
  const Options& running_;
  const Options& wanted_;
};

// Equal but for positions and the texts of secrets.
bool is_same(const PermissionOptions&, const PermissionOptions&);
bool is_same(const UserOptions&, const UserOptions&);
bool is_same(const MappingOptions&, const MappingOptions&);
bool is_same(const AccountOptions&, const AccountOptions&);
bool is_same(const SecretOptions& a, const SecretOptions& b) {
  return std::tie(a.label, a.not_before, a.not_after) == std::tie(b.label, b.not_before, b.not_after);
}
bool is_same(const SubjectRules& a, const SubjectRules& b) {
  return a.allow == b.allow && a.deny == b.deny;
}
bool is_same(const ResponseRules& a, const ResponseRules& b) {
  return a.max == b.max && a.expires == b.expires;
}
bool is_same(const ExportOptions& a, const ExportOptions& b) {
  const auto fields = [](const ExportOptions& e) {
    return std::tie(e.is_service, e.subject, e.is_public, e.accounts, e.account_token_position, e.response,
                    e.response_threshold);
  };
  return fields(a) == fields(b);
}
bool is_same(const ImportOptions& a, const ImportOptions& b) {
  const auto fields = [](const ImportOptions& i) {
    return std::tie(i.is_service, i.account, i.subject, i.to, i.shares_client);
  };
  return fields(a) == fields(b);
}
bool is_same(const MappingOptions::Destination& a, const MappingOptions::Destination& b) {
  return std::tie(a.subject, a.weight, a.cluster) == std::tie(b.subject, b.weight, b.cluster);
}

template <typename Value>
bool are_same(const std::optional<Value>& a, const std::optional<Value>& b) {
  return a.has_value() == b.has_value() && (!a || is_same(*a, *b));
}
template <typename Value>
bool are_same(const std::vector<Value>& a, const std::vector<Value>& b) {
  return std::ranges::equal(a, b, [](const Value& x, const Value& y) { return is_same(x, y); });
}

bool is_same(const PermissionOptions& a, const PermissionOptions& b) {
  return is_same(a.publish, b.publish) && is_same(a.subscribe, b.subscribe) &&
         are_same(a.responses, b.responses);
}
// All of a user but its name and secrets.
bool has_same_rights(const UserOptions& a, const UserOptions& b) {
  return a.connection_types == b.connection_types && a.account == b.account &&
         are_same(a.permissions, b.permissions);
}
bool is_same(const UserOptions& a, const UserOptions& b) {
  return a.name == b.name && a.nkey == b.nkey && are_same(a.passwords, b.passwords) && has_same_rights(a, b);
}
bool is_same(const MappingOptions& a, const MappingOptions& b) {
  return a.source == b.source && are_same(a.destinations, b.destinations);
}
bool is_same(const AccountOptions& a, const AccountOptions& b) {
  const auto limits = [](const AccountOptions& account) {
    return std::tie(account.connections_max, account.subscriptions_max, account.payload_max);
  };
  return a.name == b.name && limits(a) == limits(b) && are_same(a.exports, b.exports) &&
         are_same(a.imports, b.imports) && are_same(a.mappings, b.mappings);
}

// What a connection is made of, and which ones are accepted; the rest has lines of its own.
bool has_same_material(const TlsOptions& a, const TlsOptions& b) {
  const auto fields = [](const TlsOptions& tls) {
    return std::tie(tls.ca_file, tls.revocation_file, tls.is_verifying, tls.cipher_suites, tls.curves,
                    tls.version_min);
  };
  const auto is_same_pair = [](const TlsOptions::KeyPair& x, const TlsOptions::KeyPair& y) {
    return x.cert_file == y.cert_file && x.key_file == y.key_file;
  };
  return fields(a) == fields(b) && std::ranges::equal(a.pairs, b.pairs, is_same_pair);
}

double seconds(Nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

std::vector<UserOptions> users_by_name(const std::vector<UserOptions>& users, bool are_nkeys) {
  std::vector<UserOptions> found;
  std::ranges::copy_if(users, std::back_inserter(found),
                       [&](const UserOptions& user) { return user.nkey.empty() != are_nkeys; });
  std::ranges::sort(found, {}, [](const UserOptions& user) { return std::tie(user.nkey, user.name); });
  return found;
}

std::vector<AccountOptions> accounts_by_name(std::vector<AccountOptions> accounts) {
  std::ranges::sort(accounts, {}, &AccountOptions::name);
  return accounts;
}

void Comparison::compare_fixed() {
  fixed("Host", running_.host, wanted_.host);
  fixed("Port", running_.port, wanted_.port);
  fixed("ServerName", running_.server_name, wanted_.server_name);
  fixed("NoHeaderSupport", !running_.headers, !wanted_.headers);
  fixed("SystemAccount", running_.system_account, wanted_.system_account);
  fixed("PortsFileDir", running_.ports_file_dir, wanted_.ports_file_dir);
  fixed("Workers", running_.workers, wanted_.workers);
  fixed("IoBackend", running_.io_backend, wanted_.io_backend);
  fixed("VerifierThreads", running_.verifier_threads, wanted_.verifier_threads);
  fixed("CredentialCache", running_.credential_cache, wanted_.credential_cache);
  fixed("CredentialCacheTTL", running_.credential_cache_ttl, wanted_.credential_cache_ttl);
}

void Comparison::compare_log() {
  reloadable("debug", running_.log.debug, wanted_.log.debug);
  reloadable("trace", running_.log.trace, wanted_.log.trace);
  reloadable("logtime", running_.log.time, wanted_.log.time);
  reloadable("logtime_utc", running_.log.utc, wanted_.log.utc);
  reloadable("log_file", running_.log.file, wanted_.log.file);
  reloadable("syslog", running_.log.syslog, wanted_.log.syslog);
  reloadable("max_traced_msg_len", running_.traced_message_max, wanted_.traced_message_max);
}

void Comparison::compare_authorization(bool secrets_differ) {
  const AuthorizationOptions& before = running_.authorization;
  const AuthorizationOptions& after = wanted_.authorization;
  const UserOptions nobody;
  const UserOptions& user_before = before.single_user ? *before.single_user : nobody;
  const UserOptions& user_after = after.single_user ? *after.single_user : nobody;
  const bool has_user = before.single_user || after.single_user;
  const bool has_tokens = !before.tokens.empty() || !after.tokens.empty();
  const auto users_before = users_by_name(before.users, false),
             users_after = users_by_name(after.users, false);
  named("authorization username", user_before.name != user_after.name);
  named("authorization password",
        has_user && (secrets_differ || !are_same(user_before.passwords, user_after.passwords)));
  named("authorization permissions", has_user && !has_same_rights(user_before, user_after));
  named("authorization token", has_tokens && (secrets_differ || !are_same(before.tokens, after.tokens)));
  reloadable("authorization timeout", seconds(before.timeout), seconds(after.timeout));
  named("authorization nkey users",
        !are_same(users_by_name(before.users, true), users_by_name(after.users, true)));
  const bool has_users = !users_before.empty() || !users_after.empty();
  named("authorization users", !are_same(users_before, users_after) || (has_users && secrets_differ));
  reloadable("no_auth_user", before.no_auth_user, after.no_auth_user);
  named("accounts", !are_same(accounts_by_name(running_.accounts), accounts_by_name(wanted_.accounts)));
}

// nats-server, too, refuses to change the fixed ones.
void Comparison::compare_tls(bool files_differ) {
  const TlsOptions none;
  const bool was_on = running_.tls.has_value(), is_on = wanted_.tls.has_value();
  const TlsOptions& before = was_on ? *running_.tls : none;
  const TlsOptions& after = is_on ? *wanted_.tls : none;
  fixed("TLSMap", before.maps_users, after.maps_users);
  fixed("TLSRateLimit", before.handshakes_per_second, after.handshakes_per_second);
  fixed("AllowNonTLS", running_.allow_non_tls, wanted_.allow_non_tls);
  if (was_on != is_on || !has_same_material(before, after) || (is_on && files_differ))
    plan.changed.emplace_back(is_on ? "tls = enabled" : "tls = disabled");
  reloadable("tls timeout", seconds(before.timeout), seconds(after.timeout));
  if (before.pinned_certs != after.pinned_certs)
    plan.changed.push_back(fmt::format("{} pinned_certs", after.pinned_certs.size()));
  if (before.is_handshake_first != after.is_handshake_first) {
    plan.changed.push_back(fmt::format("Client TLS handshake first: {}", after.is_handshake_first));
  }
  if (before.handshake_first_fallback != after.handshake_first_fallback) {
    plan.changed.push_back(
        fmt::format("Client TLS handshake first fallback delay: {}", shown(after.handshake_first_fallback)));
  }
}

void Comparison::compare_limits() {
  reloadable("max_connections", running_.connections_max, wanted_.connections_max);
  reloadable("max_subscriptions", running_.subscriptions_max, wanted_.subscriptions_max);
  reloadable("max_sub_tokens", running_.subject_tokens_max, wanted_.subject_tokens_max);
  reloadable("max_control_line", running_.control_line_max, wanted_.control_line_max);
  reloadable("max_payload", running_.payload_max, wanted_.payload_max);
  reloadable("max_pending", running_.pending_max, wanted_.pending_max);
  reloadable("write_deadline", running_.write_deadline, wanted_.write_deadline);
  reloadable("ping_interval", running_.ping_interval, wanted_.ping_interval);
  reloadable("ping_max", running_.pings_max, wanted_.pings_max);
  reloadable("disable_short_first_ping", !running_.short_first_ping, !wanted_.short_first_ping);
  reloadable("no_fast_producer_stall", !running_.stall_fast_producers, !wanted_.stall_fast_producers);
}

void Comparison::compare_rest() {
  const auto advertised = [](const Options& options) {
    if (options.advertised_port == 0) return options.advertised_host;
    return fmt::format("{}:{}", options.advertised_host, options.advertised_port);
  };
  reloadable("client_advertise", advertised(running_), advertised(wanted_));
  reloadable("pid_file", running_.pid_file, wanted_.pid_file);
  const auto backoff = [](const LoginBackoffOptions& options) {
    return options.is_enabled ? fmt::format("failures {}, wait {}, wait_max {}", options.failures_free,
                                            shown(options.wait), shown(options.wait_max))
                              : std::string("false");
  };
  reloadable("login_backoff", backoff(running_.login_backoff), backoff(wanted_.login_backoff));
  reloadable("audit_log", running_.audit_log, wanted_.audit_log);
}

}  // namespace

ReloadPlan plan_reload(const Options& running, const Options& wanted, bool secrets_differ,
                       bool tls_files_differ) {
  Comparison comparison(running, wanted);
  comparison.compare_fixed();
  comparison.compare_log();
  comparison.compare_authorization(secrets_differ);
  comparison.compare_tls(tls_files_differ);
  comparison.compare_limits();
  comparison.compare_rest();
  return std::move(comparison.plan);
}

}  // namespace nuncio::config
