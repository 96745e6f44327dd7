// Source, destination and subject on a line each: any bytes give a transform or an error with a text. A
// transform matches exactly what its source matches, gives valid literals of literals, the same each time,
// and what can be reversed comes back.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/assert.h"
#include "core/subject.h"
#include "core/subject_transform.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace nuncio;
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  const auto next_line = [&rest] {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    return line;
  };
  const std::string_view source = next_line(), destination = next_line(), subject = next_line();

  const auto transform = SubjectTransform::make(source, destination);
  if (!transform) {
    NUNCIO_ASSERT(!transform.error().empty());
    return 0;
  }
  NUNCIO_ASSERT(transform->source() == source && transform->destination() == destination);
  if (!is_valid_literal(subject)) return 0;

  std::string out, again = "left from before";
  const bool is_applied = transform->apply(subject, out);
  NUNCIO_ASSERT(transform->matches(subject) == subject_matches(source, subject));
  NUNCIO_ASSERT(!is_applied || transform->matches(subject));
  NUNCIO_ASSERT(transform->apply(subject, again) == is_applied);
  if (!is_applied) return 0;
  NUNCIO_ASSERT(out == again && is_valid_literal(out));
  NUNCIO_ASSERT(!transform->is_identity() || out == subject);

  const auto back = transform->reversed();
  NUNCIO_ASSERT(!back || (back->apply(out, again) && again == subject));
  return 0;
}
