#include "auth/password_prompt.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

namespace nuncio::auth {
namespace {

constexpr std::array caught_signals{SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGALRM,
                                    SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU};

volatile sig_atomic_t signal_seen = 0;

void remember(int signal) {
  signal_seen = signal;
}

// While it lives, the signals above are only delivered inside wait_for_input(), and only remembered.
class HeldSignals {
 public:
  HeldSignals() {
    signal_seen = 0;
    sigset_t held;
    sigemptyset(&held);
    for (const int signal : caught_signals) sigaddset(&held, signal);
    sigprocmask(SIG_BLOCK, &held, &mask_before_);
    struct sigaction action {};
    action.sa_handler = remember;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < caught_signals.size(); ++i) sigaction(caught_signals[i], &action, &before_[i]);
  }
  ~HeldSignals() {
    for (size_t i = 0; i < caught_signals.size(); ++i) sigaction(caught_signals[i], &before_[i], nullptr);
    sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
  }
  // False when a signal came first.
  bool wait_for_input(int fd) const {
    pollfd wanted{fd, POLLIN, 0};
    while (signal_seen == 0) {
      if (ppoll(&wanted, 1, nullptr, &mask_before_) > 0) return true;
      if (errno != EINTR) return true;  // let read() say what is wrong
    }
    return false;
  }

 private:
  sigset_t mask_before_;
  std::array<struct sigaction, caught_signals.size()> before_;
};

class EchoOff {
 public:
  explicit EchoOff(int fd) : fd_(fd), is_terminal_(tcgetattr(fd, &before_) == 0) {
    if (!is_terminal_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL);
    is_off_ = tcsetattr(fd, TCSAFLUSH, &silent) == 0;
  }
  ~EchoOff() {
    if (is_off_) tcsetattr(fd_, TCSAFLUSH, &before_);
  }
  bool is_off() const { return is_off_; }

 private:
  const int fd_;
  termios before_;
  const bool is_terminal_;
  bool is_off_ = false;
};

// The controlling terminal, or standard input and error in its place.
struct Terminal {
  Terminal() : own(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {}
  ~Terminal() {
    if (own >= 0) close(own);
  }
  int in() const { return own >= 0 ? own : STDIN_FILENO; }
  int out() const { return own >= 0 ? own : STDERR_FILENO; }

  const int own;
};

struct LineBuffer {
  std::array<char, password_bytes_max + 1> bytes;
  size_t size = 0;

  ~LineBuffer() { wipe(bytes.data(), bytes.size()); }
  std::string_view text() const { return {bytes.data(), size}; }
};

// Failing to show a prompt does not keep anybody from typing.
void show(int fd, std::string_view text) {
  [[maybe_unused]] const auto written = write(fd, text.data(), text.size());
}

bool is_stop(int signal) {
  return signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

// nullopt when a signal came; which one is in signal_seen.
std::optional<tl::expected<Secret, std::string>> ask_once(const Terminal& terminal, std::string_view prompt) {
  const HeldSignals signals;
  const EchoOff echo_off(terminal.in());
  if (!echo_off.is_off()) return tl::unexpected(std::string("cannot switch the terminal's echo off"));
  show(terminal.out(), prompt);
  if (!signals.wait_for_input(terminal.in())) {
    show(terminal.out(), "\n");
    return std::nullopt;
  }
  auto line = read_line(terminal.in());
  show(terminal.out(), "\n");
  return line;
}

}  // namespace

tl::expected<Secret, std::string> ask_on_terminal(std::string_view prompt) {
  const Terminal terminal;
  while (true) {
    if (auto line = ask_once(terminal, prompt)) return std::move(*line);
    // Handlers and echo are as before: let the signal do what it does. After a stop we are continued here.
    const int signal = signal_seen;
    kill(getpid(), signal);
    if (!is_stop(signal)) return tl::unexpected(std::string("interrupted"));
  }
}

tl::expected<Secret, std::string> read_line(int fd) {
  LineBuffer line;
  char next = 0;
  while (true) {
    const ssize_t got = read(fd, &next, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected(std::string("cannot read the password"));
    if (got == 0 && line.size == 0) return tl::unexpected(std::string("no password given"));
    if (got == 0 || next == '\n') break;
    if (line.size == password_bytes_max) return tl::unexpected(std::string("the password is too long"));
    line.bytes[line.size++] = next;
  }
  wipe(&next, 1);
  return Secret(line.text());
}

}  // namespace nuncio::auth
