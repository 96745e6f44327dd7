// TOML files go the same way as those in NATS format (CF-66).
#include "core/config/toml_reader.h"
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
