// A child process of a test: started with given flags, its output collected by a thread, never outliving the
// test.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace nuncio::test {

// Every wait of a test ends after this time, as a failure. Generous: sanitizer builds on a busy machine are
// slow.
inline constexpr std::chrono::seconds wait_max{20};

struct ProcessSettings {
  std::string standard_input = {};            // what the child reads before end of file
  std::vector<std::string> environment = {};  // NAME=value, added to ours
  rlim_t descriptors_max = 0;                 // soft and hard RLIMIT_NOFILE; 0: as ours
  bool without_root = false;                  // as nobody when we are root
};

class Process {
 public:
  Process(const std::string& binary, const std::vector<std::string>& arguments, const ProcessSettings& = {});
  ~Process();  // kills what still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number);

  std::string standard_output() const;
  std::string standard_error() const;
  std::string output() const { return standard_output() + standard_error(); }

  // Stops and restarts reading the output: what a terminal or a full pipe does to a program.
  void pause_output(bool is_paused) { is_paused_ = is_paused; }

  // Waits until `condition` holds (looked at whenever output arrives and every few ms) or the process has
  // ended; says whether it holds.
  bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds limit = wait_max);

  // Waits for the end of the process and of its output. The exit status, or 128 + the number of the signal
  // that ended it. Throws when it goes on running.
  int wait_exit(std::chrono::milliseconds limit = wait_max);
  bool has_ended();

  // Processor time of all of its threads up to now; it must be running.
  std::chrono::nanoseconds cpu_time() const;

 private:
  void collect(int out, int err, int in, std::string input);

  pid_t pid_ = -1;
  int status_ = -1;  // as of waitpid; -1: not reaped
  std::thread reader_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string out_;
  std::string err_;
  bool is_output_over_ = false;
  std::atomic<bool> is_paused_{false};
};

struct Finished {
  int exit_status;
  std::string out;
  std::string err;
};

// Runs a program to its end.
Finished run(const std::string& binary, const std::vector<std::string>& arguments,
             const ProcessSettings& = {});

}  // namespace nuncio::test
