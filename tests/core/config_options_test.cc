// From files and flags to options: what each option accepts, and every finding with its place.
#include "tests/core/config_files.h"

namespace nuncio::config {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ConfigOptions : public ConfigFiles {};

TEST_F(ConfigOptions, CF_31_EveryFindingIsListedInOneRun) {
  const std::string path =
      write("t.conf", "port: \"4222\"\nprot: 1\nmax_payload: 1.5\nauthorization { user: a, token: b }\n");
  const CommandLine line = arguments({"-t", "-c", path.c_str()});
  const auto report = check_report(line, load_options(line));
  EXPECT_EQ(report.exit_code, 1);
  for (const char* expected : {":1:7: expected a number for \"port\", got a string\n",
                               ":2:1: unknown field \"prot\", did you mean \"port\"?\n",
                               ":3:14: expected a number for \"max_payload\", got a number with a fraction\n",
                               ":4:26: Cannot have a user/pass and token"}) {
    EXPECT_THAT(report.text, HasSubstr(path + expected));
  }
}

TEST_F(ConfigOptions, CF_31_AValidFileIsSaidToBeValid) {
  const std::string path = write("t.conf", "port: 4333");
  const CommandLine line = arguments({"-t", "-c", path.c_str()});
  const auto report = check_report(line, load_options(line));
  EXPECT_EQ(report.exit_code, 0);
  EXPECT_THAT(report.text,
              ::testing::StartsWith("nats-server: configuration file " + path + " is valid (sha256:"));
}

TEST_F(ConfigOptions, CF_32_UnknownFieldsAreErrorsWithTheNearestKnownOne) {
  EXPECT_THAT(load("max_paylod: 1").errors,
              ElementsAre("t.conf:1:1: unknown field \"max_paylod\", did you mean \"max_payload\"?"));
  EXPECT_THAT(load("zzz: 1").errors, ElementsAre("t.conf:1:1: unknown field \"zzz\""));
  EXPECT_THAT(load("authorization { users: [ {user: a, password: \"b\", foo: 1} ] }").errors,
              ElementsAre("t.conf:1:51: unknown field \"foo\""));
  EXPECT_THAT(load("nuncio { wrkers: 1 }").errors, ElementsAre(HasSubstr("did you mean \"workers\"")));
}

TEST_F(ConfigOptions, CF_33_DeprecatedFormsWarnAndFailOnlyACheck) {
  const std::string path = write("t.conf", "ping_interval: 10");
  const CommandLine line = arguments({"-c", path.c_str()});
  const auto loaded = load_options(line);
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_THAT(loaded.warnings,
              ElementsAre(HasSubstr(":1:16: invalid use of field \"ping_interval\": ping_interval "
                                    "should be converted to a duration")));
  EXPECT_EQ(loaded.options.ping_interval, seconds(10));
  EXPECT_EQ(check_report(line, loaded).exit_code, 1);
}

TEST_F(ConfigOptions, CF_34_KnownOptionsThatAreNotSupportedAreErrors) {
  for (const char* key :
       {"cluster", "leafnodes", "websocket", "gateway", "mqtt", "jetstream", "http", "http_port",
        "monitor_port", "operator", "resolver", "proxy_protocol", "remote_syslog", "log_size_limit",
        "log_max_num", "trusted_keys", "lame_duck_duration", "lame_duck_grace_period"}) {
    EXPECT_THAT(
        load(std::string(key) + ": 1").errors,
        ElementsAre("t.conf:1:1: \"" + std::string(key) + "\" is not supported by this version of nuncio"));
  }
  for (const char* key : {"auth_callout", "auth_hook", "proxy_required"}) {
    EXPECT_THAT(load("authorization { user: a, " + std::string(key) + ": 1 }").errors,
                ElementsAre(HasSubstr("is not supported")));
  }
  EXPECT_THAT(load("authorization { users: [ {user: a, proxy_required: true} ] }").errors,
              ElementsAre(HasSubstr("is not supported")));
  EXPECT_THAT(load("prof_port: 1").errors, ElementsAre(HasSubstr("profiling of Go programs")));
  EXPECT_THAT(load("write_timeout: retry").errors, ElementsAre(HasSubstr("not supported")));
  EXPECT_THAT(load("write_timeout: default").errors, IsEmpty());
}

TEST_F(ConfigOptions, CF_36_ChecksAcrossOptions) {
  EXPECT_THAT(load("max_payload: 2mb\nmax_pending: 1mb").errors,
              ElementsAre("t.conf:1:14: max_payload (2097152) cannot be higher than max_pending (1048576)"));
  EXPECT_THAT(load("max_pending: 1024").errors, ElementsAre(HasSubstr("t.conf:1:14: max_payload")));
  EXPECT_THAT(load("server_name: \"a b\"").errors,
              ElementsAre(HasSubstr("t.conf:1:14: server_name must not contain blanks")));
  EXPECT_THAT(load("", {"-n", "a b"}).errors, ElementsAre(HasSubstr("command line: server_name")));
  EXPECT_THAT(load("client_advertise: \"a:b\"").errors,
              ElementsAre(HasSubstr("t.conf:1:19: client_advertise")));
}

TEST_F(ConfigOptions, CF_37_SecretsThatEverybodyCanReadAreWarnedOf) {
  const std::string path = write(
      "t.conf", "authorization { token: $2a$11$1oJy/wZYNTxr9jNwMNwS3eUGhBpHT3On8CL9o7ey89mpgo88VG6ba }");
  EXPECT_THAT(load_file(path).warnings, IsEmpty());
  ::chmod(path.c_str(), 0644);
  EXPECT_THAT(load_file(path).warnings,
              ElementsAre("t.conf: the file holds secrets and everybody can read it (mode 0644)"));
  ::chmod(write("t.conf", "port: 1").c_str(), 0644);
  EXPECT_THAT(load_file(path).warnings, IsEmpty());
  set_variable("CF_TEST_TOKEN", "$2a$11$1oJy/wZYNTxr9jNwMNwS3eUGhBpHT3On8CL9o7ey89mpgo88VG6ba");
  ::chmod(write("t.conf", "authorization { token: $CF_TEST_TOKEN }").c_str(), 0644);
  EXPECT_THAT(load_file(path).warnings, IsEmpty());
}

TEST_F(ConfigOptions, CF_38_TheDigestDependsOnOptionsAndNotOnSecrets) {
  const auto digest = [this](std::string_view text) { return load(text).options.config_digest; };
  const std::string base = digest("port: 1\nauthorization { user: a, pass: \"x\" }");
  EXPECT_THAT(base, ::testing::MatchesRegex("sha256:[0-9a-f]{64}"));
  EXPECT_EQ(base, digest("# same\nP: \"y\"\nauthorization { pass: $P, user: a }\nport: 1"));
  EXPECT_NE(base, digest("port: 2\nauthorization { user: a, pass: \"x\" }"));
  EXPECT_NE(base, digest("port: 1\nauthorization { user: b, pass: \"x\" }"));
  EXPECT_EQ(digest("authorization { token: \"x\" }"), digest("authorization { token: \"y\" }"));
  EXPECT_NE(digest("authorization { token: \"x\" }"), digest(""));
}

TEST_F(ConfigOptions, CF_39_AddressesAndNames) {
  const auto address = [this](std::string_view text) {
    const auto loaded = load(text);
    return loaded.errors.empty() ? loaded.options.host + " " + std::to_string(loaded.options.port)
                                 : loaded.errors[0];
  };
  EXPECT_EQ(address(""), "0.0.0.0 4222");
  EXPECT_EQ(address("listen: 127.0.0.1:4333"), "127.0.0.1 4333");
  EXPECT_EQ(address("listen: \"[::1]:4333\""), "::1 4333");
  EXPECT_EQ(address("listen: 4333"), "0.0.0.0 4333");
  EXPECT_EQ(address("listen: \":-1\""), "0.0.0.0 -1");
  EXPECT_EQ(address("net: a\nport: 0"), "a 4222");
  EXPECT_EQ(address("port: -1"), "0.0.0.0 -1");
  EXPECT_EQ(address("listen: 127.0.0.1"), "t.conf:1:9: could not parse address string \"127.0.0.1\"");
  EXPECT_THAT(address("port: 65536"), HasSubstr("too big"));
  EXPECT_THAT(address("port: -2"), HasSubstr("too small"));
  const auto named = load("server_name: n\npidfile: p\nports_file_dir: d").options;
  EXPECT_EQ(named.server_name + named.pid_file + named.ports_file_dir, "npd");
}

TEST_F(ConfigOptions, CF_39_TheAdvertisedAddress) {
  const auto advertised = [this](const std::string& text) {
    const auto loaded = load("client_advertise: \"" + text + "\"");
    return loaded.errors.empty()
               ? loaded.options.advertised_host + " " + std::to_string(loaded.options.advertised_port)
               : loaded.errors[0];
  };
  EXPECT_EQ(advertised(""), " 0");
  EXPECT_EQ(advertised("a"), "a 0");
  EXPECT_EQ(advertised("a:1"), "a 1");
  EXPECT_EQ(advertised("a:-1"), "a 0");
  EXPECT_EQ(advertised("[::1]:7"), "::1 7");
  EXPECT_EQ(advertised("[::1]"), "::1 0");
  for (const char* text : {"::1", ":1", "a:", "a:b", "[]", "[::1", "a:65536", "a:-2"})
    EXPECT_EQ(advertised(text), "t.conf:1:19: client_advertise must be host or host:port") << text;
  EXPECT_EQ(load("client_advertise: a:1", {"--client_advertise", "b"}).options.advertised_host, "b");
  EXPECT_THAT(load("", {"--client_advertise", "b:x"}).errors,
              ElementsAre(HasSubstr("command line: client_advertise")));
}

TEST_F(ConfigOptions, CF_40_Limits) {
  const auto loaded = load(R"(
    max_connections: 10, max_subscriptions: 11, max_sub_tokens: 12, max_control_line: 13, max_payload: 14
    max_pending: 1kb, write_deadline: "15s", ping_interval: "16s", ping_max: 17, max_traced_msg_len: 18
    no_header_support: true, no_fast_producer_stall: true, disable_short_first_ping: true)");
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_THAT(loaded.warnings, IsEmpty());
  const Options& options = loaded.options;
  EXPECT_EQ(options.connections_max, 10u);
  EXPECT_EQ(options.subscriptions_max, 11u);
  EXPECT_EQ(options.subject_tokens_max, 12u);
  EXPECT_EQ(options.control_line_max, 13u);
  EXPECT_EQ(options.payload_max, 14u);
  EXPECT_EQ(options.pending_max, 1024u);
  EXPECT_EQ(options.write_deadline, seconds(15));
  EXPECT_EQ(options.ping_interval, seconds(16));
  EXPECT_EQ(options.pings_max, 17u);
  EXPECT_EQ(options.traced_message_max, 18u);
  EXPECT_FALSE(options.headers);
  EXPECT_FALSE(options.stall_fast_producers);
  EXPECT_FALSE(options.short_first_ping);

  EXPECT_THAT(load("max_payload: 9mb").warnings, ElementsAre(HasSubstr("over 8 MB")));
  EXPECT_THAT(load("max_payload: 2gb").errors, ElementsAre(HasSubstr("max_payload value is too big")));
  EXPECT_THAT(load("max_sub_tokens: 300").errors, ElementsAre(HasSubstr("too big")));
  EXPECT_THAT(load("max_pending: -1").errors, ElementsAre(HasSubstr("can not be negative")));
  EXPECT_EQ(load("max_subs: -1").options.subscriptions_max, 0u);
  const auto zeros =
      load("max_payload: 0, max_pending: 0, ping_max: 0, ping_interval: \"0\", write_deadline: \"0s\"")
          .options;
  EXPECT_EQ(zeros.payload_max, Options().payload_max);
  EXPECT_EQ(zeros.pending_max, Options().pending_max);
  EXPECT_EQ(zeros.pings_max, Options().pings_max);
  EXPECT_EQ(zeros.ping_interval, Options().ping_interval);
  for (const char* key : {"disable_sublist_cache", "no_sublist_cache", "max_closed_clients", "server_tags"}) {
    EXPECT_THAT(load(std::string(key) + ": 1").warnings, ElementsAre(HasSubstr("has no effect"))) << key;
  }
}

TEST_F(ConfigOptions, CP_59_NoConnectionsAtAllIsAnError) {
  for (const char* text : {"max_connections: 0", "max_conn: -1"}) {
    EXPECT_THAT(load(text).errors, ElementsAre(HasSubstr("must be at least 1"))) << text;
  }
}

TEST_F(ConfigOptions, CF_41_CF_48_TheAuthorizationBlock) {
  const auto single =
      load("authorization { username: a, password: \"b\", timeout: 0.5 }").options.authorization;
  ASSERT_TRUE(single.single_user);
  EXPECT_EQ(single.single_user->name, "a");
  EXPECT_EQ(password_of(single), "b");
  EXPECT_EQ(single.timeout, milliseconds(500));
  EXPECT_EQ(single.single_user->position, folder_.string() + "/t.conf:1:27");
  const auto token = load("authorization { token: \"t\" }").options.authorization;
  EXPECT_FALSE(token.single_user);
  EXPECT_EQ(text_of(token.tokens), "t");
  const auto many =
      load("authorization { users = [\n{user: a, pass: \"b\"}\n{username: \"A\", password: ''}] }")
          .options.authorization;
  ASSERT_EQ(many.users.size(), 2u);
  EXPECT_EQ(many.users[1].name, "A");
  EXPECT_TRUE(text_of(many.users[1].passwords).empty());
  EXPECT_THAT(many.users[0].position, HasSubstr("t.conf:2:8"));
}

TEST_F(ConfigOptions, CF_42_ExclusionsNameBothPlaces) {
  EXPECT_THAT(load("authorization {\n user: a\n token: b\n}").errors,
              ElementsAre(HasSubstr("t.conf:3:2: Cannot have a user/pass and token (the user is at")));
  EXPECT_THAT(load("authorization {\n users: [{user: b}]\n pass: \"a\"\n}").errors,
              ElementsAre(HasSubstr("t.conf:2:2: Can not have a single user/pass and a users array")));
  EXPECT_THAT(load("authorization {\n token: a\n users: [{user: b}]\n}").errors,
              ElementsAre(HasSubstr("t.conf:3:2: Can not have a token and a users array")));
}

TEST_F(ConfigOptions, CF_43_CF_44_UserEntries) {
  const auto errors = [this](const std::string& users) {
    return load("authorization { users: " + users + " }").errors;
  };
  EXPECT_THAT(errors("[{user: a}, {user: a}]"),
              ElementsAre(HasSubstr("t.conf:1:36: Duplicate user \"a\" detected")));
  EXPECT_THAT(errors("{user: a}"), ElementsAre(HasSubstr("Expected users field to be an array, got a map")));
  EXPECT_THAT(errors("[a]"), ElementsAre(HasSubstr("Expected user entry to be a map/struct, got a string")));
  EXPECT_THAT(errors("[{pass: \"x\"}]"), ElementsAre(HasSubstr("User entry requires a user")));
  EXPECT_THAT(errors("[{user: \"\"}]"), ElementsAre(HasSubstr("User entry requires a user")));
}

TEST_F(ConfigOptions, CF_45_AU_15_AUserWithoutPasswordIsAllowedAndHasTheEmptyOne) {
  const auto many = load("authorization { users: [{user: a}] }");
  EXPECT_THAT(many.errors, IsEmpty());
  EXPECT_TRUE(many.options.authorization.users.at(0).passwords.empty());
  const auto single = load("authorization { user: a }");
  EXPECT_THAT(single.errors, IsEmpty());
  EXPECT_TRUE(single.options.authorization.single_user && password_of(single.options.authorization).empty());
}

TEST_F(ConfigOptions, CF_16_QuotedNumbersAreStrings) {
  for (const char* key : {"port", "max_payload", "max_connections", "ping_max"}) {
    EXPECT_THAT(load(std::string(key) + ": \"4222\"").errors,
                ElementsAre(HasSubstr("expected a number for \"" + std::string(key) + "\", got a string")));
  }
  EXPECT_EQ(password_of(load("authorization { user: a, password: \"4222\" }").options.authorization), "4222");
}

TEST_F(ConfigOptions, CF_17_NumbersArePasswordsOnlyInQuotes) {
  set_variable("CF_TEST_NUMBER", "987654321");
  for (const char* text : {"authorization { user: a, password: 987654321 }",
                           "authorization { user: a, password: $CF_TEST_NUMBER }",
                           "authorization { users: [{user: a, password: 987654321}] }"}) {
    const auto errors = load(text).errors;
    EXPECT_THAT(errors, ElementsAre(HasSubstr("password must be a string: put it in quotes"))) << text;
    EXPECT_THAT(errors[0], Not(HasSubstr("987"))) << text;
  }
  EXPECT_THAT(load("authorization { token: 1e }").errors, ElementsAre(HasSubstr("token must be a string")));
  EXPECT_THAT(load("authorization { user: 12, password: \"x\" }").errors,
              ElementsAre(HasSubstr("expected a string for \"user\"")));
}

TEST_F(ConfigOptions, CF_47_TimeoutTakesSecondsAndDurations) {
  const auto timeout = [this](const std::string& text) {
    return load("authorization { user: a, pass: \"b\", timeout: " + text + " }");
  };
  EXPECT_EQ(timeout("1").options.authorization.timeout, seconds(1));
  EXPECT_EQ(timeout("0.25").options.authorization.timeout, milliseconds(250));
  EXPECT_EQ(timeout("\"1500ms\"").options.authorization.timeout, milliseconds(1500));
  EXPECT_EQ(timeout("0").options.authorization.timeout, seconds(2));
  EXPECT_FALSE(timeout("5").has_deprecated);
  EXPECT_THAT(timeout("1m").warnings, ::testing::Contains(HasSubstr("consider keeping it under 60 seconds")));
  EXPECT_THAT(timeout("\"1x\"").errors, ElementsAre(HasSubstr("error parsing timeout")));
  EXPECT_THAT(timeout("-1").errors, ElementsAre(HasSubstr("needs to be positive")));
  EXPECT_THAT(timeout("1e").errors, ElementsAre(HasSubstr("too big")));
  EXPECT_THAT(timeout("true").errors, ElementsAre(HasSubstr("got a boolean")));
}

TEST_F(ConfigOptions, AU_12_MixturesOfFlagsAndFile) {
  const auto both = load("", {"--user", "a", "--pass", "b", "--auth", "t"});
  EXPECT_THAT(both.errors, IsEmpty());
  EXPECT_TRUE(!both.options.authorization.tokens.empty() && !both.options.authorization.single_user);
  EXPECT_THAT(
      both.warnings,
      ::testing::Contains(HasSubstr("the token (from command line) decides, user and password are ignored")));

  const auto file_token = load("authorization { token: \"t\" }", {"--user", "a"});
  EXPECT_THAT(file_token.errors, IsEmpty());
  EXPECT_TRUE(!file_token.options.authorization.tokens.empty() &&
              !file_token.options.authorization.single_user);
  EXPECT_THAT(file_token.warnings, ::testing::Contains(HasSubstr("t.conf:1:24) decides")));

  const auto file_users =
      load("authorization { users: [{user: u, pass: \"p\"}] }", {"--user", "a", "--pass", "b"});
  EXPECT_THAT(file_users.errors, IsEmpty());
  EXPECT_EQ(file_users.options.authorization.users.size(), 1u);
  EXPECT_FALSE(file_users.options.authorization.single_user);
  EXPECT_THAT(file_users.warnings, ::testing::Contains(HasSubstr("--user and --pass are ignored")));

  EXPECT_THAT(load("authorization { users: [{user: u, pass: \"p\"}] }", {"--auth", "t"}).errors,
              ElementsAre(HasSubstr("command line: Can not have a token and a users array")));
}

TEST_F(ConfigOptions, AU_13_CF_46_WhatWouldLetEverybodyInIsRefused) {
  for (const char* text : {"authorization { users: [] }", "authorization { user: \"\", pass: \"b\" }",
                           "authorization { token: \"\" }", "authorization { pass: \"b\" }"}) {
    EXPECT_THAT(load(text).errors, ElementsAre(HasSubstr("would let everybody in"))) << text;
  }
  EXPECT_THAT(load("", {"--pass", "b"}).errors, ElementsAre(HasSubstr("would let everybody in")));
  EXPECT_THAT(load("", {"--user", "", "--pass", "b"}).errors,
              ElementsAre(HasSubstr("would let everybody in")));
  EXPECT_THAT(load("", {"--auth", ""}).errors, ElementsAre(HasSubstr("would let everybody in")));
  EXPECT_THAT(load("authorization { timeout: 1 }").warnings, ElementsAre(HasSubstr("everybody may connect")));
}

TEST_F(ConfigOptions, AU_14_UserNamesAreKeptByteForByte) {
  const auto users = load(
      "authorization { users: [{user: \"\xc3\xa4\\xff b\", pass: \"x\"}, {user: 'A', pass: \"x\"}, {user: a, "
      "pass: \"x\"}] }");
  EXPECT_THAT(users.errors, IsEmpty());
  EXPECT_EQ(users.options.authorization.users[0].name, "\xc3\xa4\xff b");
}

TEST_F(ConfigOptions, AU_16_NoAuthUserMustNameAUser) {
  EXPECT_THAT(load("authorization { users: [{user: a, pass: \"b\"}] }\nno_auth_user: a").errors, IsEmpty());
  EXPECT_THAT(load("authorization { users: [{user: a, pass: \"b\"}] }\nno_auth_user: A").errors,
              ElementsAre(HasSubstr("t.conf:2:15: no_auth_user: \"A\" not present as user")));
  for (const char* text : {"no_auth_user: a", "authorization { user: a, pass: \"b\" }\nno_auth_user: a",
                           "authorization { token: \"b\" }\nno_auth_user: a"}) {
    EXPECT_THAT(load(text).errors, ElementsAre(HasSubstr("users are not defined"))) << text;
  }
}

TEST_F(ConfigOptions, AU_10_CF_70_FlagsReplaceUserAndPasswordOfTheFile) {
  const auto loaded = load("authorization { user: a, pass: \"b\" }", {"--user", "c"}).options.authorization;
  EXPECT_EQ(user_of(loaded), "c");
  EXPECT_EQ(password_of(loaded), "b");
  const auto password = load("authorization { user: a, pass: \"b\" }", {"--pass", "d"}).options.authorization;
  EXPECT_EQ(user_of(password), "a");
  EXPECT_EQ(password_of(password), "d");
  const auto completed = load("authorization { pass: \"b\" }", {"--user", "c"});
  EXPECT_THAT(completed.errors, IsEmpty());
  EXPECT_EQ(password_of(completed.options.authorization), "b");
}

TEST_F(ConfigOptions, CF_61_Logging) {
  const auto options =
      load(R"(debug: true, trace: true, logtime: false, logtime_utc: true, logfile: "f", syslog: true)")
          .options;
  EXPECT_TRUE(options.log.debug && options.log.trace && !options.log.time && options.log.utc &&
              options.log.syslog);
  EXPECT_EQ(options.log.file, "f");
  EXPECT_TRUE(load("trace_verbose: true").options.log.trace);
  EXPECT_TRUE(load("trace: true\ntrace_verbose: false").options.log.trace);
  EXPECT_FALSE(load("trace_verbose: false").options.log.trace);
}

TEST_F(ConfigOptions, CF_65_OurOwnBlock) {
  const auto options =
      load(R"(nuncio { workers: 3, io_backend: epoll, verifier_threads: 2, credential_cache: off,
    credential_cache_ttl: "5m" })")
          .options;
  EXPECT_EQ(options.workers, 3u);
  EXPECT_EQ(options.io_backend, IoBackend::epoll);
  EXPECT_EQ(options.verifier_threads, 2u);
  EXPECT_FALSE(options.credential_cache);
  EXPECT_EQ(options.credential_cache_ttl, std::chrono::minutes(5));
  EXPECT_EQ(load("nuncio { workers: auto }").options.workers, 0u);
  EXPECT_THAT(load("nuncio { workers: 65 }").errors, ElementsAre(HasSubstr("too big")));
  EXPECT_THAT(load("nuncio { workers: 0 }").errors, ElementsAre(HasSubstr("too small")));
  EXPECT_THAT(load("nuncio { io_backend: kqueue }").errors,
              ElementsAre(HasSubstr("auto, io_uring or epoll")));
  EXPECT_THAT(load("nuncio: 1").errors, ElementsAre(HasSubstr("expected a map")));
}

