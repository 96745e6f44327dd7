#include "core/subject.h"

#include <cstddef>

namespace nuncio {
namespace {

// What a whole subject is, found in one pass over its bytes.
struct Shape {
  bool is_valid;
  bool has_wildcards;
};

Shape shape_of(std::string_view subject) noexcept {
  bool has_wildcard = false;
  size_t start = 0;  // of the token being read
  for (size_t i = 0;; ++i) {
    const bool at_end = i == subject.size();
    if (!at_end && subject[i] != '.') {
      // White space cannot come from the wire, but from a configuration.
      if (const char c = subject[i]; c <= ' ' && (c == ' ' || c == '\t' || c == '\r' || c == '\n'))
        return {false, has_wildcard};
      continue;
    }
    const size_t size = i - start;
    if (size <= 1) {
      if (size == 0) return {false, has_wildcard};
      const char c = subject[start];
      if (c == '>' && !at_end) return {false, true};
      has_wildcard |= c == '>' || c == '*';
    }
    if (at_end) return {true, has_wildcard};
    start = i + 1;
  }
}

// Takes the first token off `rest`. A subject is at its end when `is_done`; "a." still has an empty token.
struct Tokens {
  std::string_view rest;
  bool is_done = false;

  std::string_view next() noexcept {
    size_t size = 0;
    while (size < rest.size() && rest[size] != '.') ++size;
    const std::string_view token = rest.substr(0, size);
    is_done = size == rest.size();
    rest.remove_prefix(is_done ? size : size + 1);
    return token;
  }
};

// No token of `subject` is empty.
bool has_only_full_tokens(std::string_view subject) noexcept {
  char before = '.';
  for (const char c : subject) {
    if (c == '.' && before == '.') return false;
    before = c;
  }
  return before != '.';
}

}  // namespace

bool is_valid_subject(std::string_view subject) noexcept {
  return shape_of(subject).is_valid;
}

bool is_valid_literal(std::string_view subject) noexcept {
  const Shape shape = shape_of(subject);
  return shape.is_valid && !shape.has_wildcards;
}

bool has_wildcards(std::string_view subject) noexcept {
  for (size_t i = 0; i < subject.size(); ++i) {
    if (subject[i] != '*' && subject[i] != '>') continue;
    if (i > 0 && subject[i - 1] != '.') continue;
    if (i + 1 < subject.size() && subject[i + 1] != '.') continue;
    return true;
  }
  return false;
}

uint32_t token_count(std::string_view subject) noexcept {
  if (subject.empty()) return 0;
  uint32_t count = 1;
  for (const char c : subject) count += c == '.';
  return count;
}

bool subject_matches(std::string_view pattern, std::string_view subject) noexcept {
  // Both are walked together; a token of the pattern is compared byte by byte unless it is a wildcard.
  size_t p = 0;
  size_t s = 0;
  for (;;) {
    const bool is_single = p + 1 == pattern.size() || (p + 1 < pattern.size() && pattern[p + 1] == '.');
    if (is_single && pattern[p] == '>') return has_only_full_tokens(subject.substr(s));
    if (is_single && pattern[p] == '*') {
      const size_t start = s;
      while (s < subject.size() && subject[s] != '.') ++s;
      if (s == start) return false;
      ++p;
    } else {
      const size_t start = s;
      while (p < pattern.size() && pattern[p] != '.' && s < subject.size() && pattern[p] == subject[s])
        ++p, ++s;
      if (s == start) return false;
    }
    const bool pattern_ends = p == pattern.size();
    const bool subject_ends = s == subject.size();
    if (pattern_ends || subject_ends) return pattern_ends && subject_ends;
    if (pattern[p] != '.' || subject[s] != '.') return false;
    ++p;
    ++s;
    if (s == subject.size()) return false;  // an empty last token
  }
}

bool is_subset(std::string_view inner, std::string_view outer) noexcept {
  Tokens inners{inner};
  Tokens outers{outer};
  for (;;) {
    const std::string_view out = outers.next();
    const std::string_view in = inners.next();
    if (out == ">" && outers.is_done) return true;
    if (in == ">" && inners.is_done) return false;  // wants more than any pattern but ">"
    if (out != "*" && (in == "*" || in != out)) return false;
    if (inners.is_done || outers.is_done) return inners.is_done && outers.is_done;
  }
}

bool subjects_overlap(std::string_view a, std::string_view b) noexcept {
  Tokens as{a};
  Tokens bs{b};
  for (;;) {
    const std::string_view of_a = as.next();
    const std::string_view of_b = bs.next();
    if ((of_a == ">" && as.is_done) || (of_b == ">" && bs.is_done)) return true;
    if (of_a != of_b && of_a != "*" && of_b != "*") return false;
    if (as.is_done || bs.is_done) return as.is_done && bs.is_done;
  }
}

}  // namespace nuncio
