#include "core/config/load.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "core/config/field_reader.h"
#include "core/config/findings.h"
#include "core/config/options_reader.h"
#include "core/config/sources.h"
#include "core/log.h"

namespace nuncio::config {
namespace {

const Position flags;  // where a finding about the command line stands

template <typename Value, typename Target>
void override(const std::optional<Value>& flag, Target& target) {
  if (flag) target = static_cast<Target>(*flag);
}

void apply_plain_flags(const CommandLine& line, FileOptions& file, Findings& findings) {
  Options& options = file.options;
  override(line.host, options.host);
  override(line.server_name, options.server_name);
  override(line.client_advertise, file.client_advertise);
  override(line.pid_file, options.pid_file);
  override(line.ports_file_dir, options.ports_file_dir);
  override(line.log_file, options.log.file);
  override(line.debug, options.log.debug);
  override(line.trace, options.log.trace);
  override(line.log_time, options.log.time);
  override(line.log_utc, options.log.utc);
  override(line.syslog, options.log.syslog);
  if (line.server_name) file.positions.erase("server_name");
  if (line.client_advertise) file.positions.erase("client_advertise");
  if (line.traced_message_max) {
    const int64_t number = std::clamp<int64_t>(*line.traced_message_max, 0, INT32_MAX);
    options.traced_message_max = static_cast<uint32_t>(number);
  }
  if (line.port) {
    if (*line.port < -1 || *line.port > port_max) {
      findings.error(flags, fmt::format("the port must be between -1 and {}", port_max));
    } else {
      options.port = *line.port == 0 ? port_default : static_cast<int>(*line.port);
    }
  }
  if (line.workers) {
    if (*line.workers < 0 || *line.workers > 64) {
      findings.error(flags, "the number of workers must be between 1 and 64, or 0 for one per core");
    } else {
      options.workers = static_cast<uint32_t>(*line.workers);
    }
  }
  if (line.io_backend) {
    const auto backend = parse_io_backend(*line.io_backend);
    if (!backend) findings.error(flags, "io_backend must be auto, io_uring or epoll");
    if (backend) options.io_backend = *backend;
  }
}

// Flags replace what the file has for the same keys (CF-70).
void apply_user_flags(const CommandLine& line, FileOptions& file, Findings& findings) {
  AuthorizationOptions& authorization = file.options.authorization;
  if ((line.user || line.password) && !authorization.single_user) authorization.single_user.emplace();
  if (line.user) {
    if (line.user->empty()) findings.error(flags, "--user is empty, which would let everybody in");
    authorization.single_user->name = *line.user;
    authorization.single_user->position = flags.text();
  }
  if (line.password) {
    authorization.single_user->passwords = {{.text = *line.password, .position = flags.text()}};
  }
  if (line.token) {
    if (line.token->empty()) findings.error(flags, "--auth is empty, which would let everybody in");
    authorization.tokens.clear();
    if (!line.token->empty()) authorization.tokens.push_back({.text = *line.token, .position = flags.text()});
  }
}

void switch_off_tls(FileOptions& file, Findings& findings) {
  Options& options = file.options;
  if (options.tls && options.tls->maps_users) {
    findings.error(
        flags,
        "--tls=false leaves no way to log in: verify_and_map in the file says that clients are known "
        "by their certificates");
  }
  options.tls.reset();
  options.allow_non_tls = false;
  file.tls_revocation_file.clear();
}

// Of the file's block, flags replace what they give. nats-server keeps only some of the rest (its `timeout`,
// `verify_and_map` and `pinned_certs`) and loses, without a word, that clients are verified and by whom.
void apply_tls_flags(const CommandLine& line, FileOptions& file, Findings& findings) {
  std::optional<TlsOptions>& tls = file.options.tls;
  if (line.tls && !*line.tls) return switch_off_tls(file, findings);
  if (!line.tls && !line.tls_verify && !line.tls_cert && !line.tls_key && !line.tls_ca_cert) return;
  if (!tls) tls.emplace().position = flags.text();
  if (line.tls_cert || line.tls_key || (tls->pairs.empty() && !file.has_bad_tls)) {
    TlsOptions::KeyPair pair{line.tls_cert.value_or(""), line.tls_key.value_or(""), flags.text()};
    if (pair.cert_file.empty()) {
      findings.error(flags, "TLS Server certificate must be present and valid: --tlscert is missing");
    } else if (pair.key_file.empty()) {
      findings.error(flags, "TLS Server private key must be present and valid: --tlskey is missing");
    }
    tls->pairs = {std::move(pair)};
  }
  override(line.tls_verify, tls->is_verifying);
  override(line.tls_ca_cert, tls->ca_file);
  if (tls->maps_users && !tls->is_verifying)
    findings.error(flags, "--tlsverify=false contradicts verify_and_map in the file");
}

// Settles mixtures of flags and file so that at most one way to log in is left (AU-12), and refuses what
// nats-server would run without any authentication (AU-13). What is refused is taken
// out as well, so that whoever judges the rest does not complain about it again.
void settle_authorization(const CommandLine& line, FileOptions& file, Findings& findings) {
  AuthorizationOptions& authorization = file.options.authorization;
  const bool has_users = !authorization.users.empty() || file.has_bad_users;
  const bool has_user_flags = line.user || line.password;
  const bool has_user = authorization.single_user && !authorization.single_user->name.empty();
  const bool has_token = !authorization.tokens.empty();
  if (has_users && line.token) {
    findings.error(flags, "Can not have a token and a users array: --auth is given and the file has users");
  }
  if (has_users && has_user_flags) {
    findings.warning(flags, "--user and --pass are ignored: the users array of the file decides");
  } else if (has_token && (has_user || line.password) && (has_user_flags || line.token)) {
    findings.warning(flags, fmt::format("the token (from {}) decides, user and password are ignored",
                                        authorization.tokens.front().position));
  } else if (line.password && !line.user && !has_user) {
    findings.error(flags, "--pass is given without a user, which would let everybody in");
  } else if (file.positions.contains("password") && !file.positions.contains("user") && !has_user &&
             !has_token && !has_users) {
    findings.error(file.position("password"),
                   "a password is given without a user, which would let everybody in");
  }
  if (has_users) authorization.tokens.clear();
  if (!has_user || has_users || has_token) authorization.single_user.reset();
  if (file.positions.contains("authorization") && !authorization.is_required() && findings.errors.empty()) {
    findings.warning(file.position("authorization"), "this block asks for nothing: everybody may connect");
  }
}

// Which users certificates can be mapped to (AU-38). Without any at all, nats-server lets everybody in who
// has a certificate.
void settle_certificate_users(FileOptions& file, Findings& findings) {
  TlsOptions& tls = *file.options.tls;
  AuthorizationOptions& authorization = file.options.authorization;
  const Position at = file.position("tls");
  authorization.maps_certificates = tls.maps_users;
  if (!tls.maps_users || file.has_bad_users) return;
  if (!authorization.is_required()) {
    findings.error(at,
                   "verify_and_map needs a users array: without, every certificate would let its client in");
  } else if (authorization.users.empty()) {
    findings.warning(at, fmt::format("verify_and_map maps to nobody without a users array: the {} decides",
                                     authorization.single_user ? "user and password" : "token"));
    tls.maps_users = authorization.maps_certificates = false;
  }
}

void check_verification(const FileOptions& file, Findings& findings) {
  const TlsOptions& tls = *file.options.tls;
  const Position at = file.position("tls");
  if (!tls.is_verifying && !tls.pinned_certs.empty()) {
    findings.error(at, "pinned_certs without verify would let nobody in: no client gives a certificate");
  } else if (!tls.is_verifying && !tls.ca_file.empty()) {
    findings.warning(at, "ca_file has no effect without verify");
  } else if (tls.is_verifying && tls.ca_file.empty()) {
    findings.warning(at,
                     "clients are verified by the authorities that this system trusts, because no ca_file is "
                     "given: anybody can get such a certificate");
  }
}

void check_allow_non_tls(const FileOptions& file, Findings& findings) {
  const std::optional<TlsOptions>& tls = file.options.tls;
  const Position at = file.position("allow_non_tls");
  if (!file.options.allow_non_tls) return;
  if (!tls) {
    findings.warning(at, "allow_non_tls has no effect without a tls block");
  } else if (tls->is_handshake_first && tls->handshake_first_fallback == Nanoseconds(0)) {
    findings.warning(at, "allow_non_tls has no effect with \"handshake_first: true\"");
  } else if (tls->is_verifying) {
    findings.warning(at, "allow_non_tls lets clients in without TLS and so without a certificate");
  }
}

// After settle_authorization.
void settle_tls(FileOptions& file, Findings& findings) {
  std::optional<TlsOptions>& tls = file.options.tls;
  if (file.has_bad_tls) tls.reset();
  if (file.has_bad_tls) return;
  if (!file.tls_revocation_file.empty() && !(tls && tls->is_verifying)) {
    findings.error(file.position("tls_revocation_file"),
                   "tls_revocation_file needs a tls block that verifies clients");
  }
  check_allow_non_tls(file, findings);
  if (!tls) return;
  if (tls->pairs.empty()) findings.error(file.position("tls"), "the tls block needs cert_file and key_file");
  tls->revocation_file = file.tls_revocation_file;
  check_verification(file, findings);
  settle_certificate_users(file, findings);
  // Who takes long for the handshake still has a second for CONNECT (CF-47).
  if (!file.positions.contains("timeout"))
    file.options.authorization.timeout = tls->timeout + std::chrono::seconds(1);
}

// The permissions of the block hold for its users. nats-server does not apply them to a single user and says
// nothing.
void apply_default_permissions(FileOptions& file, Findings& findings) {
  AuthorizationOptions& authorization = file.options.authorization;
  const Position at = file.position("permissions");
  if (!file.default_permissions) return;
  if (authorization.single_user) {
    authorization.single_user->permissions = file.default_permissions;
    findings.warning(
        at, fmt::format("these permissions hold for user {}; nats-server applies them only to a users array",
                        log::quoted(authorization.single_user->name)));
  } else if (authorization.users.empty()) {
    findings.warning(at, "these permissions hold for nobody: there are no users");
  }
}

// Users of accounts exclude other ways to log in like those of the block (CF-42); without any the server
// would be open (CF-46).
void check_users_of_accounts(FileOptions& file, Findings& findings) {
  const AuthorizationOptions& authorization = file.options.authorization;
  const auto complain = [&](std::string_view what, std::string_view key) {
    findings.error(file.position("account_users"),
                   fmt::format("Can not have a {} and a users array (the {} is at {})", what, key,
                               file.position(key).text()));
  };
  if (file.positions.contains("account_users")) {
    if (file.positions.contains("token")) complain("token", "token");
    if (file.positions.contains("user")) {
      complain("single user/pass", "user");
    } else if (file.positions.contains("password")) {
      complain("single user/pass", "password");
    }
    return;
  }
  if (authorization.is_required() || file.has_bad_users) return;
  if (file.positions.contains("empty_users")) {
    findings.error(file.position("empty_users"), "the users array is empty, which would let everybody in");
  } else if (file.positions.contains("accounts") && findings.errors.empty()) {
    findings.warning(file.position("accounts"),
                     "there are no users: everybody may connect, in the account \"$G\"");
  }
}

// Whoever judges how accounts fit each other (AU-60) would complain about what was refused, too.
void forget_bad_accounts(FileOptions& file) {
  if (!file.has_bad_accounts) return;
  file.options.accounts.clear();
  file.options.system_account.clear();
}

void check_no_auth_user(FileOptions& file, Findings& findings) {
  AuthorizationOptions& authorization = file.options.authorization;
  const std::string name = authorization.no_auth_user;
  const bool is_known = std::ranges::any_of(authorization.users, [&](const UserOptions& user) {
    return (user.nkey.empty() ? user.name : user.nkey) == name;
  });
  if (name.empty() || is_known) return;
  authorization.no_auth_user.clear();
  const Position at = file.position("no_auth_user");
  if (file.has_bad_users) return;  // it may be one of those
  if (authorization.users.empty()) {
    findings.error(at, fmt::format("no_auth_user: {} present, but users are not defined", log::quoted(name)));
  } else {
    findings.error(
        at, fmt::format("no_auth_user: {} not present as user in authorization block", log::quoted(name)));
  }
}

void check_names(const FileOptions& file, Findings& findings) {
  const Options& options = file.options;
  const auto is_blank = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; };
  if (std::ranges::any_of(options.server_name, is_blank)) {
    findings.error(file.position("server_name"), "server_name must not contain blanks");
  }
}

// The port may be missing, or be none that a client could use: then it is the one listened on.
void settle_advertised(FileOptions& file, Findings& findings) {
  std::string text = file.client_advertise;
  if (text.empty()) return;
  if (text.ends_with(']') || text.find(':') == std::string::npos) text += ":0";
  const auto address = parse_host_port(text);
  if (!address || address->host.empty() || address->port < -1 || address->port > port_max) {
    findings.error(file.position("client_advertise"), "client_advertise must be host or host:port");
    return;
  }
  file.options.advertised_host = address->host;
  file.options.advertised_port = std::max(0, static_cast<int>(address->port));
}

void check_limits(const FileOptions& file, Findings& findings) {
  const Options& options = file.options;
  if (options.payload_max <= options.pending_max) return;
  const std::string_view culprit = file.positions.contains("max_payload") ? "max_payload" : "max_pending";
  findings.error(file.position(culprit),
                 fmt::format("max_payload ({}) cannot be higher than max_pending ({})", options.payload_max,
                             options.pending_max));
}

void check_file_modes(const FieldReader& reader, const Options& options, Findings& findings) {
  std::set<std::string> names = reader.files_with_secrets();
  if (options.tls) {
    for (const TlsOptions::KeyPair& pair : options.tls->pairs) names.insert(pair.key_file);
  }
  for (const std::string& name : names) {
    struct stat status {};
    if (::stat(name.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || (status.st_mode & S_IROTH) == 0)
      continue;
    findings.warning({std::make_shared<const std::string>(name), 0, 0},
                     fmt::format("the file holds secrets and everybody can read it (mode {:04o})",
                                 static_cast<unsigned>(status.st_mode & 07777)));
  }
}

}  // namespace

LoadedOptions load_options(const CommandLine& line) {
  Findings findings;
  FieldReader reader(findings);
  FileOptions file;
  bool is_readable = true;
  if (!line.config_file.empty()) {
    const auto tree = Sources(findings).read(line.config_file);
    is_readable = tree.has_value();
    if (tree) file = read_options(*tree, reader);
    file.options.config_file = line.config_file;
    file.options.config_digest = reader.digest();
  }
  if (is_readable) {
    apply_plain_flags(line, file, findings);
    apply_user_flags(line, file, findings);
    apply_tls_flags(line, file, findings);
    check_users_of_accounts(file, findings);
    settle_authorization(line, file, findings);
    apply_default_permissions(file, findings);
    check_no_auth_user(file, findings);
    settle_tls(file, findings);
    forget_bad_accounts(file);
    check_names(file, findings);
    check_limits(file, findings);
    settle_advertised(file, findings);
    check_file_modes(reader, file.options, findings);
  }
  return {std::move(file.options), std::move(findings.errors), std::move(findings.warnings),
          findings.has_deprecated};
}

CheckReport check_report(const CommandLine& line, const LoadedOptions& loaded) {
  CheckReport report;
  for (const std::string& text : loaded.errors) report.text += text + '\n';
  for (const std::string& text : loaded.warnings) report.text += text + '\n';
  if (!loaded.errors.empty() || loaded.has_deprecated) {
    report.exit_code = 1;
  } else {
    report.text += fmt::format("{}: configuration file {} is valid ({})\n", line.program, line.config_file,
                               loaded.options.config_digest);
  }
  return report;
}

}  // namespace nuncio::config
