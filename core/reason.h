// Why a connection was refused or closed, or an operation refused (one enum value, set where it is decided). The
// text on the wire, the code in log and audit lines and the name of the closing are all derived from it here.
#pragma once

#include <cstdint>
#include <string_view>

namespace nuncio {

enum class Reason : uint8_t {
  none,
  // Ends of a connection that carry no -ERR.
  client_closed,
  read_error,
  write_error,
  slow_consumer_pending,
  slow_consumer_deadline,
  server_shutdown,
  parse_error,           // malformed arguments: the reference closes without a word (CP-13, CP-28, CP-38)
  client_reported_error, // the client sent -ERR (CP-67)
  header_violation,      // HPUB without `headers` in CONNECT (CP-42)
  tls_handshake_failed,  // also: plain text where TLS is asked for, a certificate that is not pinned (AT-42)
  tls_handshake_timeout,
  tls_record_failed,     // after the handshake: what came is no record of this session
  account_changed,       // by a reload: to reconnect into its new account (AU-66)
  // Ends of a connection with -ERR.
  account_connections_exceeded,
  unknown_operation,
  control_line_exceeded,
  payload_exceeded,
  connections_exceeded,
  connections_throttled,  // more of them a second than the TLS listener admits (AT-18)
  stale_connection,
  authentication_timeout,
  invalid_protocol,
  no_responders_without_headers,
  // Refused logins; on the wire all of them read 'Authorization Violation' (AU-5).
  first_operation_not_connect,
  credentials_missing,
  unknown_user,
  wrong_password,
  wrong_token,
  password_with_nul,
  account_requested,
  unknown_nkey,
  nonce_missing,         // an nkey on a connection whose INFO had no nonce
  wrong_signature,
  secret_not_valid_now,  // before not_before or after not_after
  backed_off,            // too many failures before it (AU-74)
  login_revoked,         // by a reload: user gone, secret changed, or authentication newly required (AU-66)
  connection_type_not_allowed,
  certificate_unmapped,  // no name in the client's certificate is a user's (AU-38)
  verifier_overloaded,
  credentials_changed,   // a second CONNECT that would change who the client is
  // Refusals that keep the connection.
  invalid_subject,
  invalid_publish_subject,
  subscriptions_exceeded,
  permission_publish,
  permission_subscribe,
  permission_reply,
  count_  // number of values, for tables
};

// The text inside -ERR '…', or empty when nothing is sent. The permission reasons give the part before the subject.
std::string_view wire_text(Reason);
// Name of a closing as monitoring and logs show it ("Stale Connection"), CP-68.
std::string_view close_name(Reason);
// Short stable code for log and audit lines and metrics ("wrong_password").
std::string_view code(Reason);
// True for the refusals of a login: those that are logged as "authentication error" (AU-44).
bool is_login_refusal(Reason);

}  // namespace nuncio
