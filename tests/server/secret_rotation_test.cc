// Several secrets of one user or token, each with its time, and secrets from files: a change without a gap
// (AU-72, AU-73); and which secret was used, as the audit log has it (AU-75, AU-76). The reference has none
// of this.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "harness.h"
#include "logins.h"
#include "rights.h"

namespace nuncio::test {
namespace {

class SecretRotation : public ServerTest {
 protected:
  void SetUp() override {
    NUNCIO_OURS_ONLY();
    ServerTest::SetUp();
  }
  Client as(std::string_view name, std::string_view password, Where where = Where::current()) {
    return connected(user(name, password), where);
  }
  // Whether such a login gets in.
  bool gets_in(const Json& fields) {
    Client one = client();
    Json connect{{"verbose", false}, {"pedantic", false}};
    connect.update(fields);
    one.send("CONNECT " + connect.dump() + "\r\nPING\r\n");
    return one.line() == "PONG";
  }
};
NUNCIO_ON_EVERY_BACKEND(SecretRotation);

constexpr std::string_view no_backoff = "nuncio { login_backoff: false }\n";

std::string anna_has(std::string_view secrets) {
  return fmt::format("authorization {{ users = [ {{user: anna, {}}}, {{user: bob, password: p}} ] }}\n{}",
                     secrets, no_backoff);
}

std::string in_seconds(int seconds) {
  const auto time = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return fmt::format("\"{:%Y-%m-%dT%H:%M:%SZ}\"",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(time + std::chrono::seconds(seconds))));
}

std::vector<Json> json_lines(const std::string& path) {
  std::vector<Json> result;
  std::istringstream lines(read_file(path));
  for (std::string line; std::getline(lines, line);) result.push_back(Json::parse(line));
  return result;
}

TEST_P(SecretRotation, AU_72_EachOfSeveralPasswordsLogsIn) {
  for (const std::string& secrets :
       {std::string("passwords: [one, two]"),
        fmt::format("passwords: [\"{}\", \"{}\"]", bcrypt("one"), bcrypt("two")),
        fmt::format("passwords: [\"{}\", two]", bcrypt("one")),
        fmt::format("passwords: [one, \"{}\"]", bcrypt("two")),
        std::string("passwords: [ {password: one, name: first}, {pass: two, name: second} ]")}) {
    SCOPED_TRACE(secrets);
    start_config(anna_has(secrets));
    as("anna", "one");
    as("anna", "two");
    for (const char* wrong : {"", "three", "onetwo", "first", "p"})
      client().connect_refused(user("anna", wrong));
    as("anna", "one");
  }
}

TEST_P(SecretRotation, AU_72_SeveralTokens) {
  start_config(fmt::format("authorization {{ tokens: [one, \"{}\"] }}\n", bcrypt("two")));
  connected(token("one"));
  connected(token("two"));
  client().connect_refused(token("three"));
  client().connect_refused(Json::object());
}

TEST_P(SecretRotation, AU_72_OfASingleUser) {
  start_config("authorization { user: anna, passwords: [one, two] }\n");
  as("anna", "one");
  as("anna", "two");
  client().connect_refused(user("anna", "three"));
}

TEST_P(SecretRotation, AU_72_OnlyWithinItsTime) {
  start_config(anna_has(fmt::format(R"(passwords: [
    {{password: past, not_after: {0}}}
    {{password: future, not_before: {1}}}
    {{password: now, not_before: {0}, not_after: {1}}}
    {{password: hashed_past, not_after: {0}}}
    {{password: "{2}", not_after: {0}}}
  ])",
                                    in_seconds(-3600), in_seconds(3600), bcrypt("hash"))));
  as("anna", "now");
  for (const char* password : {"past", "future", "hashed_past", "hash"}) {
    client().connect_refused(user("anna", password));
  }
}

TEST_P(SecretRotation, AU_72_BeginsAndEndsByItself) {
  start_config(anna_has(
      fmt::format("passwords: [ {{password: old, not_after: {}}}, {{password: \"{}\", not_before: {}}} ]",
                  in_seconds(3), bcrypt("new"), in_seconds(2))));
  server().wait_until([&] { return gets_in(user("anna", "new")); }, "the new password to begin");
  server().wait_until([&] { return !gets_in(user("anna", "old")); }, "the old password to end");
  client().connect_refused(user("anna", "old"));
  as("anna", "new");
}

