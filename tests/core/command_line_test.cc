// The command line of nats-server: the same flags in the same forms, errors that say more.
#include "core/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <string>
#include <vector>

namespace nuncio {
namespace {

using Action = CommandLine::Action;
using ::testing::HasSubstr;

CommandLine parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "/usr/bin/nats-server");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

TEST(CommandLine, CF_67_OneDashOrTwoValueBehindOrNext) {
  for (const auto& arguments : std::vector<std::vector<const char*>>{{"-port", "4333"},
                                                                     {"--port", "4333"},
                                                                     {"-port=4333"},
                                                                     {"--port=4333"},
                                                                     {"-p", "4333"},
                                                                     {"--p=4333"}}) {
    EXPECT_EQ(parse(arguments).port, 4333);
  }
  EXPECT_EQ(parse({"-D"}).debug, true);
  EXPECT_EQ(parse({"--debug=false"}).debug, false);
  EXPECT_EQ(parse({"-D=T"}).debug, true);
  EXPECT_EQ(parse({"-p", "1", "-p", "2"}).port, 2);
  EXPECT_EQ(parse({"--user", "-x"}).user, "-x");
  EXPECT_EQ(parse({"--user=a=b"}).user, "a=b");
}

TEST(CommandLine, CF_68_ServerFlags) {
  EXPECT_EQ(parse({"-a", "h"}).host, "h");
  EXPECT_EQ(parse({"--addr", "h"}).host, "h");
  EXPECT_EQ(parse({"--net", "h"}).host, "h");
  EXPECT_EQ(parse({"-p", "-1"}).port, -1);
  for (const char* flag : {"-n", "--name", "--server_name"}) EXPECT_EQ(parse({flag, "s"}).server_name, "s");
  for (const char* flag : {"-P", "--pid"}) EXPECT_EQ(parse({flag, "f"}).pid_file, "f");
  for (const char* flag : {"-c", "--config"}) EXPECT_EQ(parse({flag, "f"}).config_file, "f");
  EXPECT_EQ(parse({"--client_advertise", "a:1"}).client_advertise, "a:1");
  EXPECT_EQ(parse({"--ports_file_dir", "d"}).ports_file_dir, "d");
  EXPECT_EQ(parse({"-t", "-c", "f"}).action, Action::check);
  EXPECT_EQ(parse({"--workers", "2"}).workers, 2);
  EXPECT_EQ(parse({"--io_backend", "epoll"}).io_backend, "epoll");
  EXPECT_EQ(parse({}).action, Action::serve);
  EXPECT_EQ(parse({}).program, "nats-server");
}

TEST(CommandLine, CF_69_LogFlags) {
  for (const char* flag : {"-l", "--log"}) EXPECT_EQ(parse({flag, "f"}).log_file, "f");
  for (const char* flag : {"-T=false", "--logtime=false"}) EXPECT_EQ(parse({flag}).log_time, false);
  EXPECT_EQ(parse({"--logtime_utc"}).log_utc, true);
  for (const char* flag : {"-s", "--syslog"}) EXPECT_EQ(parse({flag}).syslog, true);
  for (const char* flag : {"-V", "--trace"}) EXPECT_EQ(parse({flag}).trace, true);
  EXPECT_EQ(parse({"--max_traced_msg_len", "5"}).traced_message_max, 5);
  const auto both = parse({"-DV"});
  EXPECT_TRUE(both.debug == true && both.trace == true);
  const auto verbose = parse({"-VV"});
  EXPECT_TRUE(!verbose.debug && verbose.trace == true);
  const auto all = parse({"-DVV"});
  EXPECT_TRUE(all.debug == true && all.trace == true);
}

TEST(CommandLine, CF_70_CredentialFlags) {
  const auto line = parse({"--user", "foo", "--pass", "bar", "--auth=t"});
  EXPECT_EQ(line.user, "foo");
  EXPECT_EQ(line.password->reveal(), "bar");
  EXPECT_EQ(line.token->reveal(), "t");
}

TEST(CommandLine, AU_45_SecretsAreOverwrittenInArgv) {
  std::vector<std::string> texts = {"server",       "--user", "foo",   "--pass", "bar",
                                    "-auth=t0ken",  "--auth", "",      "-D",     "--routes",
                                    "nats://u:p@h", "-p",     "--pass"};
  std::vector<char*> argv;
  for (auto& text : texts) argv.push_back(text.data());
  scrub_secrets(static_cast<int>(argv.size()), argv.data());
  EXPECT_STREQ(argv[2], "foo");
  EXPECT_EQ(texts[4], std::string("*\0\0", 3));
  EXPECT_EQ(texts[5], std::string("-auth=*\0\0\0\0", 11));
  EXPECT_EQ(texts[10], std::string("*") + std::string(11, '\0'));
  EXPECT_STREQ(argv[12], "--pass") << "the value of -p, not a flag";
}

TEST(CommandLine, CF_72_CF_77_FlagsThatAreNotThereYetAreErrors) {
  for (const char* flag : {"-js", "--jetstream", "--no_advertise"}) {
    EXPECT_THAT(parse({flag}).error, HasSubstr("not supported by this version of nuncio")) << flag;
    EXPECT_EQ(parse({flag}).exit_code, 1);
    EXPECT_EQ(parse({(std::string(flag) + "=false").c_str()}).action, Action::serve) << flag;
  }
  for (const char* flag :
       {"--routes", "--cluster", "--cluster_name", "--cluster_listen", "--cluster_advertise",
        "--connect_retries", "-m", "--http_port", "-ms", "-sd", "--profile", "-r", "--log_size_limit"}) {
    EXPECT_THAT(parse({flag, "x:s3cr3t@y"}).error, HasSubstr("not supported by this version of nuncio"))
        << flag;
    EXPECT_THAT(parse({flag, "x:s3cr3t@y"}).error, ::testing::Not(HasSubstr("s3cr3t"))) << flag;
  }
}

TEST(CommandLine, CF_71_TlsFlags) {
  const auto line = parse({"--tls", "-tlsverify=false", "--tlscert", "c", "--tlskey=k", "--tlscacert", "ca"});
  EXPECT_EQ(line.action, Action::serve);
  EXPECT_EQ(line.tls, true);
  EXPECT_EQ(line.tls_verify, false);
  EXPECT_EQ(line.tls_cert, "c");
  EXPECT_EQ(line.tls_key, "k");
  EXPECT_EQ(line.tls_ca_cert, "ca");
  EXPECT_EQ(parse({"--tls=false"}).tls, false);
  EXPECT_EQ(parse({}).tls, std::nullopt);
  EXPECT_EQ(parse({"--tls=maybe"}).error, "invalid boolean value \"maybe\" for -tls: parse error");
  for (const char* flag : {"--tls ", "--tlsverify ", "--tlscert FILE", "--tlskey FILE", "--tlscacert FILE"})
    EXPECT_THAT(usage("nats-server"), HasSubstr(flag));
}

// As in nats-server, other help goes first and everything else does not matter.
TEST(CommandLine, CF_79_HelpAboutTls) {
  EXPECT_EQ(parse({"--help_tls"}).action, Action::help_tls);
  EXPECT_EQ(parse({"-help_tls", "-c", "nope", "-t"}).action, Action::help_tls);
  EXPECT_EQ(parse({"--help_tls", "--version"}).action, Action::version);
  EXPECT_EQ(parse({"--help_tls", "--help"}).action, Action::help);
  EXPECT_EQ(parse({"--help_tls=false"}).action, Action::serve);
  const std::string text = tls_usage();
  for (const char* name : {"    TLS_AES_128_GCM_SHA256\n", "    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA\n",
                           "    TLS_RSA_WITH_RC4_128_SHA\n", "    CurveP256\n"})
    EXPECT_THAT(text, HasSubstr(name));
  EXPECT_LT(text.find("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\n"), text.find("refused here:"));
  EXPECT_GT(text.find("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA\n"), text.find("refused here:"));
}

TEST(CommandLine, CF_73_HelpAndVersion) {
  for (const char* word : {"-h", "--help", "help", "HELP"})
    EXPECT_EQ(parse({word}).action, Action::help) << word;
  for (const char* word : {"-v", "--version", "version"})
    EXPECT_EQ(parse({word}).action, Action::version) << word;
  EXPECT_THAT(usage("nats-server"), HasSubstr("Usage: nats-server [options]"));
  EXPECT_THAT(version_line(), HasSubstr("v" NUNCIO_VERSION));
}

TEST(CommandLine, CF_74_UnknownFlagsAndWords) {
  const auto flag = parse({"--nope=s3cr3t"});
  EXPECT_EQ(flag.action, Action::refuse);
  EXPECT_EQ(flag.error, "flag provided but not defined: -nope");
  EXPECT_TRUE(flag.is_usage_shown);
  EXPECT_EQ(flag.exit_code, 2);
  const auto word = parse({"-D", "start"});
  EXPECT_EQ(word.error, "nats-server: unrecognized command: \"start\"");
  EXPECT_EQ(word.exit_code, 1);
  EXPECT_EQ(parse({"-p"}).error, "flag needs an argument: -p");
  EXPECT_EQ(parse({"-p", "x"}).error, "invalid value \"x\" for flag -p: parse error");
  EXPECT_EQ(parse({"-D=maybe"}).error, "invalid boolean value \"maybe\" for -D: parse error");
  EXPECT_EQ(parse({"-"}).exit_code, 1);
  EXPECT_EQ(parse({"--", "help"}).action, Action::help);
}

TEST(CommandLine, CF_76_CheckNeedsAFile) {
  const auto line = parse({"-t"});
  EXPECT_EQ(line.error, "nats-server: must specify [-c, --config] option to check configuration file syntax");
  EXPECT_EQ(line.exit_code, 1);
}

TEST(CommandLine, CF_78_Signals) {
  EXPECT_EQ(parse({"--signal", "stop"}).signal_number, SIGKILL);
  EXPECT_EQ(parse({"-sl", "quit"}).signal_number, SIGINT);
  EXPECT_EQ(parse({"--signal=term=12"}).signal_number, SIGTERM);
  EXPECT_EQ(parse({"--signal=term=12"}).signal_target, "12");
  const auto reopen = parse({"--signal", "reopen=/run/x.pid"});
  EXPECT_EQ(reopen.action, Action::signal);
  EXPECT_EQ(reopen.signal_number, SIGUSR1);
  EXPECT_EQ(reopen.signal_target, "/run/x.pid");
  EXPECT_EQ(parse({"--signal", "reload=7"}).signal_number, SIGHUP);
  EXPECT_THAT(parse({"--signal", "ldm"}).error, HasSubstr("not supported"));
  EXPECT_EQ(parse({"--signal", "x=1"}).error, "nats-server: unknown signal \"x\"");
}

TEST(CommandLine, OP_36_ReloadPlanHasAnOptionalTarget) {
  for (const auto& [arguments, target] : std::vector<std::pair<std::vector<const char*>, std::string>>{
           {{"--reload-plan"}, ""},
           {{"--reload-plan=12"}, "12"},
           {{"--reload-plan", "/run/x.pid"}, "/run/x.pid"},
           {{"-reload_plan", "-D"}, ""},
           {{"-D", "--reload-plan", "12", "-V"}, "12"}}) {
    const auto line = parse(arguments);
    EXPECT_EQ(line.action, Action::reload_plan) << arguments.back();
    EXPECT_EQ(line.signal_target, target) << arguments.back();
  }
  EXPECT_EQ(parse({"--reload-plan", "12", "start"}).action, Action::refuse);
}

TEST(CommandLine, AU_45_SecretsBehindAnOptionalValueAreOverwrittenToo) {
  std::vector<std::string> texts = {"server", "--reload-plan", "--pass", "s3cr3t"};
  std::vector<char*> argv;
  for (auto& text : texts) argv.push_back(text.data());
  scrub_secrets(static_cast<int>(argv.size()), argv.data());
  EXPECT_EQ(texts[3], std::string("*\0\0\0\0\0", 6));
}

}  // namespace
}  // namespace nuncio
