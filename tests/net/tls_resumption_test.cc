// Sessions that are taken up again by their tickets.
#include <gtest/gtest.h>

#include "net/tls_session.h"
#include "net/tls_tickets.h"
#include "tls_client.h"
#include "tls_files.h"

namespace nuncio::net {

using test::Authority;
using test::read_all;
using test::TlsClient;
using Handshake = TlsSession::Handshake;

namespace {

std::vector<int> versions() {
  return test::library_has_tls_1_3() ? std::vector{TLS1_2_VERSION, TLS1_3_VERSION}
                                     : std::vector{TLS1_2_VERSION};
}

}  // namespace

class TlsResumption : public testing::TestWithParam<int> {
 protected:
  TlsResumption() : files_(authority_.issue({.usage = "serverAuth"})) {}

  test::TlsClientSettings settings(SSL_SESSION* session = nullptr,
                                   const test::Identity* identity = nullptr) const {
    return {.identity = identity, .version_min = GetParam(), .version_max = GetParam(), .session = session};
  }

  const Authority authority_;
  test::TlsFiles files_;
};

INSTANTIATE_TEST_SUITE_P(Versions, TlsResumption, testing::ValuesIn(versions()), [](const auto& version) {
  return version.param == TLS1_3_VERSION ? "Tls1_3" : "Tls1_2";
});

TEST_P(TlsResumption, ATicketIsTaken) {
  const auto context = files_.context();
  TlsSession first(context);
  TlsClient client(settings());
  ASSERT_EQ(shake_hands(client, first), Handshake::done);
  EXPECT_FALSE(first.is_resumed());
  ASSERT_NE(client.session(), nullptr);

  TlsSession second(context);
  TlsClient again(settings(client.session()));
  ASSERT_EQ(shake_hands(again, second), Handshake::done) << second.problem() << again.error();
  EXPECT_TRUE(second.is_resumed());
  EXPECT_TRUE(SSL_session_reused(again.ssl()));
  EXPECT_EQ(second.cipher_suite(), first.cipher_suite());
  again.write("PING\r\n");
  EXPECT_EQ(read_all(second, again.take_output()), "PING\r\n");
  again.put_input(test::encrypt(second, "PONG\r\n"));
  EXPECT_EQ(again.read(), "PONG\r\n");
}

TEST_P(TlsResumption, AU_38_ThePeerIsKnownAgain) {
  files_.verify_by(authority_.pem());
  const auto context = files_.context();
  const auto identity = authority_.issue({.subject = {{.type = "CN", .value = "joe"}},
                                          .names = {{test::AlternativeName::email, "joe@example.com"}}});
  TlsClient client(settings(nullptr, &identity));
  SSL_SESSION* known = nullptr;
  {
    TlsSession session(context);
    ASSERT_EQ(shake_hands(client, session), Handshake::done) << session.problem();
    known = client.session();
  }
  // Also by a ticket that was given with a ticket.
  std::vector<std::unique_ptr<TlsClient>> clients;
  for (int i = 0; i < 3; ++i) {
    TlsSession session(context);
    clients.push_back(std::make_unique<TlsClient>(settings(known)));
    ASSERT_EQ(shake_hands(*clients.back(), session), Handshake::done) << session.problem();
    EXPECT_TRUE(session.is_resumed());
    ASSERT_NE(session.peer(), nullptr);
    EXPECT_EQ(session.peer()->emails, std::vector<std::string>{"joe@example.com"});
    EXPECT_EQ(session.peer()->key_digest, identity.key_digest());
    known = clients.back()->session();
    ASSERT_NE(known, nullptr);
  }
}

// What was trusted when the ticket was made may not be any more.
TEST_P(TlsResumption, AT_42_ATicketOfAnotherContextIsNot) {
  TlsClient client(settings());
  TlsSession first(files_.context());
  ASSERT_EQ(shake_hands(client, first), Handshake::done);
  TlsSession same(files_.context());
  TlsClient again(settings(client.session()));
  EXPECT_EQ(shake_hands(again, same), Handshake::done) << same.problem();
  EXPECT_FALSE(same.is_resumed());

  files_.verify_by(authority_.pem());
  TlsSession second(files_.context());
  TlsClient sly(settings(client.session()));
  EXPECT_EQ(shake_hands(sly, second), Handshake::failed);
}

TEST_P(TlsResumption, AT_42_ATicketLivesNoLongerThanTheCertificate) {
  files_.verify_by(authority_.pem());
  const auto context = files_.context();
  const auto identity = authority_.issue({.valid_to_s = 600});
  TlsSession session(context);
  TlsClient client(settings(nullptr, &identity));
  ASSERT_EQ(shake_hands(client, session), Handshake::done) << session.problem();
  const auto lifetime_s = SSL_SESSION_get_ticket_lifetime_hint(client.session());
  EXPECT_GT(lifetime_s, 0u);
  EXPECT_LE(lifetime_s, 600u);
}

// Whoever comes without a ticket is refused then. Nor does a ticket that was given with a ticket.
TEST_P(TlsResumption, AT_42_ATicketLivesNoLongerThanTheRevocationList) {
  files_.verify_by(authority_.pem());
  files_.revoke(authority_.revoke({}, 600));
  const auto context = files_.context();
  const auto identity = authority_.issue();
  SSL_SESSION* known = nullptr;
  std::vector<std::unique_ptr<TlsClient>> clients;
  for (int i = 0; i < 3; ++i) {
    TlsSession session(context);
    clients.push_back(std::make_unique<TlsClient>(settings(known, &identity)));
    ASSERT_EQ(shake_hands(*clients.back(), session), Handshake::done) << session.problem();
    EXPECT_EQ(session.is_resumed(), i > 0);
    known = clients.back()->session();
    const auto lifetime_s = SSL_SESSION_get_ticket_lifetime_hint(known);
    EXPECT_GT(lifetime_s, 0u);
    EXPECT_LE(lifetime_s, 600u);
  }
}

TEST(TlsTickets, OpensWhatItSealed) {
  TlsTickets tickets;
  const auto now = std::chrono::system_clock::now();
  const auto ticket = tickets.seal("content", now);
  EXPECT_EQ(ticket.find("content"), std::string::npos);
  EXPECT_EQ(ticket.size(), 7 + TlsTickets::overhead);
  EXPECT_EQ(tickets.open(ticket, now), "content");
  EXPECT_NE(tickets.seal("content", now), ticket);
  EXPECT_EQ(TlsTickets().open(ticket, now), std::nullopt);
}

TEST(TlsTickets, RefusesWhatWasChanged) {
  TlsTickets tickets;
  const auto now = std::chrono::system_clock::now();
  const auto ticket = tickets.seal("content", now);
  for (size_t at = 0; at < ticket.size(); ++at) {
    auto changed = ticket;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_EQ(tickets.open(changed, now), std::nullopt);
    EXPECT_EQ(tickets.open(ticket.substr(0, at), now), std::nullopt);
  }
}

TEST(TlsTickets, KeysAreReplacedAndForgotten) {
  TlsTickets tickets;
  const auto now = std::chrono::system_clock::now();
  constexpr auto day = TlsTickets::lifetime;
  const auto first = tickets.seal("first", now);
  const auto second = tickets.seal("second", now + day);
  EXPECT_NE(first.substr(0, 16), second.substr(0, 16));
  EXPECT_EQ(tickets.open(first, now + day), "first");
  EXPECT_EQ(tickets.open(first, now + 2 * day), std::nullopt);
  const auto third = tickets.seal("third", now + 2 * day);
  EXPECT_EQ(tickets.open(first, now), std::nullopt);
  EXPECT_EQ(tickets.open(second, now + 2 * day), "second");
  EXPECT_EQ(tickets.open(third, now + 2 * day), "third");
}

}  // namespace nuncio::net
