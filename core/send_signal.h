// `--signal`: sends a signal to a running server (OP-7).
#pragma once

#include <string>

namespace nuncio {

// `target`: a process id, the path of a pid file, or empty for the only process that runs this program (under
// any of its names). Empty, or why nothing was sent.
std::string send_signal(int number, const std::string& target);

}  // namespace nuncio
