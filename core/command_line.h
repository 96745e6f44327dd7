// The command line of nats-server (CF-67 … CF-78), plus `--workers` and `--io_backend`. Says what is asked
// for, reads no file; config/load.h makes options of it. One thread, before any other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/secret.h"

namespace nuncio {

struct CommandLine {
  enum class Action : uint8_t {
    serve,
    check,        // -t: check the configuration file and exit
    help,         // print usage() on standard output, exit 0
    help_tls,     // print tls_usage() on standard output, exit 0
    version,      // print version_line() on standard output, exit 0
    signal,       // send signal_number to signal_target
    reload_plan,  // ask signal_target what a reload would do, print it on standard output (OP-36)
    refuse,       // print `error` (and usage() if asked for) on standard error, exit with exit_code
  };

  Action action = Action::serve;
  std::string program;  // the file name of argv[0]

  std::string error;
  bool is_usage_shown = false;
  int exit_code = 0;

  int signal_number = 0;
  std::string signal_target;  // a PID, a PID file, or empty: the only process of this name

  // What was given, to override the file.
  std::string config_file;  // empty: none
  std::optional<std::string> host, server_name, client_advertise, pid_file, ports_file_dir, log_file,
      io_backend;
  std::optional<std::string> user;
  std::optional<Secret> password, token;
  std::optional<int64_t> port, workers, traced_message_max;
  std::optional<bool> debug, trace, log_time, log_utc, syslog;
  std::optional<bool> tls, tls_verify;
  std::optional<std::string> tls_cert, tls_key, tls_ca_cert;
};

CommandLine parse_command_line(int argc, const char* const* argv);

// Overwrites the values of flags that hold secrets in argv itself, so that the process list does not show
// them (AU-45). Call it after parse_command_line.
void scrub_secrets(int argc, char** argv);

std::string usage(std::string_view program);
// How to write a `tls` block, and what it may name (CF-79).
std::string tls_usage();
// Name, version, and the level of nats-server that is followed (CF-73).
std::string version_line();

}  // namespace nuncio
