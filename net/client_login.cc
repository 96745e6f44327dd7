// A client's login: CONNECT to a decision, at once or after the verifier (AU-9). The one place where a
// connection becomes somebody.
#include <fmt/format.h>

#include "core/log.h"
#include "net/client.h"
#include "net/server.h"
#include "net/worker.h"

namespace nuncio::net {

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
  // The secrets of the first CONNECT are gone: a second one may change options, or prove the same identity
  // again.
  connect_next_ = std::move(next);
  if (has_connected_ && keeps_identity(connect_next_.credentials)) {
    connect_next_.credentials.user = connect_.credentials.user;
    return accept_connect(user_);
  }
  auth::Decision decision = worker_.table().decide(connect_next_.credentials, {}, ConnectionType::standard,
                                                   std::chrono::system_clock::now());
  switch (decision.kind) {
    case auth::Decision::Kind::refused:
      return refuse(decision.reason);
    case auth::Decision::Kind::check:
      return check_elsewhere(std::move(decision));
    case auth::Decision::Kind::admitted:
      break;
  }
  if (changes_identity(*decision.login.user)) return refuse(Reason::credentials_changed);
  accept_connect(std::move(decision.login.user));
}

bool Client::keeps_identity(const Credentials& given) const {
  return given.password.empty() && given.token.empty() && given.nkey.empty() &&
         (given.user.empty() || given.user == connect_.credentials.user);
}

// A second CONNECT, or a first one after subscriptions were made as the no_auth_user, may not become somebody
// else: what was subscribed as the one must not stay with the other (CP-17).
bool Client::changes_identity(const auth::User& next) const {
  const bool has_acted = has_connected_ || subscriptions_.size() != 0;
  return has_acted && user_ != nullptr && next.name != user_->name;
}

// A hash is never computed here (I2): a cached verdict, or the pool's.
void Client::check_elsewhere(auth::Decision decision) {
  auth::Verifier& verifier = *worker_.server().verifier;
  auth::Check check{{worker_.id(), connection_.slot, connection_.generation},
                    connection_.address.ip(),
                    connect_next_.credentials.user,
                    decision.stored,
                    std::move(decision.candidate)};
  decision_ = std::move(decision);
  is_verifying_ = true;
  if (decision_.login.user != nullptr) {
    if (auto stored = verifier.known_good(check)) return on_verified({check.ticket, std::move(stored)});
  }
  connection_.pause(Connection::verifying);
  if (!verifier.submit(std::move(check))) {
    is_verifying_ = false;
    refuse(Reason::verifier_overloaded);
  }
}

void Client::on_verified(const auth::CheckResult& result) {
  if (!is_verifying_) return;
  is_verifying_ = false;
  const auth::Decision decision = std::move(decision_);
  decision_ = {};
  if (!result.stored || decision.login.user == nullptr) return refuse(decision.reason);
  // The table may have been swapped since: the secret that was checked must still be this user's.
  auth::Recheck now = worker_.table().recheck({decision.login.user, result.stored});
  if (now.kind != auth::Recheck::Kind::stays) return refuse(decision.reason);
  if (changes_identity(*now.login.user)) return refuse(Reason::credentials_changed);
  accept_connect(std::move(now.login.user));
  connection_.resume(Connection::verifying);
}

// Also without CONNECT, where no authentication is asked for.
void Client::admit(std::shared_ptr<const auth::User> user) {
  user_ = std::move(user);
  connect_.credentials.password.clear();
  connect_.credentials.token.clear();
  connect_.credentials.jwt.clear();
  connection_.takes_messages = true;
  connection_.wants_headers = connect_.headers && worker_.server().options.headers;
  connection_.wants_echo = connect_.echo;
  is_picky_ = connect_.verbose || connect_.pedantic;
  is_admitted_ = true;
}

// The credentials are right; now what else the CONNECT asks for is judged.
void Client::accept_connect(std::shared_ptr<const auth::User> user) {
  if (is_login_refusal(connect_problem_)) return refuse(connect_problem_);
  connect_ = std::move(connect_next_);
  if (connect_problem_ != Reason::none) return connection_.close(connect_problem_);
  admit(std::move(user));
  if (connect_.no_responders &&
      !connection_.wants_headers) {  // also where this server has headers switched off
    return connection_.close(Reason::no_responders_without_headers);
  }
  if (!has_connected_) schedule_first_ping();
  has_connected_ = true;
  say_ok();
}

void Client::refuse(Reason reason) {
  if (worker_.may_log_refusal()) {
    const std::string& user = connect_next_.credentials.user;
    log::error("{} - authentication error{}", label(),
               user.empty() ? "" : fmt::format(" - User {}", log::quoted(user)));
  }
  connect_next_ = {};
  connection_.close(reason);
}

}  // namespace nuncio::net
