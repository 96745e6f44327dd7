// Finds a running server and sends it a signal: `--signal` (OP-7) and whatever else speaks to one.
#pragma once

#include <sys/types.h>

#include <tl/expected.hpp>

#include <string>

namespace nuncio {

// `target`: a process id, the path of a pid file, or empty for the only process that runs this program (under
// any of its names). An error says why there is none.
tl::expected<pid_t, std::string> find_server(const std::string& target);

// Empty, or why nothing was sent.
std::string send_signal(int number, const std::string& target);

}  // namespace nuncio
