#include "core/start_check.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

namespace nuncio {
namespace {

enum class Writing { in_place, by_rename };

std::string file_obstacle(const std::string& path, Writing writing);
std::string directory_obstacle(const std::string& path);
std::string host_obstacle(const std::string& host);

}  // namespace

std::vector<std::string> find_start_obstacles(const Options& options) {
  std::vector<std::string> found;
  const auto note = [&](std::string_view option, const std::string& value, const std::string& obstacle) {
    if (!obstacle.empty()) found.push_back(fmt::format("{} {}: {}", option, log::quoted(value), obstacle));
  };
  if (!options.log.file.empty() && !options.log.syslog)
    note("log_file", options.log.file, file_obstacle(options.log.file, Writing::in_place));
  if (!options.pid_file.empty())
    note("pid_file", options.pid_file, file_obstacle(options.pid_file, Writing::by_rename));
  if (!options.ports_file_dir.empty())
    note("ports_file_dir", options.ports_file_dir, directory_obstacle(options.ports_file_dir));
  note("cannot listen on", options.host, host_obstacle(options.host));
  return found;
}

namespace {

bool may(const std::string& path, int mode) {
  return faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0;
}

std::string file_obstacle(const std::string& path, Writing writing) {
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) return std::strerror(EISDIR);
  if (exists && writing == Writing::in_place) return may(path, W_OK) ? "" : std::strerror(errno);
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return directory_obstacle(folder.empty() ? "." : folder);
}

std::string directory_obstacle(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::strerror(errno);
  if (!S_ISDIR(status.st_mode)) return std::strerror(ENOTDIR);
  return may(path, W_OK | X_OK) ? "" : std::strerror(errno);
}

// Resolves it and tries it with a port of the kernel's choice: an address of another machine is refused too.
std::string host_obstacle(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), "0", &hints, &found); error != 0)
    return gai_strerror(error);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> address(found, freeaddrinfo);
  const int descriptor = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return std::strerror(errno);
  const bool is_ours = bind(descriptor, address->ai_addr, address->ai_addrlen) == 0;
  std::string obstacle = is_ours ? "" : std::strerror(errno);
  close(descriptor);
  return obstacle;
}

}  // namespace
}  // namespace nuncio
