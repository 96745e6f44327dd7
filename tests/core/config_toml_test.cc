// TOML files go the same way as those in NATS format (CF-66).
#include "core/config/toml_reader.h"

#include <algorithm>
#include <map>

#include "tests/core/config_files.h"

namespace nuncio::config {
namespace {

class ConfigToml : public ConfigFiles {
 protected:
  LoadedOptions load_toml(std::string_view text) { return load_file(write("t.toml", text)); }
};

TEST_F(ConfigToml, CF_66_TheSameOptionsFromToml) {
  const auto loaded = load_toml(R"(
port = 4333
ping_interval = "10s"
max_payload = 1_000
debug = true
[authorization]
timeout = 0.5
[[authorization.users]]
user = "a"
password = "b"
[[authorization.users]]
user = "c"
password = 'd\e'
[nuncio]
workers = 2
)");
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(loaded.options.port, 4333);
  EXPECT_EQ(loaded.options.ping_interval, std::chrono::seconds(10));
  EXPECT_EQ(loaded.options.payload_max, 1000u);
  EXPECT_EQ(loaded.options.authorization.timeout, std::chrono::milliseconds(500));
  ASSERT_EQ(loaded.options.authorization.users.size(), 2u);
  EXPECT_EQ(text_of(loaded.options.authorization.users[1].passwords), "d\\e");
  EXPECT_EQ(loaded.options.workers, 2u);
}

TEST_F(ConfigToml, CF_66_AccountsAndPermissionsFromToml) {
  write("a.secret", "s");
  const auto loaded = load_toml(R"(
[authorization.default_permissions]
publish = "p.>"
[[authorization.users]]
user = "a"
allowed_connection_types = ["STANDARD"]
passwords = ["one", {password = "two", name = "old", not_after = 2026-02-01T00:00:00Z}]
permissions = {publish = {allow = ["a", "b"], deny = "c"}, subscribe = "d q", allow_responses = {max = 5, ttl = "1m"}}
[[authorization.users]]
nkey = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
[accounts.A]
users = [{user = "b", password_file = "a.secret"}]
exports = [{service = "q", response_type = "stream"}]
[accounts.A.limits]
max_connections = 3
[accounts.B]
imports = [{service = {account = "A", subject = "q"}, to = "r"}]
[accounts.B.mappings]
"foo.*" = "bar.$1"
w = [{destination = "x", weight = "20%"}]
[mappings]
m = "n"
[nuncio]
audit_log = "syslog"
[nuncio.login_backoff]
failures = 3
)");
  EXPECT_THAT(loaded.errors, IsEmpty());
  const auto& users = loaded.options.authorization.users;
  ASSERT_EQ(users.size(), 3u);
  const auto user = std::ranges::find(users, "a", &UserOptions::name);
  ASSERT_NE(user, users.end());
  EXPECT_EQ(user->connection_types, 1);
  EXPECT_EQ(user->passwords.at(1).label, "old");
  EXPECT_TRUE(user->passwords.at(1).not_after);
  EXPECT_THAT(user->permissions->publish.allow.value(), ElementsAre("a", "b"));
  EXPECT_THAT(user->permissions->subscribe.allow.value(), ElementsAre("d q"));
  EXPECT_EQ(user->permissions->responses->max, 5);
  const auto other = std::ranges::find(users, "b", &UserOptions::name);
  ASSERT_NE(other, users.end());
  EXPECT_EQ(other->account, "A");
  EXPECT_EQ(text_of(other->passwords), "s");
  std::map<std::string, AccountOptions> accounts;
  for (const auto& account : loaded.options.accounts) accounts[account.name] = account;
  EXPECT_EQ(accounts["A"].connections_max, 3);
  EXPECT_EQ(accounts["A"].exports.at(0).response, ExportOptions::Response::stream);
  EXPECT_EQ(accounts["B"].imports.at(0).to, "r");
  EXPECT_EQ(accounts["B"].mappings.size(), 2u);
  EXPECT_EQ(accounts["$G"].mappings.at(0).destinations.at(0).subject, "n");
  EXPECT_EQ(loaded.options.login_backoff.failures_free, 3u);
  EXPECT_EQ(loaded.options.audit_log, "syslog");
}

TEST_F(ConfigToml, CF_66_MistakesInAccountsHavePositions) {
  EXPECT_THAT(load_toml("[[authorization.users]]\nuser = \"a\"\npermissions = {publish = \"a..b\"}\n").errors,
              ElementsAre(HasSubstr("t.toml:3:26: subject \"a..b\" is not a valid subject")));
  EXPECT_THAT(load_toml("[accounts.A]\nexports = [{stream = 5}]\n").errors,
              ElementsAre(HasSubstr("t.toml:2:22: expected a string for \"stream\"")));
}

TEST_F(ConfigToml, CF_66_FindingsHavePositions) {
  EXPECT_THAT(load_toml("port = \"4222\"\n\nnope = 1\n[authorization]\nuser = 5").errors,
              ElementsAre("t.toml:1:8: expected a number for \"port\", got a string",
                          "t.toml:3:1: unknown field \"nope\"",
                          "t.toml:5:8: expected a string for \"user\", got a number"));
  EXPECT_THAT(load_toml("debug = true\nport = = 4\n").errors, ElementsAre(HasSubstr("t.toml:2:")));
  EXPECT_THAT(load_toml("debug = true\nport = ,\n").errors, ElementsAre(HasSubstr("t.toml:2:")));
  EXPECT_THAT(load_toml("a = 1\na = 2").errors, ElementsAre(HasSubstr("t.toml:2:")));
}

TEST_F(ConfigToml, CF_66_VariablesAreStringsOfTheirOwn) {
  set_variable("CF_TEST_PORT", "4333");
  EXPECT_EQ(load_toml("port = \"${CF_TEST_PORT}\"").options.port, 4333);
  const auto loaded = load_toml(
      "z_user = \"anna\"\nserver_name = \"${z_user}\"\n[authorization]\nuser = \"${z_user}\"\npassword = "
      "\"${z_user}x\"");
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(loaded.options.server_name, "anna");
  EXPECT_EQ(user_of(loaded.options.authorization), "anna");
  EXPECT_EQ(password_of(loaded.options.authorization), "${z_user}x");
  EXPECT_THAT(load_toml("port = \"${NOPE_NOT_SET}\"").errors,
              ElementsAre("t.toml:1:8: variable reference for 'NOPE_NOT_SET' on line 1 can not be found"));
  EXPECT_THAT(load_toml("server_name = \"${b}\"\nb = \"x\"").errors.size(), 1u)
      << "definition comes before use";
}

TEST_F(ConfigToml, CF_66_IncludesOfEitherFormat) {
  write("a.toml", "port = 1\nserver_name = \"a\"");
  write("b.conf", "host: b");
  const auto loaded = load_toml("include = [\"a.toml\", \"b.conf\"]\nport = 4333");
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(loaded.options.port, 4333);
  EXPECT_EQ(loaded.options.server_name, "a");
  EXPECT_EQ(loaded.options.host, "b");
  EXPECT_THAT(load_toml("include = [\"nope.toml\"]").errors,
              ElementsAre(HasSubstr("t.toml:1:11: include \"nope.toml\"")));
  EXPECT_THAT(load_toml("include = [\"t.toml\"]").errors, ElementsAre(HasSubstr("includes itself")));
  EXPECT_THAT(load_toml("include = 5").errors, ElementsAre(HasSubstr("must be an array of paths")));
}

TEST_F(ConfigToml, DepthIsBoundedBeforeToml) {
  std::string dotted = "a";
  for (int i = 0; i < 100000; ++i) dotted += ".a";
  EXPECT_THAT(load_toml(dotted + " = 1").errors, ElementsAre(HasSubstr("too many dots")));
  EXPECT_THAT(load_toml("a = " + std::string(100000, '[')).errors.size(), 1u);
  EXPECT_FALSE(is_toml_depth_bounded("x = \"\"\"\n\"\"\"" + std::string(65, '.')));
  EXPECT_FALSE(is_toml_depth_bounded("x = '''\n'''" + std::string(65, '.')));
  EXPECT_FALSE(is_toml_depth_bounded("x = \"\"\"\n\"\"\"\"" + std::string(65, '.')));
  EXPECT_FALSE(is_toml_depth_bounded("x = 'a'" + std::string(65, '.')));
  EXPECT_TRUE(is_toml_depth_bounded("x = [\"" + std::string(1000, '.') + "\", '" + std::string(1000, '.') +
                                    "'] #" + std::string(100, '.')));
  EXPECT_TRUE(is_toml_depth_bounded("x = \"\\\"" + std::string(1000, '.') + "\""));
}

// toml++ 3.3 asserts on these or reaches what it calls unreachable.
TEST_F(ConfigToml, MistakesThatTomlDoesNotExpectAreErrorsToo) {
  for (const char* text : {"port = ,", "port = ]", "d = 10:", "[a.", "a.= 1", "\xc3\xa9 = 1",
                           "port = \xc3\xa9", "port \xc3\xa9 = 1", "server_name = \"\"\"a\\\xc3\xa9\"\"\""}) {
    EXPECT_THAT(load_toml("debug = true\n" + std::string(text)).errors, ElementsAre(HasSubstr("t.toml:2")))
        << text;
  }
  EXPECT_EQ(load_toml("server_name = \"\"\"a\\\n  \xc3\xa9\"\"\"").options.server_name, "a\xc3\xa9");
}

TEST_F(ConfigToml, SecretsStayOutOfSyntaxErrors) {
  for (const char* text : {"[authorization]\ntoken = s3cr3t", "[authorization]\ntoken = \"s3cr3t",
                           "[authorization]\ntoken = \"s3cr3t\" x", "[authorization]\ntoken = 's3cr3t\\'x'",
                           "token = \"s3cr3t\"\ntoken = \"s3cr3t\""}) {
    const auto loaded = load_toml(text);
    EXPECT_THAT(loaded.errors, Not(IsEmpty())) << text;
    EXPECT_THAT(all(loaded), Not(HasSubstr("s3cr3t"))) << text;
  }
}

}  // namespace
}  // namespace nuncio::config
