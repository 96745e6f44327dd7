// The text form of nkeys, against keys that other programs made.
#include "core/nkey_text.h"

#include <gtest/gtest.h>

#include <string>

namespace nuncio {
namespace {

// A server id that nats-server 2.9.10 announced, and a user from the documentation of NATS.
const std::string server = "NB4QBTHEPLOY7VL5DLD7OZS2F4QTNJ5AANHDTTIZGKJEPSMECID67E65";
const std::string user = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

TEST(NkeyText, CP_2_AU_33_TheTextIsThatOfTheReference) {
  for (const auto& [text, prefix] : {std::pair(server, nkey_prefix_server), {user, nkey_prefix_user}}) {
    const auto found = decode_nkey(text);
    ASSERT_TRUE(found) << text;
    EXPECT_EQ(found->prefix, prefix);
    EXPECT_EQ(encode_public_nkey(found->prefix, found->key.data()), text);
  }
  EXPECT_TRUE(is_user_nkey(user));
  EXPECT_FALSE(is_user_nkey(server));
}

TEST(NkeyText, AU_33_AnyChangedCharacterIsNoticed) {
  for (size_t i = 0; i < user.size(); ++i) {
    std::string changed = user;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(decode_nkey(changed)) << i;
    for (const char c : {'a', '0', '=', ' ', '\0', '\xff'}) {
      changed[i] = c;
      EXPECT_FALSE(decode_nkey(changed)) << i;
    }
  }
  for (size_t size = 0; size < user.size(); ++size) EXPECT_FALSE(decode_nkey(user.substr(0, size)));
  EXPECT_FALSE(decode_nkey(user + "A"));
  EXPECT_FALSE(decode_nkey(user + user));
}

TEST(NkeyText, Base32LeavesNoBitsOver) {
  uint8_t bytes[4];
  EXPECT_TRUE(decode_base32("AA", bytes));
  EXPECT_FALSE(decode_base32("AB", bytes)) << "two bits beyond the byte";
  EXPECT_FALSE(decode_base32("AAA", bytes)) << "a character that adds nothing";
  EXPECT_EQ(encode_base32(reinterpret_cast<const uint8_t*>("fooba"), 5), "MZXW6YTB");
}

}  // namespace
}  // namespace nuncio
