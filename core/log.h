// The server's log. Lines are handed to one writer thread through a bounded queue: a log target that blocks
// or fails never blocks a worker (OP-15); what did not fit is counted and reported by a later line. Any
// thread may log. Text from outside must go through quoted() first, secrets must not come here at all.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace nuncio::log {

enum class Level { trace, debug, info, warn, error, fatal };

struct Settings {
  bool debug = false;
  bool trace = false;
  bool time = true;     // show date and time
  bool utc = false;     // in UTC rather than local time
  std::string file;     // empty: standard error
  bool syslog = false;  // local syslog instead of file or standard error

  friend bool operator==(const Settings&, const Settings&) = default;
};

// Opens the target and starts the writer. Returns an empty string, or what went wrong (file cannot be
// opened).
std::string start(const Settings&);
// Writes what is queued, waiting at most a second, and stops the writer. False when the target was blocked:
// the writer still hangs in it, and the process must end by _exit(). Lines logged before start() or after
// stop() go to standard error at once.
bool stop();
// Other settings from now on, lines that are queued included. Empty, or what went wrong; then nothing changes. Between
// start() and stop().
std::string change(const Settings&);
// Closes and reopens the log file (SIGUSR1).
void reopen();

// True when lines of this level are written: ask before building an expensive line.
bool enabled(Level) noexcept;
void write(Level, std::string_view text);

template <typename... Args>
void trace(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::trace)) write(Level::trace, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::debug)) write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warn, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void fatal(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::fatal, fmt::format(format, std::forward<Args>(args)...));
}

// `text` in double quotes with control characters, quotes, backslashes and invalid UTF-8 escaped as Go's %q
// does, cut to `bytes_max` source bytes (three dots mark the cut). Also the form subjects take inside -ERR
// texts (CP-66).
std::string quoted(std::string_view text, size_t bytes_max = 256);

}  // namespace nuncio::log
