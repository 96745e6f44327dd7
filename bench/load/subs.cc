// Many subscriptions on one connection, each on an inbox of its own: what a SUB costs, what SUB and UNSUB
// cost beside that many, and what a publish to a random one of them costs, which no cache of recent subjects
// helps.
#include <fmt/format.h>

#include <random>
#include <thread>
#include <vector>

#include "bench/load/clock.h"
#include "bench/load/failure.h"
#include "bench/load/placement.h"
#include "bench/load/runs.h"
#include "bench/load/server_stream.h"

namespace nuncio::load {
namespace {

constexpr uint64_t default_count = 500'000;
constexpr size_t write_bytes = 64 * 1024;

// Sends the lines that `line(out, i)` makes for i below `count`, and awaits the PONG that follows them.
template <typename Line>
uint64_t send_lines_and_flush(Connection& connection, uint64_t count, const Line& line) {
  const uint64_t start_ns = now_ns();
  std::string outgoing;
  for (uint64_t i = 0; i < count; ++i) {
    line(outgoing, i);
    if (outgoing.size() < write_bytes) continue;
    connection.send(outgoing);
    outgoing.clear();
  }
  connection.send(outgoing);
  connection.flush();
  return now_ns() - start_ns;
}

void report_phase(Report& report, const ServerMeter& meter, pid_t pid, const char* unit, uint64_t units,
                  uint64_t elapsed_ns) {
  const auto each = [&](uint64_t total_ns) {
    return static_cast<double>(total_ns) / static_cast<double>(units);
  };
  report.set(fmt::format("elapsed_ns_per_{}", unit), each(elapsed_ns));
  if (pid != 0) report.set(fmt::format("server_cpu_ns_per_{}", unit), each(meter.cpu_ns()));
}

void subscribe_all(Connection& holder, const Options& options, Report& report) {
  ServerMeter meter(options.pid);
  meter.start();
  const uint64_t elapsed_ns =
      send_lines_and_flush(holder, options.subscriptions, [](std::string& out, uint64_t i) {
        fmt::format_to(std::back_inserter(out), "SUB _INBOX.x.{0} {0}\r\n", i + 1);
      });
  meter.stop();
  report.set("subscriptions", options.subscriptions);
  report_phase(report, meter, options.pid, "sub", options.subscriptions, elapsed_ns);
  meter.report_growth(report, "sub", options.subscriptions);
}

void churn_beside(Connection& holder, const Options& options, uint64_t count, Report& report) {
  ServerMeter meter(options.pid);
  meter.start();
  const uint64_t first = options.subscriptions + 1;
  const uint64_t elapsed_ns = send_lines_and_flush(holder, count, [first](std::string& out, uint64_t i) {
    fmt::format_to(std::back_inserter(out), "SUB _INBOX.x.{0} {0}\r\nUNSUB {0}\r\n", first + i);
  });
  meter.stop();
  report_phase(report, meter, options.pid, "sub_unsub_pair", count, elapsed_ns);
}

// The holder reads `count` messages; what it throws, it throws after the publisher has ended.
void receive_all(Connection& holder, uint64_t count, uint64_t payload_bytes, double timeout_s) {
  std::vector<char> buffer(256 * 1024);
  MessageReader reader;
  uint64_t moved_ns = now_ns();
  for (uint64_t received = 0; received < count;) {
    if (!holder.wait_readable(20)) {
      if (static_cast<double>(now_ns() - moved_ns) < timeout_s * ns_per_s) continue;
      throw Failure(fmt::format("{} of {} messages did not arrive", count - received, count));
    }
    moved_ns = now_ns();
    reader.feed(holder.try_receive(buffer));
    while (const auto message = reader.next()) {
      if (message->payload.size() != payload_bytes) throw Failure("a message of another length arrived");
      ++received;
    }
    ControlSeen& seen = reader.control();
    for (; seen.pings_unanswered > 0; --seen.pings_unanswered) holder.send("PONG\r\n");
    if (!seen.error.empty()) throw Failure(seen.error);
  }
}

void publish_to_random(Connection& holder, Connection& publisher, const Options& options, uint64_t count,
                       Report& report) {
  std::mt19937_64 random(count);  // the same subjects in the same order for every server
  std::uniform_int_distribution<uint64_t> any(1, options.subscriptions);
  const std::string payload(options.size_bytes, 'x');
  const auto line = [&](std::string& out, uint64_t) {
    fmt::format_to(std::back_inserter(out), "PUB _INBOX.x.{} {}\r\n{}\r\n", any(random), payload.size(),
                   payload);
  };
  ServerMeter meter(options.pid);
  std::string publisher_problem;
  meter.start();
  const uint64_t start_ns = now_ns();
  std::thread publishing([&] {
    try {
      send_lines_and_flush(publisher, count, line);
    } catch (const std::exception& failure) {
      publisher_problem = fmt::format("publisher: {}", failure.what());
    }
  });
  try {
    receive_all(holder, count, options.size_bytes, options.timeout_s);
  } catch (const std::exception& failure) {
    report.problem(fmt::format("subscriber: {}", failure.what()));
  }
  const uint64_t elapsed_ns = now_ns() - start_ns;
  publishing.join();
  meter.stop();
  if (!publisher_problem.empty()) report.problem(publisher_problem);
  report_phase(report, meter, options.pid, "random_publish", count, elapsed_ns);
}

}  // namespace

void run_subs(const Options& options, Report& report) {
  const uint64_t count = options.count > 0 ? options.count : default_count;
  PlacedPair pair = connect_pair(options);
  report_tls(report, pair.publishing);
  subscribe_all(pair.subscribing, options, report);
  churn_beside(pair.subscribing, options, count, report);
  publish_to_random(pair.subscribing, pair.publishing, options, count, report);
}

}  // namespace nuncio::load
