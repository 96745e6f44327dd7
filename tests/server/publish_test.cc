// PUB and HPUB: section 5 of the client protocol.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "harness.h"

namespace nuncio::test {
namespace {

class ClientPublish : public ServerTest {};
NUNCIO_ON_EVERY_BACKEND(ClientPublish);

constexpr std::string_view unknown = "Unknown Protocol Operation";

TEST_P(ClientPublish, CP_37_PayloadOfEverySizeEndsInCrlf) {
  start();
  Client one = connected();
  one.send("SUB a 1\r\n");
  for (const size_t size :
       {0u, 1u, 2u, 63u, 64u, 1000u, 4095u, 4096u, 4097u, 65535u, 65536u, 300000u, 1048576u}) {
    const std::string payload(size, static_cast<char>('a' + size % 26));
    one.send(fmt::format("PUB a {}\r\n{}\r\n", size, payload));
    one.expect(fmt::format("MSG a 1 {}\r\n{}\r\n", size, payload));
  }
}

TEST_P(ClientPublish, CP_37_PayloadMayHoldAnyByte) {
  start();
  Client one = connected();
  std::string payload;
  for (int i = 0; i < 256; ++i) payload += static_cast<char>(i);
  payload += "\r\nPUB a 0\r\n\r\n";
  one.send(fmt::format("SUB a 1\r\nPUB a r {}\r\n{}\r\n", payload.size(), payload));
  one.expect(fmt::format("MSG a 1 r {}\r\n{}\r\n", payload.size(), payload));
  one.ping();
}

TEST_P(ClientPublish, CP_37_WrongPayloadEndIsUnknownOperation) {
  start();
  for (const char* text : {"PUB a 2\r\nxy\n", "PUB a 2\r\nxyz\r\n", "PUB a 2\r\nxy\rz", "PUB a 0\r\nx\r\n",
                           "HPUB a 0 2\r\nxyz\r\n"}) {
    SCOPED_TRACE(text);
    Client other = connected();
    other.send("SUB a 1\r\n");
    other.ping();
    Client one = connected();
    one.send(text);
    // Some need the line that comes next to be seen as wrong.
    one.send("PING\r\n");
    one.expect_error_and_close(unknown);
    other.ping();  // the message was not delivered
  }
}

TEST_P(ClientPublish, CP_38_WrongArgumentsClose) {
  start();
  for (const char* text : {"PUB a\r\n", "PUB a b 1 2\r\n", "PUB a -1\r\n", "PUB a +1\r\n", "PUB a x\r\n",
                           "PUB a 1234567890\r\n", "PUB a 0x1\r\n", "PUB a 1.0\r\n", "PUB  \r\n"}) {
    SCOPED_TRACE(text);
    Client one = connected();
    one.send(text);
    one.expect_closed();
  }
  connected();
}

TEST_P(ClientPublish, CP_39_PayloadAboveTheMaximumClosesAtOnce) {
  start_config("max_payload: 100\n");
  Client one = connected();
  one.send("SUB a 1\r\nPUB a 100\r\n" + std::string(100, 'x') + "\r\n");
  one.expect("MSG a 1 100\r\n" + std::string(100, 'x') + "\r\n");
  one.send("PUB a 101\r\n");  // without the payload
  one.expect_error_and_close("Maximum Payload Violation");

  Client two = connected();
  two.send("HPUB a 12 101\r\n");
  two.expect_error_and_close("Maximum Payload Violation");

  Client three = connected();
  three.send("PUB a 999999999\r\n");
  three.expect_error_and_close("Maximum Payload Violation");
}

TEST_P(ClientPublish, CP_40_WildcardsInAPublishSubjectAreLiteral) {
  start();
  Client one = connected();
  one.send("SUB foo.bar 1\r\nSUB foo.* 2\r\nPUB foo.* 0\r\n\r\n");
  one.expect("MSG foo.* 2 0\r\n\r\n");
  one.ping();
}

TEST_P(ClientPublish, CP_40_EmptyTokensReachNobody) {
  start();
  Client one = connected();
  one.send("SUB > 1\r\n");
  for (const char* subject : {".foo", "foo.", "a..b", ".", ".."}) {
    one.send(fmt::format("PUB {} 0\r\n\r\n", subject));
    EXPECT_EQ(one.until_pong(), "") << subject;
  }
}

TEST_P(ClientPublish, CP_41_PedanticNamesInvalidSubjectsAndStillPublishes) {
  start();
  Client listener = connected();
  listener.send("SUB foo.* 1\r\n");
  listener.ping();
  Client one = connected({{"pedantic", true}});
  for (const char* subject : {"foo.*", ">", ".foo", "a..b", "foo."}) {
    SCOPED_TRACE(subject);
    one.send(fmt::format("PUB {} 0\r\n\r\n", subject));
    one.expect("-ERR 'Invalid Publish Subject'\r\n");
    one.ping();
  }
  listener.expect("MSG foo.* 1 0\r\n\r\n");
  listener.ping();
}

TEST_P(ClientPublish, CP_42_HeadersAreDelivered) {
  start();
  Client one = connected({{"headers", true}});
  one.send("SUB a 1\r\nHPUB a 17 19\r\nNATS/1.0\r\nA:b\r\n\r\nhi\r\nHPUB a r 12 12\r\nNATS/1.0\r\n\r\n\r\n");
  one.expect("HMSG a 1 17 19\r\nNATS/1.0\r\nA:b\r\n\r\nhi\r\nHMSG a 1 r 12 12\r\nNATS/1.0\r\n\r\n\r\n");
}

TEST_P(ClientPublish, CP_42_HpubWithoutHeadersInConnectCloses) {
  start();
  Client one = connected({{"headers", false}});
  one.send("HPUB a 12 12\r\nNATS/1.0\r\n\r\n\r\n");
  one.expect_closed();
}

TEST_P(ClientPublish, CP_42_NoHeaderSupportIsSaidInInfo) {
  start_config("no_header_support: true\n");
  Client one = client();
  EXPECT_FALSE(one.info().value("headers", false));
}

TEST_P(ClientPublish, CP_43_WrongHeaderSizesClose) {
  start();
  for (const char* text : {"HPUB a 13 12\r\n", "HPUB a 12\r\n", "HPUB a b c 1 2\r\n", "HPUB a x 12\r\n",
                           "HPUB a 12 x\r\n", "HPUB a -1 12\r\n", "HPUB a 1 -1\r\n", "HPUB a\r\n"}) {
    SCOPED_TRACE(text);
    Client one = connected();
    one.send(text);
    one.expect_closed();
  }
}

TEST_P(ClientPublish, CP_43_HeaderSizeZeroIsAPlainMessage) {
  start();
  Client one = connected();
  one.send("SUB a 1\r\nHPUB a 0 2\r\nhi\r\n");
  one.expect("MSG a 1 2\r\nhi\r\n");
}

TEST_P(ClientPublish, CP_44_HeaderBlockIsNotChecked) {
  start();
  Client one = connected();
  using std::string_view_literals::operator""sv;  // keeps the NUL
  one.send("SUB a 1\r\nHPUB a 5 7\r\n\0\xff\r\nxhi\r\n"sv);
  one.expect("HMSG a 1 5 7\r\n\0\xff\r\nxhi\r\n"sv);
}

TEST_P(ClientPublish, CP_45_ReservedRepliesAreRefused) {
  start();
  Client listener = connected();
  listener.send("SUB > 1\r\n");
  listener.ping();
  Client one = connected();
  for (const char* reply : {"_R_.x", "$JS.ACK.x", "_GR_.x"}) {
    SCOPED_TRACE(reply);
    one.send(fmt::format("PUB a {} 0\r\n\r\n", reply));
    one.expect(fmt::format("-ERR 'Permissions Violation for Publish with Reply of \"{}\"'\r\n", reply));
    one.ping();
  }
  listener.ping();
  for (const char* reply : {"$GNR.x", "_R_x", "_INBOX.x"}) {
    one.send(fmt::format("PUB a {} 0\r\n\r\n", reply));
    one.ping();
    listener.expect(fmt::format("MSG a 1 {} 0\r\n\r\n", reply));
  }
  one.send("PUB _R_.x 0\r\n\r\n");
  one.ping();
  listener.expect("MSG _R_.x 1 0\r\n\r\n");
}

TEST_P(ClientPublish, CP_46_PublishToGatewayRepliesIsRefused) {
  start();
  Client one = connected();
  one.send("SUB > 1\r\nPUB _GR_.x.y.z 0\r\n\r\n");
  one.expect("-ERR 'Permissions Violation for Publish to \"_GR_.x.y.z\"'\r\n");
  one.ping();
}

TEST_P(ClientPublish, CP_47_OkComesBeforeTheOwnMessage) {
  start();
  Client one = connected({{"verbose", true}});
  one.send("SUB a 1\r\nPUB a 2\r\nhi\r\nHPUB a 12 12\r\nNATS/1.0\r\n\r\n\r\nUNSUB 1\r\n");
  one.expect("+OK\r\n+OK\r\nMSG a 1 2\r\nhi\r\n+OK\r\nHMSG a 1 12 12\r\nNATS/1.0\r\n\r\n\r\n+OK\r\n");
}

}  // namespace
}  // namespace nuncio::test
