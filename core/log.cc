#include "core/log.h"

#include <spdlog/async.h>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/syslog_sink.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

namespace nuncio::log {
namespace {

using Queue = spdlog::details::thread_pool;  // a bounded queue and the one thread that writes from it

constexpr size_t queue_lines = 8192;

std::atomic<bool> debug_enabled{false};
std::atomic<bool> trace_enabled{false};
std::atomic<bool> is_writing{false};  // the writer is inside the target, which may block
std::atomic<bool> with_colour{false};

// Standard error or a file that can be reopened. Runs on the writer thread only; before each line it tells
// how many lines the bounded queue had to drop.
class TargetSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // `queue` is the one whose thread writes here: it outlives every call, but not this object's owner.
  TargetSink(std::FILE* file, std::string path, Queue* queue)
      : file_(file), path_(std::move(path)), queue_(queue), lost_reported_(queue->overrun_counter()) {}
  ~TargetSink() override { close(); }

  void reopen() {
    if (path_.empty()) return;
    const std::lock_guard lock(mutex_);
    std::FILE* next = std::fopen(path_.c_str(), "ae");
    if (next == nullptr) return;  // keep writing to the old one rather than nowhere
    close();
    file_ = next;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    report_lost(message);
    write(message);
  }
  void flush_() override { std::fflush(file_); }

 private:
  void report_lost(const spdlog::details::log_msg& like) {
    const size_t lost = queue_->overrun_counter();
    if (lost == lost_reported_) return;
    const std::string text =
        fmt::format("[WRN] {} log lines were lost: the log target is too slow", lost - lost_reported_);
    lost_reported_ = lost;
    write(spdlog::details::log_msg(like.time, {}, like.logger_name, like.level, text));
  }

  void write(const spdlog::details::log_msg& message) {
    is_writing = true;
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::fwrite(line.data(), 1, line.size(), file_);
    std::fflush(file_);
    is_writing = false;
  }

  void close() {
    if (file_ != stderr) std::fclose(file_);
  }

  std::FILE* file_;
  std::string path_;
  Queue* queue_;
  size_t lost_reported_;  // what was lost before is no news
};

std::shared_ptr<Queue> queue;
std::shared_ptr<spdlog::logger> logger;
std::shared_ptr<TargetSink> target;                  // null: syslog
std::shared_ptr<spdlog::sinks::dist_sink_mt> sinks;  // holds the one in use, which change() replaces

std::string_view tag(Level level) {
  static constexpr std::string_view plain[] = {"[TRC] ", "[DBG] ", "[INF] ", "[WRN] ", "[ERR] ", "[FTL] "};
  static constexpr std::string_view coloured[] = {"[\033[33mTRC\033[0m] ", "[\033[36mDBG\033[0m] ",
                                                  "[\033[32mINF\033[0m] ", "[\033[33mWRN\033[0m] ",
                                                  "[\033[31mERR\033[0m] ", "[\033[35mFTL\033[0m] "};
  return (with_colour ? coloured : plain)[static_cast<int>(level)];
}

}  // namespace

std::string start(const Settings& settings) {
  queue = std::make_shared<Queue>(queue_lines, 1);
  sinks = std::make_shared<spdlog::sinks::dist_sink_mt>();
  if (std::string problem = change(settings); !problem.empty()) return problem;
  logger = std::make_shared<spdlog::async_logger>("nuncio", sinks, queue,
                                                  spdlog::async_overflow_policy::overrun_oldest);
  logger->set_level(spdlog::level::trace);
  return {};
}

std::string change(const Settings& settings) {
  std::shared_ptr<TargetSink> next_target;
  spdlog::sink_ptr sink;
  if (settings.syslog) {
    sink = std::make_shared<spdlog::sinks::syslog_sink_mt>("nuncio", 0, LOG_DAEMON, true);
  } else {
    std::FILE* file = settings.file.empty() ? stderr : std::fopen(settings.file.c_str(), "ae");
    if (file == nullptr)
      return fmt::format("cannot open log file {}: {}", quoted(settings.file), std::strerror(errno));
    sink = next_target = std::make_shared<TargetSink>(file, settings.file, queue.get());
  }
  with_colour = !settings.syslog && settings.file.empty() && isatty(STDERR_FILENO) != 0;
  debug_enabled = settings.debug;
  trace_enabled = settings.trace;
  const std::string pattern = settings.syslog ? "%v"
                              : settings.time ? "[%P] %Y/%m/%d %H:%M:%S.%f %v"
                                              : "[%P] %v";
  sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      pattern, settings.utc ? spdlog::pattern_time_type::utc : spdlog::pattern_time_type::local));
  sinks->set_sinks({std::move(sink)});
  target = std::move(next_target);
  return {};
}

bool stop() {
  if (!logger) return true;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (queue->queue_size() > 0 || is_writing) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  queue.reset();  // writes the rest and joins; only then is nobody left who could hold the logger
  logger.reset();
  sinks.reset();
  target.reset();
  return true;
}

void reopen() {
  if (target) target->reopen();
}

bool enabled(Level level) noexcept {
  if (level == Level::debug) return debug_enabled.load(std::memory_order_relaxed);
  if (level == Level::trace) return trace_enabled.load(std::memory_order_relaxed);
  return true;
}

void write(Level level, std::string_view text) {
  const std::string line = fmt::format("{}{}", tag(level), text);
  if (logger) {
    static constexpr spdlog::level::level_enum levels[] = {spdlog::level::trace, spdlog::level::debug,
                                                           spdlog::level::info,  spdlog::level::warn,
                                                           spdlog::level::err,   spdlog::level::critical};
    logger->log(levels[static_cast<int>(level)], spdlog::string_view_t(line.data(), line.size()));
  } else {
    std::fprintf(stderr, "[%d] %s\n", static_cast<int>(getpid()), line.c_str());
  }
}

}  // namespace nuncio::log
