#include "harness.h"

#include <fmt/format.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <ostream>
#include <sstream>
#include <stdexcept>

namespace nuncio::test {
namespace {

// Debian 12's kernel headers may lack them.
constexpr unsigned setup_submit_all = 1u << 7;
constexpr unsigned setup_single_issuer = 1u << 12;
constexpr unsigned setup_defer_taskrun = 1u << 13;

// Why a ring like the workers' cannot be made here, or empty.
std::string io_uring_obstacle() {
  io_uring_params parameters{};
  parameters.flags = setup_submit_all | setup_single_issuer | setup_defer_taskrun;
  const long fd = ::syscall(__NR_io_uring_setup, 8, &parameters);
  if (fd < 0) return std::strerror(errno);
  ::close(static_cast<int>(fd));
  return {};
}

constexpr std::string_view reload_done_mark = "Reloaded server configuration\n";
constexpr std::string_view reload_refused_mark = "Failed to reload server configuration: ";

size_t count_of(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size()))
    ++count;
  return count;
}

// Text behind the last occurrence of `mark`, to the end of the line.
std::string text_behind(const std::string& log, std::string_view mark) {
  const size_t found = log.rfind(mark);
  if (found == std::string::npos) return {};
  const size_t begin = found + mark.size();
  return log.substr(begin, log.find('\n', begin) - begin);
}

std::vector<std::string> operator+(std::vector<std::string> left, const std::vector<std::string>& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

}  // namespace

const std::string& server_binary() {
  static const std::string binary = [] {
    const char* other = std::getenv("NUNCIO_TEST_SERVER");
    return std::string(other != nullptr && *other != '\0' ? other : TEST_SERVER_BINARY);
  }();
  return binary;
}

bool is_oracle() {
  static const bool result = [] {
    if (server_binary() == TEST_SERVER_BINARY) return false;
    return run(server_binary(), {"--version"}).out.starts_with("nats-server: v");
  }();
  return result;
}

ProgramCopy::ProgramCopy() {
  namespace fs = std::filesystem;
  constexpr fs::perms for_all = fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                                fs::perms::others_read | fs::perms::others_exec;
  const std::string folder = directory_.path();
  path_ = directory_ / ("n-" + folder.substr(folder.size() - 6));  // the random part
  fs::copy_file(server_binary(), path_);
  fs::permissions(folder, for_all);
  fs::permissions(path_, for_all);
}

size_t scaled(size_t count) {
  static const double scale = [] {
    const char* text = std::getenv("NUNCIO_TEST_SCALE");
    const double value = text != nullptr ? std::atof(text) : 1.0;
    return value > 0 ? value : 1.0;
  }();
  return std::max<size_t>(1, static_cast<size_t>(static_cast<double>(count) * scale));
}

std::vector<Backend> backends(const std::vector<int>& worker_counts) {
  if (is_oracle()) return {{"oracle", 0}};
  std::vector<Backend> result;
  for (const int workers : worker_counts) {
    result.push_back({"io_uring", workers});
    result.push_back({"epoll", workers});
  }
  return result;
}

void PrintTo(const Backend& backend, std::ostream* out) {
  *out << backend.name << " with " << backend.workers << " workers";
}

std::string backend_name(const testing::TestParamInfo<Backend>& info) {
  if (info.param.workers == 0 || info.param.workers == 2) return info.param.name;
  return fmt::format("{}_{}_workers", info.param.name, info.param.workers);
}

std::vector<std::string> backend_flags(const Backend& backend) {
  if (is_oracle()) return {};
  return {"--io_backend", backend.name, "--workers", std::to_string(backend.workers)};
}

Server::Server(const Backend& backend, const Launch& launch)
    : config_file_(launch.config.empty() ? nullptr
                                         : std::make_unique<TempFile>(launch.config, launch.config_suffix)),
      log_file_(launch.log_file),
      process_(server_binary(), arguments(backend, launch), launch.process) {
  wait_ready();
}

