// INFO and CONNECT: sections 1 and 2 of the client protocol.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

#include "harness.h"

namespace nuncio::test {
namespace {

class ClientConnect : public ServerTest {};
NUNCIO_ON_EVERY_BACKEND(ClientConnect);

TEST_P(ClientConnect, CP_1_InfoComesFirstAsOneLineOfJson) {
  start();
  Client one = client();
  EXPECT_TRUE(one.info().is_object());  // form and closing blank are checked by the client
}

// As 2.9 to 2.11; later ones of the reference send a second INFO here.
TEST_P(ClientConnect, CP_7_NothingButThePongFollowsTheFirstPing) {
  start();
  Client one = client();
  one.send("CONNECT {\"verbose\":false,\"protocol\":1}\r\nPING\r\nPING\r\n");
  one.expect("PONG\r\nPONG\r\n");
  one.ping();
}

TEST_P(ClientConnect, CP_2_InfoHoldsWhatIsAlwaysThere) {
  start();
  Client one = client();
  const Json info = one.info();
  EXPECT_THAT(info["server_id"].get<std::string>(), testing::MatchesRegex("N[A-Z2-7]+"));
  EXPECT_EQ(info["server_id"].get<std::string>().size(), 56u);
  EXPECT_EQ(info["server_name"], info["server_id"]);
  EXPECT_THAT(info["version"].get<std::string>(), testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+.*"));
  EXPECT_EQ(info["proto"], 1);
  EXPECT_TRUE(info["go"].is_string());
  EXPECT_EQ(info["host"], "127.0.0.1");
  EXPECT_EQ(info["port"], server().port());
  EXPECT_EQ(info["headers"], true);
  EXPECT_EQ(info["max_payload"], 1024 * 1024);
  EXPECT_TRUE(info["client_id"].is_number_unsigned());
  EXPECT_LT(info["client_id"].get<uint64_t>(), 100u);
  EXPECT_EQ(info["client_ip"], "127.0.0.1");
}

TEST_P(ClientConnect, CP_2_ServerNameAndMaxPayloadFromTheConfiguration) {
  start_config("server_name: anton\nmax_payload: 1234\n");
  Client one = client();
  EXPECT_EQ(one.info()["server_name"], "anton");
  EXPECT_EQ(one.info()["max_payload"], 1234);
}

TEST_P(ClientConnect, CP_2_TheAdvertisedAddressIsTold) {
  start_flags({"--client_advertise", "nuncio.example:4321"});
  EXPECT_EQ(client().info()["host"], "nuncio.example");
  EXPECT_EQ(client().info()["port"], 4321);
  start_config("client_advertise: nuncio.example\n");
  EXPECT_EQ(client().info()["host"], "nuncio.example");
  EXPECT_EQ(client().info()["port"], server().port());
  start_config("client_advertise: \"[fe80::1]:4321\"\n");
  EXPECT_EQ(client().info()["host"], "fe80::1");
  EXPECT_EQ(client().info()["port"], 4321);
}

TEST_P(ClientConnect, CP_2_ClientIdsAreUniqueAndServerIdsNewAtEachStart) {
  start();
  std::set<uint64_t> ids;
  std::vector<Client> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(client());
    ids.insert(clients.back().info()["client_id"].get<uint64_t>());
  }
  EXPECT_EQ(ids.size(), 50u);
  const std::string first = clients[0].info()["server_id"];
  clients.clear();
  start();
  EXPECT_NE(client().info()["server_id"], first);
}

TEST_P(ClientConnect, CP_3_OptionalKeysAreAbsentWhenNotTrue) {
  start();
  Client one = client();
  for (const char* key : {"auth_required", "tls_required", "tls_verify", "tls_available", "nonce", "cluster",
                          "connect_urls", "ws_connect_urls", "domain", "jetstream", "ldm", "xkey"}) {
    EXPECT_FALSE(one.info().contains(key)) << key;
  }
}

TEST_P(ClientConnect, CP_4_AuthRequiredIsSaid) {
  start_flags({"--user", "a", "--pass", "b"});
  EXPECT_EQ(client().info()["auth_required"], true);
}

TEST_P(ClientConnect, CP_4_AuthRequiredIsLeftOutWithNoAuthUser) {
  start_config("authorization { users = [ {user: a, password: b} ] }\nno_auth_user: a\n");
  EXPECT_FALSE(client().info().contains("auth_required"));
}

TEST_P(ClientConnect, CP_10_BlankBeforeTheJsonMayBeMissing) {
  start();
  Client one = client();
  one.send("CONNECT{\"verbose\":true}\r\n");
  one.expect("+OK\r\n");
  one.send("PING\r\n");
  one.expect("PONG\r\n");
}

TEST_P(ClientConnect, CP_10_KeysMatchInAnyCase) {
  start_flags({"--user", "a", "--pass", "b"});
  Client one = client();
  one.send("CONNECT {\"VERBOSE\":false,\"User\":\"a\",\"PASS\":\"b\"}\r\n");
  one.ping();
}

TEST_P(ClientConnect, CP_10_OfDuplicateKeysTheLastWins) {
  start_flags({"--user", "a", "--pass", "b"});
  Client one = client();
  one.send("CONNECT {\"verbose\":true,\"verbose\":false,\"user\":\"x\",\"user\":\"a\",\"pass\":\"b\"}\r\n");
  one.ping();
}

TEST_P(ClientConnect, CP_10_UnknownKeysAreIgnored) {
  start();
  connected({{"something", Json{{"deep", {1, 2, 3}}}}, {"ssl", nullptr}});
}

TEST_P(ClientConnect, CP_11_MissingKeysMeanVerboseAndPedantic) {
  start();
  for (const char* text : {"{}", "null"}) {
    Client one = client();
    one.send(fmt::format("CONNECT {}\r\n", text));
    one.expect("+OK\r\n");
    one.send("PUB foo.* 0\r\n\r\n");  // +OK or not, a pedantic client hears about the wildcard
    const std::string answer = one.until_pong();
    EXPECT_THAT(answer, testing::HasSubstr("-ERR 'Invalid Publish Subject'\r\n")) << text;
  }
}

TEST_P(ClientConnect, CP_11_EchoIsOnByDefault) {
  start();
  Client one = client();
  one.send("CONNECT {\"verbose\":false}\r\nSUB a 1\r\nPUB a 0\r\n\r\n");
  one.expect("MSG a 1 0\r\n\r\n");
}

TEST_P(ClientConnect, CP_12_SuccessIsSilentOrOkWhenVerbose) {
  start();
  connected({{"verbose", false}});
  connected({{"verbose", true}});
}

TEST_P(ClientConnect, CP_13_UnusableJsonClosesWithoutAWord) {
  start();
  for (const char* text :
       {"CONNECT {\r\n", "CONNECT \r\n", "CONNECT\r\n", "CONNECT []\r\n", "CONNECT 5\r\n",
        "CONNECT \"x\"\r\n", "CONNECT {\"verbose\":\"yes\"}\r\n", "CONNECT {\"verbose\":1}\r\n",
        "CONNECT {\"user\":1}\r\n", "CONNECT {\"protocol\":\"1\"}\r\n", "CONNECT {\"name\":{}}\r\n",
        "CONNECT {} x\r\n", "CONNECT {\"verbose\":true,}\r\n"}) {
    SCOPED_TRACE(text);
    Client one = client();
    one.send(text);
    one.expect_closed();
  }
  connected();
}

TEST_P(ClientConnect, CP_14_ProtocolOtherThan0Or1) {
  start();
  for (const int protocol : {2, -1, 100}) {
    Client one = client();
    one.send(fmt::format("CONNECT {{\"verbose\":false,\"protocol\":{}}}\r\nPING\r\n", protocol));
    one.expect_error_and_close("invalid client protocol");
  }
  connected({{"protocol", 0}});
}

TEST_P(ClientConnect, CP_15_NoRespondersNeedsHeaders) {
  start();
  Client one = client();
  one.send("CONNECT {\"verbose\":false,\"no_responders\":true}\r\n");
  one.expect_error_and_close("no responders requires headers support");
  connected({{"no_responders", true}, {"headers", true}});
}

TEST_P(ClientConnect, CP_16_AccountIsRefused) {
  start();
  client().connect_refused({{"account", "ACC"}});
  client().connect_refused({{"new_account", true}, {"account", "ACC"}});
}

TEST_P(ClientConnect, CP_17_SecondConnectIsMergedIntoTheFirst) {
  start_flags({"--user", "a", "--pass", "b"});
  Client one = connected({{"user", "a"}, {"pass", "b"}});
  one.send("CONNECT {}\r\n");
  one.ping();  // verbose stayed off, the credentials stayed too
  one.send("CONNECT {\"user\":\"c\"}\r\n");
  one.expect_error_and_close("Authorization Violation");
}

TEST_P(ClientConnect, CP_17_SecondConnectChangesOptions) {
  start();
  Client one = connected();
  one.send("CONNECT {\"verbose\":true}\r\n");
  one.expect("+OK\r\n");
  one.send("SUB a 1\r\n");
  one.expect("+OK\r\n");
}

TEST_P(ClientConnect, CP_18_WithoutAuthenticationNoConnectIsNeeded) {
  start();
  Client one = client();
  one.send("SUB a 1\r\nPUB a 2\r\nhi\r\n");
  one.expect("+OK\r\n+OK\r\nMSG a 1 2\r\nhi\r\n");
  one.send("PUB a.* 0\r\n\r\n");  // the defaults: pedantic too
  EXPECT_THAT(one.until_pong(), testing::HasSubstr("-ERR 'Invalid Publish Subject'\r\n"));
}

TEST_P(ClientConnect, CP_18_WithAuthenticationOnlyConnectMayComeFirst) {
  start_flags({"--user", "a", "--pass", "b"});
  for (const char* text :
       {"PING\r\n", "SUB a 1\r\n", "PUB a 0\r\n\r\n", "xyz\r\n", "\r\n", " CONNECT {}\r\n"}) {
    SCOPED_TRACE(text);
    Client one = client();
    one.send(text);
    one.expect_error_and_close("Authorization Violation");
  }
  Client lower = client();
  lower.send("connect {\"verbose\":false,\"user\":\"a\",\"pass\":\"b\"}\r\n");
  lower.ping();
}

TEST_P(ClientConnect, CP_18_NoAuthUserLetsInWithoutConnect) {
  start_config("authorization { users = [ {user: a, password: b} ] }\nno_auth_user: a\n");
  Client one = client();
  one.send("SUB a 1\r\n");
  one.expect("+OK\r\n");
}

TEST_P(ClientConnect, CP_76_TlsRequiredInConnectIsInformational) {
  start();
  connected({{"tls_required", true}});
}

}  // namespace
}  // namespace nuncio::test
