#include "core/transform_token.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace nuncio {
namespace {

using Kind = TransformToken::Kind;
using Token = tl::expected<TransformToken, std::string>;

struct Function {
  std::string_view name;
  Kind kind;
};

constexpr std::array<Function, 9> functions{{
    {"wildcard", Kind::wildcard},
    {"partition", Kind::partition},
    {"split", Kind::split},
    {"splitfromleft", Kind::split_from_left},
    {"splitfromright", Kind::split_from_right},
    {"slicefromleft", Kind::slice_from_left},
    {"slicefromright", Kind::slice_from_right},
    {"left", Kind::left},
    {"right", Kind::right},
}};

// Where a destination's '*' stand for the wildcards of the source in order.
struct Wildcards {
  uint32_t count;
  uint32_t stars = 0;  // seen so far
};

Token read_token(std::string_view token, Wildcards& wildcards);
Token read_function(std::string_view token, uint32_t wildcards);
Token read_arguments(Kind kind, std::string_view token, std::vector<std::string_view>& arguments,
                     uint32_t wildcards);
Token wildcard_token(std::string_view token, int64_t number, uint32_t wildcards);
const Function* find_function(std::string_view name);
std::vector<std::string_view> split_arguments(std::string_view text);
std::optional<int64_t> read_number(std::string_view text);
std::string_view trim(std::string_view text);
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

tl::unexpected<std::string> wrong(std::string_view what, std::string_view token) {
  return tl::unexpected(fmt::format("invalid mapping destination: {} in {}", what, token));
}

}  // namespace

tl::expected<std::vector<TransformToken>, std::string> read_transform_tokens(std::string_view destination,
                                                                             uint32_t wildcards) {
  std::vector<TransformToken> tokens;
  Wildcards state{wildcards};
  for (std::string_view rest = destination;;) {
    const size_t dot = rest.find('.');
    const std::string_view token = rest.substr(0, dot);
    const bool is_last = dot == std::string_view::npos;
    if (token.empty() || (token == ">" && !is_last)) return wrong("invalid subject", destination);
    Token read = read_token(token, state);
    if (!read) return tl::unexpected(std::move(read.error()));
    tokens.push_back(std::move(*read));
    if (is_last) return tokens;
    rest.remove_prefix(dot + 1);
  }
}

void append_cut(const TransformToken& function, std::string_view token, std::string& out) {
  if (function.kind == Kind::split) {
    const size_t before = out.size();
    for (std::string_view rest = token; !rest.empty();) {
      const size_t size = std::min(rest.find(function.text), rest.size());
      if (size > 0) {
        if (out.size() > before) out += '.';
        out += rest.substr(0, size);
      }
      rest.remove_prefix(std::min(size + function.text.size(), rest.size()));
    }
    if (out.size() == before) out += token;  // nothing but delimiters
    return;
  }
  const auto number = static_cast<size_t>(std::max(function.number, 0));
  if (number == 0 || number >= token.size()) {
    out += token;
    return;
  }
  switch (function.kind) {
    case Kind::left:
      out += token.substr(0, number);
      return;
    case Kind::right:
      out += token.substr(token.size() - number);
      return;
    case Kind::split_from_left:
    case Kind::split_from_right: {
      const size_t at = function.kind == Kind::split_from_left ? number : token.size() - number;
      out += token.substr(0, at);
      out += '.';
      out += token.substr(at);
      return;
    }
    default: {
      // The slice that is shorter than the others is the last one, or the first one counting from the right.
      const size_t odd = function.kind == Kind::slice_from_right ? token.size() % number : 0;
      for (size_t at = 0, end = odd == 0 ? number : odd; at < token.size(); at = end, end += number) {
        if (at > 0) out += '.';
        out += token.substr(at, end - at);
      }
      return;
    }
  }
}

