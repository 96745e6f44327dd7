// The validated options of one server: what the configuration file and the command line together ask for. A
// plain value, immutable once published. Every field holds its default here; durations are nanoseconds, sizes
// bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/log.h"
#include "core/secret.h"

namespace nuncio {

using Nanoseconds = std::chrono::nanoseconds;

enum class IoBackend : uint8_t { automatic, io_uring, epoll };

// A password or token as configured, plain text or hash. Several may be valid at once, so that secrets are
// changed without a gap (AU-72).
struct SecretOptions {
  Secret text = {};
  std::string position = {};  // "file:line:col" or "command line", for messages
  std::string label = {};     // what logs call it; empty: its place in the list
  // When it may be used to log in.
  std::optional<std::chrono::system_clock::time_point> not_before = {}, not_after = {};
};

// Subjects that may be used. Without `allow` all that `deny` does not name; an empty `allow` admits nothing.
struct SubjectRules {
  std::optional<std::vector<std::string>> allow;
  std::vector<std::string> deny;  // for subscribing, entries may be "subject queue" (AU-52)
};

// Publishes to the reply subjects of messages that were delivered (AU-53).
struct ResponseRules {
  int64_t max = 1;                                // for each reply subject; negative: no limit
  Nanoseconds expires = std::chrono::minutes(2);  // negative: never
};

// What a user may do; all subjects in it are valid (CF-49, CF-50).
struct PermissionOptions {
  SubjectRules publish, subscribe;
  std::optional<ResponseRules> responses;
};

// How a client is connected; bits, for allowed_connection_types (CF-52).
enum class ConnectionType : uint8_t {
  standard = 1,
  websocket = 2,
  leafnode = 4,
  leafnode_websocket = 8,
  mqtt = 16,
  mqtt_websocket = 32,
  in_process = 64
};

// One entry of a `users` list, of the block `authorization` or of an account.
struct UserOptions {
  std::string name;                      // empty for an nkey
  std::string nkey;                      // "U…", or empty
  std::vector<SecretOptions> passwords;  // none: the empty password (AU-15)
  // The default_permissions of its block or account, when it has none; without any it may do everything
  // (AU-55).
  std::optional<PermissionOptions> permissions;
  uint8_t connection_types = 0;  // bits of ConnectionType; 0: all
  std::string account = "$G";
  std::string position;  // "file:line:col", for messages
};

// Who may log in. At most one of {single_user, tokens, users} is set: the mixtures of flags and file that
// AU-12 allows have been settled, with a warning, when the options were loaded.
struct AuthorizationOptions {
  std::optional<UserOptions> single_user;
  std::vector<SecretOptions> tokens;
  std::vector<UserOptions> users;  // of the block and of all accounts
  std::string no_auth_user;        // a user's name or an nkey; empty: none
  bool maps_certificates = false;  // a client's certificate says which user it is (TlsOptions::maps_users)
  Nanoseconds timeout = std::chrono::seconds(2);

  bool is_required() const { return single_user || !tokens.empty() || !users.empty(); }
  void clear_secrets();  // once the auth table has been made of them
};

// What an account offers to others (AU-59).
struct ExportOptions {
  bool is_service = false;  // else a stream
  std::string subject;
  bool is_public = true;  // else for `accounts` only
  std::vector<std::string> accounts;
  // Which token of the subject, from 1, must be the importer's name; 0: none.
  uint32_t account_token_position = 0;
  enum class Response : uint8_t { singleton, stream, chunked } response = Response::singleton;
  Nanoseconds response_threshold = std::chrono::minutes(2);  // then an unanswered request is forgotten
  std::string position;
};

// What an account takes from another (AU-60).
struct ImportOptions {
  bool is_service = false;     // else a stream
  std::string account;         // who exports it
  std::string subject;         // there
  std::string to;              // here: stream `to` or `prefix.subject`, service `to`; empty: as there
  bool shares_client = false;  // `share` (AU-64)
  std::string position;
};

// Another subject for what is published on `source` (AU-63). Weights are percent, their sum ≤ 100 for each
// cluster name; the rest keeps its subject.
struct MappingOptions {
  struct Destination {
    std::string subject;
    uint32_t weight = 100;
    std::string cluster;  // only when this server is in that cluster; empty: everywhere
  };
  std::string source;
  std::vector<Destination> destinations;
  std::string position;
};

struct AccountOptions {
  std::string name;
  std::vector<ExportOptions> exports;
  std::vector<ImportOptions> imports;
  std::vector<MappingOptions> mappings;
  // On this server (AU-62), subscriptions and payload of each connection; negative: no limit.
  int64_t connections_max = -1, subscriptions_max = -1, payload_max = -1;
  std::string position;
};

enum class TlsVersion : uint8_t { tls_1_2, tls_1_3 };

// A block `tls { … }` (CF-58). Says what is asked for; whether files and library can give it is judged when
// they are loaded. Paths are as configured.
struct TlsOptions {
  struct KeyPair {
    std::string cert_file, key_file;  // PEM; the certificate may be followed by its chain
    std::string position = {};        // for messages, as below

