// Turns a subject that matches a pattern into another one: the mappings of accounts and the subjects of
// imports (AU-60, AU-63). Immutable; any thread.
#pragma once

#include <tl/expected.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace nuncio {

class SubjectTransform {
 public:
  // `destination` may use `$n`, `{{wildcard(n)}}`, `{{partition(count, n, …)}}`, `{{split(n, delimiter)}}`,
  // `{{splitfromleft(n, at)}}`, `{{splitfromright(n, at)}}`, `{{slicefromleft(n, size)}}`,
  // `{{slicefromright(n, size)}}`,
  // `{{left(n, size)}}`, `{{right(n, size)}}`, with the names in any case, and '*' and '>' for those of
  // `source` in order. The error says what is wrong with which of the two.
  static tl::expected<SubjectTransform, std::string> make(std::string_view source,
                                                          std::string_view destination);
  // The other way round, for a destination that only has the wildcards of the source.
  tl::expected<SubjectTransform, std::string> reversed() const;

  // Sets `out` to the transformed subject and gives true when `subject` (literal) matches the source.
  // Allocates only while `out` grows.
  bool apply(std::string_view subject, std::string& out) const;

  std::string_view source() const;
  std::string_view destination() const;  // as given
  bool is_identity() const;

 private:
  struct Plan;
  std::shared_ptr<const Plan> plan_;
};

}  // namespace nuncio
