// What a run found: figures by name (the unit is the name's last word), and what went wrong. One owner.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "bench/load/histogram.h"
#include "bench/load/server_cost.h"

namespace nuncio::load {

class Report {
 public:
  template <typename Value>
  void set(const std::string& name, const Value& value) {
    fields_[name] = value;
  }
  // count, mean, p50, p90, p99, p99.9 and max under `name`.
  void set_latency(const std::string& name, const Histogram& latency);
  // Something expected did not happen; the run counts as failed.
  void problem(std::string text);
  // "name value" lines or one JSON object on standard output, then the exit code that it means.
  int print(bool is_json) const;
  const nlohmann::ordered_json& fields() const noexcept { return fields_; }
  const nlohmann::ordered_json& problems() const noexcept { return problems_; }

 private:
  nlohmann::ordered_json fields_ = nlohmann::ordered_json::object();
  nlohmann::ordered_json problems_ = nlohmann::ordered_json::array();
};

// The server's CPU time and memory between start() and stop(); without a process it reports nothing.
class ServerMeter {
 public:
  explicit ServerMeter(pid_t pid) : pid_(pid) {}
  void start();  // Failure when there is no such process
  void stop();
  // CPU in all and per `unit` of which there were `units`, under server_cpu_ns, server_cpu_ns_per_<unit>.
  void report(Report& into, const std::string& unit, uint64_t units) const;
  // What start to stop added to resident memory, for each of `units`.
  void report_growth(Report& into, const std::string& unit, uint64_t units) const;
  uint64_t cpu_ns() const noexcept { return after_.cpu_ns - before_.cpu_ns; }

 private:
  pid_t pid_;
  ServerCost before_;
  ServerCost after_;
};

// Per second, for counts over nanoseconds; 0 when no time passed.
double per_second(uint64_t count, uint64_t elapsed_ns) noexcept;

}  // namespace nuncio::load
