#include "core/config/findings.h"

#include <fmt/format.h>

namespace nuncio::config {

void Findings::error(const Position& position, std::string_view text) {
  add(errors, position, text);
}

void Findings::warning(const Position& position, std::string_view text) {
  add(warnings, position, text);
}

void Findings::deprecated(const Position& position, std::string_view field, std::string_view text) {
  has_deprecated = true;
  warning(position, fmt::format("invalid use of field \"{}\": {}", field, text));
}

void Findings::add(std::vector<std::string>& list, const Position& position, std::string_view text) {
  if (list.size() < findings_max) {
    list.push_back(fmt::format("{}: {}", position.text(), text));
  } else if (list.size() == findings_max) {
    list.emplace_back("further findings are not shown");
  }
}

}  // namespace nuncio::config
