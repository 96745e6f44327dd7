// Everything that was found wrong with a configuration, in the order found, as "file:line:col: text" (CF-31).
// No text may hold a part of a secret. One thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/config/value.h"

namespace nuncio::config {

class Findings {
 public:
  void error(const Position&, std::string_view text);
  void warning(const Position&, std::string_view text);
  // A form that still works but should not be used: a start goes on, `-t` fails (CF-33).
  void deprecated(const Position&, std::string_view field, std::string_view text);

  std::vector<std::string> errors;
  std::vector<std::string> warnings;  // deprecated forms too
  bool has_deprecated = false;

 private:
  static void add(std::vector<std::string>& list, const Position&, std::string_view text);
};

}  // namespace nuncio::config
