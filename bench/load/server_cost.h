// What the server under test has used: CPU time and resident memory of a process, read from outside. Linux
// only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace nuncio::load {

struct ServerCost {
  uint64_t cpu_ns = 0;
  uint64_t resident_bytes = 0;
};

// CPU is the process's own clock: the sum over all of its threads of what schedstat calls run time, and of
// the threads that have ended, which a walk over /proc/PID/task would lose. Nothing when there is no such
// process.
std::optional<ServerCost> read_server_cost(pid_t pid);

}  // namespace nuncio::load