TEST_F(ConfigOptions, CF_65_AU_74_LoginBackoff) {
  const auto backoff = [this](const std::string& text) {
    const auto loaded = load("nuncio { login_backoff: " + text + " }");
    EXPECT_THAT(loaded.errors, IsEmpty()) << text;
    return loaded.options.login_backoff;
  };
  EXPECT_TRUE(load("").options.login_backoff.is_enabled);
  EXPECT_TRUE(backoff("true").is_enabled);
  EXPECT_FALSE(backoff("false").is_enabled);
  const auto limits = backoff("{ failures: 3, wait: \"2s\", wait_max: \"5m\" }");
  EXPECT_TRUE(limits.is_enabled);
  EXPECT_EQ(limits.failures_free, 3u);
  EXPECT_EQ(limits.wait, seconds(2));
  EXPECT_EQ(limits.wait_max, seconds(300));
  EXPECT_EQ(backoff("{ failures: 3 }").wait, seconds(1));
  for (const auto& [text, expected] :
       {std::pair("{ failures: 0 }", "too small"),
        {"{ wait: \"0s\" }", "must be between 1ns and 24h"},
        {"{ wait: \"25h\", wait_max: \"24h\" }", "must be between 1ns and 24h"},
        {"{ wait: \"2m\" }", "wait_max of login_backoff must not be shorter"},
        {"{ tries: 1 }", "unknown field \"tries\""},
        {"5", "expected true, false or a map"}}) {
    EXPECT_THAT(load("nuncio { login_backoff: " + std::string(text) + " }").errors,
                ElementsAre(HasSubstr(expected)))
        << text;
  }
}

