// Handshakes and records against OpenSSL, with each version and cipher that the library has.
#include "net/tls_session.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tls_client.h"
#include "tls_files.h"

namespace nuncio::net {

using test::encrypt;
using test::read_all;
using test::TlsClient;
using Handshake = TlsSession::Handshake;
using Read = TlsSession::Read;

namespace {

std::string pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return text;
}

const test::TlsFiles& server_files() {
  static const test::Authority authority;
  static const test::TlsFiles files(authority.issue({.usage = "serverAuth"}));
  return files;
}

// A connected pair.
struct Connection {
  explicit Connection(const test::TlsClientSettings& settings = {},
                      std::shared_ptr<const TlsContext> context = server_files().context())
      : session(std::move(context)), client(settings) {
    EXPECT_EQ(shake_hands(client, session), Handshake::done) << session.problem() << client.error();
  }

  TlsSession session;
  TlsClient client;
};

struct Cipher {
  const char* name;
  int version;
  const char* suite;  // for OpenSSL
};

std::vector<Cipher> ciphers() {
  std::vector<Cipher> all{
      {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"},
      {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384"},
      {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305"}};
  if (test::library_has_tls_1_3()) {
    for (const char* name :
         {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
      all.push_back({name, TLS1_3_VERSION, name});
  }
  return all;
}

}  // namespace

class TlsCipherTest : public testing::TestWithParam<Cipher> {
 protected:
  test::TlsClientSettings settings() const {
    return {.suites = GetParam().suite, .version_min = GetParam().version, .version_max = GetParam().version};
  }
};

TEST_P(TlsCipherTest, SaysWhatItIs) {
  Connection to(settings());
  EXPECT_EQ(to.session.cipher_suite(), GetParam().name);
  EXPECT_EQ(to.session.version(), GetParam().version == TLS1_3_VERSION ? "1.3" : "1.2");
  EXPECT_EQ(to.session.peer(), nullptr);
  EXPECT_FALSE(to.session.is_resumed());
  EXPECT_EQ(to.session.record_size(), TlsSession::record_max);
}

TEST_P(TlsCipherTest, DataOfEverySizeGoesBothWays) {
  Connection to(settings());
  for (const size_t size : {1u, 2u, 15u, 16u, 17u, 255u, 4096u, 16383u, 16384u, 16385u, 32768u, 100'000u}) {
    const std::string text = pattern(size);
    to.client.write(text);
    EXPECT_EQ(read_all(to.session, to.client.take_output()), text) << size;
    to.client.put_input(encrypt(to.session, text));
    EXPECT_EQ(to.client.read(), text) << size;
  }
}

TEST_P(TlsCipherTest, RecordsMayComeInAnyPieces) {
  Connection to(settings());
  for (const size_t piece : {1u, 2u, 4u, 5u, 6u, 100u, 16'000u, 16'413u, 16'414u}) {
    const std::string text = pattern(40'000);
    to.client.write(text);
    to.client.write("x");
    const std::string sent = to.client.take_output();
    std::string got;
    for (size_t at = 0; at < sent.size(); at += piece) {
      Read last{};
      got += read_all(to.session, std::string_view(sent).substr(at, piece), &last);
      ASSERT_EQ(last, Read::wants_input);
    }
    EXPECT_EQ(got, text + "x") << piece;
  }
}

TEST_P(TlsCipherTest, ReadTakesWhatFits) {
  Connection to(settings());
  const std::string text = pattern(TlsSession::record_max);
  for (int i = 0; i < 3; ++i) to.client.write(text);
  to.client.write("end");
  const std::string sent = to.client.take_output();
  std::string_view left = sent;
  std::string plain(2 * TlsSession::record_max + 10, '\0');
  auto result = to.session.read(left, plain);
  EXPECT_EQ(result.status, Read::plaintext);
  EXPECT_EQ(plain.substr(0, result.plain_size), text + text);
  // The largest record into the least room, then the last.
  plain.resize(TlsSession::record_max);
  result = to.session.read(left, plain);
  EXPECT_EQ(plain.substr(0, result.plain_size), text);
  result = to.session.read(left, plain);
  EXPECT_EQ(plain.substr(0, result.plain_size), "end");
  EXPECT_EQ(to.session.read(left, plain).status, Read::wants_input);
}

TEST_P(TlsCipherTest, ARecordAddsNoMoreThanItSays) {
  Connection to(settings());
  std::string record(TlsSession::record_max + TlsSession::record_overhead_max, '\0');
  for (const size_t size : {size_t{1}, TlsSession::record_max}) {
    const size_t written = to.session.write(pattern(size), record);
    EXPECT_GT(written, size);
    EXPECT_LE(written, size + TlsSession::record_overhead_max);
  }
}

TEST_P(TlsCipherTest, AnOrderlyEndIsTold) {
  Connection to(settings());
  to.client.write("last words");
  to.client.close();
  Read last{};
  EXPECT_EQ(read_all(to.session, to.client.take_output(), &last), "last words");
  EXPECT_EQ(last, Read::end);
  std::string record(TlsSession::record_overhead_max, '\0');
  record.resize(to.session.close(record));
  to.client.put_input(record);
  to.client.read();
  EXPECT_TRUE(to.client.is_closed());
}

TEST_P(TlsCipherTest, AT_43_ATamperedRecordEndsIt) {
  for (const size_t at : {5u, 13u, 20u, 36u}) {
    Connection to(settings());
    to.client.write("untouched");
    to.client.write("PUB a 5\r\nhello\r\n");
    to.client.write("after it");
    std::string sent = to.client.take_output();
    const size_t first = 5 + static_cast<size_t>(static_cast<uint8_t>(sent[4]));
    sent[first + at] = static_cast<char>(sent[first + at] ^ 1);
    Read last{};
    EXPECT_EQ(read_all(to.session, sent, &last), "untouched");
    EXPECT_EQ(last, Read::failed);
    EXPECT_FALSE(to.session.problem().empty());
    // It stays so, nothing is encrypted any more, and the client learns why.
    EXPECT_EQ(read_all(to.session, "", &last), "");
    EXPECT_EQ(last, Read::failed);
    std::string record(100, '\0');
    EXPECT_EQ(to.session.write("x", record), 0u);
    record.resize(to.session.close(record));
    to.client.put_input(record);
    to.client.read();
    EXPECT_NE(to.client.error().find("bad record mac"), std::string::npos) << to.client.error();
  }
}

TEST_P(TlsCipherTest, ReplayedSwappedAndMissingRecordsEndIt) {
  for (const int what : {0, 1, 2}) {
    Connection to(settings());
    to.client.write("first");
    const std::string first = to.client.take_output();
    to.client.write("second");
    const std::string second = to.client.take_output();
    Read last{};
    read_all(to.session, what == 0 ? first + first : what == 1 ? second + first : second, &last);
    EXPECT_EQ(last, Read::failed) << what;
  }
}

TEST_P(TlsCipherTest, WhatIsNoRecordEndsIt) {
  using namespace std::string_literals;
  for (const std::string& bytes : {"PUB a 5\r\nhello\r\n"s, "\x17\x03\x03\x00\x05short"s,
                                   "\x17\x03\x03\xff\xff"s, "\x17\x02\x00\x00\x20"s, "\x19\x03\x03\x00\x20"s,
                                   "\x17\x03\x03\x00\x00"s, "\x14\x03\x03\x00\x01\x01"s}) {
    Connection to(settings());
    Read last{};
    EXPECT_EQ(read_all(to.session, bytes, &last), "");
    EXPECT_EQ(last, Read::failed);
  }
}

TEST_P(TlsCipherTest, AHandshakeMayComeByteByByte) {
  TlsSession session(server_files().context());
  TlsClient client(settings());
  auto state = Handshake::wants_input;
  for (int turn = 0; turn < 5 && state == Handshake::wants_input; ++turn) {
    client.handshake();
    std::string all_answers;
    for (const char byte : client.take_output()) {
      std::string_view left(&byte, 1);
      std::string answer;
      state = session.handshake(left, answer);
      EXPECT_TRUE(left.empty());
      all_answers += answer;
    }
    client.put_input(all_answers);
  }
  EXPECT_TRUE(client.handshake());
  ASSERT_EQ(state, Handshake::done) << session.problem();
  client.write("hello");
  EXPECT_EQ(read_all(session, client.take_output()), "hello");
}

// The client's last message of the handshake and its first data, in one piece.
TEST_P(TlsCipherTest, RecordsBehindTheHandshakeAreLeft) {
  TlsSession session(server_files().context());
  TlsClient client(settings());
  client.handshake();
  std::string sent = client.take_output(), answer;
  std::string_view left = sent;
  ASSERT_EQ(session.handshake(left, answer), Handshake::wants_input) << session.problem();
  client.put_input(answer);
  client.handshake();
  if (GetParam().version == TLS1_2_VERSION) {
    // It has to see our Finished before it writes; what it will write is put behind by hand.
    sent = client.take_output() + "\x17\x03\x03";
  } else {
    client.write("CONNECT {}\r\n");
    sent = client.take_output();
  }
  left = sent;
  answer.clear();
  ASSERT_EQ(session.handshake(left, answer), Handshake::done) << session.problem();
  ASSERT_FALSE(left.empty());
  EXPECT_EQ(left[0], '\x17');
  if (GetParam().version == TLS1_3_VERSION) {
    EXPECT_EQ(read_all(session, left), "CONNECT {}\r\n");
  }
}

INSTANTIATE_TEST_SUITE_P(All, TlsCipherTest, testing::ValuesIn(ciphers()),
                         [](const auto& cipher) { return std::string(cipher.param.name); });

// Or every reload would leave the keys and lists of before in memory for as long as one client of then stays.
TEST(TlsSession, OP_37_ItsContextMayGoWhenTheHandshakeIsDone) {
  auto context = server_files().context();
  const std::weak_ptr<const TlsContext> watched = context;
  Connection to({}, std::move(context));
  EXPECT_TRUE(watched.expired());
  to.client.write("PING\r\n");
  EXPECT_EQ(read_all(to.session, to.client.take_output()), "PING\r\n");
  to.client.put_input(encrypt(to.session, "PONG\r\n"));
  EXPECT_EQ(to.client.read(), "PONG\r\n");
}

TEST(TlsSession, AT_18_AnotherHandshakeIsRefused) {
  Connection to({.version_max = TLS1_2_VERSION});
  SSL_renegotiate(to.client.ssl());
  to.client.handshake();
  Read last{};
  EXPECT_EQ(read_all(to.session, to.client.take_output(), &last), "");
  EXPECT_EQ(last, Read::failed);
  EXPECT_NE(to.session.problem().find("another handshake"), std::string::npos) << to.session.problem();
}

TEST(TlsSession, NewKeysOfTheClientAndOfOurs) {
  if (!test::library_has_tls_1_3()) GTEST_SKIP() << "no TLS 1.3";
  Connection to({.version_min = TLS1_3_VERSION});
  for (const int type : {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
    SSL_key_update(to.client.ssl(), type);
    to.client.write("under new keys");
    EXPECT_EQ(read_all(to.session, to.client.take_output()), "under new keys");
    std::string record(5 + TlsSession::record_overhead_max, '\0');
    record.resize(to.session.write("reply", record));
    to.client.put_input(record);
    EXPECT_EQ(to.client.read(), "reply");
  }
}

TEST(TlsSession, AT_18_RecordsWithoutDataAreLimited) {
  if (!test::library_has_tls_1_3()) GTEST_SKIP() << "no TLS 1.3";
  Connection to({.version_min = TLS1_3_VERSION});
  Read last{};
  for (int i = 0; i < 100; ++i) {
    SSL_key_update(to.client.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
    to.client.handshake();
    read_all(to.session, to.client.take_output(), &last);
    if (last != Read::wants_input) break;
  }
  EXPECT_EQ(last, Read::failed);
}

TEST(TlsSession, SmallerRecordsWhenTheClientAsks) {
  TlsSession session(server_files().context());
  TlsClient client({.version_max = TLS1_2_VERSION});
  SSL_set_tlsext_max_fragment_length(client.ssl(), TLSEXT_max_fragment_length_1024);
  ASSERT_EQ(shake_hands(client, session), Handshake::done);
  EXPECT_EQ(session.record_size(), 1024u);
}

TEST(TlsSession, AT_43_PlainTextIsNoHandshake) {
  TlsSession session(server_files().context());
  std::string_view text = "CONNECT {\"verbose\":false}\r\n";
  std::string answer;
  EXPECT_EQ(session.handshake(text, answer), Handshake::failed);
  EXPECT_EQ(session.problem(), "the first record does not look like a TLS handshake");
  EXPECT_EQ(session.handshake(text, answer), Handshake::failed);
}

TEST(TlsSession, OldVersionsAreRefused) {
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    TlsSession session(server_files().context());
    TlsClient client({.version_min = version, .version_max = version, .allows_weak = true});
    EXPECT_EQ(shake_hands(client, session), Handshake::failed);
    EXPECT_NE(client.error().find("protocol version"), std::string::npos) << client.error();
  }
}

TEST(TlsSession, WeakSuitesAreRefused) {
  const test::Authority authority;
  test::TlsFiles files(authority.issue({.usage = "serverAuth"}));
  files.add_pair(authority.issue({.usage = "serverAuth", .key = test::KeyKind::rsa2048}));
  const auto context = files.context();
  for (const char* suites : {"ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "AES128-GCM-SHA256",
                             "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-CCM"}) {
    TlsSession session(context);
    TlsClient client({.suites = suites, .version_max = TLS1_2_VERSION, .allows_weak = true});
    EXPECT_EQ(shake_hands(client, session), Handshake::failed) << suites;
  }
}

TEST(TlsSession, TheFastestCipherIsTaken) {
  Connection to({.suites = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305",
                 .version_max = TLS1_2_VERSION});
  EXPECT_EQ(to.session.cipher_suite(), "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
}

TEST(TlsSession, CF_58_ConfiguredSuitesAndCurvesHold) {
  const test::Authority authority;
  test::TlsFiles files(authority.issue({.usage = "serverAuth"}));
  files.options.cipher_suites = {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                                 "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"};
  files.options.curves = {"CurveP384"};
  {
    Connection to({.suites = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256",
                   .version_max = TLS1_2_VERSION},
                  files.context());
    EXPECT_EQ(to.session.cipher_suite(), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    EXPECT_EQ(SSL_get_negotiated_group(to.client.ssl()), NID_secp384r1);
  }
  for (const test::TlsClientSettings& settings :
       {test::TlsClientSettings{.suites = "ECDHE-ECDSA-CHACHA20-POLY1305", .version_max = TLS1_2_VERSION},
        test::TlsClientSettings{.curves = "P-256", .version_max = TLS1_2_VERSION}}) {
    TlsSession session(files.context());
    TlsClient client(settings);
    EXPECT_EQ(shake_hands(client, session), Handshake::failed);
  }
}

TEST(TlsSession, CF_58_OnlyVersion1_3WhenAsked) {
  if (!test::library_has_tls_1_3()) GTEST_SKIP() << "no TLS 1.3";
  const test::Authority authority;
  test::TlsFiles files(authority.issue({.usage = "serverAuth"}));
  files.options.version_min = TlsVersion::tls_1_3;
  TlsSession session(files.context());
  TlsClient client({.version_max = TLS1_2_VERSION});
  EXPECT_EQ(shake_hands(client, session), Handshake::failed);
  Connection to({}, files.context());
  EXPECT_EQ(to.session.version(), "1.3");
}

// What comes is cut short, turned around or replaced: no crash, no handshake that ends well.
TEST(TlsSession, ACorruptedHandshakeFails) {
  const auto context = server_files().context();
  TlsClient model;
  model.handshake();
  const std::string hello = model.take_output();
  for (size_t at = 0; at < hello.size(); ++at) {
    std::string bytes = hello;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
    TlsSession session(context);
    std::string_view left = bytes;
    std::string answer;
    EXPECT_NE(session.handshake(left, answer), Handshake::done);
  }
}

TEST(TlsSession, SessionsOfOneContextOnSeveralThreads) {
  const test::Authority authority;
  for (const auto key : {test::KeyKind::p256, test::KeyKind::rsa2048}) {
    test::TlsFiles files(authority.issue({.usage = "serverAuth", .key = key}));
    files.verify_by(authority.pem());
    const auto context = files.context();
    const auto identity = authority.issue();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 5; ++k) {
          Connection first({.identity = &identity}, context);
          ASSERT_NE(first.session.peer(), nullptr);
          first.client.write(pattern(50'000));
          EXPECT_EQ(read_all(first.session, first.client.take_output()).size(), 50'000u);
          Connection second({.identity = &identity, .session = first.client.session()}, context);
          EXPECT_TRUE(second.session.is_resumed());
        }
      });
    }
    for (auto& thread : threads) thread.join();
  }
}

}  // namespace nuncio::net