TEST_P(SecretRotation, AT_24_AU_72_ItsEndDoesNotCutWhoUsedIt) {
  const std::string config =
      anna_has(fmt::format("passwords: [ {{password: old, not_after: {}}}, new ]", in_seconds(2)));
  start_config(config);
  Client one = as("anna", "old");
  server().wait_until([&] { return !gets_in(user("anna", "old")); }, "the old password to end");
  one.ping();
  server().reload_config(config + "max_payload: 2000\n");
  one.ping();
  as("anna", "new");
}

TEST_P(SecretRotation, AU_72_AU_66_ARotationInThreeReloads) {
  for (const bool is_hashed : {false, true}) {
    const std::string old_secret = is_hashed ? bcrypt("old") : "old";
    const std::string new_secret = is_hashed ? bcrypt("new") : "new";
    start_config(anna_has(fmt::format("password: \"{}\"", old_secret)));
    Client first = as("anna", "old");
    server().reload_config(anna_has(fmt::format("passwords: [\"{}\", \"{}\"]", old_secret, new_secret)));
    first.ping();
    Client second = as("anna", "new");
    Client third = as("anna", "old");
    server().reload_config(anna_has(fmt::format("password: \"{}\"", new_secret)));
    first.expect_error_and_close("Authorization Violation");
    third.expect_error_and_close("Authorization Violation");
    second.ping();
    client().connect_refused(user("anna", "old"));
    as("anna", "new");
  }
}

TEST_P(SecretRotation, AU_72_WhatIsWrongIsRefusedAtTheStart) {
  for (const std::string& secrets :
       {std::string("passwords: []"), std::string("passwords: one"), std::string("passwords: [\"\"]"),
        std::string("passwords: [ {name: x} ]"), std::string("passwords: [ {password: a, not_after: soon} ]"),
        std::string("passwords: [ {password: a, not_before: \"2030-01-01T00:00:00Z\", not_after: "
                    "\"2029-01-01T00:00:00Z\"} ]"),
        std::string("passwords: [ {password: a, password_file: b} ]")}) {
    SCOPED_TRACE(secrets);
    const Finished end =
        run_server({.flags = {"-a", "127.0.0.1", "-p", "-1", "-t"}, .config = anna_has(secrets)});
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_FALSE(end.err.empty());
  }
}

// --- files ---

void write_file(const std::string& path, std::string_view text, mode_t mode = 0600) {
  std::ofstream(path, std::ios::trunc | std::ios::binary) << text;
  ::chmod(path.c_str(), mode);
}

TEST_P(SecretRotation, AU_73_SecretsFromFiles) {
  const TempDirectory directory;
  write_file(directory / "anna", "S3cret\n");
  write_file(directory / "hash", bcrypt("H4sh") + "\n");
  write_file(directory / "bare", " blanks stay ");
  start_config(fmt::format(R"(authorization {{ users = [
    {{user: anna, password_file: "{0}/anna"}}
    {{user: hash, password_file: "{0}/hash"}}
    {{user: bare, passwords: [ {{password_file: "{0}/bare"}}, other ]}}
  ] }})",
                           directory.path()));
  as("anna", "S3cret");
  as("hash", "H4sh");
  as("bare", " blanks stay ");
  as("bare", "other");
  client().connect_refused(user("anna", "S3cret\n"));
  client().connect_refused(user("bare", "blanks stay"));
  start_config(fmt::format("authorization {{ token_file: \"{}/anna\" }}", directory.path()));
  connected(token("S3cret"));
  client().connect_refused(token(directory / "anna"));
}

TEST_P(SecretRotation, AU_73_RelativeToTheConfigurationFile) {
  const TempFile secret("S3cret\n", ".secret");
  const std::string name = std::filesystem::path(secret.path()).filename();
  start_config(fmt::format("authorization {{ user: anna, password_file: \"{}\" }}", name));
  as("anna", "S3cret");
}

TEST_P(SecretRotation, AU_73_FromTheCredentialsOfSystemd) {
  const TempDirectory directory;
  write_file(directory / "nuncio-test-credential", "S3cret\n", 0400);
  start({.config = "authorization { user: anna, password_file: nuncio-test-credential }",
         .process = {.environment = {"CREDENTIALS_DIRECTORY=" + directory.path()}}});
  as("anna", "S3cret");
}

