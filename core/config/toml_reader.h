// TOML text to the same tree as the NATS format (CF-66): positions kept, strings that are `${NAME}` replaced
// by variables, `include = ["file", …]` at the top level. toml++ does the parsing; nothing of it is seen
// outside.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/config/sources.h"
#include "core/config/value.h"

namespace nuncio::config {

// Empty after an error, which is in the findings of `sources`.
std::optional<Value> read_toml(std::string_view text, const std::string& name, Sources& sources);

// False when tables could be nested so deeply by dotted keys that walking them would overflow the stack: more
// than 64 dots outside of strings in one line. No real file comes near it.
bool is_toml_depth_bounded(std::string_view text);

}  // namespace nuncio::config
