#include "bench/load/options.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nuncio::load {
namespace {

ParsedOptions parse(std::vector<std::string> words) {
  words.insert(words.begin(), "nuncio-bench");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return parse_options(static_cast<int>(words.size()), argv.data());
}

TEST(Options, OptionsMayFollowTheCommand) {
  const auto parsed = parse({"-s", "nats://h:1", "latency", "--rate", "2000", "--seconds", "0.5", "--order",
                             "sub-first", "--pad-connections", "3", "--json"});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->command, "latency");
  EXPECT_EQ(parsed.options->url.port, 1);
  EXPECT_EQ(parsed.options->rate_per_s, 2000U);
  EXPECT_DOUBLE_EQ(parsed.options->seconds, 0.5);
  EXPECT_EQ(parsed.options->order, Order::subscriber_first);
  EXPECT_EQ(parsed.options->pad_connections, 3U);
  EXPECT_TRUE(parsed.options->is_json);
}

TEST(Options, CredentialsGivenAsOptionsReplaceThoseOfTheUrl) {
  const auto parsed = parse({"--user", "u", "--pass", "p", "-s", "nats://token@h", "pub"});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->url.credentials.user, "u");
  EXPECT_EQ(parsed.options->url.credentials.password, "p");
  EXPECT_EQ(parsed.options->url.credentials.token, "");
}

TEST(Options, MistakesLeaveWithTwo) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{},
                                                {"pub", "sub"},
                                                {"--nothing", "pub"},
                                                {"--count", "ten", "pub"},
                                                {"--count"},
                                                {"--count", "-1", "pub"},
                                                {"--rate", "0", "latency"},
                                                {"--order", "any", "pub"},
                                                {"-s", "http://h", "pub"}}) {
    const auto parsed = parse(words);
    EXPECT_FALSE(parsed.options);
    EXPECT_EQ(parsed.exit_code, 2);
  }
}

}  // namespace
}  // namespace nuncio::load
