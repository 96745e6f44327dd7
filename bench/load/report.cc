#include "bench/load/report.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "bench/load/clock.h"
#include "bench/load/failure.h"

namespace nuncio::load {
namespace {

// 1234567.8 as 1,234,567.8: digits in groups, a fraction only where it says something.
std::string grouped(double value) {
  const bool has_fraction = std::abs(value) < 1000 && value != std::floor(value);
  std::string text = has_fraction ? fmt::format("{:.2f}", value) : fmt::format("{:.0f}", value);
  size_t end = std::min(text.find('.'), text.size());
  for (; end > 3 && text[end - 4] != '-'; end -= 3) text.insert(end - 3, ",");
  return text;
}

std::string shown(const nlohmann::ordered_json& value) {
  if (value.is_number()) return grouped(value.get<double>());
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object()) return value.dump();
  std::string text;
  for (const auto& [name, part] : value.items()) {
    text += fmt::format("{}{} {}", text.empty() ? "" : "  ", name, shown(part));
  }
  return text;
}

}  // namespace

void Report::set_latency(const std::string& name, const Histogram& latency) {
  fields_[name] = {{"count", latency.count()},         {"mean", std::round(latency.mean_ns())},
                   {"p50", latency.percentile_ns(50)}, {"p90", latency.percentile_ns(90)},
                   {"p99", latency.percentile_ns(99)}, {"p99.9", latency.percentile_ns(99.9)},
                   {"max", latency.max_ns()}};
}

void Report::problem(std::string text) {
  problems_.push_back(std::move(text));
}

int Report::print(bool is_json) const {
  if (is_json) {
    auto all = fields_;
    all["problems"] = problems_;
    fmt::print("{}\n", all.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  } else {
    for (const auto& [name, value] : fields_.items()) fmt::print("{:<36} {}\n", name, shown(value));
    for (const auto& text : problems_) fmt::print("problem: {}\n", text.get<std::string>());
  }
  return problems_.empty() ? 0 : 1;
}

void ServerMeter::start() {
  if (pid_ == 0) return;
  const auto cost = read_server_cost(pid_);
  if (!cost) throw Failure(fmt::format("there is no process {} whose cost could be read", pid_));
  before_ = *cost;
}

// A server that has died meanwhile costs nothing more, but what the run itself found must still be reported.
void ServerMeter::stop() {
  if (pid_ != 0) after_ = read_server_cost(pid_).value_or(before_);
}

void ServerMeter::report(Report& into, const std::string& unit, uint64_t units) const {
  if (pid_ == 0 || units == 0) return;
  into.set("server_cpu_ns", cpu_ns());
  into.set("server_cpu_ns_per_" + unit, static_cast<double>(cpu_ns()) / static_cast<double>(units));
  into.set("server_resident_bytes", after_.resident_bytes);
}

void ServerMeter::report_growth(Report& into, const std::string& unit, uint64_t units) const {
  if (pid_ == 0 || units == 0) return;
  const double growth =
      static_cast<double>(after_.resident_bytes) - static_cast<double>(before_.resident_bytes);
  into.set("server_resident_growth_per_" + unit + "_bytes", growth / static_cast<double>(units));
}

double per_second(uint64_t count, uint64_t elapsed_ns) noexcept {
  if (elapsed_ns == 0) return 0.0;
  return static_cast<double>(count) * static_cast<double>(ns_per_s) / static_cast<double>(elapsed_ns);
}

}  // namespace nuncio::load
