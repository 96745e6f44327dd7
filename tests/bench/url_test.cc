#include "bench/load/url.h"

#include <gtest/gtest.h>

namespace nuncio::load {
namespace {

TEST(Url, HostAloneMeansPort4222) {
  for (const char* text : {"nats://broker", "broker", "nats://broker/"}) {
    const auto url = parse_url(text);
    ASSERT_TRUE(url) << text;
    EXPECT_EQ(url->host, "broker");
    EXPECT_EQ(url->port, 4222);
  }
}

TEST(Url, UserAndPasswordStandBeforeTheHost) {
  const auto url = parse_url("nats://foo:b%40r:z@127.0.0.1:4333");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->credentials.user, "foo");
  EXPECT_EQ(url->credentials.password, "b@r:z");
  EXPECT_EQ(url->credentials.token, "");
  EXPECT_EQ(url->host, "127.0.0.1");
  EXPECT_EQ(url->port, 4333);
}

TEST(Url, AnythingElseBeforeTheHostIsAToken) {
  const auto url = parse_url("nats://s3cr3t@localhost:1");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->credentials.token, "s3cr3t");
  EXPECT_EQ(url->credentials.user, "");
}

TEST(Url, Ipv6StandsInBrackets) {
  const auto url = parse_url("nats://u:p@[::1]:4444");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->port, 4444);
  ASSERT_TRUE(parse_url("[::1]"));
  EXPECT_EQ(parse_url("[::1]")->port, 4222);
}

TEST(Url, TheSchemeSaysWhetherThereIsTls) {
  const auto url = parse_url("tls://u:p@h:1");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->is_tls);
  EXPECT_EQ(url->host, "h");
  EXPECT_EQ(url->credentials.user, "u");
  EXPECT_FALSE(parse_url("nats://h")->is_tls);
  EXPECT_FALSE(parse_url("h")->is_tls);
}

TEST(Url, WhatIsNoAddressIsRefused) {
  for (const char* text : {"", "nats://", "tls://", "http://host", "host:", "host:0", "host:65536",
                           "host:12x", "[::1", "[::1]x", "a%4@host", "a%zz@host"}) {
    EXPECT_FALSE(parse_url(text)) << text;
  }
}

}  // namespace
}  // namespace nuncio::load
