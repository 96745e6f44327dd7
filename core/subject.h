// What a subject is (CP-29, CP-30): tokens separated by dots; '*' and '>' are wildcards only as a whole
// token. Any byte but white space may occur in a token. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace nuncio {

// A client's fit into a control line; those that mappings and imports make are held to it.
inline constexpr size_t subject_size_max = 64 * 1024 - 1;

// No empty token, and '>' as a whole token only at the end. Wildcards are allowed.
bool is_valid_subject(std::string_view subject) noexcept;
// Valid and without wildcard tokens.
bool is_valid_literal(std::string_view subject) noexcept;
bool has_wildcards(std::string_view subject) noexcept;
uint32_t token_count(std::string_view subject) noexcept;
// True when the literal `subject` is one that `pattern` (valid, perhaps with wildcards) wants.
bool subject_matches(std::string_view pattern, std::string_view subject) noexcept;
// True when every subject that `inner` wants is one that `outer` wants (AU-50).
bool is_subset(std::string_view inner, std::string_view outer) noexcept;
// True when some subject is wanted by both `a` and `b` (AU-51).
bool subjects_overlap(std::string_view a, std::string_view b) noexcept;

}  // namespace nuncio
