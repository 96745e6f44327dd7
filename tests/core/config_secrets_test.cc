// Several secrets at once, the time they may be used, and secrets in files of their own.
#include "core/config/scalar.h"
#include "core/config/secrets_reader.h"
#include "tests/core/config_files.h"

namespace nuncio::config {
namespace {

using std::chrono::system_clock;
using ::testing::Contains;

system_clock::time_point at_second(int64_t count) {
  return system_clock::time_point(std::chrono::seconds(count));
}

class ConfigSecrets : public ConfigFiles {
 protected:
  static std::vector<std::string> texts(const std::vector<SecretOptions>& secrets) {
    std::vector<std::string> found;
    for (const SecretOptions& secret : secrets) found.emplace_back(secret.text.reveal());
    return found;
  }
  std::vector<SecretOptions> passwords(const std::string& text) {
    const auto loaded = load("authorization { users: [{user: a, " + text + "}] }");
    EXPECT_THAT(loaded.errors, IsEmpty()) << text;
    const auto& users = loaded.options.authorization.users;
    return users.empty() ? std::vector<SecretOptions>() : users[0].passwords;
  }
  std::vector<std::string> errors(const std::string& text) {
    const auto loaded = load("authorization { users: [{user: a, " + text + "}] }");
    EXPECT_THAT(all(loaded), Not(HasSubstr("s3cr3t")));
    return loaded.errors;
  }
};

TEST_F(ConfigSecrets, AU_72_AUserMayHaveSeveralPasswordsEachWithItsTime) {
  const auto found = passwords(R"(passwords: [
    "one"
    {password: "two", name: "old", not_before: "2026-01-01T00:00:00Z", not_after: 2026-02-01T00:00:00Z}
    {pass: "three"}])");
  ASSERT_THAT(texts(found), ElementsAre("one", "two", "three"));
  EXPECT_EQ(found[0].label, "");
  EXPECT_FALSE(found[0].not_before || found[0].not_after);
  EXPECT_THAT(found[0].position, HasSubstr("t.conf:2:5"));
  EXPECT_EQ(found[1].label, "old");
  EXPECT_EQ(found[1].not_before, at_second(1767225600));
  EXPECT_EQ(found[1].not_after, at_second(1769904000));
  EXPECT_THAT(texts(passwords("password: \"zero\", passwords: [\"one\"]")), ElementsAre("zero", "one"));
}

TEST_F(ConfigSecrets, AU_72_TheSingleUserAndTokensToo) {
  const auto single = load("authorization { user: a, passwords: [\"one\", \"two\"] }");
  EXPECT_THAT(single.errors, IsEmpty());
  EXPECT_THAT(texts(single.options.authorization.single_user->passwords), ElementsAre("one", "two"));
  const auto tokens = load("authorization { tokens: [\"one\", {token: \"two\", name: n}] }");
  EXPECT_THAT(tokens.errors, IsEmpty());
  EXPECT_THAT(texts(tokens.options.authorization.tokens), ElementsAre("one", "two"));
  EXPECT_EQ(tokens.options.authorization.tokens[1].label, "n");
  EXPECT_THAT(load("authorization { tokens: [\"one\"], user: a }").errors,
              ElementsAre(HasSubstr("Cannot have a user/pass and token")));
  EXPECT_THAT(load("authorization { passwords: [\"one\"], users: [{user: a}] }").errors,
              ElementsAre(HasSubstr("Can not have a single user/pass and a users array")));
}

TEST_F(ConfigSecrets, AU_72_MistakesInLists) {
  EXPECT_THAT(errors("passwords: []"),
              ElementsAre(HasSubstr("passwords array is empty, which would let everybody in")));
  EXPECT_THAT(errors("passwords: \"s3cr3t\""), ElementsAre(HasSubstr("Expected passwords to be an array")));
  EXPECT_THAT(errors("passwords: [\"s3cr3t\", \"\"]"), ElementsAre(HasSubstr("a password is empty")));
  EXPECT_THAT(errors("passwords: [ 5 , \"x\" ]"),
              ElementsAre(HasSubstr("password must be a string: put it in quotes")));
  EXPECT_THAT(errors("passwords: [{name: x}]"),
              ElementsAre(HasSubstr("requires a password, or a file of one")));
  EXPECT_THAT(errors("passwords: [{password: \"s3cr3t\", password_file: \"x\"}]"),
              ElementsAre(HasSubstr("requires a password, or a file of one")));
  EXPECT_THAT(errors("passwords: [{token: \"s3cr3t\"}]"), Contains(HasSubstr("unknown field \"token\"")));
  EXPECT_THAT(errors("passwords: [{password: \"s3cr3t\", not_after: \"tomorrow\"}]"),
              ElementsAre(HasSubstr("not_after must be a time like")));
  EXPECT_THAT(errors("passwords: [{password: \"s3cr3t\", not_before: \"2026-01-02T00:00:00Z\", not_after: "
                     "\"2026-01-02T00:00:00Z\"}]"),
              ElementsAre(HasSubstr("not_after must be later than not_before")));
  EXPECT_THAT(load("authorization { tokens: [] }").errors, ElementsAre(HasSubstr("would let everybody in")));
}

TEST_F(ConfigSecrets, AU_72_TimesAreRfc3339) {
  EXPECT_EQ(parse_time("1970-01-01T00:00:00Z"), at_second(0));
  EXPECT_EQ(parse_time("2026-01-31T12:00:00Z"), at_second(1769860800));
  EXPECT_EQ(parse_time("2026-01-31t12:00:00z"), at_second(1769860800));
  EXPECT_EQ(parse_time("2026-01-31T13:30:00+01:30"), at_second(1769860800));
  EXPECT_EQ(parse_time("2026-01-31T11:00:00-01:00"), at_second(1769860800));
  EXPECT_EQ(parse_time("2026-01-31T12:00:00.25Z"), at_second(1769860800) + std::chrono::milliseconds(250));
  EXPECT_TRUE(parse_time("2024-02-29T00:00:00Z"));
  for (const char* text :
       {"", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31 12:00:00Z", "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z", "2026-01-31T12:00:60Z",
        "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00.1234567890Z", "2026-01-31T12:00:00+1:00",
        "2026-01-31T12:00:00+24:00", "2026-01-31T12:00:00Zx", "+026-01-31T12:00:00Z", "1969-12-31T23:59:59Z",
        "2262-01-01T00:00:00Z", "2026-1-31T12:00:00Z", "2026-01-31T12:00:00+01:00x"}) {
    EXPECT_FALSE(parse_time(text)) << text;
  }
}

TEST_F(ConfigSecrets, AU_73_SecretsFromFilesBesideTheConfiguration) {
  write("a.secret", "one\n");
  write("sub/b.secret", "two\r\n");
  EXPECT_THAT(texts(passwords("password_file: \"a.secret\"")), ElementsAre("one"));
  EXPECT_THAT(texts(passwords("passwords: [{password_file: \"sub/b.secret\", name: n}, \"three\"]")),
              ElementsAre("two", "three"));
  EXPECT_THAT(texts(passwords("password_file: \"" + (folder_ / "a.secret").string() + "\"")),
              ElementsAre("one"));
  const auto token = load("authorization { token_file: \"a.secret\" }");
  EXPECT_THAT(token.errors, IsEmpty());
  EXPECT_THAT(texts(token.options.authorization.tokens), ElementsAre("one"));
  write("b.secret", "two");
  EXPECT_THAT(texts(load("authorization { tokens: [{token_file: \"a.secret\"}, {token_file: \"b.secret\"}] }")
                        .options.authorization.tokens),
              ElementsAre("one", "two"));
  EXPECT_THAT(texts(load("authorization { user: a, password_file: \"b.secret\" }")
                        .options.authorization.single_user->passwords),
              ElementsAre("two"));
  write("sub/t.conf", "authorization { token_file: \"b.secret\" }");
  EXPECT_THAT(texts(load("include \"sub/t.conf\"").options.authorization.tokens), ElementsAre("two"))
      << "relative to the file that names it";
}

TEST_F(ConfigSecrets, AU_73_FilesThatCannotBeUsedAreNamed) {
  write("empty", "");
  write("newline", "\n");
  write("lines", "s3cr3t\ns3cr3t\n");
  write("long", std::string(secret_file_bytes_max + 1, 's'));
  for (const auto& [name, text] : {std::pair("missing", "cannot read the file: No such file or directory"),
                                   {"empty", "the file is empty, which would let everybody in"},
                                   {"newline", "the file is empty, which would let everybody in"},
                                   {"lines", "the file has more than one line"},
                                   {"long", "the file is longer than 4096 bytes"},
                                   {".", "not a regular file"},
                                   {"/dev/zero", "not a regular file"}}) {
    const std::string path = name[0] == '/' ? name : (folder_ / name).string();
    EXPECT_THAT(load("authorization { token_file: \"" + std::string(name) + "\" }").errors, SizeIs(1));
    EXPECT_THAT(errors("password_file: \"" + std::string(name) + "\""), ElementsAre(HasSubstr(text))) << name;
    EXPECT_THAT(errors("password_file: \"" + std::string(name) + "\"")[0], HasSubstr(name));
  }
  EXPECT_THAT(errors("password_file: \"\""), ElementsAre(HasSubstr("password_file must name a file")));
  EXPECT_THAT(errors("password_file: 5"), ElementsAre(HasSubstr("expected a string")));
}

TEST_F(ConfigSecrets, AU_73_CredentialsOfSystemd) {
  set_variable("CREDENTIALS_DIRECTORY", (folder_ / "credentials").string());
  write("credentials/both", "credential");
  write("credentials/one", "only there");
  write("both", "beside");
  EXPECT_THAT(texts(passwords("password_file: both")), ElementsAre("beside"));
  EXPECT_THAT(texts(passwords("password_file: one")), ElementsAre("only there"));
  EXPECT_THAT(errors("password_file: none"), ElementsAre(HasSubstr("t.conf:1:50: password_file \"none\"")));
}

TEST_F(ConfigSecrets, AU_73_CF_37_FilesThatEverybodyCanReadAreWarnedOf) {
  const std::string path = write("a.secret", "one");
  EXPECT_THAT(load("authorization { token_file: \"a.secret\" }").warnings, IsEmpty());
  ::chmod(path.c_str(), 0644);
  EXPECT_THAT(load("authorization { token_file: \"a.secret\" }").warnings,
              ElementsAre("a.secret: the file holds secrets and everybody can read it (mode 0644)"));
  ::chmod((folder_ / "t.conf").c_str(), 0644);
  EXPECT_THAT(load_file((folder_ / "t.conf").string()).warnings, SizeIs(1))
      << "the configuration holds no secret";
}

TEST_F(ConfigSecrets, CF_38_TheDigestDependsOnNamesAndTimesAndNotOnSecrets) {
  const auto digest = [this](const std::string& text) {
    return load("authorization { tokens: [" + text + "] }").options.config_digest;
  };
  EXPECT_EQ(digest("{token: \"a\", name: n}"), digest("{token: \"b\", name: n}"));
  EXPECT_NE(digest("{token: \"a\", name: n}"), digest("{token: \"a\", name: m}"));
  EXPECT_NE(digest("{token: \"a\", not_after: \"2026-01-01T00:00:00Z\"}"),
            digest("{token: \"a\", not_after: \"2026-01-02T00:00:00Z\"}"));
}

TEST_F(ConfigSecrets, CF_70_FlagsReplaceAllSecretsOfTheFile) {
  const auto tokens = load("authorization { tokens: [\"one\", \"two\"] }", {"--auth", "three"});
  EXPECT_THAT(texts(tokens.options.authorization.tokens), ElementsAre("three"));
  const auto user = load("authorization { user: a, passwords: [\"one\", \"two\"] }", {"--pass", "three"});
  EXPECT_THAT(texts(user.options.authorization.single_user->passwords), ElementsAre("three"));
}

}  // namespace
}  // namespace nuncio::config