TEST_F(ConfigOptions, CF_65_AU_75_AuditLog) {
  EXPECT_EQ(load("nuncio { audit_log: \"/var/log/a.json\" }").options.audit_log, "/var/log/a.json");
  EXPECT_EQ(load("nuncio { audit_log: Syslog }").options.audit_log, "syslog");
  EXPECT_THAT(load("nuncio { audit_log: true }").errors, ElementsAre(HasSubstr("expected a string")));
}

TEST_F(ConfigOptions, CF_67_FlagsOverrideTheFile) {
  const auto options =
      load("port: 1\nhost: a\ndebug: true\nserver_name: \"b c\"\nnuncio { workers: 1 }",
           {"-p", "-1", "-a", "h", "-D=false", "-n", "n", "--workers", "2", "--io_backend=epoll", "-V"});
  EXPECT_THAT(options.errors, IsEmpty());
  EXPECT_EQ(options.options.port, -1);
  EXPECT_EQ(options.options.host, "h");
  EXPECT_EQ(options.options.server_name, "n");
  EXPECT_FALSE(options.options.log.debug);
  EXPECT_TRUE(options.options.log.trace);
  EXPECT_EQ(options.options.workers, 2u);
  EXPECT_EQ(options.options.io_backend, IoBackend::epoll);
  EXPECT_THAT(load("", {"-p", "70000"}).errors, ElementsAre(HasSubstr("command line: the port")));
  EXPECT_THAT(load("", {"--workers", "99"}).errors, ElementsAre(HasSubstr("workers")));
  EXPECT_THAT(load("", {"--io_backend", "x"}).errors, ElementsAre(HasSubstr("io_backend")));
}

