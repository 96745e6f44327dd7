// Messages over TLS: every size and every cut of records and segments, to and from plain clients, readers
// that are too slow.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <random>

#include "slow_reader.h"
#include "tls_server.h"

namespace nuncio::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class TlsDelivery : public TlsTest {};
NUNCIO_ON_EVERY_BACKEND(TlsDelivery);

std::string publish_text(std::string_view subject, std::string_view payload) {
  return fmt::format("PUB {} {}\r\n{}\r\n", subject, payload.size(), payload);
}
std::string message_text(std::string_view subject, std::string_view payload) {
  return fmt::format("MSG {} 1 {}\r\n{}\r\n", subject, payload.size(), payload);
}

// Bytes that do not repeat at any size of a record or block.
std::string random_text(size_t size) {
  std::mt19937 random(static_cast<unsigned>(size));
  std::string result(size, '\0');
  for (char& c : result) c = static_cast<char>(random());
  return result;
}

// Around the sizes of a record (16 KiB), of what is copied, and of what is referred to.
TEST_P(TlsDelivery, CP_40_PayloadsOfEverySizeBothWays) {
  start_tls();
  Client reader = tls_connected();
  reader.send("SUB a 1\r\n");
  reader.ping();
  Client publisher = tls_connected();
  for (const size_t size : {0, 1, 15, 16, 511, 4095, 4096, 4097, 16351, 16383, 16384, 16385, 32768, 65536,
                            100000, 1024 * 1024 - 1, 1024 * 1024}) {
    SCOPED_TRACE(size);
    const std::string payload = random_text(size);
    publisher.send(publish_text("a", payload));
    reader.expect(message_text("a", payload));
  }
  reader.ping();
}

TEST_P(TlsDelivery, CP_40_MoreThanTheMaximumIsRefused) {
  start_tls("", "max_payload: 1000\n");
  Client one = tls_connected();
  one.send("PUB a 1001\r\n");
  one.expect_error_and_close("Maximum Payload Violation");
}

TEST_P(TlsDelivery, CP_42_Headers) {
  start_tls();
  Client one = tls_connected();
  one.send("SUB a 1\r\nHPUB a 18 20\r\nNATS/1.0\r\nA: b\r\n\r\nhi\r\n");
  one.expect("HMSG a 1 18 20\r\nNATS/1.0\r\nA: b\r\n\r\nhi\r\n");
}

TEST_P(TlsDelivery, I_5_ManySmallMessagesInOrder) {
  start_tls();
  Client reader = tls_connected();
  reader.send("SUB a 1\r\n");
  reader.ping();
  Client publisher = tls_connected();
  const size_t count = scaled(30000);
  std::string out;
  std::string in;
  for (size_t i = 0; i < count; ++i) {
    out += publish_text("a", std::to_string(i));
    in += message_text("a", std::to_string(i));
  }
  together({[&] { publisher.send(out); }, [&] { reader.expect(in); }});
  publisher.ping();
}

// A record for each message: how clients without a buffer write.
TEST_P(TlsDelivery, I_5_ARecordForEachMessage) {
  start_tls();
  Client one = tls_connected();
  one.send("SUB a 1\r\n");
  std::string out;
  std::string in;
  for (int i = 0; i < 2000; ++i) {
    out += one.sealed(publish_text("a", std::to_string(i)));
    in += message_text("a", std::to_string(i));
  }
  one.send_raw(out);
  one.expect(in);
}

// Every operation of a client; the answer ends with the second PONG.
const std::string conversation =
    "CONNECT {\"verbose\":false,\"headers\":true}\r\nPING\r\nSUB foo.* 1\r\nPUB foo.bar "
    "11\r\nhello\r\nfoo!\r\n"
    "HPUB foo.y re 12 14\r\nNATS/1.0\r\n\r\nhi\r\nUNSUB 1\r\nPUB foo.bar 300\r\n" +
    std::string(300, 'p') + "\r\nPING\r\n";
const std::string answer =
    "PONG\r\nMSG foo.bar 1 11\r\nhello\r\nfoo!\r\nHMSG foo.y 1 re 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPONG\r\n";

TEST_P(TlsDelivery, CP_69_EveryCutIntoRecordsGivesTheSame) {
  start_tls();
  for (size_t cut = 1; cut < conversation.size(); cut += 11) {
    SCOPED_TRACE(cut);
    Client one = tls_client();
    const std::string first = one.sealed(conversation.substr(0, cut));
    one.send_raw(first + one.sealed(conversation.substr(cut)));
    one.expect(answer);
  }
}

