// What may be named in a `tls` block, and by which names.
#include "core/tls_names.h"

#include <gtest/gtest.h>

#include <set>

namespace nuncio {
namespace {

TEST(TlsNames, CF_58_SuitesHaveTheirNumbersOnTheWire) {
  const auto id = [](std::string_view name) {
    const TlsCipherSuite* suite = find_tls_cipher_suite(name);
    return suite == nullptr ? 0 : suite->id;
  };
  EXPECT_EQ(id("TLS_AES_128_GCM_SHA256"), 0x1301);
  EXPECT_EQ(id("TLS_AES_256_GCM_SHA384"), 0x1302);
  EXPECT_EQ(id("TLS_CHACHA20_POLY1305_SHA256"), 0x1303);
  EXPECT_EQ(id("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), 0xc02f);
  EXPECT_EQ(id("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"), 0xc02c);
  EXPECT_EQ(id("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"), 0xc00a);
  EXPECT_EQ(id("TLS_RSA_WITH_RC4_128_SHA"), 0x0005);
  EXPECT_EQ(id("TLS_NOTHING"), 0);
}

TEST(TlsNames, CF_58_NamesAreMatchedExactly) {
  EXPECT_EQ(find_tls_cipher_suite("tls_aes_128_gcm_sha256"), nullptr);
  EXPECT_EQ(find_tls_cipher_suite(""), nullptr);
  EXPECT_EQ(find_tls_curve("curvep256"), nullptr);
  EXPECT_EQ(find_tls_curve("P256"), nullptr);
  EXPECT_EQ(parse_tls_version("1.2 "), std::nullopt);
  EXPECT_EQ(parse_tls_version("1.1"), std::nullopt);
  EXPECT_EQ(parse_tls_version("1.3"), TlsVersion::tls_1_3);
}

// Both names of a suite that nats-server named anew.
TEST(TlsNames, CF_58_ChaChaGoesByItsOldNameToo) {
  for (const std::string name :
       {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305"}) {
    const TlsCipherSuite* suite = find_tls_cipher_suite(name);
    ASSERT_NE(suite, nullptr) << name;
    EXPECT_EQ(suite->name, name + "_SHA256");
    EXPECT_EQ(suite, find_tls_cipher_suite(name + "_SHA256"));
  }
}

TEST(TlsNames, CF_58_DefaultsHaveForwardSecrecyAndAead) {
  std::set<uint16_t> ids;
  size_t defaults = 0;
  for (const TlsCipherSuite& suite : tls_cipher_suites()) {
    EXPECT_TRUE(ids.insert(suite.id).second) << suite.name;
    const bool is_ecdhe = suite.name.starts_with("TLS_ECDHE_");
    const bool is_aead = suite.name.find("_GCM_") != std::string_view::npos ||
                         suite.name.find("_POLY1305") != std::string_view::npos;
    EXPECT_EQ(suite.is_default, (is_ecdhe || suite.is_of_tls_1_3) && is_aead) << suite.name;
    EXPECT_EQ(suite.is_of_tls_1_3, suite.id >> 8 == 0x13) << suite.name;
    EXPECT_FALSE(suite.is_default && suite.is_insecure) << suite.name;
    defaults += suite.is_default;
  }
  EXPECT_EQ(defaults, 9u);
  EXPECT_EQ(ids.size(), 25u);  // those that Go's crypto/tls has
}

TEST(TlsNames, CF_58_InsecureSuitesAreThoseThatGoCallsSo) {
  for (const TlsCipherSuite& suite : tls_cipher_suites()) {
    const bool has_no_ecdhe = !suite.is_of_tls_1_3 && !suite.name.starts_with("TLS_ECDHE_");
    const bool is_weak = suite.name.find("3DES") != std::string_view::npos ||
                         suite.name.find("RC4") != std::string_view::npos ||
                         suite.name.ends_with("_CBC_SHA256");
    EXPECT_EQ(suite.is_insecure, has_no_ecdhe || is_weak) << suite.name;
  }
}

TEST(TlsNames, CF_58_CurvesHaveTheirNumbersOnTheWire) {
  const auto id = [](std::string_view name) {
    const TlsCurve* curve = find_tls_curve(name);
    return curve == nullptr ? 0 : curve->id;
  };
  EXPECT_EQ(id("X25519"), 29);
  EXPECT_EQ(id("CurveP256"), 23);
  EXPECT_EQ(id("CurveP384"), 24);
  EXPECT_EQ(id("CurveP521"), 25);
  EXPECT_EQ(id("X25519MLKEM768"), 4588);
  EXPECT_EQ(tls_curves().size(), 7u);
}

}  // namespace
}  // namespace nuncio
