// Reads a secret line from a terminal without echo, or from a pipe. Single-threaded programs only: it changes
// signal handlers while it waits.
#pragma once

#include <tl/expected.hpp>

#include <string>
#include <string_view>

#include "core/secret.h"

namespace nuncio::auth {

// The longest line accepted: more than any hash method takes.
inline constexpr size_t password_bytes_max = 511;

// Shows `prompt` on the controlling terminal (else standard input and error) and reads a line with echo off.
// Echo is back before this returns, before the process is stopped, and before any signal that ends it has its
// effect (AT-40).
tl::expected<Secret, std::string> ask_on_terminal(std::string_view prompt);

// The first line of `fd` without its newline; an error when there is none.
tl::expected<Secret, std::string> read_line(int fd);

}  // namespace nuncio::auth
