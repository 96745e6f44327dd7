// Starts that check or only tell something, and configurations that are refused: sections 3 and 7 of the
// configuration specification.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "harness.h"

namespace nuncio::test {
namespace {

// Nothing here depends on the back end.
Finished server_ends(const std::vector<std::string>& flags, const std::string& config = {}) {
  std::vector<std::string> all = flags;
  std::unique_ptr<TempFile> file;
  if (!config.empty()) {
    file = std::make_unique<TempFile>(config);
    all.insert(all.end(), {"-c", file->path()});
  }
  return run(server_binary(), all);
}

const char* const broken_configs[] = {
    "port: 4222 xyz\n",
    "authorization {\n  user: a\n",
    "authorization { user: \"a\n",
    "nonsense_option: 1\n",
    "port: \"4222\"\n",
    "authorization { user: a, password: $NT_NO_SUCH_VARIABLE }\n",
    "authorization { user: a, password: b, token: c }\n",
    "authorization { users = [ {user: a, password: b}, {user: a, password: c} ] }\n",
    "authorization { users = [ {password: b} ] }\n",
    "authorization { users = {user: a} }\n",
    "authorization { user: a, password: 1234 }\n",
    "include \"/nonexistent/other.conf\"\n",
    "max_payload: many\n",
};

TEST(CommandLine, CF_35_AStartWithABadFileEndsWithOneAndTouchesNothing) {
  const TempDirectory directory;
  for (const char* config : broken_configs) {
    SCOPED_TRACE(config);
    const Finished end = server_ends({"-a", "127.0.0.1", "-p", "-1", "-P", directory / "pid"}, config);
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_FALSE(end.err.empty());
    EXPECT_THAT(end.err, testing::Not(testing::HasSubstr("Listening for")));
    EXPECT_FALSE(std::filesystem::exists(directory / "pid"));
  }
}

TEST(CommandLine, CF_31_TestModeRefusesTheSame) {
  for (const char* config : broken_configs) {
    SCOPED_TRACE(config);
    const Finished end = server_ends({"-t"}, config);
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_FALSE(end.err.empty());
  }
}

TEST(CommandLine, CF_31_CF_32_FindingsHaveTheirPlace) {
  const TempFile file("server_name: x\nauthorization {\n  user: a\n  password: b\n  nonsense: 1\n}\n");
  const Finished end = run(server_binary(), {"-t", "-c", file.path()});
  EXPECT_EQ(end.exit_status, 1);
  EXPECT_THAT(end.err, testing::HasSubstr(file.path() + ":5:"));
  EXPECT_THAT(end.err, testing::HasSubstr("unknown field \"nonsense\""));
}

TEST(CommandLine, CF_31_EveryFindingInOneRun) {
  const TempFile file("one_unknown: 1\nport: 4222\ntwo_unknown: 2\nauthorization { three_unknown: 3 }\n");
  const Finished end = run(server_binary(), {"-t", "-c", file.path()});
  EXPECT_EQ(end.exit_status, 1);
  for (const char* finding : {":1:", ":3:", ":4:", "one_unknown", "two_unknown", "three_unknown"}) {
    EXPECT_THAT(end.err, testing::HasSubstr(finding));
  }
}

TEST(CommandLine, CF_31_AValidFile) {
  const TempFile file("port: 4222\nauthorization { users = [ {user: a, password: b} ] }\n");
  const Finished end = run(server_binary(), {"-t", "-c", file.path()});
  EXPECT_EQ(end.exit_status, 0) << end.err;
  EXPECT_THAT(end.err, testing::HasSubstr(fmt::format("configuration file {} is valid", file.path())));
  EXPECT_EQ(end.out, "");
}

TEST(CommandLine, CF_31_TestModeFindsWhatAStartWouldRefuse) {
  NUNCIO_OURS_ONLY();  // 2.9.10 looks at the text only
  const TempDirectory directory;
  const TempFile file("");
  for (const auto& [config, obstacle] : std::vector<std::pair<std::string, std::string>>{
           {"log_file: \"/nonexistent/log\"", "log_file \"/nonexistent/log\": No such file or directory"},
           {fmt::format("log_file: \"{}\"", directory.path()), "Is a directory"},
           {"pid_file: \"/nonexistent/pid\"", "pid_file \"/nonexistent/pid\": No such file or directory"},
           {fmt::format("pid_file: \"{}/pid\"", file.path()), "Not a directory"},
           {"ports_file_dir: \"/nonexistent\"", "ports_file_dir \"/nonexistent\": No such file or directory"},
           {fmt::format("ports_file_dir: \"{}\"", file.path()), "Not a directory"},
           {"host: \"127.0.0.256\"", "cannot listen on \"127.0.0.256\": "},
           {"host: \"192.0.2.1\"", "cannot listen on \"192.0.2.1\": Cannot assign requested address"}}) {
    SCOPED_TRACE(config);
    const Finished check = server_ends({"-t"}, config + "\n");
    EXPECT_EQ(check.exit_status, 1);
    EXPECT_THAT(check.err, testing::HasSubstr(obstacle));
    std::vector<std::string> flags{"-p", "-1"};
    if (!config.starts_with("host")) flags.insert(flags.end(), {"-a", "127.0.0.1"});
    EXPECT_EQ(server_ends(flags, config + "\n").exit_status, 1);  // and so does the start
  }
}

TEST(CommandLine, CF_31_TestModeFindsWhatThisUserMayNotWrite) {
  NUNCIO_OURS_ONLY();
  const ProgramCopy program;  // in a directory where only its owner may write
  const std::string folder = std::filesystem::path(program.path()).parent_path();
  const std::string config = folder + "/conf";
  std::ofstream(config) << fmt::format("log_file: \"{0}\"\npid_file: \"{1}/pid\"\nports_file_dir: \"{1}\"\n",
                                       config, folder);
  std::filesystem::permissions(config, std::filesystem::perms(0444));
  std::filesystem::permissions(folder, std::filesystem::perms(0555));
  const Finished end = run(program.path(), {"-t", "-c", config}, {.without_root = true});
  std::filesystem::permissions(folder, std::filesystem::perms(0755));
  EXPECT_EQ(end.exit_status, 1);
  for (const char* option : {"log_file", "pid_file", "ports_file_dir"})
    EXPECT_THAT(end.err, testing::ContainsRegex(fmt::format("{} \"[^\"]*\": Permission denied", option)));
}

TEST(CommandLine, CF_31_TestModeLeavesNothingBehind) {
  const TempDirectory directory;
  const Finished end = server_ends({"-t"}, fmt::format("log_file: \"{0}/log\"\npid_file: \"{0}/pid\"\n"
                                                       "ports_file_dir: \"{0}\"\nhost: \"127.0.0.1\"\n",
                                                       directory.path()));
  EXPECT_EQ(end.exit_status, 0) << end.err;
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(CommandLine, CF_31_CF_36_TestModeChecksAcrossOptions) {
  NUNCIO_OURS_ONLY();  // 2.9.10 checks it at start only (CF-36)
  const Finished end =
      server_ends({"-t"}, "authorization { users = [ {user: a, password: b} ] }\nno_auth_user: x\n");
  EXPECT_EQ(end.exit_status, 1);
  EXPECT_THAT(end.err, testing::HasSubstr("no_auth_user"));
}

TEST(CommandLine, CF_67_FlagForms) {
  for (const std::vector<std::string>& flags :
       std::vector<std::vector<std::string>>{{"--user", "a", "--pass", "b"},
                                             {"--user=a", "--pass=b"},
                                             {"-user", "a", "-pass", "b"},
                                             {"-user=a", "-pass=b"}}) {
    SCOPED_TRACE(flags[0]);
    const Server server(backends()[is_oracle() ? 0 : 1], {.flags = flags});
    Client one(server.port());
    one.connect_ok({{"user", "a"}, {"pass", "b"}});
  }
}

TEST(CommandLine, CF_67_FlagsOverrideTheFile) {
  const Server server(backends()[is_oracle() ? 0 : 1],
                      {.flags = {"--user", "a", "--pass", "b", "-n", "flag"},
                       .config = "server_name: file\nport: 1\nauthorization { user: x, password: y }\n"});
  Client one(server.port());
  EXPECT_EQ(one.info()["server_name"], "flag");
  one.connect_ok({{"user", "a"}, {"pass", "b"}});
  Client two(server.port());
  two.connect_refused({{"user", "x"}, {"pass", "y"}});
}

TEST(CommandLine, CF_73_VersionAndHelp) {
  for (const char* word : {"-v", "--version", "version"}) {
    const Finished end = server_ends({word});
    EXPECT_EQ(end.exit_status, 0) << word;
    EXPECT_THAT(end.out, testing::ContainsRegex("[0-9]+\\.[0-9]+\\.[0-9]+")) << word;
  }
  for (const char* word : {"-h", "--help", "help"}) {
    const Finished end = server_ends({word});
    EXPECT_EQ(end.exit_status, 0) << word;
    for (const char* flag : {"--user", "--pass", "--auth", "--config", "--port", "-DV"}) {
      EXPECT_THAT(end.out, testing::HasSubstr(flag)) << word;
    }
  }
}

TEST(CommandLine, CF_74_UnknownFlagsAndWords) {
  const Finished flag = server_ends({"--no_such_flag"});
  EXPECT_EQ(flag.exit_status, is_oracle() ? 0 : 2);
  EXPECT_THAT(flag.err, testing::HasSubstr("flag provided but not defined: -no_such_flag"));
  const Finished word = server_ends({"no_such_word"});
  EXPECT_EQ(word.exit_status, 1);
  EXPECT_THAT(word.err, testing::HasSubstr("unrecognized command: \"no_such_word\""));
}

TEST(CommandLine, CF_75_AFreePortIsNamed) {
  const TempFile file("listen: \"127.0.0.1:-1\"\n");
  for (const std::vector<std::string>& flags :
       std::vector<std::vector<std::string>>{{"-a", "127.0.0.1", "-p", "-1"}, {"-c", file.path()}}) {
    SCOPED_TRACE(flags[0]);
    Process server(server_binary(), flags);
    std::smatch found;
    std::string log;
    ASSERT_TRUE(server.wait_until([&] {
      log = server.output();
      return std::regex_search(log, found, std::regex("client connections on 127\\.0\\.0\\.1:(\\d+)\n")) &&
             log.find("Server is ready") != std::string::npos;
    })) << log;
    Client one(std::stoi(found[1]));
    EXPECT_EQ(one.info()["port"], std::stoi(found[1]));
  }
}

TEST(CommandLine, CF_76_TestModeNeedsAFile) {
  const Finished end = server_ends({"-t"});
  EXPECT_EQ(end.exit_status, 1);
  EXPECT_THAT(end.err,
              testing::HasSubstr("must specify [-c, --config] option to check configuration file syntax"));
}

TEST(CommandLine, OP_3_AnUnusableBackEndIsNamed) {
  NUNCIO_OURS_ONLY();
  const Finished end = server_ends({"-a", "127.0.0.1", "-p", "-1", "--io_backend", "carrier_pigeon"});
  EXPECT_NE(end.exit_status, 0);
  EXPECT_THAT(end.err, testing::HasSubstr("io_backend"));
}

}  // namespace
}  // namespace nuncio::test