namespace {

Token read_token(std::string_view token, Wildcards& wildcards) {
  if (token == ">") return TransformToken{Kind::rest, ">", {}, 0};
  if (token == "*") return wildcard_token(token, ++wildcards.stars, wildcards.count);
  if (token.size() > 4 && token.starts_with("{{") && token.ends_with("}}"))
    return read_function(token, wildcards.count);
  if (token.size() > 1 && token[0] == '$' &&
      std::all_of(token.begin() + 1, token.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    // Other tokens with '$', as in $SYS, are just texts.
    return wildcard_token(token, read_number(token.substr(1)).value_or(-1), wildcards.count);
  }
  if (std::any_of(token.begin(), token.end(), is_blank)) return wrong("invalid subject", token);
  return TransformToken{Kind::text, std::string(token), {}, 0};
}

Token read_function(std::string_view token, uint32_t wildcards) {
  const std::string_view call = trim(token.substr(2, token.size() - 4));
  const size_t open = call.find('(');
  if (open == std::string_view::npos || !call.ends_with(')')) return wrong("unknown function", token);
  const Function* const function = find_function(trim(call.substr(0, open)));
  if (function == nullptr) return wrong("unknown function", token);
  auto arguments = split_arguments(call.substr(open + 1, call.size() - open - 2));
  return read_arguments(function->kind, token, arguments, wildcards);
}

Token read_arguments(Kind kind, std::string_view token, std::vector<std::string_view>& arguments,
                     uint32_t wildcards) {
  constexpr std::string_view invalid = "function argument is invalid or in the wrong format";
  const size_t wanted = kind == Kind::wildcard ? 1 : 2;
  if (kind != Kind::partition) {
    if (arguments.size() < wanted) return wrong("not enough arguments passed to the function", token);
    if (arguments.size() > wanted) return wrong("too many arguments passed to the function", token);
  } else if (arguments.empty()) {
    return wrong(invalid, token);
  }

  TransformToken read{kind, {}, {}, 0};
  if (kind == Kind::split) {
    read.text = arguments.back();
    if (read.text.empty() || read.text.find_first_of(" .") != std::string::npos) return wrong(invalid, token);
    arguments.pop_back();
  } else if (kind != Kind::wildcard) {
    const bool is_partition = kind == Kind::partition;
    const auto number = read_number(is_partition ? arguments.front() : arguments.back());
    if (!number || *number > INT32_MAX || *number < (is_partition ? 1 : INT32_MIN))
      return wrong(invalid, token);
    read.number = static_cast<int32_t>(*number);
    arguments.erase(is_partition ? arguments.begin() : arguments.end() - 1);
  }
  for (const std::string_view argument : arguments) {
    const auto number = read_number(argument);
    if (!number) return wrong(invalid, token);
    Token wildcard = wildcard_token(token, *number, wildcards);
    if (!wildcard) return wildcard;
    read.wildcards.push_back(wildcard->wildcards.front());
  }
  return read;
}

Token wildcard_token(std::string_view token, int64_t number, uint32_t wildcards) {
  if (number < 1 || number > wildcards)
    return wrong("wildcard index out of range", fmt::format("{}: [{}]", token, number));
  return TransformToken{Kind::wildcard, {}, {static_cast<uint32_t>(number - 1)}, 0};
}

const Function* find_function(std::string_view name) {
  const auto equals = [name](const Function& function) {
    return std::equal(name.begin(), name.end(), function.name.begin(), function.name.end(),
                      [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
  };
  const auto found = std::find_if(functions.begin(), functions.end(), equals);
  return found == functions.end() ? nullptr : &*found;
}

std::vector<std::string_view> split_arguments(std::string_view text) {
  std::vector<std::string_view> arguments;
  if (trim(text).empty()) return arguments;
  for (;;) {
    const size_t comma = text.find(',');
    arguments.push_back(trim(text.substr(0, comma)));
    if (comma == std::string_view::npos) return arguments;
    text.remove_prefix(comma + 1);
  }
}

std::optional<int64_t> read_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace
}  // namespace nuncio