    friend bool operator==(const KeyPair&, const KeyPair&) = default;
  };
  std::vector<KeyPair> pairs;  // at least one; of several the client's server name and algorithms choose
  std::string ca_file;         // whom clients' certificates are verified by; empty: the system's
  std::string revocation_file;  // certificate revocation lists, PEM; empty: none
  bool is_verifying = false;    // clients must give a certificate: `verify`, and with every kind of mapping
  bool maps_users = false;      // `verify_and_map` (AU-38)
  Nanoseconds timeout = std::chrono::seconds(2);  // of a handshake
  // By preference, canonical names of core/tls_names.h; empty: the default.
  std::vector<std::string> cipher_suites, curves;
  TlsVersion version_min = TlsVersion::tls_1_2;
  std::vector<std::string> pinned_certs;  // lower-case hex SHA-256 of key infos (AU-39); empty: any
  bool is_handshake_first = false;        // TLS before INFO
  // When nothing has come by then, INFO is sent in clear after all; zero: never.
  Nanoseconds handshake_first_fallback{0};
  uint32_t handshakes_per_second = 0;  // `connection_rate_limit`; 0: no limit
  std::string position;                // "file:line:col" or "command line", for messages

  friend bool operator==(const TlsOptions&, const TlsOptions&) = default;
};

// Back-off of logins that fail again and again (AU-74), per user and source network.
struct LoginBackoffOptions {
  bool is_enabled = true;
  uint32_t failures_free = 10;                 // in a row, before the first wait
  Nanoseconds wait = std::chrono::seconds(1);  // the first one; doubled with each further failure
  Nanoseconds wait_max = std::chrono::minutes(1);
};

struct Options {
  std::string config_file;    // empty: none
  std::string config_digest;  // "sha256:…" of the parsed file without its secrets, or empty

  std::string host = "0.0.0.0";
  int port = 4222;              // -1: one the kernel chooses
  std::string advertised_host;  // what INFO tells clients (client_advertise); empty: `host`
  int advertised_port = 0;      // 0: the one listened on
  std::string server_name;      // empty: the server id

  uint32_t connections_max = 65536;
  uint64_t subscriptions_max = 0;   // per connection; 0: no limit
  uint32_t subject_tokens_max = 0;  // of a SUB; 0: no limit
  uint32_t control_line_max = 4096;
  uint32_t payload_max = 1024 * 1024;
  uint64_t pending_max = 64ull * 1024 * 1024;
  Nanoseconds write_deadline = std::chrono::seconds(10);
  Nanoseconds ping_interval = std::chrono::minutes(2);
  uint32_t pings_max = 2;  // unanswered
  bool short_first_ping = true;
  bool headers = true;  // false: no_header_support
  bool stall_fast_producers = true;
  uint32_t traced_message_max = 0;  // bytes of a payload shown in traces; 0: all

  std::optional<TlsOptions> tls;  // of the client listener; none: plain text
  bool allow_non_tls = false;     // plain text as well (CF-59)

  AuthorizationOptions authorization;
  std::vector<AccountOptions>
      accounts;                // as configured; those of the default account's mappings included as "$G"
  std::string system_account;  // empty: "$SYS"

  log::Settings log;
  std::string pid_file;
  std::string ports_file_dir;

  // The block `nuncio { … }`: what nats-server does not have (CF-65).
  uint32_t workers = 0;  // 1…64; 0: one per core
  IoBackend io_backend = IoBackend::automatic;
  uint32_t verifier_threads = 0;  // 0: max(1, cores / 2)
  bool credential_cache = true;
  Nanoseconds credential_cache_ttl = std::chrono::minutes(10);
  LoginBackoffOptions login_backoff;
  std::string audit_log;  // a file, or "syslog"; empty: none (AU-75)
};

}  // namespace nuncio
