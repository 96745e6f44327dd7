// Trace lines (-V): what came in and went out, without secrets (OP-13). Cold; call only when tracing.
#pragma once

#include <string_view>

#include "core/parser.h"
#include "net/connection.h"

namespace nuncio::net {

// `<<- [PUB a 5]`, and `<<- MSG_PAYLOAD: ["…"]` for operations with one, cut to `payload_max` bytes (0: not
// cut).
void trace_received(const Connection& connection, const Operation& operation, uint32_t payload_max);
// `->> [MSG a 1 5]`; `line` with or without its line end.
void trace_sent(const Connection& connection, std::string_view line);

}  // namespace nuncio::net
