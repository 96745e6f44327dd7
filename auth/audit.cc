#include "auth/audit.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/log.h"

namespace nuncio::auth {
namespace {

using Queue = spdlog::details::thread_pool;  // a bounded queue and the one thread that writes from it

constexpr size_t queue_records = 8192;
constexpr size_t text_bytes_max = 256;
constexpr auto drain_max = std::chrono::seconds(1);

std::string json_line(const AuditRecord&, std::chrono::system_clock::time_point now);

// Where the lines go. append() is called by the writer only, reopen() by any thread.
class Target {
 public:
  virtual ~Target() = default;
  virtual bool append(std::string line) = 0;
  virtual void reopen() = 0;
};

class SyslogTarget final : public Target {
 public:
  // Without openlog(): its settings belong to the whole process, and the server's log may be using them.
  bool append(std::string line) override {
    syslog(LOG_AUTHPRIV | LOG_INFO, "%s", line.c_str());
    return true;
  }
  void reopen() override {}
};

// Never waits: a pipe that nobody reads is an error.
int open_private(const std::string& path) {
  const int fd =
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
  if (fd < 0) return -1;
  struct stat status;
  const bool is_usable = fstat(fd, &status) == 0 && (!S_ISREG(status.st_mode) || fchmod(fd, 0600) == 0) &&
                         fcntl(fd, F_SETFL, O_APPEND) == 0;  // blocking from here on: only the writer waits
  if (is_usable) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

class FileTarget final : public Target {
 public:
  FileTarget(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  ~FileTarget() override {
    take_next();
    close(fd_);
  }

  bool append(std::string line) override {
    take_next();
    line += '\n';
    if (is_torn_) line.insert(0, 1, '\n');
    for (std::string_view rest = line; !rest.empty();) {
      const ssize_t written = ::write(fd_, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) {
        is_torn_ = is_torn_ || rest.size() < line.size();
        complain(errno);
        return false;
      }
      rest.remove_prefix(static_cast<size_t>(written));
    }
    is_torn_ = has_failed_ = false;
    return true;
  }

  void reopen() override {
    const int fd = open_private(path_);
    if (fd < 0) {
      log::error("cannot reopen the audit log {}: {}", log::quoted(path_), std::strerror(errno));
      return;  // keep writing to the old one rather than nowhere
    }
    if (const int unused = next_fd_.exchange(fd); unused >= 0) close(unused);
  }

 private:
  // The writer changes over between two lines, so that reopen() need not wait for one that hangs.
  void take_next() {
    const int next = next_fd_.exchange(-1);
    if (next < 0) return;
    close(fd_);
    fd_ = next;
    is_torn_ = false;
  }
  void complain(int error) {
    if (!has_failed_)
      log::error("cannot write the audit log {}: {}", log::quoted(path_), std::strerror(error));
    has_failed_ = true;  // once, until a write succeeds
  }

  const std::string path_;
  int fd_;
  std::atomic<int> next_fd_{-1};
  bool is_torn_ = false;  // the file ends in the middle of a line
  bool has_failed_ = false;
};

// Runs on the writer thread: hands the lines to the target and tells, in the next one that could be written,
// how many records are missing.
class Sink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  Sink(std::unique_ptr<Target> target, Queue* queue) : target_(std::move(target)), queue_(queue) {}

  Target& target() { return *target_; }
  uint64_t done() const { return done_; }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const uint64_t lost = queue_->overrun_counter() + unwritten_;
    std::string line(message.payload.data(), message.payload.size());
    if (lost > told_) line.replace(line.size() - 1, 1, fmt::format(",\"lost\":{}}}", lost - told_));
    if (target_->append(std::move(line))) {
      told_ = lost;
    } else {
      ++unwritten_;
    }
    ++done_;
  }
  void flush_() override {}

 private:
  const std::unique_ptr<Target> target_;
  Queue* const queue_;
  uint64_t unwritten_ = 0, told_ = 0;
  std::atomic<uint64_t> done_{0};
};

// Signals are for the other threads; a reader that left a pipe shows as EPIPE.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

struct Audit::State {
  explicit State(std::unique_ptr<Target> target)
      : queue(std::make_shared<Queue>(queue_records, 1, block_signals)),
        sink(std::make_shared<Sink>(std::move(target), queue.get())),
        logger(std::make_shared<spdlog::async_logger>("audit", sink, queue,
                                                      spdlog::async_overflow_policy::overrun_oldest)) {}

  uint64_t waiting() const { return posted - sink->done() - queue->overrun_counter(); }

  std::shared_ptr<Queue> queue;
  std::shared_ptr<Sink> sink;
  std::shared_ptr<spdlog::async_logger> logger;
  std::atomic<uint64_t> posted{0};
};

std::unique_ptr<Audit> Audit::open(const std::string& target, std::string& why_not) {
  why_not.clear();
  if (target.empty()) return std::unique_ptr<Audit>(new Audit(nullptr));
  if (target == "syslog") {
    return std::unique_ptr<Audit>(new Audit(std::make_unique<State>(std::make_unique<SyslogTarget>())));
  }
  const int fd = open_private(target);
  if (fd < 0) {
    why_not = fmt::format("cannot open the audit log {}: {}", log::quoted(target), std::strerror(errno));
    return nullptr;
  }
  return std::unique_ptr<Audit>(new Audit(std::make_unique<State>(std::make_unique<FileTarget>(target, fd))));
}

Audit::Audit(std::unique_ptr<State> state) : state_(std::move(state)) {}

Audit::~Audit() {
  if (!state_) return;
  const auto deadline = std::chrono::steady_clock::now() + drain_max;
  while (state_->waiting() > 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      log::error("the audit log is blocked: {} records were not written", state_->waiting());
      // The writer hangs in it: whoever waits for its end must be somebody else.
      std::thread([queue = std::move(state_->queue)]() mutable { queue.reset(); }).detach();
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Audit::record(const AuditRecord& record) {
  if (!state_) return;
  ++state_->posted;
  const std::string line = json_line(record, std::chrono::system_clock::now());
  state_->logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

void Audit::reopen() {
  if (state_) state_->sink->target().reopen();
}

namespace {

std::string cut(std::string_view text) {
  if (text.size() <= text_bytes_max) return std::string(text);
  return std::string(text.substr(0, text_bytes_max)) + "...";
}

std::string json_line(const AuditRecord& record, std::chrono::system_clock::time_point now) {
  const auto now_ms = std::chrono::floor<std::chrono::milliseconds>(now);
  const auto now_s = std::chrono::floor<std::chrono::seconds>(now_ms);
  const nlohmann::ordered_json json{
      {"time",
       fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now_s)),
                   (now_ms - now_s).count())},
      {"source", cut(record.source)},
      {"cid", record.connection},
      {"kind", cut(record.kind)},
      {"user", cut(record.user)},
      {"account", cut(record.account)},
      {"decision", record.is_admitted ? "admitted" : "refused"},
      {"reason", code(record.reason)},
      {"secret", cut(record.secret)},
  };
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace
}  // namespace nuncio::auth
