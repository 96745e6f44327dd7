#include "core/info.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace nuncio {
namespace {

ServerInfo info() {
  ServerInfo i;
  i.server_id = make_server_id();
  i.server_name = "here";
  i.host = "0.0.0.0";
  i.port = 4222;
  i.payload_max = 1048576;
  return i;
}

nlohmann::json parsed(const std::string& line) {
  return nlohmann::json::parse(line.substr(5));
}

}  // namespace

TEST(Info, CP_1_OneLineJsonBlankCrlf) {
  const std::string line = InfoTemplate(info()).line(7, "127.0.0.1");
  EXPECT_TRUE(line.starts_with("INFO {\""));
  EXPECT_TRUE(line.ends_with("} \r\n"));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

TEST(Info, CP_2_KeysThatAreAlwaysThere) {
  const ServerInfo server = info();
  const auto json = parsed(InfoTemplate(server).line(18446744073709551615u, "10.0.0.1"));
  EXPECT_EQ(json["server_id"], server.server_id);
  EXPECT_EQ(json["server_name"], "here");
  EXPECT_EQ(json["version"], "2.9.10");
  EXPECT_EQ(json["nuncio"], NUNCIO_VERSION);
  EXPECT_EQ(json["proto"], 1);
  EXPECT_TRUE(json["go"].is_string());
  EXPECT_EQ(json["host"], "0.0.0.0");
  EXPECT_EQ(json["port"], 4222);
  EXPECT_EQ(json["headers"], true);
  EXPECT_EQ(json["max_payload"], 1048576);
  EXPECT_EQ(json["client_id"], 18446744073709551615u);
  EXPECT_EQ(json["client_ip"], "10.0.0.1");
}

TEST(Info, CP_2_NameDefaultsToTheId) {
  ServerInfo server = info();
  server.server_name.clear();
  EXPECT_EQ(parsed(InfoTemplate(server).line(1, "::1"))["server_name"], server.server_id);
}

TEST(Info, CP_3_KeysThatAreLeftOutWhenEmpty) {
  const auto json = parsed(InfoTemplate(info()).line(1, "::1"));
  for (const char* key : {"auth_required", "ldm", "connect_urls", "tls_required", "nonce", "cluster"})
    EXPECT_FALSE(json.contains(key)) << key;
  ServerInfo server = info();
  server.auth_required = true;
  const auto full = parsed(InfoTemplate(server).line(1, "::1"));
  EXPECT_EQ(full["auth_required"], true);
}

TEST(Info, CP_8_TextIsEscaped) {
  ServerInfo server = info();
  server.server_name = "a\"b\\\r\n\xff";
  const std::string line = InfoTemplate(server).line(1, "fe80::1%\"eth0");
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_EQ(parsed(line)["server_name"], "a\"b\\\r\n\xef\xbf\xbd");
  EXPECT_EQ(parsed(line)["client_ip"], "fe80::1%\"eth0");
}

TEST(Info, CP_2_ServerIdIsAPublicServerNkey) {
  const std::string id = make_server_id();
  EXPECT_EQ(id.size(), 56u);
  EXPECT_EQ(id[0], 'N');
  EXPECT_EQ(id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), std::string::npos);
  EXPECT_NE(id, make_server_id());
}

}  // namespace nuncio
