#include "auth/audit.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/log.h"

namespace nuncio::auth {
namespace {

using testing::IsEmpty;
using testing::MatchesRegex;
using testing::SizeIs;
using Json = nlohmann::json;

struct AuditFile : testing::Test {
  AuditFile() { std::filesystem::create_directory(directory); }
  ~AuditFile() override { std::filesystem::remove_all(directory); }

  std::unique_ptr<Audit> open() {
    std::string why_not;
    auto audit = Audit::open(path, why_not);
    EXPECT_THAT(why_not, IsEmpty());
    EXPECT_NE(audit, nullptr);
    return audit;
  }
  static std::vector<Json> records(const std::string& file) {
    std::ifstream in(file);
    std::vector<Json> found;
    for (std::string line; std::getline(in, line);) found.push_back(Json::parse(line));
    return found;
  }
  static std::string text(const std::string& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static mode_t mode(const std::string& file) {
    struct stat status {};
    stat(file.c_str(), &status);
    return status.st_mode & 0777;
  }

  std::string directory = testing::TempDir() + "nuncio_audit_test." + std::to_string(getpid());
  std::string path = directory + "/audit";
};

bool comes_true(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

TEST_F(AuditFile, AU_75_EachDecisionIsOneLineOfJson) {
  auto audit = open();
  audit->record({.source = "203.0.113.7:40112",
                 .connection = 7,
                 .kind = "client",
                 .user = "bob",
                 .account = "A",
                 .secret = "next",
                 .is_admitted = true});
  audit->record({.source = "[2001:db8::1]:4",
                 .connection = 8,
                 .kind = "client",
                 .user = "eve",
                 .reason = Reason::wrong_password});
  audit.reset();
  auto found = records(path);
  ASSERT_THAT(found, SizeIs(2));
  for (Json& record : found) {
    EXPECT_THAT(record["time"].get<std::string>(),
                MatchesRegex("20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\\.[0-9]{3}Z"));
    record.erase("time");
  }
  EXPECT_EQ(found[0], Json({{"source", "203.0.113.7:40112"},
                            {"cid", 7},
                            {"kind", "client"},
                            {"user", "bob"},
                            {"account", "A"},
                            {"decision", "admitted"},
                            {"reason", "none"},
                            {"secret", "next"}}));
  EXPECT_EQ(found[1], Json({{"source", "[2001:db8::1]:4"},
                            {"cid", 8},
                            {"kind", "client"},
                            {"user", "eve"},
                            {"account", ""},
                            {"decision", "refused"},
                            {"reason", "wrong_password"},
                            {"secret", ""}}));
}

TEST_F(AuditFile, AU_75_TheTimeIsUtc) {
  const auto seconds_since = [](const std::string& time) {
    std::tm parts{};
    strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    return timegm(&parts);
  };
  const std::time_t before = std::time(nullptr);
  open()->record({});
  const std::time_t after = std::time(nullptr);
  const std::time_t told = seconds_since(records(path).at(0)["time"]);
  EXPECT_GE(told, before - 1);  // time() may lag behind by a tick
  EXPECT_LE(told, after + 1);
}

TEST_F(AuditFile, AU_76_EveryReasonIsThereAsItsCode) {
  auto audit = open();
  for (int i = 0; i < static_cast<int>(Reason::count_); ++i)
    audit->record({.reason = static_cast<Reason>(i)});
  audit.reset();
  const auto found = records(path);
  ASSERT_THAT(found, SizeIs(static_cast<size_t>(Reason::count_)));
  for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i]["reason"], code(static_cast<Reason>(i)));
}

TEST_F(AuditFile, AT_37_NoNameCanForgeALineOrBreakTheJson) {
  const std::string names[] = {"bob\"}\n{\"decision\":\"admitted\"}", "back\\slash", std::string("nul\0", 4),
                               "\x1b[2J", "grün €"};
  auto audit = open();
  for (const std::string& name : names) audit->record({.user = name});
  audit->record({.user = "bad \xff\xc3 utf-8"});
  audit->record({.user = std::string(100'000, 'x')});
  audit.reset();
  const auto found = records(path);
  ASSERT_THAT(found, SizeIs(7));
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(found[i]["user"], names[i]);
  EXPECT_EQ(found[5]["user"], "bad \ufffd\ufffd utf-8");
  EXPECT_EQ(found[6]["user"], std::string(256, 'x') + "...");
}

TEST_F(AuditFile, AU_75_TheFileIsPrivateAndAppendedTo) {
  std::ofstream(path) << "{\"cid\":1}\n";
  chmod(path.c_str(), 0644);
  open()->record({.connection = 2});
  EXPECT_EQ(mode(path), 0600u);
  const auto found = records(path);
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0]["cid"], 1);
  EXPECT_EQ(found[1]["cid"], 2);
}

TEST_F(AuditFile, AU_75_AfterRotationTheNewFileIsUsed) {
  auto audit = open();
  audit->record({.connection = 1});
  ASSERT_TRUE(comes_true([&] { return records(path).size() == 1; }));
  std::filesystem::rename(path, path + ".1");
  audit->reopen();
  EXPECT_EQ(mode(path), 0600u);  // there at once
  audit->record({.connection = 2});
  audit.reset();
  EXPECT_THAT(records(path + ".1"), SizeIs(1));
  ASSERT_THAT(records(path), SizeIs(1));
  EXPECT_EQ(records(path)[0]["cid"], 2);
}

TEST_F(AuditFile, AU_75_AFailedReopenKeepsTheOldFile) {
  auto audit = open();
  std::filesystem::rename(directory, directory + ".moved");
  audit->reopen();
  audit->record({.connection = 1});
  audit.reset();
  EXPECT_THAT(records(directory + ".moved/audit"), SizeIs(1));
  std::filesystem::remove_all(directory + ".moved");
}

TEST_F(AuditFile, AU_75_AFileThatCannotBeOpenedIsAnError) {
  std::string why_not;
  EXPECT_EQ(Audit::open(directory + "/none/audit", why_not), nullptr);
  EXPECT_EQ(why_not, "cannot open the audit log \"" + directory + "/none/audit\": No such file or directory");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(Audit::open(path, why_not), nullptr);  // a pipe without a reader: not waited for
  EXPECT_THAT(why_not, testing::HasSubstr("No such device or address"));
}

TEST_F(AuditFile, AU_75_WithoutTargetNothingIsRecorded) {
  std::string why_not = "old";
  auto audit = Audit::open("", why_not);
  ASSERT_NE(audit, nullptr);
  EXPECT_THAT(why_not, IsEmpty());
  audit->record({.user = "bob"});
  audit->reopen();
}

TEST_F(AuditFile, AU_75_SyslogIsATarget) {
  std::string why_not;
  auto audit = Audit::open("syslog", why_not);
  ASSERT_NE(audit, nullptr);
  EXPECT_THAT(why_not, IsEmpty());
  audit->record({.user = "bob"});
  audit->reopen();
}

// A pipe whose reader sleeps: the target that blocks.
struct AuditPipe : AuditFile {
  AuditPipe() {
    mkfifo(path.c_str(), 0600);
    reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  }
  ~AuditPipe() override { close(reader); }

  // Reads until the record of this connection has come.
  std::vector<Json> read_until(uint64_t connection) {
    std::vector<Json> found;
    std::string rest;
    EXPECT_TRUE(comes_true([&] {
      char bytes[4096];
      const ssize_t size = read(reader, bytes, sizeof bytes);
      if (size > 0) rest.append(bytes, static_cast<size_t>(size));
      for (size_t end; (end = rest.find('\n')) != std::string::npos; rest.erase(0, end + 1)) {
        found.push_back(Json::parse(rest.substr(0, end)));
      }
      return !found.empty() && found.back()["cid"] == connection;
    }));
    return found;
  }
  int reader;
};

TEST_F(AuditPipe, AU_75_AFullQueueDropsRecordsAndTellsHowMany) {
  auto audit = open();
  constexpr uint64_t records_sent = 20'000;
  for (uint64_t i = 1; i <= records_sent; ++i)
    audit->record({.connection = i});  // nobody reads: returns still
  const auto found = read_until(records_sent);
  uint64_t lost = 0;
  for (const Json& record : found) lost += record.value("lost", uint64_t{0});
  EXPECT_GT(lost, 0u);
  EXPECT_EQ(found.size() + lost, records_sent);
}

TEST_F(AuditPipe, AU_75_ABlockedTargetDoesNotHoldUpTheEnd) {
  auto audit = open();
  constexpr uint64_t records_sent = 5000;
  for (uint64_t i = 1; i <= records_sent; ++i) audit->record({.connection = i});
  audit.reset();
  EXPECT_THAT(read_until(records_sent), SizeIs(records_sent));  // the writer left behind wakes up and ends
}

TEST_F(AuditFile, AU_75_WhatCouldNotBeWrittenIsLoggedOnceAndToldLater) {
  log::Settings settings;
  settings.file = directory + "/log";
  ASSERT_EQ(log::start(settings), "");
  std::filesystem::create_symlink("/dev/full", path);
  auto audit = open();
  for (uint64_t i = 1; i <= 3; ++i) audit->record({.connection = i});
  ASSERT_TRUE(comes_true([&] { return !text(settings.file).empty(); }));
  std::filesystem::remove(path);
  audit->reopen();
  audit->record({.connection = 4});
  audit.reset();
  log::stop();
  const auto found = records(path);
  ASSERT_FALSE(found.empty());  // those after the first may have waited until there was room
  EXPECT_EQ(found.size() + found[0].value("lost", 0u), 4u);
  EXPECT_GE(found[0].value("lost", 0u), 1u);
  EXPECT_THAT(text(settings.file),
              MatchesRegex(".*cannot write the audit log \".*/audit\": No space left on device\n"));
}

TEST_F(AuditFile, AU_75_ManyThreadsRecordWhileTheFileIsReopened) {
  auto audit = open();
  constexpr uint64_t threads = 4, each = 500;
  std::vector<std::thread> running;
  for (uint64_t t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      for (uint64_t i = 0; i < each; ++i) audit->record({.connection = t * each + i, .user = "bob"});
    });
  }
  for (int i = 0; i < 20; ++i) audit->reopen();
  for (std::thread& thread : running) thread.join();
  audit.reset();
  std::set<uint64_t> seen;
  for (const Json& record : records(path)) seen.insert(record["cid"].get<uint64_t>());
  EXPECT_THAT(seen, SizeIs(threads * each));
}

}  // namespace
}  // namespace nuncio::auth
