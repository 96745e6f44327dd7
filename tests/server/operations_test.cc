// Start, stop, files and logs of a server: sections 1, 2 and 6 of the operations specification.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <regex>

#include "harness.h"

namespace nuncio::test {
namespace {

class Operations : public ServerTest {
 protected:
  // Runs a start that must fail; the error is one line or a few, without a line of a server at work.
  Finished failed_start(const Launch& launch) {
    const Finished end = run_server(launch);
    EXPECT_EQ(end.exit_status, 1) << end.out << end.err;
    EXPECT_FALSE(end.err.empty());
    EXPECT_THAT(end.out + end.err, testing::Not(testing::HasSubstr("Server is ready")));
    return end;
  }
};
NUNCIO_ON_EVERY_BACKEND(Operations);

size_t count(const std::string& text, std::string_view part) {
  size_t result = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++result;
  return result;
}

TEST_P(Operations, OP_1_StartLogInItsOrder) {
  start_config("server_name: anton\nauthorization { user: a, password: b }\n");
  const std::string log = server().log();
  size_t last = 0;
  for (const char* text :
       {"Starting n", "  Version:  ", "  Git:  ", "  Name:     ", "  ID:       N",
        "Using configuration file: ", "Listening for client connections on 127.0.0.1:", "Server is ready"}) {
    const size_t found = log.find(text);
    ASSERT_NE(found, std::string::npos) << text << " is not in\n" << log;
    EXPECT_GE(found, last) << text << " is out of order in\n" << log;
    last = found;
  }
  EXPECT_LT(log.find("Plaintext passwords detected"), log.find("Listening for"));
  EXPECT_THAT(log, testing::HasSubstr(client().info()["server_id"].get<std::string>()));
}

TEST_P(Operations, OP_1_TheBackEndAndWorkersAreNamed) {
  NUNCIO_OURS_ONLY();
  start();
  EXPECT_THAT(server().log(), testing::ContainsRegex("\\[INF\\][^\n]*" + GetParam().name + "[^\n]*"));
  EXPECT_THAT(server().log(),
              testing::ContainsRegex("\\[INF\\][^\n]*2 workers|\\[INF\\][^\n]*workers[^\n0-9]*2"));
}

TEST_P(Operations, OP_2_OP_3_IntAndTermShutDown) {
  for (const int number : {SIGINT, SIGTERM}) {
    SCOPED_TRACE(number);
    start();
    Client one = connected();
    server().signal(number);
    const int status = server().wait_exit();
    EXPECT_EQ(status, is_oracle() && number == SIGTERM ? 1 : 0);
    EXPECT_THAT(server().log(), testing::HasSubstr("Initiating Shutdown..."));
    EXPECT_THAT(server().log(), testing::HasSubstr("Server Exiting.."));
    one.expect_closed();
  }
}

TEST_P(Operations, OP_2_OtherSignals) {
  NUNCIO_OURS_ONLY();
  const TempDirectory directory;
  const std::string path = directory / "server.log";
  start({.flags = {"-l", path}, .log_file = path});
  Client one = connected();
  std::filesystem::rename(path, path + ".1");
  server().signal(SIGUSR1);
  server().wait_for_log("File log re-opened");  // in the new file, the only one the log is read from
  EXPECT_THAT(read_file(path + ".1"), testing::HasSubstr("Server is ready"));
  EXPECT_THAT(read_file(path), testing::Not(testing::HasSubstr("Server is ready")));

  for (const auto& [number, text] :
       {std::pair(SIGHUP,
                  "[ERR] Failed to reload server configuration: can only reload config when a file is"),
        std::pair(SIGUSR2, "[ERR] Lame duck mode is not supported")}) {
    server().signal(number);
    server().wait_for_log(text);
    one.ping();
    connected();
  }
}

TEST_P(Operations, OP_2_SignalsAreLogged) {
  start_flags({"-D"});
  server().signal(SIGTERM);
  server().wait_exit();
  EXPECT_THAT(server().log(), testing::ContainsRegex("[Tt]erminated\"? signal|SIGTERM"));
}

TEST_P(Operations, OP_4_APortInUseIsNamed) {
  start();
  const std::string port = std::to_string(server().port());
  const Finished end = failed_start({.flags = {"-a", "127.0.0.1", "-p", port}});
  EXPECT_THAT(end.err, testing::HasSubstr(port));
  EXPECT_THAT(end.err, testing::ContainsRegex("[Aa]ddress already in use"));
  connected();  // the first server has not noticed
}

TEST_P(Operations, OP_4_ABadAddressIsNamed) {
  const Finished end = failed_start({.flags = {"-a", "300.1.1.1", "-p", "-1"}});
  EXPECT_THAT(end.err, testing::HasSubstr("300.1.1.1"));
}

TEST_P(Operations, OP_4_AMissingFileIsNamed) {
  const Finished end = failed_start({.flags = {"-c", "/nonexistent/file.conf"}});
  EXPECT_THAT(end.err, testing::HasSubstr("/nonexistent/file.conf"));
}

TEST_P(Operations, OP_4_NothingHalfStartedStays) {
  start();
  const TempDirectory directory;
  failed_start({.flags = {"-a", "127.0.0.1", "-p", std::to_string(server().port()), "-P", directory / "pid",
                          "--ports_file_dir", directory.path()}});
  if (is_oracle()) GTEST_SKIP() << "the reference leaves the pid file of a failed start";
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST_P(Operations, OP_4_TooFewDescriptorsAreNamed) {
  NUNCIO_OURS_ONLY();
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP()
      << "UndefinedBehaviorSanitizer probes memory through pipes: without descriptors it sees errors where "
         "there are none";
#endif
  const Finished end =
      failed_start({.flags = {"-a", "127.0.0.1", "-p", "-1"}, .process = {.descriptors_max = 8}});
  EXPECT_THAT(end.err, testing::ContainsRegex("descriptors|open files|NOFILE"));
}

TEST_P(Operations, OP_5_QueuedDataIsFlushedAtShutdown) {
  start();
  Client listener = connected();
  listener.send("SUB a 1\r\n");
  listener.ping();
  Client publisher = connected();
  const std::string payload(500000, 'x');
  for (int i = 0; i < 8; ++i) publisher.send(fmt::format("PUB a {}\r\n{}\r\n", payload.size(), payload));
  publisher.ping();
  server().signal(SIGTERM);
  const std::string message = fmt::format("MSG a 1 {}\r\n{}\r\n", payload.size(), payload);
  for (int i = 0; i < 8; ++i) listener.expect(message);
  listener.expect_closed();
  publisher.expect_closed();
  server().wait_exit();
}

// Flushing has its limit: one who takes nothing does not hold up the end.
TEST_P(Operations, OP_5_ASubscriberThatNeverReadsDoesNotHoldUpTheEnd) {
  start();
  Client listener(server().port(), 4096);
  listener.connect_ok();
  listener.send("SUB a 1\r\n");
  listener.ping();
  Client publisher = connected();
  const std::string payload(500000, 'x');
  for (int i = 0; i < 40; ++i) publisher.send(fmt::format("PUB a {}\r\n{}\r\n", payload.size(), payload));
  publisher.ping();  // 20 MB for a socket that holds less
  server().signal(SIGTERM);
  EXPECT_EQ(server().wait_exit(), is_oracle() ? 1 : 0);
  EXPECT_LT(listener.read_to_end().size(), 40 * payload.size());  // it was cut
}

TEST_P(Operations, OP_5_NobodyCanConnectAfterTheEnd) {
  start();
  const int port = server().port();
  server().stop();
  EXPECT_THROW(Client one(port), std::runtime_error);
  // The port is free for the next one at once, though connections of the first may linger.
  start_flags({"-p", std::to_string(port)});
  EXPECT_EQ(server().port(), port);
}

// Whom the pid file belongs to, or the only process of the program, even where the server's own protection
// hides which file it runs.
TEST(SignalFlag, OP_7_ReachesTheOnlyServerOfTheSameUser) {
  NUNCIO_OURS_ONLY();
  const ProgramCopy program;
  const ProcessSettings as_user{.without_root = true};
  const auto command = [&](const std::string& text) {
    return run(program.path(), {"--signal", text}, as_user);
  };
  const std::vector<std::string> flags{"-a", "127.0.0.1", "-p", "-1", "--io_backend", "epoll"};
  const auto is_ready = [](Process& process) {
    return process.wait_until([&] { return count(process.output(), "Server is ready") == 1; });
  };
  EXPECT_THAT(command("term").err, testing::HasSubstr("no nuncio-server processes running"));

  Process one(program.path(), flags, as_user);
  ASSERT_TRUE(is_ready(one)) << one.output();
  EXPECT_EQ(command("reopen").exit_status, 0);
  EXPECT_TRUE(one.wait_until([&] { return count(one.output(), "File log re-opened") == 1; }));
  {
    Process two(program.path(), flags, as_user);
    ASSERT_TRUE(is_ready(two)) << two.output();
    const Finished refused = command("term");
    EXPECT_EQ(refused.exit_status, 1);
    EXPECT_THAT(refused.err, testing::HasSubstr("multiple nuncio-server processes running:"));
    EXPECT_THAT(refused.err, testing::HasSubstr(std::to_string(one.pid())));
    EXPECT_EQ(command(fmt::format("quit={}", two.pid())).exit_status, 0);
    EXPECT_EQ(two.wait_exit(), 0);
  }
  EXPECT_EQ(command("term").exit_status, 0);
  EXPECT_EQ(one.wait_exit(), 0);
}

TEST_P(Operations, OP_8_PidFile) {
  const TempDirectory directory;
  for (const bool by_flag : {true, false}) {
    const std::string path = directory / (by_flag ? "flag.pid" : "file.pid");
    if (by_flag)
      start_flags({"-P", path});
    else
      start_config(fmt::format("pid_file: \"{}\"\n", path));
    server().wait_until([&] { return read_file(path) != ""; }, "the pid file");
    EXPECT_EQ(std::atoi(read_file(path).c_str()), server().pid());
    server().stop();
    EXPECT_EQ(std::filesystem::exists(path), is_oracle());  // OP-5
  }
}

TEST_P(Operations, OP_8_PortsFile) {
  const TempDirectory directory;
  start_flags({"--ports_file_dir", directory.path()});
  const std::string program = std::filesystem::path(server_binary()).filename();
  const std::string path = directory / fmt::format("{}_{}.ports", program, server().pid());
  server().wait_until([&] { return !read_file(path).empty(); }, "the ports file");
  const Json ports = Json::parse(read_file(path), nullptr, false);
  ASSERT_TRUE(ports.is_object()) << read_file(path);
  EXPECT_EQ(ports["nats"], Json::array({fmt::format("nats://127.0.0.1:{}", server().port())}));
  server().stop();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(PortsFile, CF_80_BearsTheNameTheProgramWasCalledBy) {
  const TempDirectory directory;
  const std::string name = directory / "nats-server";
  std::filesystem::create_symlink(server_binary(), name);
  Process server(name, {"-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", directory.path()});
  const std::string path = directory / fmt::format("nats-server_{}.ports", server.pid());
  EXPECT_TRUE(server.wait_until([&] { return std::filesystem::exists(path); })) << server.output();
}

TEST_P(Operations, OP_11_LineFormat) {
  start_flags({"-DV"});
  connected();
  const std::string log = server().log();
  const std::regex form(
      fmt::format(R"(\[{}\] \d{{4}}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{{6}} \[(INF|WRN|ERR|FTL|DBG|TRC)\] .*)",
                  server().pid()));
  size_t lines = 0;
  for (size_t at = 0; at < log.size();) {
    const size_t end = log.find('\n', at);
    if (end == std::string::npos) break;
    EXPECT_TRUE(std::regex_match(log.substr(at, end - at), form)) << log.substr(at, end - at);
    at = end + 1;
    ++lines;
  }
  EXPECT_GT(lines, 6u);
  EXPECT_EQ(log.find('\x1b'), std::string::npos);  // no colours but on a terminal
}

// In a time zone half a day away from UTC, the hours tell which of the two is shown.
TEST_P(Operations, OP_11_LocalTimeOrUtc) {
  using std::chrono::hours;
  const auto distance_from_utc = [&](const std::vector<std::string>& flags) {
    start({.flags = flags, .process = {.environment = {"TZ=XST-11:30"}}});
    std::tm shown{};
    const std::string log = server().log();
    EXPECT_NE(::strptime(log.c_str() + log.find(' ') + 1, "%Y/%m/%d %H:%M:%S", &shown), nullptr) << log;
    return std::chrono::abs(std::chrono::system_clock::now() -
                            std::chrono::system_clock::from_time_t(::timegm(&shown)));
  };
  if (!is_oracle()) {  // 2.9.10 has no such flag
    EXPECT_LT(distance_from_utc({"--logtime_utc"}), hours(5));
  }
  EXPECT_GT(distance_from_utc({}), hours(5));
}

TEST_P(Operations, OP_11_WithoutTimeAndWithoutNoise) {
  start_flags({"--logtime=false"});
  connected();
  EXPECT_THAT(server().log(), testing::HasSubstr(fmt::format("[{}] [INF] Server is ready", server().pid())));
  EXPECT_THAT(server().log(), testing::Not(testing::ContainsRegex("\\[(DBG|TRC)\\]")));
}

TEST_P(Operations, OP_11_LogFile) {
  const TempDirectory directory;
  const std::string path = directory / "server.log";
  start({.flags = {"-l", path}, .log_file = path});
  EXPECT_THAT(read_file(path), testing::HasSubstr("Server is ready"));
  server().stop();
  EXPECT_THAT(read_file(path), testing::HasSubstr("Server Exiting.."));
}

TEST_P(Operations, OP_12_ConnectionLines) {
  start_flags({"-D"});
  Client one = connected({{"name", "myapp"}, {"lang", "go"}, {"version", "1.20"}});
  const std::string prefix =
      fmt::format("[DBG] {} - cid:{} - ", one.address(), one.info()["client_id"].get<int>());
  server().wait_for_log(prefix + "Client connection created");
  one.close();
  server().wait_for_log("\"v1.20:go:myapp\" - Client connection closed: Client Closed");
}

TEST_P(Operations, OP_13_Trace) {
  start_flags({"-V"});
  Client one = connected();
  one.send("SUB a q 5\r\nPUB a reply 2\r\nhi\r\nHPUB a 12 14\r\nNATS/1.0\r\n\r\nyo\r\nUNSUB 5\r\n");
  one.until_pong();
  for (const char* line : {"<<- [CONNECT {", "<<- [PING]", "->> [PONG]", "<<- [SUB a q 5]",
                           "<<- [PUB a reply 2]", "<<- MSG_PAYLOAD: [\"hi\"]", "->> [MSG a 5 reply 2]",
                           "<<- [HPUB a 12 14]", "->> [HMSG a 5 12 14]", "<<- [UNSUB 5]"}) {
    server().wait_for_log(line);
  }
  EXPECT_THAT(server().log(), testing::Not(testing::HasSubstr("[DBG]")));
}

TEST_P(Operations, OP_15_ABlockedLogNeverBlocksMessages) {
  NUNCIO_OURS_ONLY();
  start_flags({"-DV"});
  Client listener = connected();
  listener.send("SUB a 1\r\n");
  listener.ping();
  Client publisher = connected();
  server().pause_output(true);
  // Far more trace than a pipe and any sensible buffer hold.
  const std::string payload(1000, 'x');
  const size_t messages = 40000;
  together({[&] {
              for (size_t i = 0; i < messages; ++i)
                publisher.send(fmt::format("PUB a 1000\r\n{}\r\n", payload));
              publisher.ping();
            },
            [&] {
              const std::string message = fmt::format("MSG a 1 1000\r\n{}\r\n", payload);
              for (size_t i = 0; i < messages; ++i) listener.expect(message);
            }});
  server().pause_output(false);
  server().wait_until(
      [&] {
        return std::regex_search(server().log(),
                                 std::regex("\\d+ [a-z ]*(lost|dropped)|(lost|dropped) \\d+"));
      },
      "a word about lost lines");
}

TEST_P(Operations, OP_15_AFullLogNeverBlocksMessages) {
  const TempDirectory directory;
  std::vector<std::string> flags{"-a", "127.0.0.1", "-p", "-1", "-DV", "-l", "/dev/full"};
  for (const std::string& flag : backend_flags(GetParam())) flags.push_back(flag);
  flags.insert(flags.end(), {"--ports_file_dir", directory.path()});
  Process full(server_binary(), flags);
  const std::string program = std::filesystem::path(server_binary()).filename();
  const std::string ports = directory / fmt::format("{}_{}.ports", program, full.pid());
  ASSERT_TRUE(full.wait_until([&] { return Json::accept(read_file(ports)); })) << full.output();
  const std::string url = Json::parse(read_file(ports))["nats"][0];
  Client one(std::stoi(url.substr(url.rfind(':') + 1)));
  one.connect_ok();
  one.send("SUB a 1\r\n");
  for (int i = 0; i < 1000; ++i) {
    one.send("PUB a 2\r\nhi\r\n");
    one.expect("MSG a 1 2\r\nhi\r\n");
  }
  full.signal(SIGTERM);
  EXPECT_EQ(full.wait_exit(), is_oracle() ? 1 : 0);
}

TEST_P(Operations, OP_38_OutOfDescriptorsAcceptingPausesAndResumes) {
  start({.process = {.descriptors_max = 64}});
  std::vector<Client> first;
  for (int i = 0; i < 10; ++i) first.push_back(connected());
  first[1].send("SUB a 1\r\n");
  first[1].ping();

  std::vector<Client> waiting;  // far more than there are descriptors; the kernel queues the rest
  for (int i = 0; i < 90; ++i) {
    waiting.push_back(client());
    waiting.back().send("PING\r\n");
  }
  server().wait_until(
      [&] {
        return std::regex_search(server().log(),
                                 std::regex("\\[(ERR|WRN)\\].*([Aa]ccept|descriptor|open files)"));
      },
      "a line about descriptors");
  // Nobody connected suffers.
  for (int i = 0; i < 100; ++i) {
    first[0].send("PUB a 2\r\nhi\r\n");
    first[1].expect("MSG a 1 2\r\nhi\r\n");
  }
  EXPECT_LE(count(server().log(), "[ERR]") + count(server().log(), "[WRN]"), 20u) << server().log();
  // Room again: everybody is served in the end.
  for (Client& one : waiting) {
    one.expect("PONG\r\n");
    one.close();
  }
  connected();
}

size_t resident_kb(pid_t pid) {
  const std::string status = read_file(fmt::format("/proc/{}/status", pid));
  return static_cast<size_t>(std::atoll(status.c_str() + status.find("VmRSS:") + 6));
}

TEST_P(Operations, OP_40_CP_70_PeersThatNeverLogInHoldBoundedMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "memory of a sanitizer build says nothing";
#endif
  start_config("authorization { user: a, password: b, timeout: 30 }");
  std::vector<Client> peers;
  for (int i = 0; i < 20; ++i) {
    peers.push_back(client());
    peers.back().info();
  }
  const size_t before = resident_kb(server().pid());
  for (int i = 0; i < 500; ++i) {
    peers.push_back(client());
    peers.back().info();
    peers.back().send("CONNECT {\"user\":\"" + std::string(4000, 'x'));
  }
  // A refused one is answered behind all that was received before it on its worker; two per worker at least.
  for (int i = 0; i < 8; ++i) client().connect_refused(Json::object());
  EXPECT_LT(resident_kb(server().pid()), before + 500 * 64);
}

TEST_P(Operations, OP_40_APeerThatSendsByteByByteIsServed) {
  start();
  Client slow = client();
  slow.info();
  for (const char byte : std::string("CONNECT {\"verbose\":false}\r\nSUB a 1\r\nPUB a 3\r\nabc\r\n")) {
    slow.send({&byte, 1});
    connected();  // others come and go meanwhile
  }
  slow.expect("MSG a 1 3\r\nabc\r\n");
}

TEST_P(Operations, OP_39_AStormOfConnectionsDoesNotStopMessages) {
  start();
  Client listener = connected();
  listener.send("SUB a 1\r\n");
  listener.ping();
  Client publisher = connected();
  std::vector<std::function<void()>> threads{[&] {
    for (int i = 0; i < 300; ++i) {
      publisher.send("PUB a 2\r\nhi\r\n");
      listener.expect("MSG a 1 2\r\nhi\r\n");
    }
  }};
  for (int storm = 0; storm < 3; ++storm) {
    threads.push_back([&] {
      for (size_t i = 0; i < scaled(300); ++i) {
        Client one = client();
        if (i % 2 == 0) one.reset();
      }
    });
  }
  together(threads);
  connected();
}

}  // namespace
}  // namespace nuncio::test
