// Idle connections with one subscription each: what memory a server keeps for a client that only waits.
#include <fmt/format.h>

#include <thread>
#include <vector>

#include "bench/load/clock.h"
#include "bench/load/placement.h"
#include "bench/load/runs.h"

namespace nuncio::load {
namespace {

constexpr uint64_t default_clients = 1'000;
constexpr double default_hold_s = 1.0;

}  // namespace

void run_idle(const Options& options, Report& report) {
  const uint64_t clients = options.clients > 0 ? options.clients : default_clients;
  const Target target = target_of(options);
  // The first login warms up what a server allocates once; it is not what a connection costs.
  const Connection first(target);
  ServerMeter meter(options.pid);
  meter.start();
  const uint64_t start_ns = now_ns();
  std::vector<Connection> connections;
  for (uint64_t i = 0; i < clients; ++i) {
    connections.emplace_back(target);
    connections.back().send(fmt::format("SUB {}.{} 1\r\n", options.subject, i));
    connections.back().flush();
  }
  const uint64_t opened_ns = now_ns() - start_ns;

  const double hold_s = options.seconds > 0 ? options.seconds : default_hold_s;
  std::this_thread::sleep_for(std::chrono::duration<double>(hold_s));
  meter.stop();
  for (Connection& connection : connections) connection.flush();  // all of them are still served

  report_tls(report, first);
  report.set("connections", clients);
  report.set("opening_ns", opened_ns);
  meter.report(report, "connection", clients);
  meter.report_growth(report, "connection", clients);
}

}  // namespace nuncio::load