// Sent without delay between the pieces (TCP_NODELAY): most arrive apart.
TEST_P(TlsDelivery, CP_69_EveryCutIntoSegmentsGivesTheSame) {
  start_tls();
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  for (const size_t piece_max : {1, 2, 7, 50, 300}) {
    Client one = tls_client();
    std::string out;
    for (size_t at = 0; at < conversation.size();) {
      const size_t size = 1 + random() % 200;
      out += one.sealed(conversation.substr(at, size));
      at += size;
    }
    for (size_t at = 0; at < out.size();) {
      const size_t size = 1 + random() % piece_max;
      one.send_raw(out.substr(at, size));
      at += size;
    }
    one.expect(answer);
  }
}

// The handshake in single bytes, the first bytes of the session with its last: nothing waits for a read that
// never comes.
TEST_P(TlsDelivery, CP_69_TheHandshakeInPiecesAndDataRightBehindIt) {
  start_tls();
  for (const char* version : {"1.2", "1.3"}) {
    SCOPED_TRACE(version);
    TlsSettings settings;
    settings.version_max = version;
    Client slow = client();
    for (const char byte : slow.client_hello(settings)) slow.send_raw({&byte, 1});
    slow.finish_tls();
    slow.send(conversation);
    slow.expect(answer);

    Client eager = client();
    eager.send_raw(eager.client_hello(settings));
    eager.finish_tls(conversation);
    eager.expect(answer);
  }
}

// In a resumed handshake of TLS 1.2 the client has the last word.
TEST_P(TlsDelivery, CP_69_DataRightBehindAResumedHandshake) {
  start_tls();
  for (const char* version : {"1.2", "1.3"}) {
    SCOPED_TRACE(version);
    TlsSettings settings;
    settings.version_max = version;
    settings.ticket = tls_connected(Json::object(), settings).tls().ticket();
    Client one = client();
    one.send_raw(one.client_hello(settings));
    one.finish_tls(conversation);
    EXPECT_TRUE(one.tls().is_resumed());
    one.expect(answer);
  }
}

// Clients with little memory ask for small records, and refuse others.
TEST_P(TlsDelivery, CP_40_RecordsNoLargerThanTheClientAsksFor) {
  start_tls();
  for (const size_t record_max : {512, 1024, 2048, 4096}) {
    SCOPED_TRACE(record_max);
    TlsSettings settings;
    settings.record_max = record_max;
    Client one = tls_connected(Json::object(), settings);
    one.send("SUB a 1\r\n");
    for (const size_t size : {size_t{1}, record_max - 1, record_max, record_max + 1, size_t{200000}}) {
      const std::string payload = random_text(size);
      one.send(publish_text("a", payload));
      one.expect(message_text("a", payload));
    }
  }
}

TEST_P(TlsDelivery, CP_69_NewKeysAmidTheConversation) {
  start_tls();
  Client one = tls_client();
  if (one.tls().version() != "TLSv1.3") GTEST_SKIP() << "the server's library has no TLS 1.3";
  one.send("CONNECT {\"verbose\":false}\r\nSUB a 1\r\n");
  for (const size_t size : {10, 100000, 10}) {
    one.renew_keys();
    const std::string payload = random_text(size);
    one.send(publish_text("a", payload));
    one.expect(message_text("a", payload));
  }
}

TEST_P(TlsDelivery, CF_59_BetweenTlsAndPlainClients) {
  start_tls("", "allow_non_tls: true\n");
  Client sealed = tls_connected();
  Client plain = connected();
  sealed.send("SUB a 1\r\n");
  plain.send("SUB a 1\r\n");
  sealed.ping();
  plain.ping();
  for (const size_t size : {5, 5000, 50000, 500000}) {
    const std::string payload = random_text(size);
    for (Client* publisher : {&sealed, &plain}) {
      publisher->send(publish_text("a", payload));
      sealed.expect(message_text("a", payload));
      plain.expect(message_text("a", payload));
    }
  }
}

