// A publish with the mapping foo.* → bar.$1 costs: one compare of the literal front ("foo."), one search for
// the next dot, one append per piece (here the text "bar." and a wildcard). Nothing is tokenised.
#include "core/subject_transform.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "core/subject.h"
#include "core/transform_token.h"

namespace nuncio {

using Kind = TransformToken::Kind;
using Tokens = std::vector<TransformToken>;

struct SubjectTransform::Plan {
  // A wildcard of the source and the bytes up to the next one, dots included; empty only at the end.
  struct Step {
    bool is_rest;
    std::string text;
  };

  std::string source, destination;
  std::string front;  // literal bytes before the first wildcard
  std::vector<Step> steps;
  Tokens source_tokens, tokens;  // one by one, to turn them round
  Tokens pieces;                 // of the destination, with texts and dots that stand together made one
  bool is_identity = false;
  bool has_cuts = false;  // whose result must be checked
};

namespace {

struct Piece {
  const char* data;
  size_t size;
  operator std::string_view() const { return {data, size}; }
};

// What the wildcards of the source stand for in a subject; those beyond the source's are not set.
struct Captured {
  Piece wildcards[SubjectTransform::wildcards_max];
  Piece rest;
};

Tokens tokens_of(std::string_view source);
uint32_t count_wildcards(const Tokens& tokens);
Tokens merge(const Tokens& tokens);
bool is_same(const Tokens& a, const Tokens& b);
void append_partition(const TransformToken& piece, const Captured& captured, std::string_view subject,
                      std::string& out);

bool is_cut(Kind kind) {
  return kind >= Kind::split;
}

template <typename Plan>
std::shared_ptr<const Plan> compile(std::string_view source, std::string_view destination,
                                    Tokens source_tokens, Tokens tokens) {
  auto plan = std::make_shared<Plan>();
  plan->source = source;
  plan->destination = destination;
  const Tokens merged = merge(source_tokens);
  for (const TransformToken& token : merged) {
    if (token.kind != Kind::text)
      plan->steps.push_back({token.kind == Kind::rest, {}});
    else
      (plan->steps.empty() ? plan->front : plan->steps.back().text) = token.text;
  }
  plan->pieces = merge(tokens);
  plan->is_identity = is_same(source_tokens, tokens);
  plan->has_cuts =
      std::any_of(tokens.begin(), tokens.end(), [](const auto& token) { return is_cut(token.kind); });
  plan->source_tokens = std::move(source_tokens);
  plan->tokens = std::move(tokens);
  return plan;
}

template <typename Plan>
bool capture(const Plan& plan, std::string_view subject, Captured& captured) {
  if (!subject.starts_with(plan.front)) return false;
  const char* at = subject.data() + plan.front.size();
  const char* const end = subject.data() + subject.size();
  Piece* wildcard = captured.wildcards;
  for (const auto& step : plan.steps) {
    if (step.is_rest) {
      captured.rest = {at, static_cast<size_t>(end - at)};
      return at != end;
    }
    const char* const token_end = std::find(at, end, '.');
    if (token_end == at) return false;
    *wildcard++ = {at, static_cast<size_t>(token_end - at)};
    if (!std::string_view(token_end, end).starts_with(step.text)) return false;
    at = token_end + step.text.size();
  }
  return at == end;
}

}  // namespace

bool SubjectTransform::apply(std::string_view subject, std::string& out) const {
  const Plan& plan = *plan_;
  Captured captured;
  if (!capture(plan, subject, captured)) return false;
  if (plan.is_identity) {
    out = subject;
    return true;
  }
  out.clear();
  for (const TransformToken& piece : plan.pieces) {
    if (piece.kind == Kind::text)
      out += piece.text;
    else if (piece.kind == Kind::wildcard)
      out += captured.wildcards[piece.wildcards[0]];
    else if (piece.kind == Kind::rest)
      out += captured.rest;
    else if (piece.kind == Kind::partition)
      append_partition(piece, captured, subject, out);
    else
      append_cut(piece, captured.wildcards[piece.wildcards[0]], out);
  }
  return out.size() <= subject_size_max && (!plan.has_cuts || is_valid_literal(out));
}

bool SubjectTransform::matches(std::string_view subject) const {
  Captured captured;
  return capture(*plan_, subject, captured);
}

SubjectTransform::Made SubjectTransform::make(std::string_view source, std::string_view destination) {
  if (!is_valid_subject(source)) return tl::unexpected(fmt::format("invalid subject \"{}\"", source));
  Tokens from = tokens_of(source);
  const uint32_t wildcards = count_wildcards(from);
  if (wildcards > wildcards_max)
    return tl::unexpected(fmt::format("more than {} wildcards in the subject \"{}\"", wildcards_max, source));
  if (source == destination) return SubjectTransform(compile<Plan>(source, destination, from, from));

  auto to = read_transform_tokens(destination, wildcards);
  if (!to) return tl::unexpected(std::move(to.error()));
  const bool has_rest = from.back().kind == Kind::rest;
  if (has_rest != (to->back().kind == Kind::rest))
    return tl::unexpected(
        fmt::format("invalid subject: only one of \"{}\" and \"{}\" ends with \">\"", source, destination));
  return SubjectTransform(compile<Plan>(source, destination, std::move(from), std::move(*to)));
}

SubjectTransform::Made SubjectTransform::make_for_import(std::string_view source,
                                                         std::string_view destination) {
  Made made = make(source, destination);
  if (!made) return made;
  const Plan& plan = *made->plan_;
  std::vector<bool> is_used(count_wildcards(plan.source_tokens));
  for (const TransformToken& token : plan.tokens) {
    if (token.kind == Kind::partition || is_cut(token.kind))
      return tl::unexpected(
          fmt::format("invalid mapping destination: the only mapping function allowed for import transforms "
                      "is {{{{Wildcard()}}}} in {}",
                      destination));
    if (token.kind == Kind::wildcard) is_used[token.wildcards[0]] = true;
  }
  if (std::find(is_used.begin(), is_used.end(), false) != is_used.end())
    return tl::unexpected(fmt::format(
        "invalid mapping destination: not using all of the token wildcard(s) in {}", destination));
  return made;
}

SubjectTransform::Made SubjectTransform::reversed() const {
  // The n-th wildcard of the new source is the n-th of the old destination, whichever that was.
  const Plan& plan = *plan_;
  std::vector<uint32_t> place(count_wildcards(plan.source_tokens), UINT32_MAX);
  std::string source, destination;
  uint32_t count = 0;
  Tokens from = plan.tokens;
  for (TransformToken& token : from) {
    const bool is_wildcard = token.kind == Kind::wildcard;
    if (!is_wildcard && token.kind != Kind::text && token.kind != Kind::rest)
      return tl::unexpected(fmt::format("\"{}\" can not be reversed: it uses functions", plan.destination));
    if (is_wildcard && std::exchange(place[token.wildcards[0]], count) != UINT32_MAX)
      return tl::unexpected(
          fmt::format("\"{}\" can not be reversed: it uses a wildcard twice", plan.destination));
    if (is_wildcard) token.wildcards[0] = count++;
    source += fmt::format("{}{}", source.empty() ? "" : ".", is_wildcard ? "*" : token.text);
  }
  if (count != place.size())
    return tl::unexpected(
        fmt::format("\"{}\" can not be reversed: not using all of the token wildcard(s)", plan.destination));
  Tokens to = plan.source_tokens;
  for (TransformToken& token : to) {
    const bool is_wildcard = token.kind == Kind::wildcard;
    if (is_wildcard) token.wildcards[0] = place[token.wildcards[0]];
    destination += destination.empty() ? "" : ".";
    destination += is_wildcard ? fmt::format("${}", token.wildcards[0] + 1) : token.text;
  }
  return SubjectTransform(compile<Plan>(source, destination, std::move(from), std::move(to)));
}

std::string_view SubjectTransform::source() const {
  return plan_->source;
}

std::string_view SubjectTransform::destination() const {
  return plan_->destination;
}

bool SubjectTransform::is_identity() const {
  return plan_->is_identity;
}

namespace {

// A source is a destination that has nothing but texts and wildcards in order.
Tokens tokens_of(std::string_view source) {
  Tokens tokens;
  uint32_t wildcards = 0;
  for (;;) {
    const size_t dot = source.find('.');
    const std::string_view token = source.substr(0, dot);
    if (token == "*")
      tokens.push_back({Kind::wildcard, {}, {wildcards++}, 0});
    else
      tokens.push_back({token == ">" ? Kind::rest : Kind::text, std::string(token), {}, 0});
    if (dot == std::string_view::npos) return tokens;
    source.remove_prefix(dot + 1);
  }
}

uint32_t count_wildcards(const Tokens& tokens) {
  return static_cast<uint32_t>(std::count_if(tokens.begin(), tokens.end(), [](const TransformToken& token) {
    return token.kind == Kind::wildcard;
  }));
}

Tokens merge(const Tokens& tokens) {
  Tokens pieces;
  const auto append = [&pieces](std::string_view text) {
    if (pieces.empty() || pieces.back().kind != Kind::text) pieces.push_back({Kind::text, {}, {}, 0});
    pieces.back().text += text;
  };
  for (const TransformToken& token : tokens) {
    if (!pieces.empty()) append(".");
    if (token.kind == Kind::text)
      append(token.text);
    else
      pieces.push_back(token);
  }
  return pieces;
}

bool is_same(const Tokens& a, const Tokens& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& left, const auto& right) {
    return left.kind == right.kind && left.kind <= Kind::rest && left.wildcards == right.wildcards &&
           (left.kind != Kind::text || left.text == right.text);
  });
}

// FNV-1a over the tokens one after the other without dots, as everybody in the ecosystem computes it: the
// partition of a subject must not depend on which server maps it.
void append_partition(const TransformToken& piece, const Captured& captured, std::string_view subject,
                      std::string& out) {
  uint32_t hash = 2166136261u;
  const auto add = [&hash](std::string_view bytes) {
    for (const char byte : bytes) hash = (hash ^ static_cast<uint8_t>(byte)) * 16777619u;
  };
  for (const uint32_t wildcard : piece.wildcards) add(captured.wildcards[wildcard]);
  if (piece.wildcards.empty()) add(subject);
  char digits[10];
  const auto end =
      std::to_chars(digits, digits + sizeof digits, hash % static_cast<uint32_t>(piece.number)).ptr;
  out.append(digits, end);
}

}  // namespace
}  // namespace nuncio
