// Attacks on the login: sections 1 to 3 of the attacks. The order of operations around a CONNECT is in
// authentication_test.cc, asynchronous checks and the credential cache in password_hash_test.cc.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>

#include "harness.h"
#include "logins.h"

namespace nuncio::test {
namespace {

class AuthAttacks : public ServerTest {};
NUNCIO_ON_EVERY_BACKEND(AuthAttacks);

constexpr std::string_view violation = "Authorization Violation";

std::string login(std::string_view name, std::string_view password) {
  return fmt::format("CONNECT {{\"verbose\":false,\"user\":\"{}\",\"pass\":\"{}\"}}\r\nPING\r\n", name,
                     password);
}

// For tests that fail more often than the back-off lets through.
std::string without_backoff() {
  return is_oracle() ? "" : "\nnuncio { login_backoff: false }\n";
}

// Of a plain password only the bytes are compared: the answers differ by far less than a busy machine does.
TEST_P(AuthAttacks, AT_1_WithAPlainPasswordToo) {
  start_config("authorization { users = [ {user: anna, password: S3cret} ] }" + without_backoff());
  for (size_t i = 0; i < scaled(50); ++i) {
    std::vector<std::string> answers;
    for (const char* name : {"anna", "anne", "ann", "", "annaannaannaanna"}) {
      Client one = client();
      one.info();
      one.send(login(name, fmt::format("wrong{}", i)));
      answers.push_back(one.read_to_end());
    }
    EXPECT_THAT(answers, testing::Each(testing::Eq("-ERR 'Authorization Violation'\r\n")));
  }
}

// The server's processor time is compared, which a busy machine hardly moves; a hash takes a hundred times
// that of the rest of a login.
TEST_P(AuthAttacks, AT_1_AU_28_AnUnknownUserLooksLikeAWrongPassword) {
  NUNCIO_OURS_ONLY();
  start_config(
      fmt::format("authorization {{ users = [ {{user: anna, password: \"{}\"}} ] }}", bcrypt("S3cret", 8)) +
      without_backoff());
  std::chrono::nanoseconds known{0};
  std::chrono::nanoseconds unknown{0};
  std::chrono::nanoseconds before = server().cpu_time();
  for (size_t i = 0; i < scaled(25); ++i) {
    for (const bool is_known : {true, false}) {
      Client one = client();
      one.send(login(is_known ? "anna" : "anne", fmt::format("wrong{}", i)));
      EXPECT_EQ(one.read_to_end(), "-ERR 'Authorization Violation'\r\n");
      const std::chrono::nanoseconds after = server().cpu_time();
      (is_known ? known : unknown) += after - before;
      before = after;
    }
  }
  EXPECT_GT(unknown * 4, known);
  EXPECT_GT(known * 4, unknown);
}

TEST_P(AuthAttacks, AT_3_NothingNearTheRightPasswordIsTaken) {
  const std::string right = "S3cret";
  for (const std::string& stored : {right, bcrypt(right, 4)}) {
    SCOPED_TRACE(stored);
    start_config(fmt::format("authorization {{ users = [ {{user: anna, password: \"{}\"}} ] }}", stored));
    connected(user("anna", right));
    std::vector<std::string> wrong{"S3cre",   "S3crets",    "s3cret",        "S3CRET",   " S3cret",
                                   "S3cret ", "S3cret\r",   "S3cret\n",      "S3cret\t", "S3cretS3cret",
                                   "",        "\"S3cret\"", "S3cret\xc2\xa0"};
    wrong.push_back(right + std::string(1, '\0'));
    wrong.push_back(right + std::string(2000, 'x'));
    for (const std::string& password : wrong) {
      SCOPED_TRACE(printable(password));
      client().connect_refused(user("anna", password));
    }
  }
}

TEST_P(AuthAttacks, AT_3_NothingNearTheRightTokenIsTaken) {
  for (const std::string& stored : {std::string("T0ken"), bcrypt("T0ken", 4)}) {
    start_config(fmt::format("authorization {{ token: \"{}\" }}", stored));
    connected(token("T0ken"));
    for (const std::string& wrong :
         {std::string("T0ke"), std::string("T0kens"), std::string("t0ken"), std::string("T0ken "),
          std::string("T0ken\0", 6), std::string("\r\nT0ken"), std::string("*"), std::string(">")}) {
      SCOPED_TRACE(printable(wrong));
      client().connect_refused(token(wrong));
    }
  }
}

TEST_P(AuthAttacks, AT_5_EmptyAbsentAndNullAgainstEveryKind) {
  struct Kind {
    std::string config;
    bool admits_empty_user;
  };
  const std::vector<Kind> kinds{
      {"authorization { user: anna, password: b }", false},
      {"authorization { token: t }", false},
      {"authorization { users = [ {user: anna, password: b} ] }", false},
      {"authorization { users = [ {user: anna} ] }", true},
      {fmt::format("authorization {{ user: anna, password: \"{}\" }}", bcrypt("b", 4)), false},
      {fmt::format("authorization {{ token: \"{}\" }}", bcrypt("t", 4)), false},
  };
  for (const Kind& kind : kinds) {
    SCOPED_TRACE(kind.config);
    start_config(kind.config);
    for (const Json& fields :
         {Json::object(), user("", ""), user("", "b"), token(""), Json{{"user", nullptr}, {"pass", nullptr}},
          Json{{"auth_token", nullptr}}, Json{{"user", ""}}, Json{{"pass", ""}},
          Json{{"user", " "}, {"pass", ""}}, Json{{"user", ""}, {"pass", ""}, {"auth_token", ""}},
          Json{{"nkey", ""}, {"sig", ""}}, Json{{"jwt", ""}}}) {
      SCOPED_TRACE(fields.dump());
      client().connect_refused(fields);
    }
    for (const Json& fields :
         {user("anna", ""), Json{{"user", "anna"}, {"pass", nullptr}}, Json{{"user", "anna"}}}) {
      SCOPED_TRACE(fields.dump());
      if (kind.admits_empty_user)
        connected(fields);
      else
        client().connect_refused(fields);
    }
  }
}

TEST_P(AuthAttacks, AT_6_CredentialsOfOneKindInThePlaceOfAnother) {
  start_config("authorization { users = [ {user: anna, password: S3cret} ] }");
  for (const Json& fields : {token("S3cret"), token("anna"), token("anna:S3cret"), user("S3cret", "anna"),
                             Json{{"user", "anna"}, {"auth_token", "S3cret"}}}) {
    SCOPED_TRACE(fields.dump());
    client().connect_refused(fields);
  }
  connected({{"user", "anna"}, {"pass", "S3cret"}, {"auth_token", "whatever"}});
}

TEST_P(AuthAttacks, AT_11_AFloodOfWrongHashesStopsNobody) {
  start_config(
      fmt::format(
          "authorization {{ users = [ {{user: anna, password: \"{}\"}}, {{user: bob, password: plain}} ], "
          "timeout: 30 }}",
          bcrypt("S3cret", 7)) +
      without_backoff());
  Client listener = connected(user("bob", "plain"));
  listener.send("SUB a 1\r\n");
  listener.ping();
  Client publisher = connected(user("bob", "plain"));
  std::vector<Client> flood;
  for (size_t i = 0; i < scaled(200); ++i) {
    flood.push_back(client());
    flood.back().send(login("anna", fmt::format("wrong{}", i)));
  }
  for (int i = 0; i < 500; ++i) {
    publisher.send("PUB a 2\r\nhi\r\n");
    listener.expect("MSG a 1 2\r\nhi\r\n");
  }
  for (Client& one : flood) one.expect_error_and_close(violation);
  connected(user("anna", "S3cret"));
}

TEST_P(AuthAttacks, AT_13_ConnectsThatAreWorkToRead) {
  start_flags({"--user", "a", "--pass", "b"});
  Client witness = connected(user("a", "b"));
  std::string keys;
  for (int i = 0; keys.size() < 3900; ++i) keys += fmt::format("\"k{}\":1,", i);
  std::string duplicates;
  while (duplicates.size() < 3900) duplicates += "\"user\":\"x\",";
  const std::vector<std::string> texts{
      "{" + keys + "\"user\":\"x\"}",
      "{" + duplicates + "\"pass\":\"b\"}",
      "{\"x\":" + std::string(1000, '[') + std::string(1000, ']') + "}",
      "{\"x\":" + std::string(2000, '['),
      std::string(4000, '{'),
      "{\"x\":" + std::string(3900, '9') + "}",
      "{\"protocol\":" + std::string(3900, '9') + "}",
      "{\"x\":1e" + std::string(3000, '9') + "}",
      "{\"user\":\"\xff\xfe\xc3\x28\",\"pass\":\"\xed\xa0\x80\"}",
      "{\"user\":\"\\ud800\",\"pass\":\"\\uDFFF\\u0000\"}",
      "{\"user\":\"a\",\"pass\":\"b\"",
      "{\"user\":\"a\",\"pass\":\"b\"}{\"user\":\"a\"}",
      "{\"user\":\"a\",\"pass\":\"b\"} trailing",
      "{\"user\":\"a\" \"pass\":\"b\"}",
      "{'user':'a','pass':'b'}",
  };
  for (const std::string& text : texts) {
    SCOPED_TRACE(printable(text));
    Client one = client();
    one.send("CONNECT " + text + "\r\nPING\r\n");
    const std::string answer = one.read_to_end();
    EXPECT_TRUE(answer.empty() || answer == "-ERR 'Authorization Violation'\r\n") << answer;
  }
  witness.ping();
  // Deep and long is fine as long as it is right.
  Client right = client();
  right.send("CONNECT {\"verbose\":false,\"x\":" + std::string(500, '[') + std::string(500, ']') +
             ",\"user\":\"a\",\"pass\":\"b\"}\r\n");
  right.ping();
}

TEST_P(AuthAttacks, AT_14_ConnectionsThatNeverSendStopNobody) {
  start_config("authorization { user: a, password: b, timeout: 1 }");
  Client listener = connected(user("a", "b"));
  listener.send("SUB a 1\r\n");
  std::vector<Client> silent;
  for (size_t i = 0; i < scaled(1000); ++i) {
    silent.push_back(client());
    if (i % 100 == 0) connected(user("a", "b")).send("PUB a 0\r\n\r\n");
  }
  for (Client& one : silent) one.expect_error_and_close("Authentication Timeout");
  EXPECT_EQ(listener.messages_until_pong().size(), scaled(1000) / 100);
}

TEST_P(AuthAttacks, AT_15_AnEverSlowerConnectEndsAtTheTimeout) {
  start_config("authorization { user: a, password: b, timeout: 0.5 }");
  Client one = client();
  one.info();
  // A byte at a time for as long as the server takes it, each well within the timeout: none may renew it.
  const std::string connect = "CONNECT {\"user\":\"a\",\"pass\":\"b\",\"name\":\"" + std::string(100000, 'x');
  size_t sent = 0;
  server().wait_until(
      [&] {
        one.send(connect.substr(sent++, 1));
        return !one.is_open_and_silent();
      },
      "the timeout of a slow CONNECT");
  EXPECT_LT(sent, 4000u);  // it was the timeout, not the length of the line
  EXPECT_EQ(one.read_to_end(), "-ERR 'Authentication Timeout'\r\n");
}

}  // namespace
}  // namespace nuncio::test
