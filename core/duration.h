// Durations as Go prints them: in log lines that people's tools already know.
#pragma once

#include <chrono>
#include <string>

namespace nuncio {

// "300ms", "1.5s", "2m0s", "1h0m0.25s", "0s".
std::string format_duration(std::chrono::nanoseconds duration);

}  // namespace nuncio
