// A client's login: CONNECT to a decision, at once or after the verifier (AU-9). The one place where a
// connection becomes somebody.
#include <fmt/format.h>

#include <utility>

#include "core/log.h"
#include "net/client.h"
#include "net/server.h"
#include "net/worker.h"

namespace nuncio::net {
namespace {

auth::LoginGuard::Time steady_now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

void Client::connect(std::string_view json) {
  login_by_ns_ = 0;  // it has arrived, however long the check takes (AU-7)
  ConnectOptions next = connect_;
  next.credentials = {};
  const Reason reason = parse_connect(json, next);
  if (reason == Reason::parse_error) return connection_.close(reason);
  connect_problem_ = reason;  // told only to whom the credentials let in, as the reference does
  log_in(std::move(next));
}

void Client::log_in(ConnectOptions next) {
  // The secrets of the first CONNECT are gone once they were judged: a second one may change options, or
  // prove the same identity again.
  connect_next_ = std::move(next);
  const Credentials& given = connect_next_.credentials;
  if (has_connected_ && keeps_identity(given)) {
    connect_next_.credentials = std::move(connect_.credentials);
    return accept_connect(login_);
  }
  const auto name = worker_.table().claimed_name(given, peer());
  if (name && !worker_.server().guard.may_try(*name, network(), steady_now()))
    return refuse(Reason::backed_off);
  if (worker_.table().maps_certificates() && !given.user.empty() && worker_.may_log_refusal()) {
    log::warn("{} - User {} found in connect proto, but user required from cert", label(),
              log::quoted(given.user));
  }
  auth::Decision decision = worker_.table().decide(given, nonce_, ConnectionType::standard,
                                                   std::chrono::system_clock::now(), peer());
  switch (decision.kind) {
    case auth::Decision::Kind::refused:
      return refuse_judged(decision.reason);
    case auth::Decision::Kind::check:
      return check_elsewhere(std::move(decision), given, Verifying::connect);
    case auth::Decision::Kind::admitted:
      break;
  }
  if (changes_identity(*decision.login.user)) return refuse(Reason::credentials_changed);
  accept_connect(std::move(decision.login));
}

bool Client::keeps_identity(const Credentials& given) const {
  return given.password.empty() && given.token.empty() && given.nkey.empty() &&
         (given.user.empty() || given.user == connect_.credentials.user);
}

// A second CONNECT, or a first one after subscriptions were made as the no_auth_user, may not become somebody
// else: what was subscribed as the one must not stay with the other (CP-17).
bool Client::changes_identity(const auth::User& next) const {
  const bool has_acted = has_connected_ || subscriptions_.size() != 0;
  return has_acted && login_.user != nullptr &&
         (next.name != login_.user->name || next.account != login_.user->account);
}

// A hash is never computed here (I2): a cached verdict, or the pool's.
void Client::check_elsewhere(auth::Decision decision, const Credentials& given, Verifying what) {
  auth::Verifier& verifier = *worker_.server().verifier;
  auth::Check check{{worker_.id(), connection_.slot, connection_.generation},
                    connection_.address.ip(),
                    std::string(claimed_name(given)),
                    decision.stored,
                    std::move(decision.candidate)};
  decision_ = std::move(decision);
  decided_by_ = worker_.state().version;
  verifying_ = what;
  if (decision_.login.user != nullptr) {
    if (auto stored = verifier.known_good(check)) return on_verified({check.ticket, std::move(stored)});
  }
  connection_.pause(Connection::verifying);
  if (!verifier.submit(std::move(check))) on_verifier_full(what);
}

void Client::on_verifier_full(Verifying what) {
  verifying_ = Verifying::nothing;
  if (what == Verifying::connect) return refuse(Reason::verifier_overloaded);
  connection_.close(Reason::verifier_overloaded);
}

void Client::on_verified(const auth::CheckResult& result) {
  const Verifying what = std::exchange(verifying_, Verifying::nothing);
  if (what == Verifying::nothing) return;
  const auth::Decision decision = std::exchange(decision_, {});
  // The table may have been swapped since: the secret that was checked must still be this user's.
  auth::Recheck now{auth::Recheck::Kind::leaves};
  if (result.stored != nullptr && decision.login.user != nullptr)
    now = recheck(worker_.table(), {decision.login.user, result.stored, decision.login.is_by_certificate});
  const bool is_right = now.kind == auth::Recheck::Kind::stays;
  if (what == Verifying::recheck) {
    is_right ? stay(std::move(now.login)) : leave(Reason::login_revoked);
  } else if (is_right) {
    if (changes_identity(*now.login.user)) return refuse(Reason::credentials_changed);
    accept_connect(std::move(now.login));
  } else if (decided_by_ != worker_.state().version) {
    log_in(std::move(connect_next_));  // by the new table it may be right
  } else {
    return refuse_judged(decision.reason);
  }
  if (verifying_ != Verifying::nothing) return;
  end_recheck();
  connection_.resume(Connection::verifying);
}

// Also without CONNECT, where no authentication is asked for. False when the account is full.
bool Client::admit(auth::Login login) {
  if (!enter_account(*login.user)) return false;
  login_ = std::move(login);
  // What was judged is wiped. Where nobody asked it stays, so that a reload that begins to ask can judge it
  // (AU-66).
  if (login_.secret) connect_.credentials.wipe_secrets();
  connection_.wants_headers = connect_.headers && worker_.options().headers;
  connection_.wants_echo = connect_.echo;
  is_admitted_ = true;
  take_rights(login_.user->permissions);
  return true;
}

// The credentials are right; now what else the CONNECT asks for is judged.
void Client::accept_connect(auth::Login login) {
  if (is_login_refusal(connect_problem_)) return refuse(connect_problem_);
  note_success(login, connect_next_.credentials);
  connect_ = std::move(connect_next_);
  if (connect_problem_ != Reason::none) return connection_.close(connect_problem_);
  if (!admit(std::move(login))) {
    record(claimed_name(connect_.credentials), nullptr, Reason::account_connections_exceeded);
    return connection_.close(Reason::account_connections_exceeded);
  }
  if (log::enabled(log::Level::debug) && login_.secret) {
    log::debug("{} - logged in with {}", label(), auth::label_of(login_));
  }
  record(login_.user->is_token ? "[REDACTED]" : login_.user->name, &login_, Reason::none);
  if (connect_.no_responders &&
      !connection_.wants_headers) {  // also where this server has headers switched off
    return connection_.close(Reason::no_responders_without_headers);
  }
  if (!has_connected_) schedule_first_ping();
  has_connected_ = true;
  say_ok();
}

// A secret was looked at and did not fit: it counts against who tried, unless it was right once.
void Client::refuse_judged(Reason reason) {
  const bool is_guess = reason != Reason::credentials_missing && reason != Reason::secret_not_valid_now &&
                        reason != Reason::connection_type_not_allowed &&
                        reason != Reason::certificate_unmapped;
  if (is_guess) {
    const std::string line =
        worker_.server().guard.note_failure(claimed_name(connect_next_.credentials), network(), steady_now());
    if (!line.empty()) log::warn("{}", line);
  }
  refuse(reason);
}

void Client::note_success(const auth::Login& login, const Credentials& given) {
  if (!login.secret) return;
  worker_.server().guard.note_success(claimed_name(given), network(), steady_now());
}

void Client::refuse(Reason reason) {
  const Credentials& given = connect_next_.credentials;
  if (worker_.may_log_refusal()) {
    const std::string_view name = claimed_name(given);
    const std::string who =
        name.empty() ? "" : fmt::format(" - {} {}", name == given.nkey ? "Nkey" : "User", log::quoted(name));
    log::error("{} - authentication error{} [{}]", label(), who, code(reason));
  }
  const std::string_view name = claimed_name(given);
  record(name.empty() && !given.token.empty() ? "[REDACTED]" : name, nullptr, reason);
  connect_next_ = {};
  connection_.close(reason);
}

// One decision for the audit log; `login`: of who was let in.
void Client::record(std::string_view user, const auth::Login* login, Reason reason) const {
  Server& server = worker_.server();
  if (!server.has_audit()) return;
  const std::string source = connection_.address.host_and_port();
  auth::AuditRecord record;
  record.source = source;
  record.connection = connection_.id;
  record.kind = "client";
  record.user = user;
  if (login != nullptr) {
    record.account = login->user->account;
    record.secret = auth::label_of(*login);
  }
  record.is_admitted = login != nullptr;
  record.reason = reason;
  server.record(record);
}

// Who it wants to be; empty for who gives a token or nothing.
std::string_view Client::claimed_name(const Credentials& given) const {
  return worker_.table().claimed_name(given, peer()).value_or(std::string_view());
}

auth::Recheck Client::recheck(const auth::AuthTable& table, const auth::Login& login) const {
  return table.recheck(login, ConnectionType::standard, peer());
}

const auth::PeerCertificate* Client::peer() const {
  const ConnectionTls* tls = connection_.tls();
  return tls != nullptr && tls->is_open() ? tls->session().peer() : nullptr;
}

std::string Client::network() const {
  return auth::source_network(connection_.address.ip());
}

}  // namespace nuncio::net
