// The composition root: command line to options, options to a running server, signals to its end.
#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "core/command_line.h"
#include "core/config/load.h"
#include "core/log.h"
#include "core/options.h"
#include "core/runtime_file.h"
#include "core/send_signal.h"
#include "core/start_check.h"
#include "net/configuration.h"
#include "net/control_socket.h"
#include "net/reload.h"
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

// True when the server is to end (OP-2).
bool handle_signal(int number, net::Server& server, net::Reloader& reloader) {
  log::debug("Trapped {} signal", sigdescr_np(number));
  switch (number) {
    case SIGUSR1:
      log::reopen();
      server.reopen_audit();
      log::info("File log re-opened");
      return false;
    case SIGHUP:
      reloader.reload();
      return false;
    case SIGUSR2:
      log::error("Lame duck mode is not supported by this version");
      return false;
    default:
      return true;
  }
}

// Until INT or TERM.
void wait_for_end(const sigset_t& handled, net::Server& server, net::Reloader& reloader) {
  const int signals = signalfd(-1, &handled, SFD_CLOEXEC);
  net::ControlSocket control;
  if (const std::string problem = control.open(); !problem.empty())
    log::warn("--reload-plan will not reach this server: {}", problem);
  const auto answer = [&](std::string_view request) {
    return request == "reload-plan" ? reloader.plan() : std::string("unknown request\n");
  };
  for (bool is_over = false; !is_over;) {
    pollfd sources[] = {{signals, POLLIN, 0}, {control.descriptor(), POLLIN, 0}};
    if (poll(sources, 2, -1) < 0) continue;
    if (sources[1].revents != 0) control.serve(answer);
    signalfd_siginfo signal{};
    if (sources[0].revents != 0 && read(signals, &signal, sizeof(signal)) == sizeof(signal))
      is_over = handle_signal(static_cast<int>(signal.ssi_signo), server, reloader);
  }
  close(signals);
}

std::string ports_text(const Options& options, const net::Server& server) {
  const nlohmann::json ports{{"nats", {fmt::format("nats://{}:{}", options.host, server.port())}}};
  return ports.dump(2);
}

void log_start(const net::Server& server, const config::LoadedOptions& loaded) {
  const Options& options = loaded.options;
  log::info("Starting nuncio-server");
  log::info("  Version:  {} (follows nats-server {})", NUNCIO_VERSION, followed_version);
  log::info("  Git:      [{}]", NUNCIO_GIT);
  log::info("  Name:     {}", options.server_name.empty() ? server.server_id : options.server_name);
  log::info("  ID:       {}", server.server_id);
  if (!options.config_file.empty()) log::info("Using configuration file: {}", options.config_file);
  for (const std::string& warning : loaded.warnings) log::warn("{}", warning);
}

int check(const CommandLine& command_line) {
  net::Configuration configuration = net::load_configuration(command_line);
  config::LoadedOptions& loaded = configuration.loaded;
  for (std::string& obstacle : find_start_obstacles(loaded.options))
    loaded.errors.push_back(std::move(obstacle));
  const config::CheckReport report = config::check_report(command_line, loaded);
  std::fputs(report.text.c_str(), stderr);
  return report.exit_code;
}

int serve(const CommandLine& command_line) {
  net::Configuration configuration = net::load_configuration(command_line);
  if (!configuration.loaded.errors.empty()) {
    for (const std::string& error : configuration.loaded.errors) {
      std::fprintf(stderr, "%s: %s\n", command_line.program.c_str(), error.c_str());
    }
    return EXIT_FAILURE;
  }
  Options& options = configuration.loaded.options;
  options.authorization.clear_secrets();  // the table has what it needs of them
  const sigset_t handled = block_signals();
  if (const std::string problem = log::start(options.log); !problem.empty()) {
    std::fprintf(stderr, "nuncio-server: %s\n", problem.c_str());
    return EXIT_FAILURE;
  }
  protect_memory();
  tame_malloc();
  net::Server server(options);
  log_start(server, configuration.loaded);
  raise_descriptors(options);

  RuntimeFile pid_file, ports_file;
  std::string problem = server.start(configuration);
  // The server's alone from now on: what a reload replaces, private keys among it, must not stay here.
  configuration.table.reset();
  configuration.accounts.reset();
  configuration.tls.reset();
  if (problem.empty() && !options.pid_file.empty())
    problem = pid_file.write(options.pid_file, std::to_string(getpid()));
  if (problem.empty() && !options.ports_file_dir.empty()) {
    const std::string path =
        fmt::format("{}/{}_{}.ports", options.ports_file_dir, command_line.program, getpid());
    problem = ports_file.write(path, ports_text(options, server));
  }
  if (!problem.empty()) {
    log::fatal("{}", problem);
    return EXIT_FAILURE;
  }
  net::Reloader reloader(server, command_line, pid_file);
  log::info("Server is ready");
  wait_for_end(handled, server, reloader);
  log::info("Initiating Shutdown...");
  server.stop();
  log::info("Server Exiting..");
  return EXIT_SUCCESS;
}

// OP-36: the running server tells.
int show_reload_plan(const CommandLine& command_line) {
  const auto server = find_server(command_line.signal_target);
  const auto plan = server.and_then([](pid_t pid) { return net::ask_server(pid, "reload-plan"); });
  if (!plan) {
    std::fprintf(stderr, "%s: %s\n", command_line.program.c_str(), plan.error().c_str());
    return EXIT_FAILURE;
  }
  std::fputs(plan->c_str(), stdout);
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
    case CommandLine::Action::help_tls:
      std::fputs(tls_usage().c_str(), stdout);
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
      return show_reload_plan(command_line);
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
