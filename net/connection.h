// One socket: its outbox, what is kept of its input, its deadlines and the way it ends. What the bytes mean
// is the session's affair (a client now; routes and leaf nodes are other sessions). Lives on one worker's
// thread (I1).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/interest.h"
#include "core/reason.h"
#include "net/address.h"
#include "net/connection_tls.h"
#include "net/input.h"
#include "net/io.h"
#include "net/outbox.h"

namespace nuncio::auth {
struct CheckResult;
}

namespace nuncio::net {

class Connection;
class Worker;
struct Configuration;
struct Message;

// The protocol spoken on a connection.
class Session {
 public:
  virtual ~Session() = default;

  struct Consumed {
    size_t bytes;     // of complete operations
    uint64_t needed;  // size of the operation that follows, when it is known; else 0
  };
  // Executes the complete operations at the start of `bytes`; stops early when the connection is paused or
  // closing. `block`: where `bytes` lives, when that is a block. Padding as parser_padding.
  virtual Consumed receive(std::string_view bytes, const BlockRef* block) = 0;
  // The socket is ready: say so (greet), or ask for TLS first.
  virtual void open() = 0;
  // Of Connection::secure(): nothing came while TLS was to be first, so begin in clear.
  virtual void greet() = 0;
  // TLS is spoken now, or it is settled that it is not.
  virtual void on_transport_ready() = 0;
  // A deadline passed; returns the next one (monotonic ns).
  virtual int64_t on_timer(int64_t now_ns) = 0;
  // The verifier's answer about this connection.
  virtual void on_verified(const auth::CheckResult&) = 0;
  // A subscription of this connection has had its last message (UNSUB max): remove it.
  virtual void on_expired(Subscription&) = 0;
  // Its rights concern what is delivered to it: whether this message may be (AU-51), which counts as
  // delivered then.
  virtual bool may_receive(const Message&) = 0;
  // The worker has picked up another state: stay with its rights, or leave (AU-66).
  virtual void adopt_state() = 0;
  // Who is connected, as JSON for services of other accounts that are told (AU-64).
  virtual std::string describe() const = 0;
  // What adopt_state() would do to it under another configuration, in a few words; empty: nothing.
  virtual std::string effect_of(const Configuration& next) const = 0;
  // The connection has begun to end: log it, withdraw what is pending elsewhere.
  virtual void on_closing(Reason) = 0;
  // Removes up to `count` subscriptions; true when none is left.
  virtual bool remove_subscriptions(unsigned count) = 0;
};

class Connection : public Receiver {
 public:
  Connection(Worker& worker, Slot slot, uint32_t generation, const Address& address, uint64_t id);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Reasons to stop executing what is received; the rest is kept until all are gone.
  enum Pause : uint8_t {
    turn_over = 1,    // this turn has had enough: goes on with the next one
    verifying = 2,    // the verifier has its credentials
    spilling = 4,     // a ring to another worker is full
    stalled = 8,      // a subscriber is far behind (CP-62): for a few milliseconds
    handshaking = 16  // more came than belongs to the handshake whose step is under way, or its FIN
  };
  void pause(Pause);
  // Takes the reason away; when it was the last one, goes on with what was kept.
  void resume(Pause);
  bool is_paused(Pause which) const { return (paused_ & which) != 0; }
  bool is_receive_over() const { return is_receive_over_; }  // the peer finished sending

  // How much input to execute at once, and what to do when that is done and more is there.
  size_t piece_max() const;
  void end_piece();

  // Begins the end: hides its subscriptions, sends -ERR when the reason has one, then what is queued, then
  // FIN. Only the first reason counts.
  void close(Reason);
  // True when nothing more of this connection's input may be executed now.
  bool must_stop() const { return (paused_ | static_cast<uint8_t>(is_closing_)) != 0; }
  bool is_closing() const { return is_closing_; }
  Reason close_reason() const { return close_reason_; }

  // The peer is to begin with a TLS handshake; with `admits_plain` it may go on in plain text instead. Then
  // Session::on_transport_ready(), or the end.
  void secure(std::shared_ptr<const TlsContext> context, bool admits_plain);
  // Null: plain text, as far as is known.
  const ConnectionTls* tls() const { return tls_.get(); }

  // Asks the worker to send the outbox at the end of this turn.
  void flush_later();
  void send(std::string_view text) {
    outbox.append(text);
    flush_later();
  }

  // From the worker: completions and deadlines.
  void on_received(std::string_view bytes);
  void on_handshake_step() { tls_->on_step(); }
  void on_end_of_stream();
  void on_receive_failed();
  void on_sent(uint64_t bytes, int error);
  void on_timer(int64_t at_ns, int64_t now_ns);
  // From TLS: decrypted bytes, valid as received ones.
  void on_plaintext(std::string_view bytes);
  // Sends what is queued, when no send is under way. `now_ns` starts the write deadline.
  void flush(int64_t now_ns);
  // Wakes up at `at_ns` at the latest (monotonic ns).
  void schedule(int64_t at_ns);

  // "HOST:PORT - cid:N", the start of its log lines.
  std::string label() const;

  // The hot part of delivery reads these.
  // Why a message may not just be appended; 0 for most connections.
  enum Filter : uint8_t {
    takes_nothing = 1,  // not logged in, or closing
    asks = 2            // Session::may_receive() decides
  };
  uint8_t delivery_filter = takes_nothing;
  bool wants_headers = false;
  bool wants_echo = true;
  bool is_in_flush_list = false;
  Outbox outbox;
  uint64_t messages_in = 0, bytes_in = 0, messages_out = 0, bytes_out = 0;

  Worker& worker;
  const Slot slot;
  const uint32_t generation;
  const uint64_t id;
  const Address address;
  std::unique_ptr<Session> session;

 private:
  void go_on_in_plain();
  void execute_kept();
  void pause_receive();
  bool is_cautious() const;
  void stall_for(int64_t duration_ns);
  void resume_receive();
  void keep(std::string_view bytes, uint64_t needed);
  void append(std::string_view bytes, uint64_t expected);
  void end_when_flushed();
  bool leaves_first_to_peer();
  void end_now();

  std::unique_ptr<ConnectionTls> tls_;
  uint8_t paused_ = 0;
  bool is_closing_ = false;
  bool has_told_why_ = false;       // -ERR sent at the end
  bool is_lingering_ = false;       // FIN sent, waiting for the peer's
  bool is_ending_ = false;          // io.close() called
  bool is_receive_broken_ = false;  // by a reset
  bool is_receive_over_ = false;    // the peer finished sending
  bool is_receive_paused_ = false;  // io.pause_receive() called
  Reason close_reason_ = Reason::none;
  uint64_t needed_ = 0;  // size of the operation whose start is kept, when known
  Input input_;
  int64_t send_began_ns_ = 0;
  int64_t timer_at_ns_ = 0;         // what the worker will wake us for
  int64_t later_timer_ns_ = 0;      // another one that it still holds
  int64_t close_notify_at_ns_ = 0;  // 0: at once
  int64_t linger_until_ns_ = 0;
  int64_t stalled_until_ns_ = 0;
  uint64_t received_at_stall_ = 0;
  int64_t cautious_until_ns_ = 0;
};

}  // namespace nuncio::net
