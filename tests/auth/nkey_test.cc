// The text forms of keys, seeds, signatures and nonces, and which signatures hold. The vectors with a nonce
// are those of public client libraries, made with the official tools.
#include "auth/nkey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sodium.h>

#include <algorithm>
#include <set>

#include "core/nkey_text.h"
#include "official_key.h"

namespace nuncio::auth {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

constexpr std::string_view nonce = "PXoWU7zWAMt75FY";
constexpr std::string_view standard_padded =
    "ZaAiVDgB5CeYoXoQ7cBCmq+ZllzUnGUoDVb8C7PilWvCs8XKfUchAUhz2P4BYAF++Dg3w05CqyQFRDiGL6LrDw==";
constexpr std::string_view other_nonce = "iBFByN3zQjAT7dQ";
constexpr std::string_view url_safe_padded =
    "kagPGrixaWS5yuHqw9nTQrda1Q376fK3fRCGtYdF4_w2aSk-4O7Ca0JM0qvzm69HH6MoMps2yF6Q0Qs830JZCA==";

std::string unpadded(std::string_view text) {
  return std::string(text.substr(0, text.find('=')));
}

std::string with(std::string text, char from, char to) {
  std::replace(text.begin(), text.end(), from, to);
  return text;
}

bool holds(std::string_view key, std::string_view signature, std::string_view message) {
  const auto parsed_key = parse_user_nkey(key);
  const auto parsed = parse_signature(signature);
  return parsed_key && parsed && is_signed_by(*parsed_key, *parsed, message);
}

template <typename Bytes>
Bytes from_hex(std::string_view hex) {
  Bytes bytes{};
  size_t size = 0;
  EXPECT_EQ(sodium_hex2bin(bytes.data(), bytes.size(), hex.data(), hex.size(), nullptr, &size, nullptr), 0);
  EXPECT_EQ(size, bytes.size());
  return bytes;
}

TEST(Nkey, AU_32_SignaturesInEveryEncodingThatClientsSend) {
  EXPECT_TRUE(holds(public_text, standard_padded, nonce));
  EXPECT_TRUE(holds(public_text, unpadded(standard_padded), nonce));
  EXPECT_TRUE(holds(public_text, with(std::string(standard_padded), '+', '-'), nonce));
  EXPECT_TRUE(holds(public_text, with(unpadded(standard_padded), '+', '-'), nonce));
  EXPECT_TRUE(holds(public_text, url_safe_padded, other_nonce));
  EXPECT_TRUE(holds(public_text, unpadded(url_safe_padded), other_nonce));
  EXPECT_TRUE(holds(public_text, with(with(std::string(url_safe_padded), '-', '+'), '_', '/'), other_nonce));
}

TEST(Nkey, AU_32_OnlyTheSignatureOfTheMessageHolds) {
  EXPECT_FALSE(holds(public_text, standard_padded, other_nonce));
  EXPECT_FALSE(holds(public_text, standard_padded, ""));
  EXPECT_FALSE(holds(public_text, standard_padded, nonce.substr(1)));
  EXPECT_FALSE(holds("UBIWK4X3RXCPJ4CMIAVLAFDFABMLCCMZDDLAO5OZZ2265MDLXUTOGO4B", standard_padded, nonce));
  const auto right = parse_signature(standard_padded);
  ASSERT_TRUE(right);
  for (size_t bit = 0; bit < right->size() * 8; ++bit) {
    Signature wrong = *right;
    wrong[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_FALSE(is_signed_by(*parse_user_nkey(public_text), wrong, nonce)) << bit;
  }
}

TEST(Nkey, AU_32_MalformedSignaturesAreNone) {
  const std::string right = unpadded(standard_padded);
  for (const std::string& wrong :
       {std::string(), std::string("="), right.substr(1), right + "A", right + "=", right + "===",
        right + "\n", " " + right.substr(1), right.substr(0, 85) + "x",  // a bit that no byte holds
        "-" + right.substr(1),                                           // both alphabets
        std::string(86, '\0'), right.substr(0, 85) + "\xc3", std::string(100'000, 'A')}) {
    EXPECT_FALSE(parse_signature(wrong)) << wrong.substr(0, 100);
  }
}

TEST(Nkey, AU_33_OnlyPublicKeysOfUsers) {
  EXPECT_TRUE(parse_user_nkey(public_text));
  std::string typo(public_text);
  typo[20] = typo[20] == 'A' ? 'B' : 'A';
  PublicKey key{};
  for (const std::string& wrong : {typo, std::string(), std::string(public_text.substr(1)),
                                   std::string(public_text) + "A", "u" + std::string(public_text.substr(1)),
                                   std::string(seed), encode_public_nkey(nkey_prefix_account, key.data()),
                                   encode_public_nkey(nkey_prefix_server, key.data()),
                                   encode_public_nkey(nkey_prefix_user | 1, key.data())}) {
    EXPECT_FALSE(parse_user_nkey(wrong)) << wrong;
  }
}

// Each of these would make some forged signature hold for a checker that only follows the equation: with a
// key of small order, R = 0 and S = 0 do for every message.
TEST(Nkey, AU_36_SmallOrderKeysVerifyNothing) {
  const Signature nothing = [] {
    Signature zero{};
    zero[0] = 1;  // R: the neutral element
    return zero;
  }();
  for (const char* hex : {
           "0100000000000000000000000000000000000000000000000000000000000000",  // order 1
           "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // order 2
           "0000000000000000000000000000000000000000000000000000000000000000",  // order 4
           "0000000000000000000000000000000000000000000000000000000000000080",
           "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",  // order 8
           "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
           "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
           "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
           "0100000000000000000000000000000000000000000000000000000000000080",  // not canonical
           "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
           "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
           "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
           "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
           "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
       }) {
    const auto key = from_hex<PublicKey>(hex);
    EXPECT_FALSE(is_usable(key)) << hex;
    for (int i = 0; i < 16; ++i)  // for order 8 one message in eight would do
      EXPECT_FALSE(is_signed_by(key, nothing, std::to_string(i))) << hex;
  }
  EXPECT_TRUE(is_usable(*parse_user_nkey(public_text)));
}

TEST(Nkey, AU_36_KeysWithAPartOfSmallOrderAreNotUsable) {
  const auto twisted =
      from_hex<PublicKey>("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
  const auto key = *parse_user_nkey(public_text);
  PublicKey mixed;
  ASSERT_EQ(crypto_core_ed25519_add(mixed.data(), key.data(), twisted.data()), 0);
  EXPECT_FALSE(is_usable(mixed));
}

TEST(Nkey, AU_36_ASecondFormOfASignatureDoesNotHold) {
  constexpr auto order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
  const auto group_order = from_hex<std::array<uint8_t, 32>>(order);
  const auto right = parse_signature(standard_padded);
  ASSERT_TRUE(right);
  Signature shifted = *right;
  sodium_add(&shifted[32], group_order.data(), group_order.size());  // the same S modulo the order
  EXPECT_TRUE(is_signed_by(*parse_user_nkey(public_text), *right, nonce));
  EXPECT_FALSE(is_signed_by(*parse_user_nkey(public_text), shifted, nonce));
}

TEST(Nkey, AU_31_NoncesAreFreshAndOfTheirForm) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string made = make_nonce();
    EXPECT_THAT(made, MatchesRegex("[A-Za-z0-9_-]{15}"));
    seen.insert(made);
  }
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(Nkey, AU_37_SeedsOfTheOfficialTools) {
  EXPECT_EQ(public_key_of(Secret(seed)).value(), public_text);
  EXPECT_EQ(public_key_of(Secret("SUAOBFVHF4ZWKTBJ6QP4C362WLBBBFIE7ENFTPYKUGZ3M2ESOXY353LXDI")).value(),
            "UBIWK4X3RXCPJ4CMIAVLAFDFABMLCCMZDDLAO5OZZ2265MDLXUTOGO4B");
  EXPECT_EQ(public_key_of(Secret("SOAELH6NJCEK4HST5644G4HK7TOAFZGRRJHNM4EUKUY7PPNDLIKO5IH4JM")).value(),
            "ODPWIBQJVIQ42462QAFI2RKJC4RZHCQSIVPRDDHWFCJAP52NRZK6Z2YC");
  EXPECT_EQ(encode_signature(sign(Secret(seed), other_nonce).value()), unpadded(url_safe_padded));
}

TEST(Nkey, AU_37_MadeKeysSignForThemselves) {
  for (const uint8_t prefix : {nkey_prefix_user, nkey_prefix_account, nkey_prefix_server, nkey_prefix_cluster,
                               nkey_prefix_operator}) {
    const KeyPair pair = make_key_pair(prefix);
    EXPECT_EQ(pair.seed.reveal().size(), 58u);
    EXPECT_EQ(pair.seed.reveal().substr(0, 2), std::string("S") + pair.public_key[0]);
    EXPECT_EQ(public_key_of(pair.seed).value(), pair.public_key);
    EXPECT_EQ(decode_nkey(pair.public_key)->prefix, prefix);
  }
  const KeyPair pair = make_key_pair(nkey_prefix_user);
  const Signature signature = sign(pair.seed, "a message").value();
  const PublicKey key = parse_user_nkey(pair.public_key).value();
  EXPECT_TRUE(is_usable(key));
  EXPECT_TRUE(is_signed_by(key, signature, "a message"));
  EXPECT_FALSE(is_signed_by(key, signature, "a massage"));
  EXPECT_NE(make_key_pair(nkey_prefix_user).public_key, pair.public_key);
}

TEST(Nkey, AU_37_WhatIsNoSeedIsToldWithoutShowingIt) {
  std::string typo(seed);
  typo[30] = typo[30] == 'A' ? 'B' : 'A';
  std::string lower(seed);
  lower[5] = static_cast<char>(lower[5] | 0x20);
  for (const std::string& wrong :
       {typo, lower, std::string(), std::string(public_text), std::string(seed.substr(1)),
        std::string(seed) + "A", "SX" + std::string(seed.substr(2)), "P" + std::string(seed.substr(1))}) {
    const auto made = public_key_of(Secret(wrong));
    ASSERT_FALSE(made) << wrong;
    EXPECT_THAT(made.error(), Not(HasSubstr(wrong.empty() ? "S" : wrong.substr(4))));
    EXPECT_FALSE(sign(Secret(wrong), nonce)) << wrong;
  }
}

}  // namespace
}  // namespace nuncio::auth
