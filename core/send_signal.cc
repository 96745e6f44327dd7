#include "core/send_signal.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

namespace nuncio {
namespace {

std::optional<pid_t> as_pid(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || end != text.data() + text.size() || pid <= 0) return std::nullopt;
  return pid;
}

// Processes of this program's file, whatever name they were started by; without this one.
std::vector<pid_t> find_running() {
  namespace fs = std::filesystem;
  std::vector<pid_t> found;
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/self/exe", error);
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::optional<pid_t> pid = as_pid(entry.path().filename().string());
    if (!pid || *pid == getpid()) continue;
    std::error_code unreadable;
    if (fs::read_symlink(entry.path() / "exe", unreadable) == own) found.push_back(*pid);
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::string send_signal(int number, const std::string& target) {
  std::optional<pid_t> pid = as_pid(target);
  if (!target.empty() && !pid) {
    std::ifstream file(target);
    std::string text;
    if (!std::getline(file, text) || !(pid = as_pid(text))) return fmt::format("no process id in {}", target);
  }
  if (!pid) {
    const std::vector<pid_t> running = find_running();
    if (running.empty()) return "no nuncio-server processes running";
    if (running.size() > 1)
      return fmt::format("multiple nuncio-server processes running:\n{}", fmt::join(running, "\n"));
    pid = running.front();
  }
  if (kill(*pid, number) != 0) return fmt::format("cannot signal process {}: {}", *pid, std::strerror(errno));
  return {};
}

}  // namespace nuncio
