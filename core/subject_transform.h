// Turns a subject that matches a pattern into another one: the mappings of accounts and the subjects of
// imports (AU-60, AU-63). Immutable; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace nuncio {

class SubjectTransform {
 public:
  using Made = tl::expected<SubjectTransform, std::string>;

  // Of one source; more are an error.
  static constexpr uint32_t wildcards_max = 32;

  // `destination` may use `$n`, `{{wildcard(n)}}`, `{{partition(count, n, …)}}` (without n: of the whole
  // subject), `{{split(n, delimiter)}}`, `{{splitfromleft(n, at)}}`, `{{splitfromright(n, at)}}`,
  // `{{slicefromleft(n, size)}}`, `{{slicefromright(n, size)}}`, `{{left(n, size)}}`, `{{right(n, size)}}`,
  // with the names in any case, and '*' and '>' for those of `source` in order. Not every '*' of the source
  // must be used. When both are the same text it is the identity, whatever the tokens look like. The error
  // says what is wrong with which of the two.
  static Made make(std::string_view source, std::string_view destination);
  // The same for an import: only wildcards, and every one of the source must be used.
  static Made make_for_import(std::string_view source, std::string_view destination);
  // The other way round, for a destination that has each wildcard of the source once and no other function.
  Made reversed() const;

  // Sets `out` to the transformed subject and gives true when `subject` (a valid literal, not in `out`)
  // matches the source. Also false when cutting a token would make a wildcard or an empty token, or the
  // result is too long for a subject. Allocates only while `out` grows. Where the destination only has
  // wildcards, `subject` may also be a pattern that is a subset of the source: `out` is then the pattern of
  // what it becomes.
  bool apply(std::string_view subject, std::string& out) const;
  bool matches(std::string_view subject) const;

  std::string_view source() const;
  std::string_view destination() const;  // as given
  bool is_identity() const;

 private:
  struct Plan;
  explicit SubjectTransform(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {}

  std::shared_ptr<const Plan> plan_;
};

}  // namespace nuncio
