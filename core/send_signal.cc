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

std::string name_of(const std::string& process) {
  std::ifstream file(fmt::format("/proc/{}/comm", process));
  std::string name;
  std::getline(file, name);
  return name;
}

// The file of a server is hidden from all but root, as its memory is (AU-46); its name is not. One that we
// may signal and whose file we may not see is no other program of this user.
bool is_hidden_server(pid_t pid, const std::string& own_name) {
  return kill(pid, 0) == 0 && name_of(std::to_string(pid)) == own_name;
}

// Processes of this program's file, whatever name they were started by; without this one.
std::vector<pid_t> find_running() {
  namespace fs = std::filesystem;
  std::vector<pid_t> found;
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/self/exe", error);
  const std::string own_name = name_of("self");
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::optional<pid_t> pid = as_pid(entry.path().filename().string());
    if (!pid || *pid == getpid()) continue;
    std::error_code unreadable;
    const fs::path file = fs::read_symlink(entry.path() / "exe", unreadable);
    if (unreadable ? is_hidden_server(*pid, own_name) : file == own) found.push_back(*pid);
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

tl::expected<pid_t, std::string> find_server(const std::string& target) {
  if (const std::optional<pid_t> pid = as_pid(target)) return *pid;
  if (!target.empty()) {
    std::ifstream file(target);
    std::string text;
    std::getline(file, text);
    if (const std::optional<pid_t> pid = as_pid(text)) return *pid;
    return tl::unexpected(fmt::format("no process id in {}", target));
  }
  const std::vector<pid_t> running = find_running();
  if (running.empty()) return tl::unexpected(std::string("no nuncio-server processes running"));
  if (running.size() > 1)
    return tl::unexpected(
        fmt::format("multiple nuncio-server processes running:\n{}", fmt::join(running, "\n")));
  return running.front();
}

std::string send_signal(int number, const std::string& target) {
  const auto pid = find_server(target);
  if (!pid) return pid.error();
  if (kill(*pid, number) != 0) return fmt::format("cannot signal process {}: {}", *pid, std::strerror(errno));
  return {};
}

}  // namespace nuncio
