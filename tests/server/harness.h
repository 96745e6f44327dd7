// The language of the server tests: which program is under test, a server with its log, and the fixture that
// runs every test on both I/O back ends. See README.md in this folder.
#pragma once

#include <gtest/gtest.h>

#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client.h"
#include "process.h"
#include "temp_file.h"

namespace nuncio::test {

// The program under test: $NUNCIO_TEST_SERVER, else the one of this build.
const std::string& server_binary();
// True when it is the reference server, the oracle that the tests themselves are checked against.
bool is_oracle();
// A copy of the program under test where every user may run it, under a name that no other process has.
class ProgramCopy {
 public:
  ProgramCopy();
  const std::string& path() const { return path_; }

 private:
  TempDirectory directory_;
  std::string path_;
};
// A count of a stress test, multiplied by $NUNCIO_TEST_SCALE (1).
size_t scaled(size_t count);

struct Backend {
  std::string name;  // "io_uring", "epoll", or "oracle"
  int workers = 2;
};
void PrintTo(const Backend& backend, std::ostream* out);
// What a test is run with: io_uring and epoll with each of these worker counts, or the oracle once.
std::vector<Backend> backends(const std::vector<int>& worker_counts = {2});
std::string backend_name(const testing::TestParamInfo<Backend>& info);

#define NUNCIO_ON_EVERY_BACKEND(suite)                                             \
  INSTANTIATE_TEST_SUITE_P(, suite, testing::ValuesIn(::nuncio::test::backends()), \
                           ::nuncio::test::backend_name)
#define NUNCIO_ON_EVERY_BACKEND_AND_WORKERS(suite, ...)                                         \
  INSTANTIATE_TEST_SUITE_P(, suite, testing::ValuesIn(::nuncio::test::backends({__VA_ARGS__})), \
                           ::nuncio::test::backend_name)

// For what we do differently from the reference on purpose (**N** in the specifications).
#define NUNCIO_OURS_ONLY() \
  if (::nuncio::test::is_oracle()) GTEST_SKIP() << "deliberately different from the reference server"

struct Launch {
  std::vector<std::string> flags = {};
  std::string config = {};  // text of the configuration file; empty: none
  std::string config_suffix = ".conf";
  std::string log_file = {};  // where flags or config send the log, if not to standard error
  ProcessSettings process = {};
};

// A server on 127.0.0.1 and a port of the kernel's choice, ready for clients once constructed.
class Server {
 public:
  Server(const Backend& backend, const Launch& launch);
  // Ends the server, see stop(), unless that was done.
  ~Server();

  int port() const { return port_; }
  pid_t pid() const { return process_.pid(); }
  std::string log() const;
  std::vector<std::string> log_lines(std::string_view text) const;  // those that hold the text
  // Waits until the log holds the text; fails the test otherwise.
  void wait_for_log(std::string_view text, Where = Where::current());
  // The same for any condition over the server.
  void wait_until(const std::function<bool()>& condition, std::string_view what, Where = Where::current());
  std::chrono::nanoseconds cpu_time() const { return process_.cpu_time(); }
  bool is_running() { return !process_.has_ended(); }
  void signal(int number) { process_.signal(number); }
  void pause_output(bool is_paused) { process_.pause_output(is_paused); }
  // For servers that are expected to end by themselves or by a signal of the test; the exit status.
  int wait_exit();
  // TERM, then the end: fails the test when that takes too long, the exit status is not 0, or the log holds
  // the report of a sanitizer or a failed assertion.
  void stop();

  // Path of the configuration file, to rewrite it or to look for its name.
  TempFile& config_file() { return *config_file_; }

  // HUP; back once the log says that the configuration was reloaded. From then on no login uses the old one.
  void reload(Where = Where::current());
  // The same with a new text in the file.
  void reload_config(std::string_view text, Where = Where::current());
  // HUP with a text that must be refused; the line of the log that says so.
  std::string reload_refused(std::string_view text, Where = Where::current());

 private:
  std::vector<std::string> arguments(const Backend& backend, const Launch& launch) const;
  void wait_ready();
  bool reload_and_wait(const Where& where);
  void check_log() const;

  std::unique_ptr<TempFile> config_file_;
  std::string log_file_;
  Process process_;
  int port_ = 0;
  bool is_stopped_ = false;
};

// The flags that select the back end for Nuncio; none for the oracle.
std::vector<std::string> backend_flags(const Backend& backend);

class ServerTest : public testing::TestWithParam<Backend> {
 protected:
  // Skips where this machine has no usable io_uring.
  void SetUp() override;
  // Stops the server of the test.
  void TearDown() override;

  Server& start(const Launch& launch = {});
  Server& start_config(const std::string& config, const std::vector<std::string>& flags = {}) {
    return start({.flags = flags, .config = config});
  }
  Server& start_flags(const std::vector<std::string>& flags) { return start({.flags = flags}); }
  Server& server() { return *server_; }

  // A connection whose client has said nothing yet.
  Client client(Where where = Where::current()) { return Client(server().port(), 0, where); }
  // A client that is logged in.
  Client connected(const Json& fields = Json::object(), Where where = Where::current());

  // Runs the server program to its end: for starts that must fail, and for -t, -v, -h.
  Finished run_server(const Launch& launch);

 private:
  std::unique_ptr<Server> server_;
};

}  // namespace nuncio::test
