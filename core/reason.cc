#include "core/reason.h"

#include <array>

namespace nuncio {
namespace {

struct Row {
  Reason reason;
  std::string_view code;
  std::string_view wire;
  std::string_view close;
};

constexpr std::string_view violation = "Authorization Violation";
constexpr std::string_view failure = "Authentication Failure";

constexpr std::array<Row, static_cast<size_t>(Reason::count_)> rows{{
    {Reason::none, "none", "", ""},
    {Reason::client_closed, "client_closed", "", "Client Closed"},
    {Reason::read_error, "read_error", "", "Read Error"},
    {Reason::write_error, "write_error", "", "Write Error"},
    {Reason::slow_consumer_pending, "slow_consumer_pending", "", "Slow Consumer (Pending Bytes)"},
    {Reason::slow_consumer_deadline, "slow_consumer_deadline", "", "Slow Consumer (Write Deadline)"},
    {Reason::server_shutdown, "server_shutdown", "", "Server Shutdown"},
    {Reason::parse_error, "parse_error", "", "Parse Error"},
    {Reason::client_reported_error, "client_reported_error", "", "Client Closed"},
    {Reason::header_violation, "header_violation", "", "Message Header Violation"},
    {Reason::tls_handshake_failed, "tls_handshake_failed", "", "TLS Handshake Failure"},
    {Reason::tls_handshake_timeout, "tls_handshake_timeout", "", "TLS Handshake Failure"},
    {Reason::tls_record_failed, "tls_record_failed", "", "Read Error"},
    {Reason::account_changed, "account_changed", "", "Client Closed"},
    {Reason::account_connections_exceeded, "account_connections_exceeded",
     "maximum account active connections exceeded", "Maximum Account Connections Exceeded"},
    {Reason::unknown_operation, "unknown_operation", "Unknown Protocol Operation", "Protocol Violation"},
    {Reason::control_line_exceeded, "control_line_exceeded", "maximum control line exceeded",
     "Maximum Control Line Exceeded"},
    {Reason::payload_exceeded, "payload_exceeded", "Maximum Payload Violation", "Maximum Message Payload Exceeded"},
    {Reason::connections_exceeded, "connections_exceeded", "maximum connections exceeded",
     "Maximum Connections Exceeded"},
    {Reason::connections_throttled, "connections_throttled",
     "Connection throttling is active. Please try again later.", "Maximum Connections Exceeded"},
    {Reason::stale_connection, "stale_connection", "Stale Connection", "Stale Connection"},
    {Reason::authentication_timeout, "authentication_timeout", "Authentication Timeout", "Authentication Timeout"},
    {Reason::invalid_protocol, "invalid_protocol", "invalid client protocol", "Bad Client Protocol Version"},
    {Reason::no_responders_without_headers, "no_responders_without_headers",
     "no responders requires headers support", "No Responders Requires Headers"},
    {Reason::first_operation_not_connect, "first_operation_not_connect", violation, failure},
    {Reason::credentials_missing, "credentials_missing", violation, failure},
    {Reason::unknown_user, "unknown_user", violation, failure},
    {Reason::wrong_password, "wrong_password", violation, failure},
    {Reason::wrong_token, "wrong_token", violation, failure},
    {Reason::password_with_nul, "password_with_nul", violation, failure},
    {Reason::account_requested, "account_requested", violation, failure},
    {Reason::unknown_nkey, "unknown_nkey", violation, failure},
    {Reason::nonce_missing, "nonce_missing", violation, failure},
    {Reason::wrong_signature, "wrong_signature", violation, failure},
    {Reason::secret_not_valid_now, "secret_not_valid_now", violation, failure},
    {Reason::backed_off, "backed_off", violation, failure},
    {Reason::login_revoked, "login_revoked", violation, failure},
    {Reason::connection_type_not_allowed, "connection_type_not_allowed", violation, failure},
    {Reason::certificate_unmapped, "certificate_unmapped", violation, failure},
    {Reason::verifier_overloaded, "verifier_overloaded", violation, failure},
    {Reason::credentials_changed, "credentials_changed", violation, failure},
    {Reason::invalid_subject, "invalid_subject", "Invalid Subject", ""},
    {Reason::invalid_publish_subject, "invalid_publish_subject", "Invalid Publish Subject", ""},
    {Reason::subscriptions_exceeded, "subscriptions_exceeded", "maximum subscriptions exceeded", ""},
    {Reason::permission_publish, "permission_publish", "Permissions Violation for Publish to ", ""},
    {Reason::permission_subscribe, "permission_subscribe", "Permissions Violation for Subscription to ", ""},
    {Reason::permission_reply, "permission_reply", "Permissions Violation for Publish with Reply of ", ""},
}};

constexpr bool rows_are_in_order() {
  for (size_t i = 0; i < rows.size(); ++i) {
    if (static_cast<size_t>(rows[i].reason) != i) return false;
  }
  return true;
}
static_assert(rows_are_in_order());

const Row& row(Reason reason) { return rows[static_cast<size_t>(reason)]; }

}  // namespace

std::string_view wire_text(Reason reason) { return row(reason).wire; }
std::string_view close_name(Reason reason) { return row(reason).close; }
std::string_view code(Reason reason) { return row(reason).code; }
bool is_login_refusal(Reason reason) {
  return reason >= Reason::first_operation_not_connect && reason <= Reason::credentials_changed;
}

}  // namespace nuncio
