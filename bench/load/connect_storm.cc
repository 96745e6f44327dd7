// Logins as fast as the server takes them: each opens a TCP connection, reads INFO, makes it TLS where that
// is wanted, sends CONNECT and PING, awaits the PONG and closes. One thread; latency counts from the opening
// of the socket to the PONG.
#include <fmt/format.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bench/load/clock.h"
#include "bench/load/failure.h"
#include "bench/load/placement.h"
#include "bench/load/runs.h"

namespace nuncio::load {
namespace {

constexpr uint64_t default_count = 10'000;

struct Login {
  Socket socket;
  uint64_t number = 0;
  uint64_t start_ns = 0;
  bool has_sent_connect = false;
  std::unique_ptr<TlsStream> tls;
  std::string received;
};

class Storm {
 public:
  explicit Storm(const Options& options);
  void run();
  void report(Report& into) const;
  uint64_t attempts() const noexcept { return latency_.count() + failed_; }

 private:
  bool may_start(uint64_t now) const noexcept;
  void start(Login& login);
  // Reads on, sends CONNECT after INFO; how the login has ended once it has: empty for a success.
  std::optional<std::string> outcome(Login& login);
  std::optional<std::string> outcome_of_lines(Login& login);
  void secure(Login& login);
  void send_connect(Login& login);
  void end(Login& login, const std::string& failure);
  void end_overdue(uint64_t now);

  Endpoint endpoint_;
  std::optional<TlsClient> tls_;
  uint64_t count_;
  uint64_t run_ns_;
  uint64_t timeout_ns_;
  std::vector<std::string> login_texts_;
  std::vector<Login> logins_;
  Socket poller_;
  uint64_t begun_ns_ = 0;
  uint64_t ended_ns_ = 0;
  uint64_t started_ = 0;
  uint64_t failed_ = 0;
  uint64_t resumed_ = 0;
  std::string tls_description_;
  size_t open_ = 0;
  Histogram latency_;
  std::map<std::string, uint64_t> failures_;
};

Storm::Storm(const Options& options)
    : endpoint_(resolve(options.url)),
      count_(options.count > 0 ? options.count : default_count),
      run_ns_(static_cast<uint64_t>(options.seconds * ns_per_s)),
      timeout_ns_(static_cast<uint64_t>(options.timeout_s * ns_per_s)),
      logins_(options.concurrency),
      poller_(epoll_create1(EPOLL_CLOEXEC)) {
  Credentials credentials = options.url.credentials;
  for (uint64_t i = 0; i < options.users; ++i) {
    credentials.user = fmt::format("{}{}", options.url.credentials.user, i);
    login_texts_.push_back(login_lines(credentials));
  }
  if (login_texts_.empty()) login_texts_.push_back(login_lines(credentials));
  if (!options.tls.is_wanted) return;
  tls_.emplace(options.tls, options.url.host);
  if (options.tls.is_resuming) tls_->resume_sessions();
}

void Storm::run() {
  begun_ns_ = now_ns();
  for (Login& login : logins_) {
    if (may_start(begun_ns_)) start(login);
  }
  std::array<epoll_event, 64> events;
  uint64_t checked_ns = begun_ns_;
  while (open_ > 0) {
    const int ready = epoll_wait(poller_.fd(), events.data(), static_cast<int>(events.size()), 20);
    for (int i = 0; i < ready; ++i) {
      auto& login = *static_cast<Login*>(events[static_cast<size_t>(i)].data.ptr);
      if (const auto how = outcome(login)) end(login, *how);
    }
    const uint64_t now = now_ns();
    if (now - checked_ns < 100 * ns_per_ms) continue;
    checked_ns = now;
    end_overdue(now);
  }
}

bool Storm::may_start(uint64_t now) const noexcept {
  return run_ns_ > 0 ? now - begun_ns_ < run_ns_ : started_ < count_;
}

void Storm::start(Login& login) {
  login = Login{};
  login.number = started_++;
  login.start_ns = now_ns();
  login.socket = open_socket(endpoint_, false);
  epoll_event wanted{EPOLLIN, {.ptr = &login}};
  epoll_ctl(poller_.fd(), EPOLL_CTL_ADD, login.socket.fd(), &wanted);
  ++open_;
}

std::optional<std::string> Storm::outcome(Login& login) try {
  if (login.tls && !login.has_sent_connect) {
    secure(login);
    if (!login.has_sent_connect) return std::nullopt;
  }
  std::array<char, 8192> chunk;
  if (login.tls) {
    login.received += login.tls->read(chunk);
    return outcome_of_lines(login);
  }
  const ssize_t n = recv(login.socket.fd(), chunk.data(), chunk.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (n == 0) return "closed by the server";
  if (n < 0) return std::strerror(errno);
  login.received.append(chunk.data(), static_cast<size_t>(n));
  return outcome_of_lines(login);
} catch (const Failure& failure) {
  return failure.what();
}

std::optional<std::string> Storm::outcome_of_lines(Login& login) {
  for (size_t end = 0; (end = login.received.find("\r\n")) != std::string::npos;) {
    const std::string line = login.received.substr(0, end);
    login.received.erase(0, end + 2);
    if (line.starts_with("-ERR")) return line;
    if (line == "PONG") return "";
    if (!line.starts_with("INFO ") || login.has_sent_connect) continue;
    if (!tls_) {
      send_connect(login);
    } else if (!login.tls) {
      login.tls = tls_->open(login.socket.fd());
      secure(login);
    }
  }
  return std::nullopt;
}

void Storm::secure(Login& login) {
  if (!login.tls->handshake()) return;
  if (login.tls->is_resumed()) ++resumed_;
  tls_description_ = login.tls->description();
  send_connect(login);
}

// A few hundred bytes always fit into a new socket's buffer.
void Storm::send_connect(Login& login) {
  login.has_sent_connect = true;
  const std::string& text = login_texts_[login.number % login_texts_.size()];
  if (login.tls) {
    login.tls->write(text);
  } else if (::send(login.socket.fd(), text.data(), text.size(), MSG_NOSIGNAL) < 0) {
    throw Failure(std::strerror(errno));
  }
}

void Storm::end(Login& login, const std::string& failure) {
  const uint64_t now = now_ns();
  ended_ns_ = now;
  if (failure.empty()) {
    latency_.record(now - login.start_ns);
  } else {
    ++failed_;
    ++failures_[failure];
  }
  login.tls.reset();
  login.socket = Socket{};
  --open_;
  if (may_start(now)) start(login);
}

void Storm::end_overdue(uint64_t now) {
  for (Login& login : logins_) {
    if (login.socket && now - login.start_ns > timeout_ns_) end(login, "no answer in time");
  }
}

void Storm::report(Report& into) const {
  if (!tls_description_.empty()) into.set("tls", tls_description_);
  if (tls_) into.set("tls_resumed", resumed_);
  into.set("logins", latency_.count());
  into.set("failed", failed_);
  into.set("elapsed_ns", ended_ns_ - begun_ns_);
  into.set("logins_per_s", per_second(latency_.count(), ended_ns_ - begun_ns_));
  into.set_latency("login_ns", latency_);
  if (failed_ == 0) return;
  into.set("failures", failures_);
  into.problem(fmt::format("{} logins failed", failed_));
}

}  // namespace

void run_connect(const Options& options, Report& report) {
  ServerMeter meter(options.pid);
  Storm storm(options);
  meter.start();
  storm.run();
  meter.stop();
  storm.report(report);
  meter.report(report, "login", storm.attempts());
}

}  // namespace nuncio::load
