// nuncio-bench: chooses the run that the command line asks for and reports what it found.
#include <sys/resource.h>

#include <fmt/format.h>

#include <exception>
#include <string_view>

#include "bench/load/flow.h"
#include "bench/load/options.h"
#include "bench/load/report.h"
#include "bench/load/runs.h"

namespace nuncio::load {
namespace {

struct Command {
  std::string_view name;
  void (*run)(const Options&, Report&);
};

constexpr Command commands[] = {{"pub", run_flow},        {"pubsub", run_flow},     {"fanout", run_flow},
                                {"pairs", run_flow},      {"queue", run_flow},      {"request", run_request},
                                {"latency", run_latency}, {"connect", run_connect}, {"idle", run_idle},
                                {"subs", run_subs}};

// Thousands of connections are ordinary here; the soft limit of descriptors is not.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int run_command(const Options& options) {
  for (const Command& command : commands) {
    if (command.name != options.command) continue;
    Report report;
    report.set("command", options.command);
    try {
      command.run(options, report);
    } catch (const std::exception& failure) {
      report.problem(failure.what());
    }
    return report.print(options.is_json);
  }
  fmt::print(stderr, "nuncio-bench: there is no command {} (--help lists them)\n", options.command);
  return 2;
}

}  // namespace

}  // namespace nuncio::load

int main(int argc, char** argv) {
  const auto parsed = nuncio::load::parse_options(argc, argv);
  if (!parsed.options) return parsed.exit_code;
  nuncio::load::raise_descriptor_limit();
  return nuncio::load::run_command(*parsed.options);
}
