// The client protocol on one connection: greeting, login, then publish and subscribe. Lives on the worker
// that owns the connection.
#pragma once

#include <memory>
#include <string>

#include "auth/auth_table.h"
#include "core/account.h"
#include "core/connect.h"
#include "core/parser.h"
#include "core/subscription_table.h"
#include "net/connection.h"
#include "net/message.h"

namespace nuncio::net {

class Client final : public Session {
 public:
  explicit Client(Connection& connection);

  Consumed receive(std::string_view bytes, const BlockRef* block) override;
  void open() override;
  int64_t on_timer(int64_t now_ns) override;
  void on_verified(const auth::CheckResult&) override;
  void on_expired(Subscription&) override;
  void on_closing(Reason) override;
  bool remove_subscriptions(unsigned count) override;

 private:
  // Login, in client_login.cc.
  void connect(std::string_view json);
  void log_in(ConnectOptions next);
  void check_elsewhere(auth::Decision decision);
  void admit(std::shared_ptr<const auth::User> user);
  void accept_connect(std::shared_ptr<const auth::User> user);
  void refuse(Reason reason);
  bool keeps_identity(const Credentials& given) const;
  bool changes_identity(const auth::User& next) const;

  void execute(const Operation& operation, const BlockRef* block);
  void publish(const Operation& operation, const BlockRef* block);
  void route(const Match& match, Message& message);
  void route_rewritten(const Operation& operation, const Match& match, Message& message);
  bool may_publish(const Operation& operation);
  void subscribe(const Operation& operation);
  void unsubscribe(const Operation& operation);
  void remove(Subscription& subscription);
  void answer_no_responders(std::string_view reply);
  void say(std::string_view line);  // one line, flushed at the end of the turn
  void say_ok() {
    if (connect_.verbose) say("+OK\r\n");
  }
  void say_error(std::string_view text);
  void schedule_first_ping();
  void ping_after(int64_t delay_ns);
  bool ping_or_close(int64_t now_ns);
  std::string label() const;

  Connection& connection_;
  Worker& worker_;
  const ParseLimits limits_;
  bool is_admitted_ = false;    // may do more than CONNECT
  bool has_connected_ = false;  // a CONNECT was accepted
  bool is_verifying_ = false;
  Reason connect_problem_ = Reason::none;  // of the CONNECT being judged, beside its credentials
  bool is_picky_ = true;                   // verbose or pedantic
  bool is_traced_ = false;                 // -V, as of this piece of input
  ConnectOptions connect_;                 // its secrets are wiped once they were judged
  ConnectOptions connect_next_;            // while the verifier is at work
  auth::Decision decision_;                // likewise
  std::shared_ptr<const auth::User> user_;
  Account* account_ = nullptr;
  SubscriptionTable subscriptions_;
  // Deadlines, monotonic ns.
  int64_t login_by_ns_ = 0;  // 0: CONNECT has arrived, or none is needed
  int64_t next_ping_ns_ = 0;
  int64_t heard_ns_ = 0;  // something was received
  uint32_t pings_unanswered_ = 0;
  bool is_rtt_known_ = false;
};

}  // namespace nuncio::net
