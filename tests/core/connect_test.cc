#include "core/connect.h"

#include <gtest/gtest.h>

namespace nuncio {
namespace {

struct Outcome {
  Reason reason;
  ConnectOptions options;
};

Outcome connect(std::string_view json) {
  Outcome outcome;
  outcome.reason = parse_connect(json, outcome.options);
  return outcome;
}

std::string repeated(std::string_view text, size_t times) {
  std::string all;
  while (times-- > 0) all += text;
  return all;
}

}  // namespace

TEST(Connect, CP_10_AllKeys) {
  const auto [reason, o] = connect(
      R"({"verbose":false,"pedantic":false,"tls_required":true,"auth_token":"t","user":"u","pass":"p","name":"n",)"
      R"("lang":"l","version":"v","protocol":1,"echo":false,"sig":"s","jwt":"j","nkey":"k","no_responders":true,)"
      R"("headers":true,"account":"","new_account":false})");
  EXPECT_EQ(reason, Reason::none);
  EXPECT_FALSE(o.verbose);
  EXPECT_FALSE(o.pedantic);
  EXPECT_FALSE(o.echo);
  EXPECT_TRUE(o.tls_required);
  EXPECT_TRUE(o.no_responders);
  EXPECT_TRUE(o.headers);
  EXPECT_FALSE(o.wants_account);
  EXPECT_EQ(o.protocol, 1);
  EXPECT_EQ(o.name, "n");
  EXPECT_EQ(o.lang, "l");
  EXPECT_EQ(o.version, "v");
  EXPECT_EQ(o.credentials.user, "u");
  EXPECT_EQ(o.credentials.password.reveal(), "p");
  EXPECT_EQ(o.credentials.token.reveal(), "t");
  EXPECT_EQ(o.credentials.nkey, "k");
  EXPECT_EQ(o.credentials.signature, "s");
  EXPECT_EQ(o.credentials.jwt.reveal(), "j");
}

TEST(Connect, CP_10_UnknownKeysOfAnyShapeAreIgnored) {
  const auto [reason, o] = connect(
      R"({"x":1,"y":{"user":5,"pass":[{"verbose":3}]},"z":[[],{},null,true,1.5,-1,"s"],"user":"u","w":1e3})");
  EXPECT_EQ(reason, Reason::none);
  EXPECT_EQ(o.credentials.user, "u");
  EXPECT_TRUE(o.credentials.password.empty());
}

TEST(Connect, CP_10_KeysMatchInAnyCaseAndTheLastOfDuplicatesWins) {
  const auto [reason, o] =
      connect(R"({"USER":"a","Auth_Token":"b","user":"c","ECHO":false,"protocol":3,"Protocol":1})");
  EXPECT_EQ(reason, Reason::none);
  EXPECT_EQ(o.credentials.user, "c");
  EXPECT_EQ(o.credentials.token.reveal(), "b");
  EXPECT_FALSE(o.echo);
  EXPECT_EQ(o.protocol, 1);
  EXPECT_EQ(connect(R"({"account":"x","account":""})").reason, Reason::none);
}

TEST(Connect, CP_11_DefaultsOfMissingKeys) {
  for (const std::string_view json : {"{}", "null", " { } "}) {
    const auto [reason, o] = connect(json);
    EXPECT_EQ(reason, Reason::none);
    EXPECT_TRUE(o.verbose && o.pedantic && o.echo) << json;
    EXPECT_FALSE(o.headers || o.no_responders || o.tls_required || o.wants_account) << json;
    EXPECT_EQ(o.protocol, 0);
    EXPECT_TRUE(o.credentials.empty());
  }
}

TEST(Connect, CP_13_WhatIsNoJsonObjectIsAParseError) {
  for (const std::string_view json : {"",
                                      " ",
                                      "[]",
                                      "true",
                                      "5",
                                      "\"x\"",
                                      "{",
                                      "}",
                                      "{}}",
                                      "{} x",
                                      "{}{}",
                                      "{\"a\":1,}",
                                      "{'a':1}",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"x\":/**/1}",
                                      "{\"x\":01}",
                                      "{\"x\":+1}",
                                      "{\"x\":nul}",
                                      "{\"user\":\"a\tb\"}",
                                      "{\"user\":\"a",
                                      "{\"x\":\"\\q\"}",
                                      "\xef\xbb\xbf{}",
                                      "nulll",
                                      "[{}]",
                                      "{\"name\":\"\xff\"}"})
    EXPECT_EQ(connect(json).reason, Reason::parse_error) << json;
  EXPECT_EQ(connect(std::string_view("{}\0", 3)).reason, Reason::parse_error);
  EXPECT_EQ(connect(std::string_view("{}\0garbage", 10)).reason, Reason::parse_error);
  EXPECT_EQ(connect(std::string_view("{\"user\":\"a\0b\"}", 14)).reason, Reason::parse_error);
}

TEST(Connect, AU_8_WrongTypesAreParseErrors) {
  for (const std::string key :
       {"user", "pass", "auth_token", "nkey", "sig", "jwt", "name", "lang", "version", "account"})
    for (const std::string value : {"1", "true", "{}", "[]", "[\"x\"]", "1.5"})
      EXPECT_EQ(connect("{\"" + key + "\":" + value + "}").reason, Reason::parse_error) << key << value;
  for (const std::string key :
       {"verbose", "pedantic", "echo", "headers", "no_responders", "tls_required", "new_account"})
    for (const std::string value : {"1", "0", "\"true\"", "{}", "[]"})
      EXPECT_EQ(connect("{\"" + key + "\":" + value + "}").reason, Reason::parse_error) << key << value;
  for (const std::string value : {"\"1\"", "true", "1.0", "1e0", "{}", "[]", "99999999999999999999"})
    EXPECT_EQ(connect("{\"protocol\":" + value + "}").reason, Reason::parse_error) << value;
  EXPECT_EQ(connect(R"({"user":5,"user":"a"})").reason, Reason::parse_error);
}

TEST(Connect, AU_8_NullIsAbsent) {
  const auto [reason, o] =
      connect(R"({"user":null,"pass":null,"echo":null,"protocol":null,"x":null,"account":null})");
  EXPECT_EQ(reason, Reason::none);
  EXPECT_TRUE(o.credentials.empty());
  EXPECT_TRUE(o.echo);
  EXPECT_EQ(connect(R"({"user":"a","user":null})").options.credentials.user, "a");
}

TEST(Connect, AU_22_NulInsideAPasswordSurvives) {
  EXPECT_EQ(connect(R"({"pass":"a\u0000b"})").options.credentials.password.reveal(),
            std::string_view("a\0b", 3));
}

TEST(Connect, CP_14_ProtocolOtherThanZeroOrOne) {
  for (const std::string value : {"2", "-1", "9223372036854775807"})
    EXPECT_EQ(connect("{\"protocol\":" + value + ",\"no_responders\":true}").reason, Reason::invalid_protocol)
        << value;
  EXPECT_EQ(connect("{\"protocol\":-0}").reason, Reason::none);
}

TEST(Connect, CP_15_NoRespondersNeedsHeaders) {
  EXPECT_EQ(connect(R"({"no_responders":true})").reason, Reason::no_responders_without_headers);
  EXPECT_EQ(connect(R"({"no_responders":true,"headers":null})").reason,
            Reason::no_responders_without_headers);
  EXPECT_EQ(connect(R"({"no_responders":true,"headers":true})").reason, Reason::none);
}

TEST(Connect, CP_16_AskingForAnAccount) {
  EXPECT_EQ(connect(R"({"account":"x"})").reason, Reason::account_requested);
  EXPECT_EQ(connect(R"({"new_account":true,"protocol":3})").reason, Reason::account_requested);
}

TEST(Connect, CP_17_SecondConnectKeepsWhatItLeavesOut) {
  ConnectOptions options;
  ASSERT_EQ(parse_connect(R"({"user":"a","pass":"b","verbose":false,"name":"n"})", options), Reason::none);
  ASSERT_EQ(parse_connect(R"({"user":"c","echo":false,"pass":null})", options), Reason::none);
  EXPECT_EQ(options.credentials.user, "c");
  EXPECT_EQ(options.credentials.password.reveal(), "b");
  EXPECT_FALSE(options.verbose);
  EXPECT_FALSE(options.echo);
  EXPECT_EQ(options.name, "n");
}

TEST(Connect, AT_13_HostileJsonIsBoundedAndNeverCrashes) {
  const std::string many = "{" + repeated("\"a\":1,", 2000) + "\"user\":\"u\"}";
  EXPECT_EQ(connect(many).options.credentials.user, "u");
  const std::string duplicates = "{" + repeated("\"user\":\"x\",", 2000) + "\"user\":\"u\"}";
  EXPECT_EQ(connect(duplicates).options.credentials.user, "u");
  EXPECT_EQ(connect("{\"x\":" + repeated("[", 1000) + repeated("]", 1000) + "}").reason, Reason::none);
  EXPECT_EQ(connect("{\"x\":" + repeated("{\"x\":", 1000) + "1" + repeated("}", 1000) + "}").reason,
            Reason::none);
  EXPECT_EQ(connect(repeated("[", 1'000'000)).reason, Reason::parse_error);
  EXPECT_EQ(connect(repeated("{\"x\":", 1'000'000)).reason, Reason::parse_error);
  EXPECT_EQ(connect("{\"protocol\":" + repeated("1", 4000) + "}").reason, Reason::parse_error);
  EXPECT_EQ(connect("{\"name\":\"\xc0\xaf\"}").reason, Reason::parse_error);
  EXPECT_EQ(connect("{\"name\":\"\\ud800\"}").reason, Reason::parse_error);
}

TEST(Credentials, AU_16_EmptyWithoutUserPasswordTokenAndNkey) {
  Credentials credentials;
  EXPECT_TRUE(credentials.empty());
  credentials.signature = "s";
  credentials.jwt = Secret("j");
  EXPECT_TRUE(credentials.empty());
  EXPECT_FALSE(connect(R"({"user":"u"})").options.credentials.empty());
  EXPECT_FALSE(connect(R"({"pass":"p"})").options.credentials.empty());
  EXPECT_FALSE(connect(R"({"auth_token":"t"})").options.credentials.empty());
  EXPECT_FALSE(connect(R"({"nkey":"n"})").options.credentials.empty());
}

}  // namespace nuncio
