// From a command line to the options of a run: reads the file it names, lets the flags override it (CF-67),
// and checks what only the whole shows (CF-36). One thread; reads files, never throws.
#pragma once

#include <string>
#include <vector>

#include "core/command_line.h"
#include "core/options.h"

namespace nuncio::config {

struct LoadedOptions {
  Options options;                    // usable only when there are no errors
  std::vector<std::string> errors;    // "file:line:col: text" or "command line: text"; no secrets
  std::vector<std::string> warnings;  // likewise
  bool has_deprecated = false;        // some of the warnings fail a check (CF-33)
};

LoadedOptions load_options(const CommandLine&);

// What `-t` prints on standard error, and its exit status (CF-31). The caller may have added errors of its
// own.
struct CheckReport {
  std::string text;
  int exit_code = 0;
};
CheckReport check_report(const CommandLine&, const LoadedOptions&);

}  // namespace nuncio::config
