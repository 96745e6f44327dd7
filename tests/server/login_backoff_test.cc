// Back-off of logins that fail again and again (AU-74). Sources are addresses of the loopback network. The
// reference has none of this.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "harness.h"
#include "logins.h"

namespace nuncio::test {
namespace {

class LoginBackoff : public ServerTest {
 protected:
  void SetUp() override {
    NUNCIO_OURS_ONLY();
    ServerTest::SetUp();
  }
  void start_backoff(std::string_view backoff) {
    start_config(fmt::format(R"(
authorization {{ users = [ {{user: anna, password: "{}"}}, {{user: bob, password: plain}} ] }}
nuncio {{ login_backoff: {} }}
)",
                             stored_, backoff));
  }
  // Whether it gets in; every refusal reads the same (AU-5).
  bool gets_in(const std::string& source, const Json& fields, Where where = Where::current()) {
    Client one = Client::from(source, server().port(), where);
    Json connect{{"verbose", false}, {"pedantic", false}};
    connect.update(fields);
    one.send("CONNECT " + connect.dump() + "\r\nPING\r\n");
    const std::string answer = one.line(where);
    if (answer == "PONG") return true;
    if (answer != "-ERR 'Authorization Violation'") fail("got " + answer, where);
    one.expect_closed(where);
    return false;
  }
  void fail_times(int times, const std::string& source, std::string_view name,
                  Where where = Where::current()) {
    for (int i = 0; i < times; ++i) {
      EXPECT_FALSE(gets_in(source, user(name, fmt::format("wrong{}", i)), where));
    }
  }
  size_t log_count(std::string_view text) {
    const std::string log = server().log();
    size_t count = 0;
    for (size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++count;
    return count;
  }

  const std::string stored_ = bcrypt("S3cret");
};
NUNCIO_ON_EVERY_BACKEND(LoginBackoff);

TEST_P(LoginBackoff, AU_74_HeldBackAfterFailures) {
  start_backoff("{failures: 3, wait: \"60s\"}");
  fail_times(3, "127.0.0.2", "anna");
  EXPECT_FALSE(gets_in("127.0.0.2", user("anna", "S3cret")));  // before it is looked at
  server().wait_for_log("[backed_off]");
  server().wait_for_log(
      "login back-off: source 127.0.0.2 user \"anna\" is held back for 1m0s after 3 failures");
  // Another user from there and this user from elsewhere are not touched.
  EXPECT_TRUE(gets_in("127.0.0.2", user("bob", "plain")));
  EXPECT_TRUE(gets_in("127.0.0.3", user("anna", "S3cret")));
}

TEST_P(LoginBackoff, AU_74_FewerFailuresAreFree) {
  start_backoff("{failures: 3, wait: \"60s\"}");
  for (int i = 0; i < 5; ++i) {
    fail_times(2, "127.0.0.2", "anna");
    EXPECT_TRUE(gets_in("127.0.0.2", user("anna", "S3cret")));
  }
}

TEST_P(LoginBackoff, AU_74_TheWaitEnds) {
  start_backoff("{failures: 2, wait: \"300ms\", wait_max: \"300ms\"}");
  fail_times(2, "127.0.0.2", "anna");
  server().wait_for_log("login back-off: source 127.0.0.2 user \"anna\"");
  server().wait_until([&] { return gets_in("127.0.0.2", user("anna", "S3cret")); }, "the end of a wait");
}

TEST_P(LoginBackoff, AU_74_WhoLogsInCorrectlyIsNeverHeldBack) {
  start_backoff("{failures: 3, wait: \"60s\"}");
  EXPECT_TRUE(gets_in("127.0.0.2", user("anna", "S3cret")));
  fail_times(30, "127.0.0.2", "anna");
  EXPECT_TRUE(gets_in("127.0.0.2", user("anna", "S3cret")));
  EXPECT_TRUE(gets_in("127.0.0.2", user("bob", "plain")));
  EXPECT_EQ(log_count("login back-off:"), 0u);
}

TEST_P(LoginBackoff, AU_74_UnknownUsersAreCountedLikeKnownOnes) {
  start_backoff("{failures: 3, wait: \"60s\"}");
  fail_times(4, "127.0.0.2", "nobody\n\"");
  server().wait_for_log("login back-off: source 127.0.0.2 user \"nobody\\n\\\"\" is held back");
  server().wait_for_log("[backed_off]");
}

TEST_P(LoginBackoff, AU_74_TheOffSwitch) {
  start_backoff("false");
  fail_times(40, "127.0.0.2", "anna");
  EXPECT_TRUE(gets_in("127.0.0.2", user("anna", "S3cret")));
  EXPECT_EQ(log_count("login back-off:"), 0u);
}

TEST_P(LoginBackoff, AU_74_ByDefaultItIsOn) {
  start_backoff("true");
  fail_times(10, "127.0.0.2", "anna");
  EXPECT_FALSE(gets_in("127.0.0.2", user("anna", "S3cret")));
  EXPECT_TRUE(gets_in("127.0.0.3", user("anna", "S3cret")));
}

TEST_P(LoginBackoff, AU_74_TokensToo) {
  start_config("authorization { token: T0ken }\nnuncio { login_backoff: {failures: 3, wait: \"60s\"} }\n");
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(gets_in("127.0.0.2", token("wrong")));
  EXPECT_FALSE(gets_in("127.0.0.2", token("T0ken")));
  EXPECT_TRUE(gets_in("127.0.0.3", token("T0ken")));
}

// Fields that do not decide who it wants to be do not make it somebody else.
TEST_P(LoginBackoff, AU_74_OtherNamesBesideDoNotHelp) {
  start_backoff("{failures: 3, wait: \"60s\"}");
  for (int i = 0; i < 3; ++i) {
    Json guess = user("anna", fmt::format("wrong{}", i));
    guess["nkey"] = fmt::format("U{}", i);
    EXPECT_FALSE(gets_in("127.0.0.2", guess));
  }
  EXPECT_FALSE(gets_in("127.0.0.2", user("anna", "S3cret")));

  start_config("authorization { token: T0ken }\nnuncio { login_backoff: {failures: 3, wait: \"60s\"} }\n");
  for (int i = 0; i < 3; ++i) {
    Json guess = token("wrong");
    guess["user"] = fmt::format("user{}", i);
    EXPECT_FALSE(gets_in("127.0.0.2", guess));
  }
  EXPECT_FALSE(gets_in("127.0.0.2", token("T0ken")));
}

// Who gives nothing guesses nothing: the neighbours of an attacker go on without a login.
TEST_P(LoginBackoff, AU_74_TheNoAuthUserIsNeverHeldBack) {
  start_config(R"(
authorization { users = [ {user: anna, password: p}, {user: guest, password: p} ] }
no_auth_user: guest
nuncio { login_backoff: {failures: 1, wait: "60s"} }
)");
  for (int i = 0; i < 10; ++i) fail_times(1, "127.0.0.2", fmt::format("user{}", i));
  server().wait_for_log("login back-off: source 127.0.0.2 is held back");
  EXPECT_FALSE(gets_in("127.0.0.2", user("anna", "p")));
  EXPECT_TRUE(gets_in("127.0.0.2", Json::object()));
}

TEST_P(LoginBackoff, AU_74_OP_33_AReloadSwitchesItOff) {
  start_backoff("{failures: 3, wait: \"60s\"}");
  fail_times(4, "127.0.0.2", "anna");
  EXPECT_FALSE(gets_in("127.0.0.2", user("anna", "S3cret")));
  server().reload_config(fmt::format(
      "authorization {{ users = [ {{user: anna, password: \"{}\"}}, {{user: bob, password: plain}} ] }}\n"
      "nuncio {{ login_backoff: false }}\n",
      stored_));
  EXPECT_TRUE(gets_in("127.0.0.2", user("anna", "S3cret")));
}

// The attacker's network is held back as a whole; its log lines are few; nobody else notices.
TEST_P(LoginBackoff, AT_8_ManyWrongLoginsFromOneAddress) {
  start_backoff("{failures: 3, wait: \"60s\"}");
  EXPECT_TRUE(gets_in("127.0.0.3", user("bob", "plain")));
  const size_t tries = scaled(500);
  for (size_t i = 0; i < tries; ++i) {
    EXPECT_FALSE(gets_in("127.0.0.2", user(fmt::format("user{}", i), "wrong")));
    if (i % 100 == 0) {
      EXPECT_TRUE(gets_in("127.0.0.3", user("bob", "plain")));
    }
  }
  server().wait_for_log("login back-off: source 127.0.0.2 is held back");
  EXPECT_LT(log_count("login back-off:"), 20u);
  EXPECT_FALSE(gets_in("127.0.0.2", user("bob", "plain")));
  EXPECT_TRUE(gets_in("127.0.0.3", user("anna", "S3cret")));
  EXPECT_TRUE(gets_in("127.0.0.4", user("anna", "S3cret")));
}

TEST_P(LoginBackoff, AT_9_ManyAddressesAgainstOneUser) {
  start_backoff("{failures: 2, wait: \"1h\", wait_max: \"1h\"}");
  const size_t addresses = std::min<size_t>(scaled(500), 250 * 250);
  for (const char* password : {"wrong1", "wrong2"}) {
    std::vector<Client> guessing;
    for (size_t i = 0; i < addresses; ++i) {
      const std::string source = fmt::format("127.1.{}.{}", i / 250, i % 250 + 1);
      guessing.push_back(Client::from(source, server().port()));
      guessing.back().send("CONNECT " + user("anna", password).dump() + "\r\n");
    }
    for (Client& each : guessing) each.expect_error_and_close("Authorization Violation");
  }
  EXPECT_TRUE(gets_in("127.0.0.2", user("anna", "S3cret")));
  EXPECT_TRUE(gets_in("127.0.0.3", user("anna", "S3cret")));
  EXPECT_FALSE(gets_in("127.1.0.1", user("anna", "S3cret")));
}

}  // namespace
}  // namespace nuncio::test
