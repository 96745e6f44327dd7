#include "core/duration.h"

#include <fmt/format.h>

#include <cstdint>

namespace nuncio {

std::string format_duration(std::chrono::nanoseconds duration) {
  if (duration.count() < 0) return "-" + format_duration(-duration);
  const auto ns = static_cast<uint64_t>(duration.count());
  if (ns == 0) return "0s";
  if (ns < 1'000) return fmt::format("{}ns", ns);
  if (ns < 1'000'000) return fmt::format("{}µs", static_cast<double>(ns) / 1e3);
  if (ns < 1'000'000'000) return fmt::format("{}ms", static_cast<double>(ns) / 1e6);
  const uint64_t minutes = ns / 60'000'000'000;
  const std::string seconds = fmt::format("{}s", static_cast<double>(ns % 60'000'000'000) / 1e9);
  if (minutes == 0) return seconds;
  if (minutes < 60) return fmt::format("{}m{}", minutes, seconds);
  return fmt::format("{}h{}m{}", minutes / 60, minutes % 60, seconds);
}

}  // namespace nuncio
