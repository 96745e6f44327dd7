#include "bench/load/server_cost.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace nuncio::load {
namespace {

// smaps_rollup counts pages; statm's figure lags by up to some hundred pages a core since Linux 6.2, so it is
// only for processes whose maps we may not see.
uint64_t read_resident_bytes(pid_t pid) {
  std::ifstream rollup(fmt::format("/proc/{}/smaps_rollup", pid));
  for (std::string word; rollup >> word;) {
    uint64_t kibibytes = 0;
    if (word == "Rss:" && rollup >> kibibytes) return kibibytes * 1024;
  }
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  std::ifstream statm(fmt::format("/proc/{}/statm", pid));
  statm >> total_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

std::optional<ServerCost> read_server_cost(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return std::nullopt;

  ServerCost cost;
  cost.cpu_ns = static_cast<uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(used.tv_nsec);
  cost.resident_bytes = read_resident_bytes(pid);
  return cost;
}

}  // namespace nuncio::load
