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
  void greet() override;
  void on_transport_ready() override;
  int64_t on_timer(int64_t now_ns) override;
  void on_verified(const auth::CheckResult&) override;
  void on_expired(Subscription&) override;
  bool may_receive(const Message&) override;
  void adopt_state() override;
  std::string effect_of(const Configuration& next) const override;
  std::string describe() const override;
  void on_closing(Reason) override;
  bool remove_subscriptions(unsigned count) override;

 private:
  // Login, in client_login.cc.
  void connect(std::string_view json);
  void log_in(ConnectOptions next);
  enum class Verifying : uint8_t { nothing, connect, recheck };
  void check_elsewhere(auth::Decision decision, const Credentials& given, Verifying what);
  bool admit(auth::Login login);
  void accept_connect(auth::Login login);
  void refuse(Reason reason);
  void refuse_judged(Reason reason);
  bool keeps_identity(const Credentials& given) const;
  bool changes_identity(const auth::User& next) const;
  void note_success(const auth::Login& login, const Credentials& given);
  void on_verifier_full(Verifying what);
  std::string_view claimed_name(const Credentials& given) const;
  auth::Recheck recheck(const auth::AuthTable& table, const auth::Login& login) const;
  const auth::PeerCertificate* peer() const;
  std::string network() const;
  void record(std::string_view user, const auth::Login* login, Reason reason) const;

  // Rights, in client_rights.cc.
  bool enter_account(const auth::User& user);
  void leave_account();
  void take_rights(const std::shared_ptr<const auth::Permissions>& rights);
  std::vector<Subscription*> forbidden_by(const auth::Permissions& rights) const;
  void remove_forbidden();
  void judge_again();
  void end_recheck();
  void leave(Reason reason);
  void stay(auth::Login login);
  bool is_pinned(const TlsContext* tls) const;
  bool may_publish_on(std::string_view subject);
  bool may_subscribe(const Operation& operation) const;
  void log_violation(std::string_view what, std::string_view subject);

  void execute(const Operation& operation, const BlockRef* block);
  void publish(const Operation& operation, const BlockRef* block);
  void route(const Match& match, Message& message, bool may_cross);
  void route_rewritten(const Operation& operation, const Match& match, Message& message, bool may_cross);
  bool may_publish(const Operation& operation, std::string_view subject);
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
  ParseLimits limits_;
  bool has_greeted_ = false;                  // INFO is sent
  bool is_admitted_ = false;                  // may do more than CONNECT
  bool has_connected_ = false;                // a CONNECT was accepted
  Verifying verifying_ = Verifying::nothing;  // what the verifier is asked about
  bool is_rechecked_ = false;                 // a reload waits for the answer
  Reason connect_problem_ = Reason::none;     // of the CONNECT being judged, beside its credentials
  bool is_picky_ = true;                      // verbose, pedantic, with rights or mappings to look at
  bool is_traced_ = false;                    // -V, as of this piece of input
  ConnectOptions connect_;                    // its secrets are wiped once they were judged
  ConnectOptions connect_next_;               // while the verifier is at work
  auth::Decision decision_;                   // likewise
  uint64_t decided_by_ = 0;                   // version of the state
  auth::Login login_;
  Account* account_ = nullptr;
  bool is_counted_ = false;  // among the account's connections
  uint64_t subscriptions_max_ = UINT64_MAX;
  std::string nonce_;                                // as sent in INFO
  std::shared_ptr<auth::SubjectVerdicts> verdicts_;  // null: it may do everything
  std::unique_ptr<auth::ResponsePermits> permits_;   // null: no allow_responses
  SubscriptionTable subscriptions_;
  // Deadlines, monotonic ns.
  int64_t login_by_ns_ = 0;  // 0: CONNECT has arrived, or none is needed
  int64_t next_ping_ns_ = 0;
  int64_t heard_ns_ = 0;  // something was received
  uint32_t pings_unanswered_ = 0;
  bool is_rtt_known_ = false;
};

}  // namespace nuncio::net