Server::~Server() {
  if (is_stopped_) return;
  try {
    stop();
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
}

std::vector<std::string> Server::arguments(const Backend& backend, const Launch& launch) const {
  std::vector<std::string> all{"-a", "127.0.0.1", "-p", "-1"};
  if (config_file_) all = all + std::vector<std::string>{"-c", config_file_->path()};
  return all + backend_flags(backend) + launch.flags;
}

void Server::wait_ready() {
  const bool is_ready =
      process_.wait_until([this] { return log().find("Server is ready") != std::string::npos; });
  if (!is_ready) {
    is_stopped_ = true;  // ~Process ends what is left of it
    throw std::runtime_error("the server did not become ready:\n" + log());
  }
  port_ = std::atoi(text_behind(log(), "Listening for client connections on 127.0.0.1:").c_str());
  if (port_ == 0) throw std::runtime_error("no port in the log:\n" + log());
}

std::string Server::log() const {
  return log_file_.empty() ? process_.output() : process_.output() + read_file(log_file_);
}

std::vector<std::string> Server::log_lines(std::string_view text) const {
  std::vector<std::string> result;
  std::istringstream all(log());
  for (std::string line; std::getline(all, line);)
    if (line.find(text) != std::string::npos) result.push_back(line);
  return result;
}

void Server::wait_for_log(std::string_view text, Where where) {
  wait_until([&] { return log().find(text) != std::string::npos; }, fmt::format("\"{}\" in the log", text),
             where);
}

void Server::wait_until(const std::function<bool()>& condition, std::string_view what, Where where) {
  if (process_.wait_until(condition)) return;
  fail(fmt::format("waited in vain for {}; the log ends:\n{}", what,
                   log().substr(log().size() - std::min<size_t>(log().size(), 3000))),
       where);
}

int Server::wait_exit() {
  is_stopped_ = true;
  const int status = process_.wait_exit();
  check_log();
  return status;
}

void Server::stop() {
  if (is_stopped_) return;
  if (process_.has_ended()) {
    const int status = wait_exit();
    throw std::runtime_error(
        fmt::format("the server has ended by itself with status {}:\n{}", status, log()));
  }
  signal(SIGTERM);
  const int status = wait_exit();
  // 2.9.10 exits with 1 after TERM (OP-3).
  const bool is_fine = status == 0 || (is_oracle() && status == 1);
  if (!is_fine) throw std::runtime_error(fmt::format("exit status {} after TERM:\n{}", status, log()));
}

void Server::reload(Where where) {
  if (!reload_and_wait(where)) {
    fail("the reload was refused: " + text_behind(log(), reload_refused_mark), where);
  }
}

void Server::reload_config(std::string_view text, Where where) {
  config_file().write(text);
  reload(where);
}

std::string Server::reload_refused(std::string_view text, Where where) {
  config_file().write(text);
  if (reload_and_wait(where)) fail("the reload was expected to be refused", where);
  return text_behind(log(), reload_refused_mark);
}

// Whether it was done.
bool Server::reload_and_wait(const Where& where) {
  const size_t done = count_of(log(), reload_done_mark);
  const size_t refused = count_of(log(), reload_refused_mark);
  signal(SIGHUP);
  bool is_done = false;
  wait_until(
      [&] {
        const std::string text = log();
        is_done = count_of(text, reload_done_mark) > done;
        return is_done || count_of(text, reload_refused_mark) > refused;
      },
      "the end of a reload", where);
  return is_done;
}

void Server::check_log() const {
  const std::string text = log();
  for (const char* sign : {"ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer",
                           "runtime error:", "ssertion failed"}) {
    if (text.find(sign) != std::string::npos)
      throw std::runtime_error("the server's log holds a report:\n" + text);
  }
}

void ServerTest::SetUp() {
  if (GetParam().name != "io_uring") return;
  if (const std::string obstacle = io_uring_obstacle(); !obstacle.empty()) {
    GTEST_SKIP() << "io_uring is not usable here: " << obstacle;
  }
}

void ServerTest::TearDown() {
  if (server_ && HasFailure()) {
    const std::string log = server_->log();
    std::cout << "The server's log ends:\n"
              << log.substr(log.size() - std::min<size_t>(log.size(), 2000)) << '\n';
  }
  if (server_) server_->stop();
}

Server& ServerTest::start(const Launch& launch) {
  server_.reset();
  server_ = std::make_unique<Server>(GetParam(), launch);
  return *server_;
}

Client ServerTest::connected(const Json& fields, Where where) {
  Client result = client(where);
  result.connect_ok(fields, where);
  return result;
}

Finished ServerTest::run_server(const Launch& launch) {
  std::vector<std::string> all = backend_flags(GetParam());
  std::unique_ptr<TempFile> config;
  if (!launch.config.empty()) {
    config = std::make_unique<TempFile>(launch.config, launch.config_suffix);
    all = all + std::vector<std::string>{"-c", config->path()};
  }
  return run(server_binary(), all + launch.flags, launch.process);
}

}  // namespace nuncio::test
