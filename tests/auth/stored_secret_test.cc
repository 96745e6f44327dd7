// What a configured password or token is taken for, and what matches it.
#include "auth/stored_secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "auth/hash_run.h"

namespace nuncio::auth {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view known_hash = "$2a$11$1oJy/wZYNTxr9jNwMNwS3eUGhBpHT3On8CL9o7ey89mpgo88VG6ba";

std::shared_ptr<const StoredSecret> stored(std::string_view configured) {
  auto made = StoredSecret::make(configured);
  EXPECT_TRUE(made.has_value()) << configured << ": " << made.error();
  return made ? *made : nullptr;
}

std::string error_of(std::string_view configured) {
  const auto made = StoredSecret::make(configured);
  return made ? "" : made.error();
}

std::string hash_of(const char* prefix, unsigned long cost, std::string_view password) {
  return std::string(make_hash(prefix, cost, password).reveal());
}

TEST(StoredSecret, AU_23_KnownBcryptVector) {
  const auto secret = stored(known_hash);
  ASSERT_EQ(secret->kind(), StoredSecret::Kind::hash);
  EXPECT_EQ(secret->method(), "$2a$11");
  EXPECT_TRUE(secret->matches("password"));
  EXPECT_FALSE(secret->matches("passwore"));
}

TEST(StoredSecret, AU_20_EveryBcryptLetterIsAHashOfTheSameAlgorithm) {
  std::string hash = hash_of("$2b$", 4, "p\xc3\xa4ss\xff");
  for (const char letter : {'a', 'b', 'x', 'y'}) {
    hash[2] = letter;
    const auto secret = stored(hash);
    EXPECT_EQ(secret->kind(), StoredSecret::Kind::hash) << letter;
    EXPECT_TRUE(secret->matches("p\xc3\xa4ss\xff")) << letter;
    EXPECT_FALSE(secret->matches("p\xc3\xa4ss")) << letter;
  }
}

TEST(StoredSecret, AU_20_UnusedBitsOfTheSaltDoNotMatter) {
  std::string hash = hash_of("$2b$", 4, "secret");
  // 22 digits carry 132 bits, the salt has 128: the last digit's low four bits are free.
  hash[28] = hash[28] == 'O' ? 'P' : hash[28] == 'e' ? 'f' : hash[28] == 'u' ? 'v' : '/';
  EXPECT_TRUE(stored(hash)->matches("secret"));
  EXPECT_FALSE(stored(hash)->matches("Secret"));
}

TEST(StoredSecret, AT_2_AU_21_TheHashItselfIsRefused) {
  const std::string hash = hash_of("$2b$", 4, "secret");
  EXPECT_FALSE(stored(hash)->matches(hash));
  const std::string yescrypt = hash_of("$y$", 1, "secret");
  EXPECT_FALSE(stored(yescrypt)->matches(yescrypt));
}

TEST(StoredSecret, AU_25_EveryStrongMethodWorks) {
  struct Method {
    const char* prefix;
    unsigned long cost;
  };
  for (const auto& [prefix, cost] :
       {Method{"$2b$", 4}, Method{"$2a$", 4}, Method{"$2y$", 4}, Method{"$y$", 1}, Method{"$gy$", 1},
        Method{"$7$", 6}, Method{"$6$", 1000}, Method{"$5$", 1000}, Method{"$6$", 0}}) {
    const auto secret = stored(hash_of(prefix, cost, "secret"));
    ASSERT_NE(secret, nullptr) << prefix;
    EXPECT_EQ(secret->kind(), StoredSecret::Kind::hash) << prefix;
    EXPECT_TRUE(secret->matches("secret")) << prefix;
    EXPECT_FALSE(secret->matches("secreT")) << prefix;
    EXPECT_FALSE(secret->matches("")) << prefix;
    EXPECT_FALSE(secret->slow_check_time().has_value()) << prefix;
  }
}

TEST(StoredSecret, AU_25_WeakMethodsAreErrors) {
  for (const char* weak :
       {"$1$abcdefgh$BXBqpb9BZcZhXLgbee.0s/", "$3$$8846f7eaee8fb117ad06bdd830b7586c",
        "$sha1$4$abcd$lOGVNDLYIhzaujt3jtCkSRQo3Kel", "$md5$abcdefgh$$llcQt2H/OVQCpQFhfcdcD.",
        "$md5,rounds=5000$abcdefgh$$llcQt2H/OVQCpQFhfcdcD.", "$apr1$abcdefgh$BXBqpb9BZcZhXLgbee.0s/"}) {
    EXPECT_THAT(error_of(weak), HasSubstr("weak")) << weak;
  }
}

TEST(StoredSecret, AU_25_MalformedHashesAreErrorsThatTellNothing) {
  std::string short_bcrypt(known_hash.substr(0, known_hash.size() - 1));
  std::string bad_digit(known_hash);
  bad_digit[40] = '!';
  const std::string sha = hash_of("$6$", 1000, "x");
  for (const std::string& text :
       {short_bcrypt, std::string(known_hash) + "x", bad_digit, std::string("$2b$10$"),
        std::string("$2b$3$abc"), std::string("$2$10$abc"), std::string("$2c$10$abcdefghijklmnopqrstuv"),
        std::string("$2a$03$") + std::string(53, 'a'), std::string("$y$j9T$"),
        std::string("$y$j9T$salt$digest"), std::string("$y$$salt$") + std::string(43, 'a'),
        std::string("$gy$"), std::string("$7$CU$"), sha.substr(0, sha.size() - 1),
        std::string("$6$rounds=5$abc$") + std::string(86, 'a'),
        std::string("$6$rounds=$abc$") + std::string(86, 'a'),
        std::string("$5$saltsaltsaltsalt1$") + std::string(43, 'a')}) {
    const std::string error = error_of(text);
    EXPECT_THAT(error, HasSubstr("malformed")) << text;
    EXPECT_THAT(error, Not(HasSubstr(text.substr(3))));
  }
}

TEST(StoredSecret, AU_25_UnknownMethodsAreErrors) {
  EXPECT_THAT(error_of("$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG"),
              HasSubstr("unsupported"));
  EXPECT_THAT(error_of("$x9$abcdefghijklmnopqrstuvwxyz"), HasSubstr("unknown method"));
}

TEST(StoredSecret, AU_20_EverythingElseIsPlain) {
  for (const char* text : {"", "s3cr3t", "$", "$$", "$ecret$", "pa$$word", "$2", "$2b", "$100,000 in cash",
                           "abJnggxhB/yWI", "2b$10$abc", " $2b$10$abc", "$Ab$cdefghijklmnopqrstuvwxyz"}) {
    const auto secret = stored(text);
    ASSERT_NE(secret, nullptr);
    EXPECT_EQ(secret->kind(), StoredSecret::Kind::plain) << text;
    EXPECT_TRUE(secret->matches(text)) << text;
  }
}

TEST(StoredSecret, AT_3_NothingButTheSecretMatches) {
  const std::string right = "s3cret";
  for (const auto& secret :
       {stored(right), stored(hash_of("$2b$", 4, right)), stored(hash_of("$y$", 1, right))}) {
    EXPECT_TRUE(secret->matches(right));
    for (const std::string& wrong :
         {std::string("s3cre"), std::string("s3crett"), std::string("S3CRET"), right + '\0', right + '\r',
          right + '\n', right + ' ', ' ' + right, '\0' + right, right + '\0' + "x", std::string()}) {
      EXPECT_FALSE(secret->matches(wrong)) << secret->method() << " " << wrong;
    }
  }
}

TEST(StoredSecret, AU_22_NulNeverShortensACandidate) {
  const auto secret = stored(hash_of("$2b$", 4, ""));
  EXPECT_TRUE(secret->matches(""));
  EXPECT_FALSE(secret->matches(std::string_view("\0", 1)));
  EXPECT_FALSE(secret->matches(std::string_view("\0x", 2)));
}

TEST(StoredSecret, AT_4_BcryptLooksAt72BytesOthersAtAll) {
  const std::string bytes72(72, 'a');
  const auto bcrypt = stored(hash_of("$2b$", 4, bytes72));
  EXPECT_TRUE(bcrypt->matches(bytes72 + "b"));
  EXPECT_TRUE(bcrypt->matches(bytes72 + std::string(2000, 'c')));
  EXPECT_FALSE(bcrypt->matches(bytes72.substr(1)));
  for (const auto& other :
       {stored(hash_of("$y$", 1, bytes72)), stored(hash_of("$6$", 1000, bytes72)), stored(bytes72)}) {
    EXPECT_TRUE(other->matches(bytes72));
    EXPECT_FALSE(other->matches(bytes72 + "b"));
    EXPECT_FALSE(other->matches(bytes72 + std::string(2000, 'c')));
  }
}

TEST(StoredSecret, AT_12_CostsThatHoldAVerifierAreErrors) {
  const std::string bcrypt_tail(53, 'a'), tail43(43, 'a'), tail86(86, 'a');
  EXPECT_THAT(error_of("$2b$31$" + bcrypt_tail), HasSubstr("31"));
  EXPECT_THAT(error_of("$2b$21$" + bcrypt_tail), HasSubstr("21"));
  EXPECT_EQ(error_of("$2b$20$" + bcrypt_tail), "");
  // yescrypt cost 9 fills 256 MiB, cost 11 a GiB.
  EXPECT_EQ(error_of("$y$jDT$salt$" + tail43), "");
  EXPECT_THAT(error_of("$y$jFT$salt$" + tail43), HasSubstr("1024 MiB"));
  EXPECT_THAT(error_of("$gy$jFT$salt$" + tail43), HasSubstr("1024 MiB"));
  EXPECT_THAT(error_of("$y$jST$salt$" + tail43), HasSubstr("MiB"));
  EXPECT_THAT(error_of("$7$GU..../....salt$" + tail43), HasSubstr("1024 MiB"));
  EXPECT_THAT(error_of("$7$zzzzzzzzzzzsalt$" + tail43), HasSubstr("MiB"));
  EXPECT_THAT(error_of("$7$0/....zzzzzsalt$" + tail43), HasSubstr("MiB"));  // lanes
  EXPECT_THAT(error_of("$6$rounds=999999999$salt$" + tail86), HasSubstr("rounds"));
  EXPECT_THAT(error_of("$5$rounds=99999999999999999999999$salt$" + tail43), HasSubstr("rounds"));
}

TEST(StoredSecret, AU_29_SlowOnesSayHowLongTheyTake) {
  const std::string bcrypt_tail(53, 'a');
  EXPECT_FALSE(stored("$2b$14$" + bcrypt_tail)->slow_check_time().has_value());
  const auto at15 = stored("$2b$15$" + bcrypt_tail)->slow_check_time();
  const auto at20 = stored("$2b$20$" + bcrypt_tail)->slow_check_time();
  ASSERT_TRUE(at15 && at20);
  EXPECT_GT(at15->count(), 0);
  EXPECT_GT(*at20, *at15);
  EXPECT_TRUE(stored("$6$rounds=5000000$salt$" + std::string(86, 'a'))->slow_check_time().has_value());
}

TEST(StoredSecret, AU_68_IdentityIsThatOfTheConfiguredText) {
  EXPECT_EQ(stored("a")->identity(), stored("a")->identity());
  EXPECT_NE(stored("a")->identity(), stored("b")->identity());
  EXPECT_EQ(stored(known_hash)->identity(), stored(known_hash)->identity());
  EXPECT_NE(stored(known_hash)->identity(), stored(hash_of("$2b$", 4, "password"))->identity());
}

TEST(StoredSecret, AU_28_DummyCostsTheSameAndMatchesNothing) {
  const auto real = stored(hash_of("$2b$", 4, "secret"));
  const auto dummy = StoredSecret::dummy_like(*real);
  EXPECT_EQ(dummy->kind(), StoredSecret::Kind::hash);
  EXPECT_EQ(dummy->method(), real->method());
  EXPECT_NE(dummy->identity(), real->identity());
  EXPECT_FALSE(dummy->matches("secret"));
  EXPECT_FALSE(StoredSecret::dummy_like(*stored("secret"))->matches("secret"));
}

TEST(StoredSecret, AU_15_EmptyIsEmpty) {
  EXPECT_TRUE(stored("")->is_empty());
  EXPECT_FALSE(stored(" ")->is_empty());
  EXPECT_FALSE(stored(hash_of("$2b$", 4, ""))->is_empty());
}

}  // namespace
}  // namespace nuncio::auth
