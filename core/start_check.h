// What a start would stumble over outside of the configuration's text: files it could not write, an address
// it could not listen on (CF-31). Looks only, leaves nothing behind. What another process may give back, such
// as a port in use, is not looked at: `-t` is run beside the server it is about to replace.
#pragma once

#include <string>
#include <vector>

#include "core/options.h"

namespace nuncio {

// One line for each obstacle, none when a start would go through. Blocks while a host name is resolved.
std::vector<std::string> find_start_obstacles(const Options&);

}  // namespace nuncio
