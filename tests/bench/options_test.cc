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

TEST(Options, TlsIsWantedWhenTheUrlOrAnyOptionOfItSaysSo) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"-s", "tls://h", "pub"},
                                                {"--tls", "-s", "nats://h", "pub"},
                                                {"--tlscacert", "ca.pem", "pub"},
                                                {"--tlscert", "me.pem", "--tlskey", "me.key", "pub"},
                                                {"--tls-version", "1.2", "pub"},
                                                {"--tls-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "pub"},
                                                {"--tls-resume", "connect"}}) {
    const auto parsed = parse(words);
    ASSERT_TRUE(parsed.options) << words[0];
    EXPECT_TRUE(parsed.options->tls.is_wanted) << words[0];
  }
  EXPECT_FALSE(parse({"-s", "nats://h", "pub"}).options->tls.is_wanted);
}

TEST(Options, EachTlsOptionSaysOneThing) {
  const auto parsed =
      parse({"--tlscacert", "ca.pem", "--tlscert", "me.pem", "--tlskey", "me.key", "--tls-version", "1.3",
             "--tls-cipher", "TLS_AES_128_GCM_SHA256", "--tls-resume", "connect"});
  ASSERT_TRUE(parsed.options);
  const TlsSettings& tls = parsed.options->tls;
  EXPECT_EQ(tls.ca_file, "ca.pem");
  EXPECT_EQ(tls.cert_file, "me.pem");
  EXPECT_EQ(tls.key_file, "me.key");
  EXPECT_EQ(tls.version, "1.3");
  EXPECT_EQ(tls.cipher, "TLS_AES_128_GCM_SHA256");
  EXPECT_TRUE(tls.is_resuming);
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
                                                {"--tls-version", "1.1", "pub"},
                                                {"--tlscert", "me.pem", "pub"},
                                                {"--tlskey", "me.key", "pub"},
                                                {"-s", "http://h", "pub"}}) {
    const auto parsed = parse(words);
    EXPECT_FALSE(parsed.options);
    EXPECT_EQ(parsed.exit_code, 2);
  }
}

}  // namespace
}  // namespace nuncio::load
