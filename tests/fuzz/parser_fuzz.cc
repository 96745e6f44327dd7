// The parser on arbitrary bytes: what it gives lies inside the input, both variants agree whatever lies
// behind the input, and a shorter input gives the same operation, "incomplete" or, where the end is all that
// is missing, nothing else. The first byte chooses the limits.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>

#include "core/assert.h"
#include "core/parser.h"

namespace {

using nuncio::Operation;
using nuncio::ParseLimits;
using nuncio::ParseResult;
using nuncio::ParseStatus;
using nuncio::Verb;

void check_inside(std::string_view input, std::string_view view) {
  if (view.empty()) return;
  NUNCIO_ASSERT(view.data() >= input.data());
  NUNCIO_ASSERT(view.data() + view.size() <= input.data() + input.size());
}

bool is_publish(const Operation& o) {
  return o.verb == Verb::pub || o.verb == Verb::hpub;
}

void check_operation(std::string_view input, const ParseResult& result, const Operation& o) {
  NUNCIO_ASSERT(result.consumed > 0 && result.consumed <= input.size());
  const std::string_view own = input.substr(0, result.consumed);
  for (const auto view : {o.subject, o.reply, o.queue, o.sid, o.payload, o.tail, o.argument})
    check_inside(own, view);
  NUNCIO_ASSERT(own.ends_with('\n'));
  if (!is_publish(o)) return;
  NUNCIO_ASSERT(o.payload.size() == o.size && o.header_size <= o.size && !o.subject.empty());
  NUNCIO_ASSERT(own.ends_with("\r\n"));
  if (!o.is_canonical) return;
  NUNCIO_ASSERT(o.tail.data() == o.subject.data() + o.subject.size() + 1);
  NUNCIO_ASSERT(o.tail.data() + o.tail.size() == own.data() + own.size());
}

void check_same(const ParseResult& a, const Operation& x, const ParseResult& b, const Operation& y) {
  NUNCIO_ASSERT(a.status == b.status && a.error == b.error && a.consumed == b.consumed &&
                a.needed == b.needed);
  if (a.status != ParseStatus::complete) return;
  NUNCIO_ASSERT(x.verb == y.verb);
  if (is_publish(x)) {
    NUNCIO_ASSERT(x.is_canonical == y.is_canonical && x.header_size == y.header_size && x.size == y.size);
    NUNCIO_ASSERT(x.subject == y.subject && x.reply == y.reply && x.payload == y.payload);
    NUNCIO_ASSERT(!x.is_canonical || x.tail == y.tail);
  }
}

// Whatever is said about less of the input must still hold with all of it.
void check_prefixes(std::string_view input, const ParseLimits& limits, const ParseResult& whole) {
  const size_t step = std::max<size_t>(1, input.size() / 64);
  for (size_t size = 1; size < input.size(); size += step) {
    Operation operation;
    const ParseResult part = nuncio::parse_portable(input.substr(0, size), limits, operation);
    if (part.status == ParseStatus::error)
      NUNCIO_ASSERT(whole.status == ParseStatus::error && whole.error == part.error);
    if (part.status == ParseStatus::complete)
      NUNCIO_ASSERT(whole.status == ParseStatus::complete && whole.consumed == part.consumed);
    if (part.status == ParseStatus::incomplete) {
      NUNCIO_ASSERT(part.needed == 0 || part.needed > size);
      NUNCIO_ASSERT(whole.status != ParseStatus::complete || whole.consumed > size);
      NUNCIO_ASSERT(part.needed == 0 || whole.status != ParseStatus::complete ||
                    whole.consumed == part.needed);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const ParseLimits limits{.control_line_max = data[0] % 2 == 0 ? 4096u : 24u,
                           .payload_max = data[0] % 3 == 0 ? 1024u * 1024 : 20u};
  const char padding = "\n\0 1"[data[0] / 6 % 4];
  ++data;
  --size;
  // Exactly as long as the contract asks for, so that AddressSanitizer sees a look beyond.
  const auto buffer = std::make_unique<char[]>(size + nuncio::parser_padding);
  std::copy_n(reinterpret_cast<const char*>(data), size, buffer.get());
  std::fill_n(buffer.get() + size, nuncio::parser_padding, padding);

  for (std::string_view input{buffer.get(), size}; !input.empty();) {
    Operation operation;
    const ParseResult result = nuncio::parse(input, limits, operation);
    Operation portable_operation;
    const ParseResult portable = nuncio::parse_portable(input, limits, portable_operation);
    check_same(result, operation, portable, portable_operation);
    check_prefixes(input, limits, result);
    if (result.status != ParseStatus::complete) break;
    check_operation(input, result, operation);
    input.remove_prefix(result.consumed);
  }
  return 0;
}
