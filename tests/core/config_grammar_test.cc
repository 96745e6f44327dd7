// The NATS configuration format: what is accepted, what it means, where mistakes are said to be.
#include "core/config/findings.h"
#include "core/config/scalar.h"
#include "core/config/sources.h"
#include "tests/core/config_files.h"

namespace nuncio::config {
namespace {

class ConfigGrammar : public ConfigFiles {
 protected:
  // The value of the last pair of a text that must parse.
  Value value_of(std::string_view text) {
    Findings findings;
    auto tree = Sources(findings).read_nats(text, "t");
    EXPECT_TRUE(tree) << text << "\n" << (findings.errors.empty() ? "" : findings.errors[0]);
    if (!tree || tree->entries.empty()) return {};
    return tree->entries.back().value;
  }
  std::string text_of(std::string_view text) {
    const Value value = value_of(text);
    EXPECT_TRUE(value.is(Value::Kind::string)) << text;
    return std::string(value.text.reveal());
  }
  std::string error_of(std::string_view text) {
    Findings findings;
    EXPECT_FALSE(Sources(findings).read_nats(text, "t")) << text;
    EXPECT_EQ(findings.errors.size(), 1u) << text;
    return findings.errors.empty() ? "" : findings.errors[0];
  }
};

TEST_F(ConfigGrammar, CF_1_KeysAndValuesAreSeparatedByColonEqualsOrBlank) {
  for (const char* text :
       {"port: 4333", "port = 4333", "port 4333", "port:4333", "port=4333", "port\t:\t4333", "port\n4333"}) {
    EXPECT_EQ(load(text).options.port, 4333) << text;
  }
  const auto mixed = load("port 4333\nhost = a\nauthorization\n{\n user: u\n pass = \"p\" }\n");
  EXPECT_THAT(mixed.errors, IsEmpty());
  EXPECT_EQ(mixed.options.host, "a");
  EXPECT_EQ(user_of(mixed.options.authorization), "u");
  EXPECT_THAT(load("authorization{ user: u }").errors,
              ElementsAre("t.conf:1:1: a blank, ':' or '=' is missing before '{'"));
  EXPECT_THAT(error_of("port:\n4222"), HasSubstr("t:1:1: the key \"port\" has no value"));
}

TEST_F(ConfigGrammar, CF_2_AValueEndsAtALineEndOrSeparator) {
  for (const char* text :
       {"debug: true; port: 4333", "debug: true, port: 4333", "debug: true # x\nport: 4333",
        "debug: true // x\nport: 4333", "debug: true\n\n\nport: 4333"}) {
    EXPECT_EQ(load(text).options.port, 4333) << text;
  }
  EXPECT_THAT(error_of("port: 4222 xyz"), HasSubstr("t:1:12: a value must end"));
  EXPECT_THAT(error_of("a: \"x\"y"), HasSubstr("t:1:7: a value must end"));
  EXPECT_THAT(error_of("a: 1;;b: 2"), HasSubstr("t:1:6: unexpected ';'"));
  EXPECT_THAT(error_of("port: 4222 /x"), HasSubstr("t:1:12"));
}

TEST_F(ConfigGrammar, CF_3_PairsInAMapNeedATerminatorBetweenThem) {
  EXPECT_THAT(error_of("m {a=1 b=2}"), HasSubstr("t:1:8: a value must end"));
  EXPECT_THAT(error_of("m {a {b=1} c=2}"), HasSubstr("t:1:12: a value must end"));
  EXPECT_EQ(value_of("m {a=1, b=2; c=3\n d=4}").entries.size(), 4u);
}

TEST_F(ConfigGrammar, CF_4_CommentsStartALineOrFollowAValue) {
  EXPECT_EQ(text_of("# one\n// two\na: b#c\n"), "b#c");
  EXPECT_EQ(text_of("a: b # c"), "b");
  EXPECT_EQ(text_of("a: \"b # c\" // d"), "b # c");
  EXPECT_EQ(text_of("a: http://x"), "http://x");
  EXPECT_EQ(value_of("a: [1, # one\n 2 // two\n]").items.size(), 2u);
}

TEST_F(ConfigGrammar, CF_5_JsonIsValidConfiguration) {
  const auto loaded = load(R"({
    "port": 4333,
    "authorization": {"users": [{"user": "a", "password": "b"}, {"user": "c", "password": "d"}]},
    "debug": true
  })");
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(loaded.options.port, 4333);
  EXPECT_EQ(loaded.options.authorization.users.size(), 2u);
  EXPECT_TRUE(loaded.options.log.debug);
}

TEST_F(ConfigGrammar, CF_6_OptionKeysIgnoreCaseAndMayBeQuoted) {
  for (const char* text : {"PORT: 4333", "\"port\": 4333", "'Port' 4333"})
    EXPECT_EQ(load(text).options.port, 4333) << text;
}

TEST_F(ConfigGrammar, CF_7_OfEqualKeysTheLastWinsWithAWarning) {
  const auto same = load("port: 1\nport: 2");
  EXPECT_EQ(same.options.port, 2);
  EXPECT_THAT(same.warnings,
              ElementsAre("t.conf:2:1: duplicate key \"port\": this value replaces the one at t.conf:1:1"));
  const auto alias = load("max_conn: 1\nMax_Connections: 2");
  EXPECT_EQ(alias.options.connections_max, 2u);
  EXPECT_THAT(alias.warnings,
              ElementsAre("t.conf:2:1: \"Max_Connections\" replaces the value given at t.conf:1:1"));
}

TEST_F(ConfigGrammar, CF_8_DoubleQuotedStringsKnowSixEscapes) {
  EXPECT_EQ(text_of(R"(a: "\n\r\t\"\\\x41")"), "\n\r\t\"\\A");
  EXPECT_EQ(text_of("a: \"x\ny\""), "x\ny");
  EXPECT_THAT(error_of(R"(a: "b\q")"), HasSubstr("t:1:6: invalid escape"));
  EXPECT_THAT(error_of(R"(a: "\x4")"), HasSubstr("hexadecimal"));
}

TEST_F(ConfigGrammar, CF_9_SingleQuotedStringsAreLiteral) {
  EXPECT_EQ(text_of(R"(a: 'b\n"c')"), R"(b\n"c)");
}

TEST_F(ConfigGrammar, CF_10_UnquotedStringsEndAtSeparatorsAndTakeEscapes) {
  EXPECT_EQ(text_of("a: b\\tc"), "b\tc");
  EXPECT_EQ(text_of("m {}\na: b'"), "b");
  EXPECT_EQ(text_of("a: b\"c\""), "b\"c\"");
  EXPECT_EQ(text_of("a: tr\\x75e"), "true");
  EXPECT_EQ(value_of("a: [x,y]").items.size(), 2u);
  EXPECT_THAT(error_of("a: b'c"), HasSubstr("t:1:6"));
}

TEST_F(ConfigGrammar, CF_11_BlocksEndAtALoneBracket) {
  EXPECT_EQ(text_of("a: (\nx (y)\n z\n)"), "\nx (y)\n z\n");
  EXPECT_EQ(text_of("a: (x\r\n)\r\n"), "x\r\n");
  EXPECT_THAT(error_of("\na: (\nx\n )\n"), HasSubstr("t:2:4: the block opened here is not closed"));
}

TEST_F(ConfigGrammar, CF_12_BooleansInAnyCase) {
  for (const char* word : {"true", "YES", "On"})
    EXPECT_TRUE(value_of("a: " + std::string(word)).boolean) << word;
  for (const char* word : {"false", "No", "OFF"}) {
    const Value value = value_of("a: " + std::string(word));
    EXPECT_TRUE(value.is(Value::Kind::boolean) && !value.boolean) << word;
  }
  EXPECT_EQ(text_of("a: \"true\""), "true");
}

TEST_F(ConfigGrammar, CF_13_IntegersTakeSuffixes) {
  const std::pair<const char*, int64_t> cases[] = {{"12", 12},
                                                   {"-12", -12},
                                                   {"2k", 2000},
                                                   {"2KB", 2048},
                                                   {"2ki", 2048},
                                                   {"2KiB", 2048},
                                                   {"1m", 1000000},
                                                   {"1MB", 1 << 20},
                                                   {"1g", 1000000000},
                                                   {"1gib", 1 << 30},
                                                   {"1t", 1000000000000},
                                                   {"1p", 1000000000000000},
                                                   {"9e", 9000000000000000000},
                                                   {"7eb", 7ll << 60}};
  for (const auto& [text, number] : cases) {
    const Value value = value_of(std::string("a: ") + text);
    EXPECT_TRUE(value.is(Value::Kind::integer)) << text;
    EXPECT_EQ(value.integer, number) << text;
  }
  for (const char* text : {"9223372036854775808", "10e", "8eb", "99999999999999999999"}) {
    EXPECT_THAT(error_of(std::string("a: ") + text), HasSubstr("out of the range")) << text;
  }
  EXPECT_EQ(text_of("a: 1kbb"), "1kbb");
}

TEST_F(ConfigGrammar, CF_14_FloatsAddressesAndWordsThatStartWithDigits) {
  EXPECT_EQ(value_of("a: 0.5").real, 0.5);
  EXPECT_EQ(value_of("a: -1.25").real, -1.25);
  for (const char* word : {"10s", "4222abc", "127.0.0.1", "127.0.0.1:4222", "5x5", "1:x"}) {
    EXPECT_EQ(text_of(std::string("a: ") + word), word);
  }
  for (const char* word : {".5", "5.", "5.x", "1.5s", "1.2.3x", "-x", "-", "-5x", "12-34"}) {
    EXPECT_THAT(error_of(std::string("a: ") + word), HasSubstr("put text in quotes")) << word;
  }
}

TEST_F(ConfigGrammar, CF_15_DatesAreAValueNoOptionTakes) {
  EXPECT_TRUE(value_of("a: 2006-01-02T15:04:05Z").is(Value::Kind::datetime));
  EXPECT_THAT(load("pid_file: 2006-01-02T15:04:05Z").errors,
              ElementsAre("t.conf:1:11: expected a string for \"pid_file\", got a date; put it in quotes"));
}

TEST_F(ConfigGrammar, CF_19_ArraysTakeCommasOrLineEnds) {
  EXPECT_EQ(value_of("a: [1, \"x\", {b: 1}, [2]]").items.size(), 4u);
  EXPECT_EQ(value_of("a: [\n1\n2,\n3\n]").items.size(), 3u);
  EXPECT_EQ(value_of("a: [1,2,]").items.size(), 2u);
  EXPECT_THAT(error_of("a: [1,,2]"), HasSubstr("t:1:7: unexpected ','"));
  EXPECT_THAT(error_of("a: [,1]"), HasSubstr("unexpected ','"));
  EXPECT_THAT(error_of("a: [{} {}]"), HasSubstr("a value must end"));
}

TEST_F(ConfigGrammar, CF_20_WhatIsNotClosedIsNamedWithThePlaceWhereItWasOpened) {
  EXPECT_THAT(error_of("a: \"x\n\n"), HasSubstr("t:1:4: the string opened here is not closed"));
  EXPECT_THAT(error_of("a: 'x"), HasSubstr("t:1:4: the string"));
  EXPECT_THAT(error_of("a: [1,\n2"), HasSubstr("t:2:2: the array opened at t:1:4 is not closed"));
  EXPECT_THAT(error_of("\nm {\n b: 1\n"), HasSubstr("the map opened at t:2:3 is not closed"));
  EXPECT_THAT(error_of("\"a"), HasSubstr("t:1:1: the quoted key"));
}

TEST_F(ConfigGrammar, CF_21_ByteOrderMarkAndCarriageReturns) {
  const auto loaded = load("\xef\xbb\xbfport: 4333\r\ndebug: true\r\nnope: 1\r\n");
  EXPECT_EQ(loaded.options.port, 4333);
  EXPECT_TRUE(loaded.options.log.debug);
  EXPECT_THAT(loaded.errors, ElementsAre("t.conf:3:1: unknown field \"nope\""));
  EXPECT_EQ(load("port: 4333\rdebug: true").options.port, 4333);
}

TEST_F(ConfigGrammar, CF_22_KeyWithoutValueAndStrayBracket) {
  EXPECT_THAT(error_of("port"), HasSubstr("t:1:1: the key \"port\" has no value"));
  EXPECT_THAT(error_of("m {a: }"), HasSubstr("t:1:4: the key \"a\" has no value"));
  const auto loaded = load("port: 4333\n}\n");
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_THAT(loaded.warnings, ElementsAre("t.conf:2:1: this '}' closes nothing"));
}

TEST_F(ConfigGrammar, CF_18_IncludesAreRelativeToTheIncludingFile) {
  write("sub/users.conf", "U: bob\nauthorization { include 'deep/auth.conf' }\n");
  write("sub/deep/auth.conf", "user: anna, pass: \"x\"");
  const auto loaded = load("include \"sub/users.conf\"\nserver_name: $U\n");
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(user_of(loaded.options.authorization), "anna");
  EXPECT_EQ(loaded.options.server_name, "bob");

  write("uses.conf", "server_name: $OUTER");
  EXPECT_THAT(load("OUTER: x\ninclude uses.conf").errors,
              ElementsAre(HasSubstr("uses.conf:1:14: variable reference for 'OUTER'")));
}

TEST_F(ConfigGrammar, CF_18_MissingAndCircularIncludesAreErrorsThatNameBothFiles) {
  EXPECT_THAT(
      load("port: 1\n include nope.conf").errors,
      ElementsAre("t.conf:2:2: include \"nope.conf\": cannot read the file: No such file or directory"));
  write("loop.conf", "include t.conf");
  EXPECT_THAT(load("include loop.conf").errors,
              ElementsAre("loop.conf:1:1: include \"t.conf\": the file includes itself"));
  for (int i = 0; i < 40; ++i) write("n" + std::to_string(i), "include n" + std::to_string(i + 1));
  EXPECT_THAT(load("include n0").errors, ElementsAre(HasSubstr("nested too deeply")));
  EXPECT_THAT(load("include \"\"").errors.size(), 1u);
}

TEST_F(ConfigGrammar, CF_23_VariablesAreFoundInThisBlockAroundItAndInTheEnvironment) {
  set_variable("CF_TEST_PORT", "4333");
  EXPECT_EQ(load("p: 4333\nport: $p").options.port, 4333);
  EXPECT_EQ(load("port: $CF_TEST_PORT").options.port, 4333);
  EXPECT_EQ(user_of(load("N: out\nauthorization { N: in, user: $N }").options.authorization), "in");
  EXPECT_EQ(user_of(load("N: out\nauthorization { user: $N }").options.authorization), "out");
  EXPECT_THAT(error_of("\nport: $nope"),
              HasSubstr("t:2:7: variable reference for 'nope' on line 2 can not be found"));
  EXPECT_THAT(error_of("p: 1\nport: $P"), HasSubstr("'P'"));
}

TEST_F(ConfigGrammar, CF_24_DefinitionComesBeforeUseAndStaysInItsBlock) {
  EXPECT_THAT(error_of("port: $p\np: 1"), HasSubstr("can not be found"));
  EXPECT_THAT(error_of("x: {y: 1}\nport: $y"), HasSubstr("can not be found"));
}

TEST_F(ConfigGrammar, CF_25_VariablesKeepTheirType) {
  const auto loaded = load("U: [{user: a, password: \"b\"}]\nauthorization { users: $U }");
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(loaded.options.authorization.users.size(), 1u);
}

TEST_F(ConfigGrammar, CF_26_CF_30_InStringsNothingIsReplaced) {
  EXPECT_EQ(text_of("x: 1\na: \"$x\""), "$x");
  EXPECT_EQ(text_of("x: 1\na: nats://$x:4222"), "nats://$x:4222");
  EXPECT_EQ(text_of("x: 1\na: b$x"), "b$x");
}

TEST_F(ConfigGrammar, CF_27_EnvironmentValuesAreReadLikeValuesInAFile) {
  set_variable("CF_TEST_MAP", "{user: a, pass: 'b'}");
  set_variable("CF_TEST_TEXT", "'a,b c'");
  set_variable("CF_TEST_CHAIN", "$CF_TEST_TEXT");
  set_variable("CF_TEST_EMPTY", "");
  EXPECT_EQ(user_of(load("authorization: $CF_TEST_MAP").options.authorization), "a");
  EXPECT_EQ(text_of("a: $CF_TEST_CHAIN"), "a,b c");
  EXPECT_EQ(text_of("a: $CF_TEST_EMPTY"), "");
  set_variable("CF_TEST_LOOP", "$CF_TEST_BACK");
  set_variable("CF_TEST_BACK", "[1, $CF_TEST_LOOP]");
  EXPECT_THAT(error_of("a: $CF_TEST_LOOP"), HasSubstr("refers to itself"));
  for (const char* value : {"secret,rest", "secret rest", "secret\nrest: x"}) {
    set_variable("CF_TEST_CUT", value);
    const std::string error = error_of("\n a: $CF_TEST_CUT");
    EXPECT_THAT(error, HasSubstr("t:2:5: environment variable 'CF_TEST_CUT': "));
    EXPECT_THAT(error, Not(HasSubstr("secret")));
  }
}

TEST_F(ConfigGrammar, CF_28_UnquotedHashesAreText) {
  for (const char* hash :
       {"$2a$11$1oJy/wZYNTxr9jNwMNwS3eUGhBpHT3On8CL9o7ey89mpgo88VG6ba", "$2b$11$x", "$2y$11$x", "$y$j9T$a$b",
        "$gy$j9T$a$b", "$6$salt$hash", "$5$rounds=5000$a$b", "$7$CU..../....a$b", "$1$weak$x",
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"}) {
    EXPECT_EQ(text_of(std::string("a: ") + hash), hash);
  }
  EXPECT_THAT(error_of("pass: $up3r$ecret!"), Not(HasSubstr("ecret")));
}

TEST_F(ConfigGrammar, CF_29_AKeyUsedAsAVariableNeedNotBeAnOption) {
  EXPECT_THAT(load("foo: 4333\nport: $foo").errors, IsEmpty());
  EXPECT_THAT(load("foo: 4333\nport: 1").errors, ElementsAre(HasSubstr("unknown field \"foo\"")));
}

TEST_F(ConfigGrammar, HostileInputIsBoundedInDepthSizeAndCopies) {
  EXPECT_THAT(error_of("a: " + std::string(100000, '[')), HasSubstr("nested more than"));
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "{a ";
  EXPECT_THAT(error_of("a " + deep), HasSubstr("nested more than"));
  std::string laughs = "a0: [1,1,1,1,1,1,1,1,1,1]\n";
  for (int i = 1; i < 12; ++i) {
    laughs += "a" + std::to_string(i) + ": [";
    for (int k = 0; k < 10; ++k) laughs += (k ? ",$a" : "$a") + std::to_string(i - 1);
    laughs += "]\n";
  }
  EXPECT_THAT(error_of(laughs), HasSubstr("too large"));
  std::string ladder = "a0: 1\n";
  for (int i = 1; i < 300; ++i) ladder += "a" + std::to_string(i) + ": [$a" + std::to_string(i - 1) + "]\n";
  EXPECT_THAT(error_of(ladder), HasSubstr("nested more than"));
  EXPECT_THAT(error_of(std::string_view("a: 1\nb: x\0y", 11)), HasSubstr("t:2:1: there is a NUL byte"));
  EXPECT_THAT(load_file("/dev/zero").errors, ElementsAre(HasSubstr("larger than")));
  EXPECT_THAT(load_file(folder_.string()).errors, ElementsAre(HasSubstr("Is a directory")));
}

TEST(ConfigScalar, CF_40_DurationsAsGoWritesThem) {
  const std::pair<const char*, int64_t> cases[] = {{"0", 0},
                                                   {"10s", 10000000000},
                                                   {"1h30m", 5400000000000},
                                                   {"250ms", 250000000},
                                                   {"1.5s", 1500000000},
                                                   {".5s", 500000000},
                                                   {"1us", 1000},
                                                   {"1\xc2\xb5s", 1000},
                                                   {"1\xce\xbcs", 1000},
                                                   {"7ns", 7},
                                                   {"-2s", -2000000000},
                                                   {"1m0.1s", 60100000000},
                                                   {"100000h", 360000000000000000}};
  for (const auto& [text, count] : cases) {
    const auto found = parse_duration(text);
    ASSERT_TRUE(found) << text;
    EXPECT_EQ(found->count(), count) << text;
  }
  for (const char* text :
       {"", "s", "1", "1x", "1.s.", ".s", "1s2", "-", "+", "1 s", "9999999999999h", "1e3s"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

}  // namespace
}  // namespace nuncio::config
