// What a client may do: its account with the account's limits, its permissions, and what a reload makes of
// both.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/log.h"
#include "net/client.h"
#include "net/message.h"
#include "net/server.h"
#include "net/worker.h"

namespace nuncio::net {

// Counts the connection in the user's account and takes over the account's limits. False when the account is
// full (AU-62).
bool Client::enter_account(const auth::User& user) {
  const State& state = worker_.state();
  const uint32_t place = state.accounts->find(user.account).value();
  const AccountRules& rules = state.accounts->accounts()[place];
  Account* const account = state.account_at[place];
  if (account_ != account || !is_counted_) {
    leave_account();
    account_ = account;
    const int64_t others = account->connections.fetch_add(1, std::memory_order_relaxed);
    is_counted_ = true;
    if (rules.connections_max >= 0 && others >= rules.connections_max) return false;
  }
  // For each connection, not for the account as a whole: what nats-server makes of it.
  subscriptions_max_ =
      worker_.options().subscriptions_max != 0 ? worker_.options().subscriptions_max : UINT64_MAX;
  if (rules.subscriptions_max >= 0)
    subscriptions_max_ = std::min(subscriptions_max_, static_cast<uint64_t>(rules.subscriptions_max));
  limits_ = {worker_.options().control_line_max, worker_.options().payload_max};
  if (rules.payload_max >= 0 && rules.payload_max < limits_.payload_max)
    limits_.payload_max = static_cast<uint32_t>(rules.payload_max);
  return true;
}

// Of the connection; its subscriptions are counted out as they are removed.
void Client::leave_account() {
  if (is_counted_) account_->connections.fetch_sub(1, std::memory_order_relaxed);
  is_counted_ = false;
}

// From the next operation on; what is subscribed already is looked at too (AU-67).
void Client::take_rights(const std::shared_ptr<const auth::Permissions>& rights) {
  const auth::Permissions* before = verdicts_ ? &verdicts_->permissions() : nullptr;
  const bool are_same = before != nullptr && rights != nullptr ? before->identity() == rights->identity()
                                                               : before == rights.get();
  if (!are_same) {
    verdicts_ = rights ? worker_.verdicts(rights) : nullptr;
    permits_ = rights && rights->responses() ? std::make_unique<auth::ResponsePermits>(*rights->responses())
                                             : nullptr;
  }
  const bool asks = verdicts_ && (verdicts_->permissions().withholds() || permits_);
  connection_.delivery_filter = asks ? Connection::asks : 0;
  is_picky_ = connect_.verbose || connect_.pedantic || verdicts_ || worker_.rules(*account_) != nullptr;
  if (!are_same) remove_forbidden();  // may close it
}

std::vector<Subscription*> Client::forbidden_by(const auth::Permissions& rights) const {
  std::vector<Subscription*> forbidden;
  subscriptions_.for_each([&](Subscription* subscription) {
    const auto verdict = rights.may_subscribe(subscription->subject(), subscription->queue());
    if (verdict == auth::Permissions::Subscribing::refused) forbidden.push_back(subscription);
  });
  return forbidden;
}

void Client::remove_forbidden() {
  if (!verdicts_ || subscriptions_.size() == 0) return;
  for (Subscription* subscription : forbidden_by(verdicts_->permissions())) {
    say_error(fmt::format("{}{} (sid {})", wire_text(Reason::permission_subscribe),
                          log::quoted(subscription->subject(), SIZE_MAX), log::quoted(subscription->sid())));
    if (connection_.is_closing()) return;  // it does not read its errors
    remove(*subscription);
  }
}

bool Client::may_publish_on(std::string_view subject) {
  if (!verdicts_ || verdicts_->may_publish(subject)) return true;
  return permits_ && permits_->take(subject, worker_.now_ns());
}

bool Client::may_subscribe(const Operation& operation) const {
  if (!verdicts_) [[likely]]
    return true;
  const auto verdict = verdicts_->permissions().may_subscribe(operation.subject, operation.queue);
  return verdict != auth::Permissions::Subscribing::refused;
}

bool Client::may_receive(const Message& message) {
  if (!verdicts_->may_receive(message.subject)) return false;
  if (permits_ && !message.reply.empty()) permits_->add(message.reply, worker_.now_ns());
  return true;
}

void Client::adopt_state() {
  limits_.control_line_max = worker_.options().control_line_max;
  if (!is_pinned(worker_.state().tls.get())) return connection_.close(Reason::tls_handshake_failed);
  if (!is_admitted_) return;  // its login is judged by the new table when it comes
  auth::Recheck now = recheck(worker_.table(), login_);
  switch (now.kind) {
    case auth::Recheck::Kind::stays:
      return stay(std::move(now.login));
    case auth::Recheck::Kind::leaves:
      return leave(now.reason);
    case auth::Recheck::Kind::judge:
      return judge_again();
  }
}

// By what TLS has become; who came by other TLS, or none, stays (OP-37).
bool Client::is_pinned(const TlsContext* tls) const {
  const ConnectionTls* mine = connection_.tls();
  if (tls == nullptr || mine == nullptr || !mine->is_open()) return true;
  return tls->is_pinned(peer() != nullptr ? peer()->key_digest : "");
}

// What it is subscribed to stays with its account: in another one it would be somebody else.
void Client::stay(auth::Login login) {
  if (login.user->account != login_.user->account) return leave(Reason::account_changed);
  login_ = std::move(login);
  if (login_.secret) connect_.credentials.wipe_secrets();
  enter_account(*login_.user);  // its own already, so never full
  take_rights(login_.user->permissions);
}

void Client::leave(Reason reason) {
  if (is_login_refusal(reason)) {
    if (worker_.may_log_refusal())
      log::error("{} - authentication error after a reload [{}]", label(), code(reason));
    record(login_.user->name, nullptr, reason);
  }
  connection_.close(reason);
}

std::string Client::effect_of(const Configuration& next) const {
  if (!is_pinned(next.tls.get())) return "would be closed: certificate not pinned";
  if (!is_admitted_) return {};
  const std::string who = login_.user->is_token ? "token" : log::quoted(login_.user->name);
  const auth::Recheck then = recheck(*next.table, login_);
  if (then.kind == auth::Recheck::Kind::leaves)
    return fmt::format("{} would be closed [{}]", who, code(then.reason));
  if (then.kind == auth::Recheck::Kind::judge)
    return fmt::format("{} would have to be who it said it is", who);
  const auto& rights = then.login.user->permissions;
  const std::vector<Subscription*> forbidden = rights ? forbidden_by(*rights) : std::vector<Subscription*>();
  if (forbidden.empty()) return {};
  constexpr size_t named_max = 5;
  std::string text = fmt::format("{} would lose {} subscription{}:", who, forbidden.size(),
                                 forbidden.size() == 1 ? "" : "s");
  for (size_t i = 0; i < std::min(forbidden.size(), named_max); ++i)
    text += fmt::format(" {}", log::quoted(forbidden[i]->subject()));
  return text + (forbidden.size() > named_max ? " …" : "");
}

std::string Client::describe() const {
  const Options& options = worker_.options();
  const Server& server = worker_.server();
  nlohmann::json about{{"acc", account_->name},
                       {"host", connection_.address.ip()},
                       {"id", connection_.id},
                       {"server", options.server_name.empty() ? server.server_id : options.server_name}};
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) about[key] = value;
  };
  add("user", login_.user->name);
  add("name", connect_.name);
  add("lang", connect_.lang);
  add("ver", connect_.version);
  return about.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

// It was let in without being asked, and now is asked: what it gave then decides. Until a hash was computed
// it may not go on; whoever waits for the reload waits for that too.
void Client::judge_again() {
  worker_.begin_recheck();
  is_rechecked_ = true;
  if (verifying_ == Verifying::connect) return;  // that one decides
  auth::Decision decision = worker_.table().decide(connect_.credentials, nonce_, ConnectionType::standard,
                                                   std::chrono::system_clock::now(), peer());
  if (decision.kind == auth::Decision::Kind::check)
    return check_elsewhere(std::move(decision), connect_.credentials, Verifying::recheck);
  end_recheck();
  if (decision.kind == auth::Decision::Kind::refused) return leave(Reason::login_revoked);
  stay(std::move(decision.login));
}

void Client::end_recheck() {
  if (std::exchange(is_rechecked_, false)) worker_.end_recheck();
}

}  // namespace nuncio::net