TEST_P(SecretRotation, AU_73_AMissingOrEmptyFileIsAnError) {
  const TempDirectory directory;
  write_file(directory / "empty", "");
  write_file(directory / "newline", "\n");
  for (const std::string& path :
       {directory / "none", directory / "empty", directory / "newline", directory.path()}) {
    SCOPED_TRACE(path);
    const Finished end =
        run_server({.flags = {"-a", "127.0.0.1", "-p", "-1"},
                    .config = fmt::format("authorization {{ user: anna, password_file: \"{}\" }}", path)});
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_THAT(end.err, testing::HasSubstr(path));
  }
}

TEST_P(SecretRotation, AU_73_AFileThatOthersCanReadIsWarnedAbout) {
  const TempDirectory directory;
  write_file(directory / "open", "S3cret\n", 0644);
  start_config(fmt::format("authorization {{ user: anna, password_file: \"{}/open\" }}", directory.path()));
  EXPECT_THAT(server().log(), testing::ContainsRegex("\\[WRN\\][^\n]*" + (directory / "open")));
  EXPECT_THAT(server().log(), testing::Not(testing::HasSubstr("S3cret")));
}

TEST_P(SecretRotation, AU_73_AU_66_AReloadReadsTheFileAgain) {
  const TempDirectory directory;
  write_file(directory / "anna", "old\n");
  const std::string config = fmt::format(
      "authorization {{ users = [ {{user: anna, password_file: \"{}/anna\"}}, {{user: bob, password: p}} ] "
      "}}\n{}",
      directory.path(), no_backoff);
  start_config(config);
  Client anna = as("anna", "old");
  Client bob = as("bob", "p");
  server().reload();
  anna.ping();
  write_file(directory / "anna", "new\n");
  server().reload();
  anna.expect_error_and_close("Authorization Violation");
  bob.ping();
  client().connect_refused(user("anna", "old"));
  as("anna", "new");
  std::filesystem::remove(directory / "anna");
  server().reload_refused(config);
  as("anna", "new");
}

// --- what was decided, and by which secret ---

TEST_P(SecretRotation, AU_75_AU_72_TheAuditLogTellsWhichSecretWasUsed) {
  const TempDirectory directory;
  const std::string path = directory / "audit";
  start_config(fmt::format(R"(
authorization {{ users = [
  {{user: anna, passwords: [ {{password: one, name: "spring"}}, {{password: "{}", name: "summer"}} ]}}
] }}
nuncio {{ audit_log: "{}", login_backoff: false }}
)",
                           bcrypt("two"), path));
  Client one = client();
  const std::string source = one.address();
  one.connect_ok(user("anna", "one"));
  as("anna", "two");
  client().connect_refused(user("anna", "Wr0ng"));
  client().connect_refused(user("nobody\"\n", "Wr0ng"));
  server().wait_until([&] { return json_lines(path).size() == 4; }, "four decisions");
  const std::vector<Json> all = json_lines(path);
  EXPECT_EQ(all[0].at("source"), source);
  EXPECT_EQ(all[0].at("decision"), "admitted");
  EXPECT_EQ(all[0].at("user"), "anna");
  EXPECT_EQ(all[0].at("account"), "$G");
  EXPECT_EQ(all[0].at("secret"), "spring");
  EXPECT_EQ(all[1].at("secret"), "summer");
  EXPECT_EQ(all[2].at("decision"), "refused");
  EXPECT_EQ(all[2].at("reason"), "wrong_password");
  EXPECT_EQ(all[3].at("reason"), "unknown_user");
  EXPECT_EQ(all[3].at("user"), "nobody\"\n");
  for (const char* secret : {"Wr0ng", "\"one\"", "\"two\""}) {
    EXPECT_THAT(read_file(path), testing::Not(testing::HasSubstr(secret)));
  }
  struct stat status {};
  ::stat(path.c_str(), &status);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_P(SecretRotation, AU_75_ATokenIsNotShown) {
  const TempDirectory directory;
  const std::string path = directory / "audit";
  start_config(fmt::format("authorization {{ token: T0ken }}\nnuncio {{ audit_log: \"{}\" }}\n", path));
  connected(token("T0ken"));
  client().connect_refused(token("Wr0ng"));
  server().wait_until([&] { return json_lines(path).size() == 2; }, "two decisions");
  EXPECT_EQ(json_lines(path)[0].at("user"), "[REDACTED]");
  EXPECT_EQ(json_lines(path)[1].at("reason"), "wrong_token");
  for (const char* secret : {"T0ken", "Wr0ng"}) {
    EXPECT_THAT(read_file(path), testing::Not(testing::HasSubstr(secret)));
  }
}