TEST_F(ConfigOptions, SecretsStayOutOfEveryFinding) {
  const char* files[] = {
      "authorization { user: a, password: abc,s3cr3t }",
      "authorization { user: a, password: abc,s3cr3t: 1 }",
      "authorization { user: a, password: abc;s3cr3t, timeout: x }",
      "authorization { user: a, password: abc s3cr3t }",
      "authorization { user: a, password: $s3cr3t$x }",
      "authorization { user: a, password: \"s3cr3t\\q\" }",
      "authorization { user: a, password: \"s3cr3t }",
      "authorization { user: a, password: -s3cr3t }",
      "authorization { user: a, password: 1.s3cr3t }",
      "authorization { user: a, password: [\"s3cr3t\"] }",
      "authorization { token: {s3cr3t: 1} }",
      "authorization { token: \"s3cr3t\", token: \"s3cr3t\", user: x }",
      "authorization { users: [ {user: a, password: s3cr3t, password: 's3cr3t'}, s3cr3t ] }",
      "authorization { users: \"s3cr3t\" }",
      "authorization: \"s3cr3t\"",
      "PASS: s3cr3t\nauthorization { user: $PASS x }",
  };
  for (const char* text : files) {
    const auto loaded = load(text);
    EXPECT_THAT(loaded.errors, Not(IsEmpty())) << text;
    EXPECT_THAT(all(loaded), Not(HasSubstr("s3cr3t"))) << text;
  }
  const auto flags =
      load("authorization { users: [] }", {"--user", "u", "--pass", "s3cr3t", "--auth", "s3cr3t"});
  EXPECT_THAT(all(flags), Not(HasSubstr("s3cr3t")));
}

TEST_F(ConfigOptions, CF_35_AMissingFileIsNamed) {
  EXPECT_THAT(load_file((folder_ / "nope.conf").string()).errors,
              ElementsAre("nope.conf: cannot read the file: No such file or directory"));
}

}  // namespace
}  // namespace nuncio::config