TEST_P(TlsDelivery, CP_60_MaxPendingCutsASlowConsumer) {
  start_tls("", "max_pending: 2MB\nmax_payload: 1MB\nwrite_deadline: \"5s\"\n");
  Client stuck = stuck_reader(server().port(), [](Client& one) { one.start_tls(); });
  Client healthy = tls_connected();
  healthy.send("SUB other 1\r\n");
  healthy.ping();
  Client publisher = tls_connected();
  flood(server(), publisher,
        [&] { return server().log().find("Slow Consumer Detected") != std::string::npos; });
  server().wait_for_log("Slow Consumer Detected: MaxPending of 2097152 Exceeded");
  publisher.send("PUB other 2\r\nhi\r\n");
  healthy.expect("MSG other 1 2\r\nhi\r\n");
  EXPECT_THAT(stuck.read_to_end(), Not(HasSubstr("-ERR")));
}

TEST_P(TlsDelivery, CP_61_WriteDeadlineCutsASlowConsumer) {
  start_tls("", "write_deadline: \"300ms\"\nmax_payload: 64KB\n");
  Client stuck = stuck_reader(server().port(), [](Client& one) { one.start_tls(); });
  Client healthy = tls_connected();
  healthy.send("SUB other 1\r\n");
  healthy.ping();
  Client publisher = tls_connected();
  // Enough to fill the kernel's buffers, far below max_pending.
  const std::string message = publish_text("flood", std::string(32000, 'x'));
  for (int i = 0; i < 400; ++i) publisher.send(message);
  server().wait_for_log("Slow Consumer Detected: WriteDeadline of 300ms exceeded with ");
  publisher.send("PUB other 2\r\nhi\r\n");
  healthy.expect("MSG other 1 2\r\nhi\r\n");
  EXPECT_THAT(stuck.read_to_end(), Not(HasSubstr("-ERR")));
}

// Records that go out in parts, over and over, while the publisher is slowed down.
TEST_P(TlsDelivery, CP_62_AMerelySlowReaderLosesNothing) {
  start_tls("", "max_pending: 8MB\nmax_payload: 64KB\nwrite_deadline: \"60s\"\n");
  Client reader(server().port(), 16 * 1024);
  reader.start_tls();
  reader.connect_ok();
  reader.send("SUB a 1\r\n");
  reader.ping();
  Client publisher = tls_connected();
  const size_t messages =
      150;  // 9.6 MB, more than max_pending; many more would need a reader that always runs
  const std::string payload = random_text(64000);
  together({[&] {
              for (size_t i = 0; i < messages; ++i) publisher.send(publish_text("a", payload));
              publisher.ping();
            },
            [&] {
              for (size_t i = 0; i < messages; ++i) reader.expect(message_text("a", payload));
            }});
  reader.ping();
  EXPECT_THAT(server().log(), Not(HasSubstr("Slow Consumer")));
}

TEST_P(TlsDelivery, CP_20_AFloodOfPingsIsAnswered) {
  start_tls();
  Client one = tls_connected();
  const size_t count = scaled(50000);
  std::string pings;
  std::string pongs;
  for (size_t i = 0; i < count; ++i) {
    pings += "PING\r\n";
    pongs += "PONG\r\n";
  }
  Client other = tls_connected();
  together({[&] { one.send(pings); }, [&] { other.ping(); }});
  one.expect(pongs);
  one.ping();
}

// Clients of both kinds on every worker, all hearing all.
class TlsWorkers : public TlsTest {};
NUNCIO_ON_EVERY_BACKEND_AND_WORKERS(TlsWorkers, 1, 2, 4);

TEST_P(TlsWorkers, I_4_EveryMessageReachesEveryClientOnce) {
  start_tls("", "allow_non_tls: true\n");
  constexpr size_t clients = 8;
  const size_t messages = scaled(200);
  std::vector<Client> all;
  for (size_t i = 0; i < clients; ++i) all.push_back(i % 2 == 0 ? tls_connected() : connected());
  for (Client& one : all) {
    one.send("SUB a.* 1\r\n");
    one.ping();
  }
  std::vector<std::function<void()>> threads;
  for (size_t i = 0; i < clients; ++i) {
    threads.emplace_back([&, i] {
      std::vector<size_t> next(clients, 0);
      for (size_t sent = 0, heard = 0; heard < clients * messages;) {
        if (sent < messages) all[i].send(publish_text(fmt::format("a.{}", i), std::to_string(sent++)));
        for (size_t k = 0; k < clients && heard < clients * sent; ++k, ++heard) {
          const Message got = all[i].message();
          size_t& wanted = next.at(static_cast<size_t>(std::stoi(got.subject.substr(2))));
          if (got.payload != std::to_string(wanted++)) fail("out of order: " + got.payload, Where::current());
        }
      }
    });
  }
  together(threads);
  for (Client& one : all) one.ping();
}

}  // namespace
}  // namespace nuncio::test
