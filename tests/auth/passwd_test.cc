// nuncio-passwd as its user meets it: on a pseudo-terminal, with pipes, with wrong arguments.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include "auth/stored_secret.h"

namespace nuncio::auth {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

// A running nuncio-passwd. Standard output is a pipe; standard input and error are a terminal or pipes.
class Tool {
 public:
  enum class Input { terminal, pipe };

  Tool(Input input, std::vector<std::string> arguments) {
    int from_tool[2], to_tool[2] = {-1, -1};
    EXPECT_EQ(pipe2(from_tool, O_CLOEXEC), 0);
    if (input == Input::terminal) {
      EXPECT_EQ(openpty(&keyboard_, &screen_, nullptr, nullptr, nullptr), 0);
    } else {
      EXPECT_EQ(pipe2(to_tool, O_CLOEXEC), 0);
      keyboard_ = to_tool[1];
      screen_ = -1;
    }
    std::vector<char*> argv{const_cast<char*>("nuncio-passwd")};
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    // A process that cannot be traced cannot be searched for leaks either.
    char leaks_off[] = "ASAN_OPTIONS=detect_leaks=0";
    char* environment[] = {leaks_off, nullptr};

    pid_ = fork();
    if (pid_ == 0) {
      const int in = input == Input::terminal ? screen_ : to_tool[0];
      setsid();
      if (input == Input::terminal) ioctl(in, TIOCSCTTY, 0);
      dup2(in, 0);
      dup2(from_tool[1], 1);
      dup2(input == Input::terminal ? in : from_tool[1], 2);
      execve(TEST_PASSWD_BINARY, argv.data(), environment);
      _exit(127);
    }
    close(from_tool[1]);
    if (to_tool[0] >= 0) close(to_tool[0]);
    output_ = from_tool[0];
  }
  ~Tool() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(output_);
    if (keyboard_ >= 0) close(keyboard_);
    if (screen_ >= 0) close(screen_);
  }

