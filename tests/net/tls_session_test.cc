#include "net/tls_session.h"

#include <gtest/gtest.h>

#include "tls_client.h"
#include "tls_files.h"

namespace nuncio::net {

using test::Authority;
using test::encrypt;
using test::read_all;
using test::TlsClient;
using Handshake = TlsSession::Handshake;
using Read = TlsSession::Read;

TEST(TlsSession, DataGoesBothWays) {
  const Authority authority;
  const test::TlsFiles files(authority.issue({.usage = "serverAuth"}));
  TlsSession session(files.context());
  TlsClient client;
  ASSERT_EQ(shake_hands(client, session), Handshake::done) << session.problem() << client.error();
  client.write("PING\r\n");
  EXPECT_EQ(read_all(session, client.take_output()), "PING\r\n");
  client.put_input(encrypt(session, "PONG\r\n"));
  EXPECT_EQ(client.read(), "PONG\r\n");
}

}  // namespace nuncio::net
