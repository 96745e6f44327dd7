// log::quoted: text from outside made safe for logs, terminals and -ERR lines, in the form of Go's %q.
#include <cstdint>

#include "core/log.h"

namespace nuncio::log {
namespace {

struct Rune {
  uint32_t code;
  uint32_t size;  // bytes; 0: not valid UTF-8
};

Rune decode(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  const uint32_t size = lead < 0x80                   ? 1
                        : lead >= 0xC2 && lead < 0xE0 ? 2
                        : (lead & 0xF0) == 0xE0       ? 3
                        : lead >= 0xF0 && lead < 0xF5 ? 4
                                                      : 0;
  if (size == 0 || size > text.size()) return {0, 0};
  uint32_t code = size == 1 ? lead : lead & (0x7Fu >> size);
  for (uint32_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {0, 0};
    code = code << 6 | (byte(i) & 0x3F);
  }
  static constexpr uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < smallest[size] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return {0, 0};
  return {code, size};
}

// Control, format, private and space characters other than the ASCII space: what could move a terminal's
// cursor, hide text or reorder it.
bool is_printable(uint32_t code) {
  struct Range {
    uint32_t first, last;
  };
  static constexpr Range hidden[] = {
      {0, 0x1F},        {0x7F, 0xA0},     {0xAD, 0xAD},       {0x600, 0x605},     {0x61C, 0x61C},
      {0x6DD, 0x6DD},   {0x70F, 0x70F},   {0x1680, 0x1680},   {0x180E, 0x180E},   {0x2000, 0x200F},
      {0x2028, 0x202F}, {0x205F, 0x206F}, {0x3000, 0x3000},   {0xE000, 0xF8FF},   {0xFEFF, 0xFEFF},
      {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0x10FFFF}};
  for (const Range& range : hidden) {
    if (code >= range.first && code <= range.last) return false;
  }
  return true;
}

void append_escaped(std::string& out, uint32_t code) {
  static constexpr std::string_view named = "abtnvfr";  // \a is 7 … \r is 13
  if (code >= 7 && code <= 13) {
    out += '\\';
    out += named[code - 7];
  } else if (code < 0x80) {
    out += fmt::format("\\x{:02x}", code);
  } else if (code < 0x10000) {
    out += fmt::format("\\u{:04x}", code);
  } else {
    out += fmt::format("\\U{:08x}", code);
  }
}

}  // namespace

std::string quoted(std::string_view text, size_t bytes_max) {
  const bool is_cut = text.size() > bytes_max;
  if (is_cut) text = text.substr(0, bytes_max);
  std::string out = "\"";
  while (!text.empty()) {
    const Rune rune = decode(text);
    if (rune.size == 0) {
      out += fmt::format("\\x{:02x}", static_cast<uint8_t>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    if (rune.code == '"' || rune.code == '\\') {
      out += '\\';
      out += static_cast<char>(rune.code);
    } else if (is_printable(rune.code)) {
      out += text.substr(0, rune.size);
    } else {
      append_escaped(out, rune.code);
    }
    text.remove_prefix(rune.size);
  }
  out += is_cut ? "...\"" : "\"";
  return out;
}

}  // namespace nuncio::log
