// The client protocol's parser: one operation at a time from contiguous bytes, in place, without state and without
// copying. Views in the result point into the bytes given. Used by the worker that owns the connection; it never
// allocates, logs or throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/reason.h"

namespace nuncio {

enum class Verb : uint8_t { connect, pub, hpub, sub, unsub, ping, pong, info, ok, err };

enum class ParseStatus : uint8_t {
  complete,    // `operation` is whole; `consumed` bytes belong to it
  incomplete,  // more bytes are needed; see `needed`
  error        // `error` says why; nothing of this operation may be executed
};

// Only the fields named for the verb are set; the others hold whatever the last operation left there.
struct Operation {
  Verb verb = Verb::ping;
  bool is_canonical = false;   // PUB/HPUB: `tail` may be sent to receivers as it stands; never for header_size 0
                               // (delivered as a plain MSG, CP-43)
  uint32_t header_size = 0;    // HPUB: bytes of the header block, ≤ size
  uint32_t size = 0;           // PUB/HPUB: header + payload bytes, without the final CRLF
  uint64_t max = 0;            // UNSUB: deliveries after which to remove; 0: at once (CP-33)
  std::string_view subject;    // PUB HPUB SUB
  std::string_view reply;      // PUB HPUB; empty: none
  std::string_view queue;      // SUB; empty: plain
  std::string_view sid;        // SUB UNSUB
  std::string_view payload;    // PUB/HPUB: header block and body, `size` bytes
  std::string_view tail;       // PUB/HPUB, canonical only: "[reply ]sizes\r\npayload\r\n", contiguous in the input:
                               // what follows "MSG subject sid " at every receiver
  std::string_view argument;   // CONNECT: the JSON text; -ERR: the text
};

struct ParseLimits {
  uint32_t control_line_max;   // bytes of arguments of one line (CP-58)
  uint32_t payload_max;        // bytes (CP-39)
};

struct ParseResult {
  ParseStatus status;
  Reason error = Reason::none;   // parse_error, unknown_operation, control_line_exceeded or payload_exceeded
  uint32_t consumed = 0;         // complete: bytes of this operation
  uint64_t needed = 0;           // incomplete: bytes of the whole operation when its line is complete, else 0
};

// Bytes that must be readable (not valid) behind `input`: the parser looks at whole vectors.
inline constexpr size_t parser_padding = 64;

// Parses the operation at the start of `input` (not empty). With status incomplete and `needed` set, `operation` is
// filled but for payload and tail. Errors are found as early as their bytes allow (CP-39, CP-58). A line without its
// end is never longer than a verb, `control_line_max` blanks and `control_line_max` bytes of arguments (CP-70). On top
// of the reference: a lone CR among arguments is a parse_error, as clients take it for white space.
ParseResult parse(std::string_view input, const ParseLimits& limits, Operation& operation) noexcept;

// The same results without vector instructions and without padding: what parse() falls back on, and what tests compare
// it with.
ParseResult parse_portable(std::string_view input, const ParseLimits& limits, Operation& operation) noexcept;

}  // namespace nuncio
