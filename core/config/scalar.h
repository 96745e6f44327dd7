// What an unquoted word of a NATS configuration file means (CF-12 … CF-15, CF-28), and durations as Go writes
// them. Pure functions, any thread; no text they return holds a part of the word, which may be a password.
#pragma once

#include <tl/expected.hpp>

#include <optional>
#include <string>
#include <string_view>

#include "core/config/value.h"
#include "core/options.h"

namespace nuncio::config {

// A boolean, integer, real, datetime or string value (position unset), or what is wrong with the word. Does
// not look at variables.
tl::expected<Value, std::string> classify_word(std::string_view word);

// Text that is a password hash rather than a reference to a variable: `$2a$…`, `$y$…`, `$argon2id$…`.
bool is_hash_literal(std::string_view word);

// "1h30m", "1.5s", "250ms", "-2s", "0". Empty when malformed or out of the range of 64 bit nanoseconds.
std::optional<Nanoseconds> parse_duration(std::string_view text);

// RFC 3339: "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.5+01:00". Empty when malformed, no such date, or
// before 1970.
std::optional<std::chrono::system_clock::time_point> parse_time(std::string_view text);

}  // namespace nuncio::config
