#include "process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

namespace nuncio::test {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    read_end = ends[0];
    write_end = ends[1];
  }
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

// Between fork and exec of a process with threads: system calls only.
[[noreturn]] void become(const char* binary, char* const* arguments, char* const* environment, int in,
                         int out, int err, rlim_t descriptors_max, bool without_root, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGPIPE, SIG_DFL);
  if (::getppid() != parent) ::_exit(127);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  if (descriptors_max != 0) {
    const rlimit limit{descriptors_max, descriptors_max};
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (without_root && ::geteuid() == 0) {
    constexpr uid_t nobody = 65534;
    if (::setgroups(0, nullptr) != 0 || ::setgid(nobody) != 0 || ::setuid(nobody) != 0) ::_exit(127);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a change of user forgets it
  }
  ::execvpe(binary, arguments, environment);
  ::_exit(127);
}

}  // namespace

Process::Process(const std::string& binary, const std::vector<std::string>& arguments,
                 const ProcessSettings& settings) {
  std::vector<std::string> all_arguments{binary};
  all_arguments.insert(all_arguments.end(), arguments.begin(), arguments.end());
  std::vector<std::string> all_environment = settings.environment;
  for (char** entry = environ; *entry != nullptr; ++entry) all_environment.emplace_back(*entry);
  const std::vector<char*> argument_pointers = pointers(all_arguments);
  const std::vector<char*> environment_pointers = pointers(all_environment);

  ::signal(SIGPIPE, SIG_IGN);  // a child need not read its input
  const Pipe in;
  const Pipe out;
  const Pipe err;
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    become(binary.c_str(), argument_pointers.data(), environment_pointers.data(), in.read_end, out.write_end,
           err.write_end, settings.descriptors_max, settings.without_root, parent);
  }
  ::close(in.read_end);
  ::close(out.write_end);
  ::close(err.write_end);
  reader_ = std::thread([this, out, err, in, input = settings.standard_input] {
    collect(out.read_end, err.read_end, in.write_end, input);
  });
}

Process::~Process() {
  is_paused_ = false;
  if (!has_ended()) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status_, 0);
  }
  reader_.join();
}

void Process::signal(int number) {
  ::kill(pid_, number);
}

void Process::collect(int out, int err, int in, std::string input) {
  // Inputs of tests are far below the size of a pipe: this cannot block.
  if (!input.empty()) (void)!::write(in, input.data(), input.size());
  ::close(in);

  pollfd ends[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  std::string* texts[2] = {&out_, &err_};
  char buffer[16 * 1024];
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    while (is_paused_) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    if (::poll(ends, 2, -1) < 0 && errno != EINTR) break;
    for (int i = 0; i < 2; ++i) {
      if (ends[i].fd < 0 || ends[i].revents == 0) continue;
      const ssize_t size = ::read(ends[i].fd, buffer, sizeof buffer);
      if (size <= 0) {
        ::close(ends[i].fd);
        ends[i].fd = -1;
        continue;
      }
      const std::lock_guard lock(mutex_);
      texts[i]->append(buffer, static_cast<size_t>(size));
      changed_.notify_all();
    }
  }
  const std::lock_guard lock(mutex_);
  is_output_over_ = true;
  changed_.notify_all();
}

std::string Process::standard_output() const {
  const std::lock_guard lock(mutex_);
  return out_;
}

std::string Process::standard_error() const {
  const std::lock_guard lock(mutex_);
  return err_;
}

bool Process::wait_until(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
  const Clock::time_point end = Clock::now() + limit;
  for (;;) {
    bool is_over;
    {
      const std::lock_guard lock(mutex_);
      is_over = is_output_over_;
    }
    if (condition()) return true;
    if (is_over || Clock::now() >= end) return false;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(5));
  }
}

bool Process::has_ended() {
  if (status_ == -1) {
    int status;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  }
  return status_ != -1;
}

int Process::wait_exit(std::chrono::milliseconds limit) {
  const Clock::time_point end = Clock::now() + limit;
  while (!has_ended()) {
    if (Clock::now() >= end) throw std::runtime_error("process goes on running; its output:\n" + output());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, end, [this] { return is_output_over_; });
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

std::chrono::nanoseconds Process::cpu_time() const {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &used) != 0)
    throw std::runtime_error("the processor time of the process cannot be read");
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

Finished run(const std::string& binary, const std::vector<std::string>& arguments,
             const ProcessSettings& settings) {
  Process process(binary, arguments, settings);
  const int exit_status = process.wait_exit();
  return {exit_status, process.standard_output(), process.standard_error()};
}

}  // namespace nuncio::test
