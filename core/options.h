// The validated options of one server: what the configuration file and the command line together ask for. A plain
// value, immutable once published. Every field holds its default here; durations are nanoseconds, sizes bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/log.h"
#include "core/secret.h"

namespace nuncio {

using Nanoseconds = std::chrono::nanoseconds;

enum class IoBackend : uint8_t { automatic, io_uring, epoll };

// One entry of `authorization.users`.
struct UserOptions {
  std::string name;
  Secret password;                // plain text or hash, as configured
  std::string position;           // "file:line:col", for messages
};

// Who may log in. At most one of {user, token, users} is set: the mixtures of flags and file that AU-12 allows have been
// settled, with a warning, when the options were loaded.
struct AuthorizationOptions {
  bool has_user = false;          // a single user is configured (its password may be empty)
  std::string user;
  Secret password;
  std::string user_position;      // "file:line:col" or "command line", for messages
  bool has_token = false;
  Secret token;
  std::string token_position;
  std::vector<UserOptions> users;
  std::string no_auth_user;       // empty: none
  Nanoseconds timeout = std::chrono::seconds(2);

  bool is_required() const { return has_user || has_token || !users.empty(); }
};

struct Options {
  std::string config_file;        // empty: none
  std::string config_digest;      // "sha256:…" of the parsed file without its secrets, or empty

  std::string host = "0.0.0.0";
  int port = 4222;                // -1: one the kernel chooses
  std::string advertised_host;    // what INFO tells clients (client_advertise); empty: `host`
  int advertised_port = 0;        // 0: the one listened on
  std::string server_name;        // empty: the server id

  uint32_t connections_max = 65536;
  uint64_t subscriptions_max = 0; // per connection; 0: no limit
  uint32_t subject_tokens_max = 0;// of a SUB; 0: no limit
  uint32_t control_line_max = 4096;
  uint32_t payload_max = 1024 * 1024;
  uint64_t pending_max = 64ull * 1024 * 1024;
  Nanoseconds write_deadline = std::chrono::seconds(10);
  Nanoseconds ping_interval = std::chrono::minutes(2);
  uint32_t pings_max = 2;         // unanswered
  bool short_first_ping = true;
  bool headers = true;            // false: no_header_support
  bool stall_fast_producers = true;
  uint32_t traced_message_max = 0;// bytes of a payload shown in traces; 0: all

  AuthorizationOptions authorization;

  log::Settings log;
  std::string pid_file;
  std::string ports_file_dir;

  // The block `nuncio { … }`: what nats-server does not have (CF-65).
  uint32_t workers = 0;           // 1…64; 0: one per core
  IoBackend io_backend = IoBackend::automatic;
  uint32_t verifier_threads = 0;  // 0: max(1, cores / 2)
  bool credential_cache = true;
  Nanoseconds credential_cache_ttl = std::chrono::minutes(10);
};

}  // namespace nuncio
