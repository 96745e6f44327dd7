// The composition root: command line to options, options to a running server, signals to its end.
#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "auth/auth_table.h"
#include "core/command_line.h"
#include "core/config/load.h"
#include "core/log.h"
#include "core/options.h"
#include "core/runtime_file.h"
#include "core/send_signal.h"
#include "core/start_check.h"
#include "net/server.h"

namespace {

using namespace nuncio;

// Descriptors beside one per connection: rings, events, listener, log, standard streams.
constexpr rlim_t descriptors_spare = 256;

void raise_descriptors(const Options& options) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= options.connections_max + descriptors_spare) return;
  log::warn("The limit of {} open files is too low for max_connections {}: {} more are needed",
            limit.rlim_cur, options.connections_max,
            options.connections_max + descriptors_spare - limit.rlim_cur);
}

// AU-46: no core file and no debugger may see the secrets. LeakSanitizer needs to look into its own process.
void protect_memory() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  prctl(PR_SET_DUMPABLE, 0);
#endif
}

// glibc's defaults hurt a server with bursts: fast bins make one free() take 100 ms when very many small
// pieces were freed before it, and buffers above 128 KiB are mapped and unmapped each time, a page fault for
// every 4 KiB of them.
void tame_malloc() {
  mallopt(M_MXFAST, 0);
  mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024);
  mallopt(M_TRIM_THRESHOLD, 64 * 1024 * 1024);
}

sigset_t block_signals() {
  signal(SIGPIPE, SIG_IGN);
  sigset_t handled;
  sigemptyset(&handled);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) sigaddset(&handled, number);
  pthread_sigmask(SIG_BLOCK, &handled, nullptr);  // before the threads, which inherit it
  return handled;
}

// Until INT or TERM (OP-2).
void wait_for_end(const sigset_t& handled) {
  for (;;) {
    int number = 0;
    sigwait(&handled, &number);
    log::debug("Trapped {} signal", sigdescr_np(number));
    switch (number) {
      case SIGUSR1:
        log::reopen();
        log::info("File log re-opened");
        break;
      case SIGHUP:
        log::error("Reloading the configuration is not supported by this version");
        break;
      case SIGUSR2:
        log::error("Lame duck mode is not supported by this version");
        break;
      default:
        return;
    }
  }
}

std::string ports_text(const net::Server& server) {
  const nlohmann::json ports{{"nats", {fmt::format("nats://{}:{}", server.options.host, server.port())}}};
  return ports.dump(2);
}

void log_start(const net::Server& server, const std::vector<std::string>& warnings) {
  log::info("Starting nuncio-server");
  log::info("  Version:  {} (follows nats-server {})", NUNCIO_VERSION, followed_version);
  log::info("  Git:      [{}]", NUNCIO_GIT);
  log::info("  Name:     {}",
            server.options.server_name.empty() ? server.server_id : server.options.server_name);
  log::info("  ID:       {}", server.server_id);
  if (!server.options.config_file.empty())
    log::info("Using configuration file: {}", server.options.config_file);
  for (const std::string& warning : warnings) log::warn("{}", warning);
}

// Adds what only the auth table finds (hashes) to what the configuration reader found.
std::shared_ptr<const auth::AuthTable> make_table(config::LoadedOptions& loaded) {
  auth::AuthTable::Findings findings;
  auto table = auth::AuthTable::make(loaded.options.authorization, findings);
  loaded.errors.insert(loaded.errors.end(), findings.errors.begin(), findings.errors.end());
  loaded.warnings.insert(loaded.warnings.end(), findings.warnings.begin(), findings.warnings.end());
  return table;
}

int check(const CommandLine& command_line) {
  config::LoadedOptions loaded = config::load_options(command_line);
  make_table(loaded);
  for (std::string& obstacle : find_start_obstacles(loaded.options))
    loaded.errors.push_back(std::move(obstacle));
  const config::CheckReport report = config::check_report(command_line, loaded);
  std::fputs(report.text.c_str(), stderr);
  return report.exit_code;
}

int serve(CommandLine& command_line) {
  config::LoadedOptions loaded = config::load_options(command_line);
  auto table = make_table(loaded);
  if (!loaded.errors.empty()) {
    for (const std::string& error : loaded.errors) {
      std::fprintf(stderr, "%s: %s\n", command_line.program.c_str(), error.c_str());
    }
    return EXIT_FAILURE;
  }
  Options& options = loaded.options;
  // The table has what it needs of them.
  command_line.password.reset();
  command_line.token.reset();
  options.authorization.clear_secrets();
  const sigset_t handled = block_signals();
  if (const std::string problem = log::start(options.log); !problem.empty()) {
    std::fprintf(stderr, "nuncio-server: %s\n", problem.c_str());
    return EXIT_FAILURE;
  }
  protect_memory();
  tame_malloc();
  net::Server server(options, std::move(table));
  log_start(server, loaded.warnings);
  raise_descriptors(options);

  RuntimeFile pid_file, ports_file;
  std::string problem = server.start();
  if (problem.empty() && !options.pid_file.empty())
    problem = pid_file.write(options.pid_file, std::to_string(getpid()));
  if (problem.empty() && !options.ports_file_dir.empty()) {
    const std::string path =
        fmt::format("{}/{}_{}.ports", options.ports_file_dir, command_line.program, getpid());
    problem = ports_file.write(path, ports_text(server));
  }
  if (!problem.empty()) {
    log::fatal("{}", problem);
    return EXIT_FAILURE;
  }
  log::info("Server is ready");
  wait_for_end(handled);
  log::info("Initiating Shutdown...");
  server.stop();
  log::info("Server Exiting..");
  return EXIT_SUCCESS;
}

int run(CommandLine& command_line) {
  switch (command_line.action) {
    case CommandLine::Action::serve:
      return serve(command_line);
    case CommandLine::Action::check:
      return check(command_line);
    case CommandLine::Action::help:
      std::fputs(usage(command_line.program).c_str(), stdout);
      return EXIT_SUCCESS;
    case CommandLine::Action::version:
      std::printf("%s\n", version_line().c_str());
      return EXIT_SUCCESS;
    case CommandLine::Action::signal: {
      const std::string problem = send_signal(command_line.signal_number, command_line.signal_target);
      if (!problem.empty()) std::fprintf(stderr, "%s: %s\n", command_line.program.c_str(), problem.c_str());
      return problem.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    case CommandLine::Action::reload_plan:
      std::fprintf(stderr, "%s: --reload-plan is not supported yet\n", command_line.program.c_str());
      return EXIT_FAILURE;
    case CommandLine::Action::refuse:
      break;
  }
  std::fprintf(stderr, "%s\n", command_line.error.c_str());
  if (command_line.is_usage_shown) std::fputs(usage(command_line.program).c_str(), stderr);
  return command_line.exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  CommandLine command_line = parse_command_line(argc, argv);
  scrub_secrets(argc, argv);
  const int status = run(command_line);
  // A log target that hangs must not keep the process: nothing else is left to do.
  if (!log::stop()) _exit(status);
  return status;
}
