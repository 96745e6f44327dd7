// Two lines that may be distinguished names: what is read can be written and read again, and two are equal by
// their keys just when they are part by part.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "auth/distinguished_name.h"
#include "core/assert.h"

using nuncio::auth::DistinguishedName;
using Attribute = DistinguishedName::Attribute;
using Relative = DistinguishedName::Relative;

namespace {

bool are_equal(const Attribute& a, const Attribute& b) {
  const auto same_letter = [](char x, char y) { return x == y || (x ^ y) == 0x20; };  // of a type
  return a.value == b.value &&
         std::equal(a.type.begin(), a.type.end(), b.type.begin(), b.type.end(), same_letter);
}

bool are_equal_relatives(const Relative& a, const Relative& b) {
  return std::is_permutation(a.begin(), a.end(), b.begin(), b.end(), are_equal);
}

std::string written(const DistinguishedName& name) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  for (auto relative = name.relatives.rbegin(); relative != name.relatives.rend(); ++relative) {
    char separator = ',';
    for (const Attribute& attribute : *relative) {
      if (!text.empty()) text += separator;
      separator = '+';
      text += attribute.type + "=";
      for (const char c : attribute.value)
        text.append("\\").append(1, digits[c >> 4 & 15]).append(1, digits[c & 15]);
    }
  }
  return text;
}

void check(const DistinguishedName& name) {
  NUNCIO_ASSERT(!name.relatives.empty());
  for (const Relative& relative : name.relatives) NUNCIO_ASSERT(!relative.empty());
  NUNCIO_ASSERT(DistinguishedName::parse(written(name)).value().relatives == name.relatives);
  DistinguishedName reversed = name;
  std::reverse(reversed.relatives.begin(), reversed.relatives.end());
  NUNCIO_ASSERT(reversed.unordered_key() == name.unordered_key());
  for (const std::string& text : {name.usual_text(), name.domain_components_text()}) {
    const auto again = DistinguishedName::parse(text);
    NUNCIO_ASSERT(again.has_value() != text.empty());
    if (again) NUNCIO_ASSERT(again->is_comparable());
  }
  if (const auto usual = DistinguishedName::parse(name.usual_text()))
    NUNCIO_ASSERT(usual->usual_text() == name.usual_text());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line_end = std::min(text.find('\n'), text.size());
  const auto a = DistinguishedName::parse(text.substr(0, line_end));
  const auto b = DistinguishedName::parse(text.substr(std::min(line_end + 1, text.size())));
  if (a) check(*a);
  if (b) check(*b);
  if (!a || !b) return 0;
  const auto& mine = a->relatives;
  const auto& theirs = b->relatives;
  NUNCIO_ASSERT((a->ordered_key() == b->ordered_key()) ==
                std::equal(mine.begin(), mine.end(), theirs.begin(), theirs.end(), are_equal_relatives));
  NUNCIO_ASSERT(
      (a->unordered_key() == b->unordered_key()) ==
      std::is_permutation(mine.begin(), mine.end(), theirs.begin(), theirs.end(), are_equal_relatives));
  return 0;
}
