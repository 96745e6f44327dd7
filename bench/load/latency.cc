// Latency at a fixed rate, open loop: each message has a scheduled time, carries it, and its latency counts
// from there to its arrival, however late the sender or the server was. So a stall costs every message that
// it held up, not one.
#include <fmt/format.h>
#include <sys/prctl.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "bench/load/clock.h"
#include "bench/load/failure.h"
#include "bench/load/placement.h"
#include "bench/load/runs.h"
#include "bench/load/server_stream.h"

namespace nuncio::load {
namespace {

constexpr double default_seconds = 5.0;
constexpr uint64_t catch_up_max = 256;  // messages a late sender puts into one write

struct Schedule {
  uint64_t start_ns = 0;
  uint64_t count = 0;
  double interval_ns = 0;
  uint64_t due_ns(uint64_t i) const noexcept {
    return start_ns + static_cast<uint64_t>(static_cast<double>(i) * interval_ns);
  }
};

void sleep_until(uint64_t at_ns) {
  const timespec at{static_cast<time_t>(at_ns / ns_per_s), static_cast<long>(at_ns % ns_per_s)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
  }
}

// Sends by the schedule; `lag` says how late the sender itself was, so that its own stalls can be told apart.
void send_scheduled(Connection& connection, const Options& options, const Schedule& schedule, Histogram& lag,
                    std::string& problem) noexcept {
  try {
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    std::string message = fmt::format("PUB {} {}\r\n{}\r\n", options.subject, options.size_bytes,
                                      std::string(options.size_bytes, 'x'));
    const size_t stamp_at = message.size() - options.size_bytes - 2;
    std::string outgoing;
    for (uint64_t i = 0; i < schedule.count;) {
      sleep_until(schedule.due_ns(i));
      const uint64_t now = now_ns();
      outgoing.clear();
      for (uint64_t in_write = 0; i < schedule.count && schedule.due_ns(i) <= now && in_write < catch_up_max;
           ++in_write) {
        const uint64_t due_ns = schedule.due_ns(i++);
        std::memcpy(message.data() + stamp_at, &due_ns, sizeof due_ns);
        outgoing += message;
        lag.record(now - due_ns);
      }
      connection.send(outgoing);
    }
    connection.flush();
  } catch (const std::exception& failure) {
    problem = fmt::format("publisher: {}", failure.what());
  }
}

void receive_scheduled(Connection& connection, const Options& options, uint64_t count, Histogram& latency) {
  std::vector<char> buffer(256 * 1024);
  MessageReader reader;
  uint64_t moved_ns = now_ns();
  while (latency.count() < count) {
    const bool is_readable = connection.wait_readable(20);
    const uint64_t waited_ns = now_ns() - moved_ns;
    if (!is_readable && static_cast<double>(waited_ns) > options.timeout_s * ns_per_s) {
      throw Failure(fmt::format("{} of {} messages did not arrive", count - latency.count(), count));
    }
    if (!is_readable) continue;
    reader.feed(connection.try_receive(buffer));
    const uint64_t now = now_ns();
    moved_ns = now;
    while (const auto message = reader.next()) {
      uint64_t due_ns = 0;
      if (message->payload.size() != options.size_bytes) throw Failure("a message of another length arrived");
      std::memcpy(&due_ns, message->payload.data(), sizeof due_ns);
      latency.record(now - due_ns);
    }
    ControlSeen& seen = reader.control();
    for (; seen.pings_unanswered > 0; --seen.pings_unanswered) connection.send("PONG\r\n");
    if (!seen.error.empty()) throw Failure(seen.error);
  }
}

}  // namespace

void run_latency(const Options& options, Report& report) {
  if (options.size_bytes < sizeof(uint64_t))
    throw Failure("--size must be at least 8: a message carries its time");
  PlacedPair pair = connect_pair(options);
  pair.subscribing.send(fmt::format("SUB {} 1\r\n", options.subject));
  pair.subscribing.flush();

  const double seconds = options.seconds > 0 ? options.seconds : default_seconds;
  const auto rate = static_cast<double>(options.rate_per_s);
  const uint64_t count = options.count > 0 ? options.count : static_cast<uint64_t>(rate * seconds);
  const Schedule schedule{now_ns() + 10 * ns_per_ms, count, static_cast<double>(ns_per_s) / rate};
  ServerMeter meter(options.pid);
  Histogram latency;
  Histogram lag;
  std::string sender_problem;
  meter.start();
  std::thread sending([&] { send_scheduled(pair.publishing, options, schedule, lag, sender_problem); });
  try {
    receive_scheduled(pair.subscribing, options, count, latency);
  } catch (const std::exception& failure) {
    report.problem(fmt::format("subscriber: {}", failure.what()));
  }
  sending.join();
  meter.stop();
  if (!sender_problem.empty()) report.problem(sender_problem);

  report_tls(report, pair.publishing);
  report.set("messages", latency.count());
  report.set("rate_per_s", options.rate_per_s);
  report.set_latency("latency_ns", latency);
  report.set_latency("sender_lag_ns", lag);
  meter.report(report, "message", latency.count());
}

}  // namespace nuncio::load