TEST_P(SecretRotation, AU_76_EveryRefusalHasItsReason) {
  start_config(R"(authorization { users = [
    {user: anna, password: p}
    {user: web, password: p, allowed_connection_types: [WEBSOCKET]}
    {user: late, passwords: [ {password: p, not_after: "2020-01-01T00:00:00Z"} ]}
  ] }
  nuncio { login_backoff: false }
)");
  for (const auto& [fields, reason] :
       {std::pair<Json, const char*>{Json::object(), "credentials_missing"},
        {user("anna", "wrong"), "wrong_password"},
        {user("nobody", "p"), "unknown_user"},
        {user("web", "p"), "connection_type_not_allowed"},
        {user("late", "p"), "secret_not_valid_now"},
        {Json{{"user", "anna"}, {"pass", "p"}, {"account", "A"}}, "account_requested"}}) {
    SCOPED_TRACE(reason);
    client().connect_refused(fields);
    server().wait_for_log(fmt::format("[{}]", reason));
  }
  Client one = client();
  one.send("PING\r\n");
  one.expect_error_and_close("Authorization Violation");
  server().wait_for_log("[first_operation_not_connect]");
  EXPECT_THAT(server().log(), testing::HasSubstr(" - authentication error - User \"anna\" [wrong_password]"));
}

// I7: who reads the error line, the audit log or the end of the connection finds the same reason.
TEST_P(SecretRotation, AU_76_AU_75_OneCodeInErrorLineAuditLogAndEnd) {
  const TempDirectory directory;
  const std::string path = directory / "audit";
  start_config(fmt::format(R"(
accounts {{
  A {{ users = [ {{user: anna, password: p}}, {{user: hash, password: "{}"}}
                 {{user: web, password: p, allowed_connection_types: [WEBSOCKET]}} ] }}
  B {{ users = [ {{user: b, password: p}} ], limits {{ max_connections: 1 }} }}
}}
nuncio {{ audit_log: "{}", login_backoff: {{failures: 2, wait: "60s"}} }}
)",
                           bcrypt("S3cret"), path),
               {"-D"});
  const Client first = as("b", "p");
  size_t decisions = 1;
  for (const auto& [fields, reason] : {std::pair<Json, const char*>{Json::object(), "credentials_missing"},
                                       {user("anna", "wrong"), "wrong_password"},
                                       {user("hash", "wrong"), "wrong_password"},
                                       {user("nobody", "p"), "unknown_user"},
                                       {user("nobody", "q"), "unknown_user"},
                                       {user("nobody", "r"), "backed_off"},
                                       {user("web", "p"), "connection_type_not_allowed"},
                                       {user("b", "p"), "account_connections_exceeded"}}) {
    SCOPED_TRACE(reason);
    Client one = client();
    const std::string source = one.address();
    const int id = one.info().at("client_id").get<int>();
    Json connect{{"verbose", false}};
    connect.update(fields);
    one.send("CONNECT " + connect.dump() + "\r\n");
    one.read_to_end();
    ++decisions;
    server().wait_until([&] { return json_lines(path).size() == decisions; }, "the decision");
    const Json decision = json_lines(path).back();
    EXPECT_EQ(decision.at("source"), source);
    EXPECT_EQ(decision.at("reason"), reason);
    const std::string label = fmt::format("{} - cid:{} - ", source, id);
    server().wait_for_log(label + "Client connection closed: ");
    size_t with_reason = 0;  // the line of the refusal and that of the end
    std::istringstream lines(server().log());
    for (std::string line; std::getline(lines, line);)
      with_reason += line.find(label) != std::string::npos && line.ends_with(fmt::format("[{}]", reason));
    EXPECT_EQ(with_reason, std::string_view(reason) == "account_connections_exceeded" ? 1u : 2u);
  }
}

}  // namespace
}  // namespace nuncio::test
