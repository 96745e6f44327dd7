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
  if (is_login_refusal(reason)) return refuse(reason);
  if (reason != Reason::none) return connection_.close(reason);
  log_in(std::move(next));
}

void Client::log_in(ConnectOptions next) {
  // The secrets of the first CONNECT are gone: a second one may change options, or prove the same identity
  // again.
  if (has_connected_ && keeps_identity(next.credentials)) {
    next.credentials.user = connect_.credentials.user;
    connect_ = std::move(next);
    return accept_connect(user_);
  }
  connect_next_ = std::move(next);
  auth::Decision decision = worker_.table().decide(connect_next_.credentials);
  switch (decision.kind) {
    case auth::Decision::Kind::refused:
      return refuse(decision.reason);
    case auth::Decision::Kind::check:
      return check_elsewhere(std::move(decision));
    case auth::Decision::Kind::admitted:
      break;
  }
  if (has_connected_ && decision.user->name != user_->name) return refuse(Reason::credentials_changed);
  connect_ = std::move(connect_next_);
  accept_connect(std::move(decision.user));
}

bool Client::keeps_identity(const Credentials& given) const {
  return given.password.empty() && given.token.empty() && given.nkey.empty() &&
         (given.user.empty() || given.user == connect_.credentials.user);
}

// A hash is never computed here (I2): a cached verdict, or the pool's.
void Client::check_elsewhere(auth::Decision decision) {
  auth::Verifier& verifier = *worker_.server().verifier;
  const Credentials& given = connect_next_.credentials;
  auth::Check check{{worker_.id(), connection_.slot, connection_.generation},
                    connection_.address.ip(),
                    given.user,
                    decision.stored,
                    decision.candidate_is_token ? given.token : given.password};
  decision_ = std::move(decision);
  is_verifying_ = true;
  if (decision_.user != nullptr && verifier.is_known_good(check)) {
    return on_verified({check.ticket, check.stored, true});
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
  if (!result.matches || decision.user == nullptr) return refuse(decision.reason);
  // The table may have been swapped since: the secret that was checked must still be this user's.
  if (!worker_.table().still_admits(*decision.user)) return refuse(decision.reason);
  if (has_connected_ && decision.user->name != user_->name) return refuse(Reason::credentials_changed);
  connect_ = std::move(connect_next_);
  accept_connect(decision.user);
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

void Client::accept_connect(std::shared_ptr<const auth::User> user) {
  admit(std::move(user));
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
