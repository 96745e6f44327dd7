// nuncio-nk as its user meets it: the options, files and output of the official tool, and the files of keys.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "auth/nkey.h"
#include "official_key.h"

namespace nuncio::auth {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

// A text and its signature by the official key.
constexpr std::string_view text = "iBFByN3zQjAT7dQ";
constexpr std::string_view signature =
    "kagPGrixaWS5yuHqw9nTQrda1Q376fK3fRCGtYdF4_w2aSk-4O7Ca0JM0qvzm69HH6MoMps2yF6Q0Qs830JZCA";

struct Outcome {
  int code = -1;
  std::string out, err;
};

// A folder of its own for each test.
class KeyTool : public ::testing::Test {
 protected:
  KeyTool() {
    char name[] = "/tmp/nuncio_nk_XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~KeyTool() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ / name; }
  std::string file(const std::string& name, std::string_view contents) const {
    std::ofstream(path(name)) << contents;
    chmod(path(name).c_str(), 0600);
    return path(name);
  }
  static std::string contents(const std::string& path) {
    std::stringstream read;
    read << std::ifstream(path).rdbuf();
    return read.str();
  }
  // `arguments` for a shell. A process that cannot be traced cannot be searched for leaks either.
  Outcome run(const std::string& arguments) const {
    const std::string command = std::string("ASAN_OPTIONS=detect_leaks=0 ") + TEST_NK_BINARY + " " +
                                arguments + " >" + path("stdout") + " 2>" + path("stderr");
    const int status = system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, contents(path("stdout")), contents(path("stderr"))};
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(KeyTool, AU_37_MakesAUserKey) {
  const Outcome both = run("-gen user -pubout");
  EXPECT_EQ(both.code, 0) << both.err;
  ASSERT_THAT(both.out, MatchesRegex("SU[A-Z2-7]{56}\nU[A-Z2-7]{55}\n"));
  EXPECT_EQ(public_key_of(Secret(both.out.substr(0, 58))).value(), both.out.substr(59, 56));
  EXPECT_THAT(run("-gen user").out, MatchesRegex("SU[A-Z2-7]{56}\n"));
  EXPECT_THAT(run("--gen=account").out, MatchesRegex("SA[A-Z2-7]{56}\n"));
  EXPECT_NE(run("-gen user").out, run("-gen user").out);
}

TEST_F(KeyTool, AU_37_KeepsASeedInAFileForItsOwnerOnly) {
  const Outcome made = run("-gen user -out " + path("key") + " -pubout");
  EXPECT_EQ(made.code, 0) << made.err;
  ASSERT_THAT(made.out, MatchesRegex("U[A-Z2-7]{55}\n"));
  struct stat status {};
  ASSERT_EQ(stat(path("key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  ASSERT_THAT(contents(path("key")), MatchesRegex("SU[A-Z2-7]{56}\n"));
  const Outcome shown = run("-inkey " + path("key") + " -pubout");
  EXPECT_EQ(shown.out, made.out);
  EXPECT_EQ(shown.err, "");
  const std::string before = contents(path("key"));
  const Outcome again = run("-gen user -out " + path("key"));
  EXPECT_EQ(again.code, 1);
  EXPECT_EQ(again.out, "");
  EXPECT_THAT(again.err, HasSubstr("exists"));
  EXPECT_EQ(contents(path("key")), before) << "never overwrites a key";
}

TEST_F(KeyTool, AU_37_ReadsFilesOfTheOfficialTools) {
  for (const std::string& form :
       {std::string(seed), std::string(seed) + "\n", "  " + std::string(seed) + "\r\n",
        "# made today\n-----BEGIN USER NKEY SEED-----\n" + std::string(seed) +
            "\n------END USER NKEY SEED------\n"}) {
    const Outcome shown = run("-pubout -inkey " + file("seed", form));
    EXPECT_EQ(shown.out, std::string(public_text) + "\n") << form;
    EXPECT_EQ(shown.code, 0);
  }
}

TEST_F(KeyTool, AU_37_SignsAndVerifies) {
  const std::string key = file("seed", seed), message = file("message", text);
  const Outcome signed_text = run("-sign " + message + " -inkey " + key);
  EXPECT_EQ(signed_text.out, std::string(signature) + "\n");
  const std::string old_form =
      "kagPGrixaWS5yuHqw9nTQrda1Q376fK3fRCGtYdF4/w2aSk+4O7Ca0JM0qvzm69HH6MoMps2yF6Q0Qs830JZCA==";
  const std::string sig = file("sig", signed_text.out), pub = file("pub", std::string(public_text) + "\n");
  for (const std::string& by : {"-pubin " + pub, "-inkey " + key}) {
    const Outcome right = run("-verify " + message + " -sigfile " + sig + " " + by);
    EXPECT_EQ(right.code, 0) << right.err;
    EXPECT_EQ(right.out, "Verified OK\n");
    EXPECT_EQ(run("-verify " + message + " -sigfile " + file("old", old_form) + " " + by).code, 0);
    const Outcome wrong = run("-verify " + file("other", "other") + " -sigfile " + sig + " " + by);
    EXPECT_EQ(wrong.code, 1);
    EXPECT_EQ(wrong.out, "");
    EXPECT_THAT(wrong.err, HasSubstr("does not hold"));
  }
}

TEST_F(KeyTool, AU_37_WarnsOfASeedThatOthersMayRead) {
  const std::string key = file("seed", seed);
  chmod(key.c_str(), 0644);
  const Outcome shown = run("-inkey " + key + " -pubout");
  EXPECT_EQ(shown.out, std::string(public_text) + "\n");
  EXPECT_THAT(shown.err, HasSubstr("warning"));
}

TEST_F(KeyTool, AU_37_ShowsNoSeedInErrors) {
  const std::string typo = std::string(seed.substr(0, 57)) + (seed.back() == 'A' ? "B" : "A");
  const std::string secret_part(seed.substr(10, 30));
  for (const std::string& arguments :
       {"-inkey " + file("typo", typo) + " -pubout", "-inkey " + std::string(seed) + " -pubout",
        std::string(seed), "-inkey=" + std::string(seed) + " -sign " + path("none"), "-" + std::string(seed),
        "-sign " + std::string(seed) + " -inkey " + file("seed", seed)}) {
    const Outcome failed = run(arguments);
    EXPECT_NE(failed.code, 0) << arguments;
    EXPECT_EQ(failed.out, "") << arguments;
    EXPECT_THAT(failed.err, HasSubstr("nuncio-nk: ")) << arguments;
    EXPECT_THAT(failed.err, Not(HasSubstr(secret_part))) << arguments;
  }
}

TEST_F(KeyTool, AU_37_WrongUsageIsTold) {
  const std::string key = file("seed", seed);
  for (const std::string& arguments :
       {std::string(), std::string("-gen"), std::string("-gen user extra"), std::string("-gen curve"),
        std::string("-pubout"), "-inkey " + key, "-sign " + key, "-verify " + key + " -inkey " + key,
        "-verify " + key + " -sigfile " + key, "-out " + path("x") + " -inkey " + key,
        std::string("-pre abc")}) {
    const Outcome wrong = run(arguments);
    EXPECT_EQ(wrong.code, 2) << arguments;
    EXPECT_EQ(wrong.out, "") << arguments;
    EXPECT_NE(wrong.err, "") << arguments;
  }
  EXPECT_EQ(run("-help").code, 0);
  EXPECT_THAT(run("-h").out, HasSubstr("-gen KIND"));
  EXPECT_THAT(run("-v").out, HasSubstr("nuncio-nk: v"));
}

}  // namespace
}  // namespace nuncio::auth