  void type(std::string_view text) {
    EXPECT_EQ(write(keyboard_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void end_input() {
    close(keyboard_);
    keyboard_ = -1;
  }
  void send(int signal) { kill(pid_, signal); }
  // Waits for `text` on the terminal, behind what earlier calls found.
  bool shows(std::string_view text) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (shown_.find(text, seen_) == std::string::npos) {
      if (!read_some(keyboard_, shown_, deadline)) return false;
    }
    seen_ = shown_.find(text, seen_) + text.size();
    return true;
  }
  bool echoes() const {
    termios now;
    return tcgetattr(screen_, &now) == 0 && (now.c_lflag & ECHO) != 0;
  }
  // Waits for the end; the exit code, or 128 + signal.
  int wait() {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (read_some(output_, printed_, deadline)) {
    }
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    if (screen_ >= 0) {
      fcntl(keyboard_, F_SETFL, O_NONBLOCK);
      while (read_some(keyboard_, shown_, std::chrono::steady_clock::now())) {
      }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  const std::string& shown() const { return shown_; }      // on the terminal
  const std::string& printed() const { return printed_; }  // on standard output

 private:
  static bool read_some(int fd, std::string& into, std::chrono::steady_clock::time_point deadline) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd wanted{fd, POLLIN, 0};
    if (poll(&wanted, 1, static_cast<int>(std::max(0ms, left).count())) <= 0) return false;
    char bytes[512];
    const ssize_t got = read(fd, bytes, sizeof bytes);
    if (got <= 0) return false;
    into.append(bytes, static_cast<size_t>(got));
    return true;
  }

  pid_t pid_ = -1;
  int keyboard_ = -1;  // the master side, or the pipe to standard input
  int screen_ = -1;    // the slave side
  int output_ = -1;
  std::string shown_, printed_;
  size_t seen_ = 0;
};

struct Ended {
  int code;
  std::string printed;
};

Ended run(std::vector<std::string> arguments, std::string_view input = "") {
  Tool tool(Tool::Input::pipe, std::move(arguments));
  if (!input.empty()) tool.type(input);
  tool.end_input();
  const int code = tool.wait();
  return {code, tool.printed()};
}

std::string line_after(const std::string& text, std::string_view label) {
  const size_t at = text.find(label);
  if (at == std::string::npos) return "";
  const size_t begin = at + label.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

// True when the server would take `hash` as a hash that `password` matches.
bool server_admits(std::string_view hash, std::string_view password) {
  const auto stored = StoredSecret::make(hash);
  return stored && (*stored)->kind() == StoredSecret::Kind::hash && (*stored)->matches(password) &&
         !(*stored)->matches("something else");
}

TEST(Passwd, AU_30_GeneratesAPasswordOf22CharactersWithItsHash) {
  const Ended first = run({"-c", "4"}), second = run({"-c", "4"});
  ASSERT_EQ(first.code, 0);
  EXPECT_THAT(first.printed,
              MatchesRegex("pass: [a-zA-Z0-9]{22}\nbcrypt hash: [$]2a[$]04[$][./A-Za-z0-9]{53}\n"));
  EXPECT_TRUE(server_admits(line_after(first.printed, "bcrypt hash: "), line_after(first.printed, "pass: ")));
  EXPECT_NE(line_after(first.printed, "pass: "), line_after(second.printed, "pass: "));
}

TEST(Passwd, AU_30_DefaultsToBcrypt11) {
  EXPECT_THAT(run({}).printed, HasSubstr("bcrypt hash: $2a$11$"));
}

TEST(Passwd, AU_30_ReadsStandardInputWhenItIsNoTerminal) {
  for (const char* input : {"s3cret word\n", "s3cret word", "s3cret word\nsecond line\n"}) {
    const Ended ended = run({"-p", "-c", "4"}, input);
    EXPECT_EQ(ended.code, 0);
    ASSERT_THAT(ended.printed, MatchesRegex("[^\n]+\n")) << "only the hash";
    EXPECT_TRUE(server_admits(ended.printed.substr(0, ended.printed.size() - 1), "s3cret word"));
  }
}

TEST(Passwd, AU_30_MakesYescryptHashes) {
  const Ended ended = run({"-p", "-m", "yescrypt", "-c", "1"}, "s3cret\n");
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.printed, HasSubstr("$y$j75$"));
  EXPECT_TRUE(server_admits(ended.printed.substr(0, ended.printed.size() - 1), "s3cret"));
}

TEST(Passwd, AU_30_RefusesPasswordsThatCannotWork) {
  EXPECT_EQ(run({"-p", "-c", "4"}, "\n").code, 1);
  EXPECT_EQ(run({"-p", "-c", "4"}, "").code, 1);
  EXPECT_EQ(run({"-p", "-c", "4"}, std::string_view("a\0b\n", 4)).code, 1);
  EXPECT_EQ(run({"-p", "-c", "4"}, std::string(73, 'a') + "\n").code, 1);
  EXPECT_EQ(run({"-p", "-c", "4"}, std::string(72, 'a') + "\n").code, 0);
  EXPECT_EQ(run({"-p", "-m", "yescrypt", "-c", "1"}, std::string(511, 'a') + "\n").code, 0);
  EXPECT_EQ(run({"-p", "-m", "yescrypt", "-c", "1"}, std::string(512, 'a') + "\n").code, 1);
}

TEST(Passwd, AT_40_WrongUsageEndsWith2AndRepeatsNoArgument) {
  const std::vector<std::vector<std::string>> wrong{
      {"hunter2"},       {"-p", "hunter2"}, {"--hunter2"}, {"-xhunter2"},
      {"-m", "hunter2"}, {"-c", "hunter2"}, {"-c", "3"},   {"-c", "21"},
      {"-c", "11x"},     {"-c", "-1"},      {"-c"},        {"-m", "yescrypt", "-c", "11"}};
  for (const auto& arguments : wrong) {
    const Ended ended = run(arguments);
    EXPECT_EQ(ended.code, 2) << arguments[0];
    EXPECT_THAT(ended.printed, Not(HasSubstr("hunter2")));
    EXPECT_THAT(ended.printed, Not(HasSubstr("hash: ")));
  }
}

TEST(Passwd, AU_30_HelpAndVersion) {
  for (const char* option : {"--help", "-h"}) {
    EXPECT_EQ(run({option}).code, 0);
    EXPECT_THAT(run({option}).printed, HasSubstr("Usage: nuncio-passwd"));
  }
  EXPECT_EQ(run({"--version"}).printed, "nuncio-passwd: v" NUNCIO_VERSION "\n");
}

TEST(Passwd, AU_30_AT_40_AsksTwiceWithoutEcho) {
  Tool tool(Tool::Input::terminal, {"-p", "-c", "4"});
  ASSERT_TRUE(tool.shows("Enter Password: "));
  EXPECT_FALSE(tool.echoes());
  tool.type("hunter2\n");
  ASSERT_TRUE(tool.shows("Reenter Password: "));
  EXPECT_FALSE(tool.echoes());
  tool.type("hunter2\n");
  EXPECT_EQ(tool.wait(), 0);
  EXPECT_TRUE(tool.echoes());
  EXPECT_THAT(tool.shown(), Not(HasSubstr("hunter2")));
  ASSERT_THAT(tool.printed(), MatchesRegex("[^\n]+\n")) << "only the hash";
  EXPECT_TRUE(server_admits(tool.printed().substr(0, tool.printed().size() - 1), "hunter2"));
}

TEST(Passwd, AU_30_RefusesAMismatch) {
  Tool tool(Tool::Input::terminal, {"-p", "-c", "4"});
  ASSERT_TRUE(tool.shows("Enter Password: "));
  tool.type("hunter2\n");
  ASSERT_TRUE(tool.shows("Reenter Password: "));
  tool.type("hunter3\n");
  EXPECT_EQ(tool.wait(), 1);
  EXPECT_TRUE(tool.echoes());
  EXPECT_THAT(tool.shown(), HasSubstr("do not match"));
  EXPECT_EQ(tool.printed(), "");
}

TEST(Passwd, AT_40_EchoIsBackAfterCtrlC) {
  Tool tool(Tool::Input::terminal, {"-p"});
  ASSERT_TRUE(tool.shows("Enter Password: "));
  ASSERT_FALSE(tool.echoes());
  tool.type("hunt\x03");
  EXPECT_EQ(tool.wait(), 128 + SIGINT);
  EXPECT_TRUE(tool.echoes());
  EXPECT_EQ(tool.printed(), "");
}

TEST(Passwd, AT_40_EchoIsBackAfterOtherSignals) {
  for (const int signal : {SIGTERM, SIGHUP, SIGQUIT, SIGALRM}) {
    Tool tool(Tool::Input::terminal, {"-p"});
    ASSERT_TRUE(tool.shows("Enter Password: "));
    tool.type("hunter2\n");
    ASSERT_TRUE(tool.shows("Reenter Password: "));
    tool.send(signal);
    EXPECT_EQ(tool.wait(), 128 + signal);
    EXPECT_TRUE(tool.echoes()) << signal;
  }
}

TEST(Passwd, AT_40_AsksAgainAfterAStop) {
  Tool tool(Tool::Input::terminal, {"-p", "-c", "4"});
  ASSERT_TRUE(tool.shows("Enter Password: "));
  // The kernel discards the stop itself, there being no shell that could continue the session's leader.
  tool.send(SIGTSTP);
  ASSERT_TRUE(tool.shows("Enter Password: "));
  EXPECT_FALSE(tool.echoes());
  tool.type("hunter2\n");
  ASSERT_TRUE(tool.shows("Reenter Password: "));
  tool.type("hunter2\n");
  EXPECT_EQ(tool.wait(), 0);
  EXPECT_THAT(tool.shown(), Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace nuncio::auth
