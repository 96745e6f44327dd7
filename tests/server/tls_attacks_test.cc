// Attacks on TLS: plain text where it does not belong, handshakes that never end, records that are no
// records, certificates that must not be believed. Always: refused, nothing executed, others served.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <functional>

#include "tls_server.h"

namespace nuncio::test {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

class TlsAttacks : public TlsTest {
 protected:
  // A subscriber to everything: hears what an attack achieved.
  Client start_watched(std::string_view more = "", std::string_view config = "") {
    start_tls(more, config, {"-DV"});
    return watcher(tls_connected());
  }
  static Client watcher(Client one) {
    one.send("SUB > 1\r\n");
    one.ping();
    return one;
  }
  // Lines of the log about this client that hold the text.
  size_t lines_about(const Client& one, std::string_view text) {
    const std::vector<std::string> lines = server().log_lines(one.address() + " - ");
    return static_cast<size_t>(std::ranges::count_if(
        lines, [&](const std::string& line) { return line.find(text) != std::string::npos; }));
  }
  static TlsSettings version(std::string_view text) {
    TlsSettings settings;
    settings.version_max = text;
    return settings;
  }
};
NUNCIO_ON_EVERY_BACKEND(TlsAttacks);

constexpr std::string_view injected = "CONNECT {\"verbose\":false}\r\nPUB injected 1\r\nx\r\nPING\r\n";

// The reference ends such connections without a word; ours may say so in clear.
void expect_no_answer(const std::string& text) {
  EXPECT_THAT(text, Not(HasSubstr("PONG")));
  EXPECT_THAT(text, Not(HasSubstr("+OK")));
}

TEST_P(TlsAttacks, AT_43_PlainTextToATlsPortIsNotExecuted) {
  Client watching = start_watched();
  for (const std::string_view text :
       {injected, std::string_view("PING\r\n"), std::string_view("GET / HTTP/1.1\r\n\r\n"),
        std::string_view("\r\n\r\n\r\n\r\n\r\n")}) {
    SCOPED_TRACE(text);
    Client one = client();
    one.info();
    one.send(text);
    const std::string answer = one.wire_to_end();
    EXPECT_THAT(answer, AnyOf("", "-ERR 'Secure Connection - TLS Required'\r\n"));
  }
  watching.ping();
  EXPECT_THAT(server().log(), Not(HasSubstr("injected")));
  server().wait_for_log("TLS Handshake Failure");
}

// STARTTLS injection: what came in clear must not be taken for what comes inside.
TEST_P(TlsAttacks, AT_43_BytesBeforeTheHandshakeAreNeverExecuted) {
  Client watching = start_watched();
  for (const bool is_one_segment : {true, false}) {
    Client one = client();
    const std::string hello = one.client_hello();
    if (is_one_segment) {
      one.send_raw(std::string(injected) + hello);
    } else {
      one.send_raw(injected);
      one.send_raw(hello);
    }
    expect_no_answer(one.wire_to_end());
  }
  watching.ping();
  EXPECT_THAT(server().log(), Not(HasSubstr("injected")));
}

TEST_P(TlsAttacks, AT_43_BytesInClearAmidTheHandshakeAreNeverExecuted) {
  Client watching = start_watched();
  for (const char* text : {"1.2", "1.3"}) {
    SCOPED_TRACE(text);
    Client one = client();
    one.send_raw(one.client_hello(version(text)) + std::string(injected));
    expect_no_answer(one.wire_to_end());
    Client late = client();
    late.start_tls(version(text));
    late.send_raw(injected);
    expect_no_answer(late.wire_to_end());
  }
  watching.ping();
  EXPECT_THAT(server().log(), Not(HasSubstr("injected")));
}

// That it came, what is wrong with it and that it went, where that is asked for; nothing where it is not.
TEST_P(TlsAttacks, CP_73_AClientHelloOnAPlainPort) {
  for (const bool is_debug : {true, false}) {
    start_flags(is_debug ? std::vector<std::string>{"-D"} : std::vector<std::string>{});
    const size_t lines_before = server().log_lines("").size();
    Client one = client();
    one.send_raw(one.client_hello());
    EXPECT_EQ(one.wire_to_end(), "-ERR 'Unknown Protocol Operation'\r\n");
    if (is_debug) server().wait_for_log("Client connection closed: Protocol Violation");
    // What says something of every client would go on to do so.
    connected().ping();
    const size_t wanted = is_debug ? 3 : is_oracle() ? 1 : 0;  // the reference calls it an error of its own
    EXPECT_EQ(lines_about(one, ""), wanted);
    if (!is_debug) {
      EXPECT_EQ(server().log_lines("").size() - lines_before, wanted);
    }
  }
}

// 2.9.10 has a text for them, `Secure Connection - TLS Required`, and closes before it is sent.
TEST_P(TlsAttacks, CP_65_APlainTextClientHearsNothingBehindInfo) {
  start_tls("", "", {"-D"});
  Client plain = client();
  plain.info();
  plain.send(injected);
  EXPECT_EQ(plain.wire_to_end(), "");
  server().wait_for_log("Client connection closed: TLS Handshake Failure");
  EXPECT_EQ(lines_about(plain, "TLS handshake error: "), 1u);
  EXPECT_EQ(server().log_lines("[ERR]").size(), 1u);
}

TEST_P(TlsAttacks, CP_65_ASilentClientHearsNothingBehindInfo) {
  start_tls("timeout: 0.5", "", {"-D"});
  Client silent = client();
  silent.info();
  EXPECT_EQ(silent.wire_to_end(), "");
  server().wait_for_log("Client connection closed: TLS Handshake Failure");
  server().wait_for_log("TLS handshake timeout");
  EXPECT_EQ(lines_about(silent, "TLS handshake timeout"), 1u);
  EXPECT_EQ(server().log_lines("[ERR]").size(),
            is_oracle() ? 2u : 1u);  // there the broken-off handshake is a second error
}

std::string record(char type, std::string_view body) {
  std::string result{type, '\x03', '\x03', static_cast<char>(body.size() >> 8),
                     static_cast<char>(body.size())};
  return result + std::string(body);
}

// The handshake of a client that has smuggled something in goes on without that, or the connection ends.
void expect_unheard(Client& one) {
  if (!one.try_finish_tls().empty()) return;
  one.send("CONNECT {\"verbose\":false}\r\nPING\r\n");
  const std::optional<std::string> answer = one.line_or_end();
  if (!answer) return;
  EXPECT_EQ(*answer, "PONG");
  one.ping();
}

// Early data belongs to a session that server and client share. Of what comes without one nothing is
// executed: the handshake goes on behind it, or the connection ends.
TEST_P(TlsAttacks, AT_18_EarlyDataIsNotExecuted) {
  const std::string early(injected);
  start_tls();
  const TlsTicket of_another_server = tls_connected().tls().ticket();
  Client watching = start_watched();
  Client before = tls_connected();
  std::vector<TlsSettings> attempts{{.early_data = early}, {.early_data = early + std::string(12000, ' ')}};
  // Nobody can offer early data by a session of TLS 1.2.
  if (before.tls().version() == "TLSv1.3") {
    attempts.push_back({.ticket = of_another_server, .early_data = early});
    attempts.push_back({.ticket = before.tls().ticket(), .early_data = early});
  }
  for (const TlsSettings& settings : attempts) {
    Client one = client();
    one.send_raw(one.client_hello(settings));
    expect_unheard(one);
  }
  watching.ping();
  before.ping();
  tls_connected().ping();
  EXPECT_THAT(server().log(), Not(HasSubstr("injected")));
}

// The same without any key: records of what looks like data, in clear, while the handshake is under way.
TEST_P(TlsAttacks, AT_18_DataAmidTheHandshakeIsNotExecuted) {
  Client watching = start_watched();
  for (const char* text : {"1.2", "1.3"}) {
    SCOPED_TRACE(text);
    Client one = client();
    one.send_raw(one.client_hello(version(text)) + record('\x17', injected));
    expect_unheard(one);
  }
  watching.ping();
  EXPECT_THAT(server().log(), Not(HasSubstr("injected")));
}

// 16 MB by its own word: refused long before they have come.
TEST_P(TlsAttacks, AT_18_AnEndlessClientHelloIsRefused) {
  start_tls("timeout: 15");
  Client one = client();
  one.info();
  const std::string filler(16384, 'A');
  one.send_raw(record('\x16', "\x01\xff\xff\xff" + filler.substr(4)));
  for (int i = 0; i < 1000; ++i) one.send_some(record('\x16', filler));
  one.wire_to_end();
  tls_connected().ping();
}

TEST_P(TlsAttacks, AT_18_RenegotiationIsNotServed) {
  Client watching = start_watched();
  Client one = tls_connected(Json::object(), version("1.2"));
  one.renegotiate();
  one.send("PUB a 1\r\nx\r\n");
  one.read_to_end();
  EXPECT_NE(one.tls().problem(), "");
  EXPECT_THAT(watching.until_pong(), AnyOf("", "MSG a 1 1\r\nx\r\n"));
}

struct Damage {
  const char* name;
  std::function<std::string(const std::string&)> apply;  // to the record of a PUB
};

const std::vector<Damage> damages{
    {"a bit of the payload turned",
     [](std::string out) {
       out[out.size() - 20] ^= 1;
       return out;
     }},
    {"a bit of the tag turned",
     [](std::string out) {
       out.back() ^= 1;
       return out;
     }},
    {"a bit of the length turned",
     [](std::string out) {
       out[4] ^= 1;
       return out + std::string(64, 'x');
     }},
    {"another type",
     [](std::string out) {
       out[0] = '\x16';
       return out;
     }},
    {"an unknown type",
     [](std::string out) {
       out[0] = '\x63';
       return out;
     }},
    {"an unknown version",
     [](std::string out) {
       out[1] = '\x09';
       return out;
     }},
    {"cut short", [](const std::string& out) { return out.substr(0, out.size() - 3); }},
    {"too long", [](const std::string&) { return record('\x17', std::string(0x7fff, 'x')); }},
    {"empty", [](const std::string&) { return record('\x17', ""); }},
    {"an alert in clear", [](const std::string&) { return record('\x15', "\x02\x28"); }},
    {"a ClientHello in clear",
     [](const std::string&) { return record('\x16', std::string("\x01\0\0\x01x", 5)); }},
    {"nonsense", [](const std::string&) { return std::string(200, '\x99'); }},
};

TEST_P(TlsAttacks, AT_18_DamagedRecordsEndTheConnectionUnheard) {
  Client watching = start_watched();
  for (const char* text : {"1.2", "1.3"}) {
    for (const Damage& damage : damages) {
      SCOPED_TRACE(fmt::format("{}, {}", text, damage.name));
      Client one = tls_connected(Json::object(), version(text));
      one.send_raw(damage.apply(one.sealed("PUB damaged 20\r\nxxxxxxxxxxxxxxxxxxxx\r\n")));
      one.shutdown_send();
      expect_no_answer(one.read_to_end());
    }
  }
  watching.ping();
  EXPECT_THAT(server().log(), Not(HasSubstr("damaged")));
}

TEST_P(TlsAttacks, AT_18_ARecordCountsOnce) {
  Client watching = start_watched();
  for (const char* text : {"1.2", "1.3"}) {
    Client one = tls_connected(Json::object(), version(text));
    const std::string out = one.sealed("PUB replayed 1\r\nx\r\n");
    one.send_raw(out + out);
    one.read_to_end();
    watching.expect("MSG replayed 1 1\r\nx\r\n");
    watching.ping();
  }
}

// What is before the damage counts, and the end is told.
TEST_P(TlsAttacks, AT_18_TheServerSaysWhyInAnAlert) {
  Client watching = start_watched();
  Client one = tls_connected(Json::object(), version("1.2"));
  const std::string good = one.sealed("PUB good 1\r\nx\r\n");
  std::string bad = one.sealed("PUB bad 1\r\nx\r\n");
  bad.back() ^= 1;
  one.send_raw(good + bad);
  one.read_to_end();
  EXPECT_EQ(one.tls().alert(), "bad record mac");
  watching.expect("MSG good 1 1\r\nx\r\n");
  watching.ping();
}

// Answers that wait behind a full socket when a damaged record comes: none of them goes out in clear, and the
// server goes on.
TEST_P(TlsAttacks, AT_18_DamageWhileAnswersWait) {
  start_tls("", "write_deadline: \"30s\"\n");
  Client other = tls_connected();
  for (int round = 0; round < 3; ++round) {
    Client one(server().port(), 4096);
    one.start_tls(version("1.2"));
    one.connect_ok();
    const std::string payload(500000, 'y');
    one.send("SUB waiting 1\r\n");
    for (int i = 0; i < 10; ++i) one.send(fmt::format("PUB waiting {}\r\n{}\r\n", payload.size(), payload));
    std::string bad = one.sealed("PING\r\n");
    bad.back() ^= 1;
    one.send_raw(bad);
    other.ping();
    const std::string wire = one.wire_to_end();
    for (const char* clear : {"MSG waiting", "yyyyyyyy"}) EXPECT_EQ(wire.find(clear), std::string::npos);
    other.ping();
  }
}

// CONNECT right behind the client's last flight, before the server can have judged.
TEST_P(TlsAttacks, AT_42_NothingBehindARefusedHandshakeIsLookedAt) {
  start_tls("verify: true", "", {"-DV"});
  for (const bool has_certificate : {true, false}) {
    TlsSettings settings = version("1.3");
    if (has_certificate) settings.certificate = self_signed({.subject = "/CN=refused"});
    Client one = client();
    one.send_raw(one.client_hello(settings));
    one.try_finish_tls(injected);
    one.read_to_end();
  }
  EXPECT_THAT(server().log(), Not(HasSubstr("injected")));
  EXPECT_THAT(server().log(), Not(HasSubstr("<<- [CONNECT")));
}

TEST_P(TlsAttacks, AT_18_MessagesPassWhileOthersShakeHands) {
  start_tls("", "allow_non_tls: true\n");
  Client reader = connected();
  reader.send("SUB a 1\r\n");
  reader.ping();
  Client publisher = connected();
  const auto shake = [&] {
    for (int i = 0; i < 15; ++i) tls_connected().ping();
  };
  together({shake, shake, shake, [&] {
              for (int i = 0; i < 1000; ++i) {
                const std::string text = std::to_string(i);
                publisher.send(fmt::format("PUB a {}\r\n{}\r\n", text.size(), text));
                reader.expect(fmt::format("MSG a 1 {}\r\n{}\r\n", text.size(), text));
              }
            }});
}

}  // namespace
}  // namespace nuncio::test
