#include "net/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "auth/nkey.h"
#include "core/duration.h"
#include "core/log.h"
#include "core/subject.h"
#include "net/crossings.h"
#include "net/server.h"
#include "net/trace.h"
#include "net/worker.h"

namespace nuncio::net {
namespace {

// The queue that only servers may join.
constexpr std::string_view system_queue = "_sys_";
constexpr int64_t first_ping_ns = 2'000'000'000;
constexpr int64_t rtt_valid_ns = 3'600'000'000'000;  // CP-23: a known round trip is taken as good for an hour

// Subjects that only the server may reply to or publish on (CP-45, CP-46).
[[gnu::cold]] bool is_longer_than_prefix(std::string_view subject, std::string_view prefix) {
  return subject.size() > prefix.size() && subject.starts_with(prefix);
}
bool is_reserved_reply(std::string_view reply) {
  if (reply.empty() || (reply[0] != '_' && reply[0] != '$') || reply.starts_with("_INBOX.")) [[likely]]
    return false;
  return is_longer_than_prefix(reply, "_R_.") || is_longer_than_prefix(reply, "$JS.ACK.") ||
         is_longer_than_prefix(reply, "_GR_.");
}
bool is_reserved_subject(std::string_view subject) {
  if (subject[0] != '_' && subject[0] != '$') [[likely]]
    return false;
  return subject.starts_with("_GR_.") || subject.starts_with("$NRG.");
}

}  // namespace

Client::Client(Connection& connection)
    : connection_(connection),
      worker_(connection.worker),
      limits_{worker_.options().control_line_max, worker_.options().payload_max} {}

void Client::open() {
  log::debug("{} - Client connection created", label());
  const State& state = worker_.state();
  if (state.tls == nullptr) return on_transport_ready();
  connection_.secure(state.tls, state.options.allow_non_tls);
  if (!state.options.tls->is_handshake_first) greet();
}

void Client::greet() {
  const State& state = worker_.state();
  if (state.table->wants_nonce()) nonce_ = auth::make_nonce();
  connection_.send(state.info.line(connection_.id, connection_.address.ip(), nonce_));
  has_greeted_ = true;
}

void Client::on_transport_ready() {
  if (!has_greeted_) greet();
  const State& state = worker_.state();
  account_ = state.account_at[state.accounts->default_account()];
  auto anonymous = state.table->anonymous();
  if (!anonymous || !admit({std::move(anonymous)})) {
    leave_account();
    login_by_ns_ = worker_.now_ns() + state.options.authorization.timeout.count();
    connection_.schedule(login_by_ns_);
  }
  ping_after(state.options.ping_interval.count());
}

// Soon after CONNECT and no sooner (CP-23): a client that waits for the answer to its login takes nothing
// else.
void Client::schedule_first_ping() {
  const Options& options = worker_.options();
  if (options.short_first_ping) ping_after(std::min(first_ping_ns, options.ping_interval.count()));
}

// Up to a fifth of jitter, so that clients of one storm are not all pinged at once.
void Client::ping_after(int64_t delay_ns) {
  thread_local std::minstd_rand random(static_cast<unsigned>(connection_.id));
  delay_ns += static_cast<int64_t>(random() % 1000) * (delay_ns / 5000);
  next_ping_ns_ = worker_.now_ns() + delay_ns;
  connection_.schedule(next_ping_ns_);
}

Session::Consumed Client::receive(std::string_view bytes, const BlockRef* block) {
  heard_ns_ = worker_.now_ns();
  is_traced_ = log::enabled(log::Level::trace);
  size_t at = 0;
  Operation operation;  // one for all: the parser guesses lengths from the operation before
  const size_t end = std::min(bytes.size(), connection_.piece_max());
  while (at < end) {
    if (!is_admitted_ && (bytes[at] | 0x20) != 'c') [[unlikely]] {  // AU-3
      refuse(Reason::first_operation_not_connect);
      return {at, 0};
    }
    // Not substr(): its check of the range is a call for each operation where it is not inlined.
    const std::string_view rest(bytes.data() + at, bytes.size() - at);
    const ParseResult result = parse(rest, limits_, operation);
    if (result.status != ParseStatus::complete) [[unlikely]] {
      if (result.status == ParseStatus::incomplete) return {at, result.needed};
      connection_.close(result.error);
      return {at, 0};
    }
    if (is_traced_) [[unlikely]]
      trace_received(connection_, operation, worker_.options().traced_message_max);
    // A payload may be referred to where it lies only when nothing else is in that block.
    const bool is_alone = result.consumed == bytes.size();
    at += result.consumed;
    execute(operation, is_alone ? block : nullptr);
    if (connection_.must_stop()) [[unlikely]]
      return {at, 0};
  }
  if (at < bytes.size()) connection_.end_piece();
  return {at, 0};
}

inline void Client::execute(const Operation& operation, const BlockRef* block) {
  switch (operation.verb) {
    case Verb::pub:
    case Verb::hpub:
      return publish(operation, block);
    case Verb::sub:
      return subscribe(operation);
    case Verb::unsub:
      return unsubscribe(operation);
    case Verb::ping:
      return say("PONG\r\n");
    case Verb::pong:
      pings_unanswered_ = 0;
      is_rtt_known_ = true;
      return;
    case Verb::connect:
      connect(operation.argument);
      // The bytes are ours, in a receive buffer or a block; the next reader must not find a password there
      // (I8).
      return wipe(const_cast<char*>(operation.argument.data()), operation.argument.size());
    case Verb::info:
    case Verb::ok:
      return;
    case Verb::err:
      if (worker_.may_log_refusal())
        log::error("{} - client error {}", label(), log::quoted(operation.argument));
      return connection_.close(Reason::client_reported_error);
  }
}

inline void Client::publish(const Operation& operation, const BlockRef* block) {
  ++connection_.messages_in;
  connection_.bytes_in += operation.size;
  std::string_view subject = operation.subject;
  bool may_cross = false;  // to another account
  const char first = subject[0];
  if (is_picky_ || operation.verb != Verb::pub || !operation.reply.empty() || first == '_' || first == '$') {
    if (const AccountRules* rules = worker_.rules(*account_); rules != nullptr) [[unlikely]] {
      subject = worker_.map(*rules, subject);
      if (subject.empty()) return say_ok();  // a mapping that loses some
      may_cross = rules->crosses(subject);
    }
    may_cross |= is_answer_subject(subject);
    if (!may_publish(operation, subject)) [[unlikely]]
      return;
    if (connect_.verbose) [[unlikely]]
      say("+OK\r\n");
  }
  const Match& match = worker_.matcher(*account_).match(subject);
  if (match.empty() && !may_cross) {
    if (connect_.no_responders && !operation.reply.empty()) answer_no_responders(operation.reply);
    return;
  }
  Message message;
  message.subject = subject;
  message.reply = operation.reply;
  message.payload = {operation.payload.data(), operation.payload.size() + 2};
  message.header_size = operation.verb == Verb::hpub ? operation.header_size : 0;
  if (!operation.is_canonical) [[unlikely]] {
    return route_rewritten(operation, match, message, may_cross);
  }
  message.head = {operation.tail.data(),
                  static_cast<size_t>(operation.payload.data() - operation.tail.data())};
  // Referred to where it lies, unless that would hold much more memory than it counts as.
  const bool is_shareable = block != nullptr && message.payload.size() > payload_copied_max &&
                            (*block)->capacity() <= 2 * message.payload.size();
  if (is_shareable) [[unlikely]]
    message.block = block->share();
  route(match, message, may_cross);
}

// A publish whose line cannot go to receivers as it stands: odd blanks, a bare line feed, an empty header
// block.
[[gnu::cold]] void Client::route_rewritten(const Operation& operation, const Match& match, Message& message,
                                           bool may_cross) {
  const std::string head =
      fmt::format("{}{}{}\r\n", operation.reply, operation.reply.empty() ? "" : " ",
                  operation.header_size == 0 ? fmt::format("{}", operation.size)
                                             : fmt::format("{} {}", message.header_size, operation.size));
  message.head = head;
  message.reply = message.head.substr(0, operation.reply.size());
  route(match, message, may_cross);
}

inline void Client::route(const Match& match, Message& message, bool may_cross) {
  message.judge(is_traced_);
  Delivery& delivery = worker_.delivery();
  const Publisher from{worker_.id(), connection_.slot, connection_.generation};
  bool is_delivered = delivery.publish(*account_, match, message, from, &connection_);
  if (may_cross) [[unlikely]]
    is_delivered |= worker_.crossings().publish(*account_, message, connection_);
  if (!is_delivered && connect_.no_responders && !message.reply.empty()) answer_no_responders(message.reply);
  if (delivery.appended() > turn_appended_max) [[unlikely]]
    worker_.resume_next_turn(connection_);
}

// What can be refused of a publish, besides its form; sends the error.
bool Client::may_publish(const Operation& operation, std::string_view subject) {
  if (operation.verb == Verb::hpub && !connection_.wants_headers) [[unlikely]] {
    connection_.close(Reason::header_violation);
    return false;
  }
  if (is_reserved_reply(operation.reply)) [[unlikely]] {
    say_error(
        fmt::format("{}{}", wire_text(Reason::permission_reply), log::quoted(operation.reply, SIZE_MAX)));
    return false;
  }
  if (is_reserved_subject(subject) || !may_publish_on(subject)) [[unlikely]] {
    log_violation("Publish", subject);
    say_error(fmt::format("{}{}", wire_text(Reason::permission_publish), log::quoted(subject, SIZE_MAX)));
    return false;
  }
  if (connect_.pedantic && !is_valid_literal(operation.subject)) [[unlikely]] {
    say_error(wire_text(Reason::invalid_publish_subject));  // and yet the message goes its way (CP-41)
  }
  return true;
}

void Client::subscribe(const Operation& operation) {
  const Options& options = worker_.options();
  const auto violation = [&](std::string_view suffix) {
    log_violation("Subscription", operation.subject);
    say_error(fmt::format("{}{}{}", wire_text(Reason::permission_subscribe),
                          log::quoted(operation.subject, SIZE_MAX), suffix));
  };
  if (options.subject_tokens_max != 0 && token_count(operation.subject) > options.subject_tokens_max) {
    return violation(", too many tokens");
  }
  if (operation.queue == system_queue || !may_subscribe(operation)) {
    return violation(operation.queue.empty() ? ""
                                             : fmt::format(" using queue {}", log::quoted(operation.queue)));
  }
  if (subscriptions_.size() >= subscriptions_max_) {
    return say_error(wire_text(Reason::subscriptions_exceeded));
  }
  if (subscriptions_.find(operation.sid) == nullptr) {
    if (!is_valid_subject(operation.subject)) return say_error(wire_text(Reason::invalid_subject));
    subscriptions_.insert(account_->interest.add(worker_.id(), &connection_, operation.subject,
                                                 operation.queue, operation.sid));
  }
  say_ok();
}

void Client::log_violation(std::string_view what, std::string_view subject) {
  if (!worker_.may_log_refusal()) return;
  const std::string_view name = login_.user->name;
  const std::string who =
      name.empty() ? "" : fmt::format(" - {} {},", login_.user->is_nkey ? "Nkey" : "User", log::quoted(name));
  log::error("{} - {} Violation{} Subject {}", label(), what, who.empty() ? " -" : who, log::quoted(subject));
}

void Client::unsubscribe(const Operation& operation) {
  if (Subscription* subscription = subscriptions_.find(operation.sid)) {
    if (operation.max > subscription->delivered) {
      subscription->max = operation.max;
    } else {
      remove(*subscription);
    }
  }
  say_ok();
}

void Client::remove(Subscription& subscription) {
  subscriptions_.erase(&subscription);
  account_->interest.remove(worker_.id(), &subscription);
}

void Client::on_expired(Subscription& subscription) {
  if (!connection_.is_closing()) remove(subscription);  // else it goes with the others
}

bool Client::remove_subscriptions(unsigned count) {
  for (; count > 0 && subscriptions_.size() != 0; --count) {
    account_->interest.remove(worker_.id(), subscriptions_.take_any());
  }
  return subscriptions_.size() == 0;
}

// CP-56: told on the publisher's own plain subscription that matches the reply, without counting as a
// delivery.
void Client::answer_no_responders(std::string_view reply) {
  for (const SubscriptionList* list : worker_.matcher(*account_).match(reply).plain) {
    for (const Subscription* subscription : *list) {
      if (subscription->receiver != &connection_) continue;
      return say(fmt::format("HMSG {} {} 16 16\r\nNATS/1.0 503\r\n\r\n\r\n", reply, subscription->sid()));
    }
  }
}

int64_t Client::on_timer(int64_t now_ns) {
  if (login_by_ns_ != 0 && login_by_ns_ <= now_ns) {
    connection_.close(Reason::authentication_timeout);
    return INT64_MAX;
  }
  if (next_ping_ns_ <= now_ns && !ping_or_close(now_ns)) return INT64_MAX;
  return login_by_ns_ != 0 ? std::min(login_by_ns_, next_ping_ns_) : next_ping_ns_;
}

// False when the connection was found stale (CP-24).
bool Client::ping_or_close(int64_t now_ns) {
  const int64_t interval_ns = worker_.options().ping_interval.count();
  next_ping_ns_ = now_ns + interval_ns;
  if (verifying_ != Verifying::nothing) return true;  // it waits for us, and what it says is not read
  const bool is_alive = is_rtt_known_ && now_ns - heard_ns_ < std::min(interval_ns, rtt_valid_ns);
  if (is_alive) {
    log::debug("{} - Delaying PING due to remote client data or ping", label());
    return true;
  }
  if (pings_unanswered_ + 1 > worker_.options().pings_max) {
    log::debug("{} - Stale Client Connection - Closing", label());
    connection_.close(Reason::stale_connection);
    return false;
  }
  ++pings_unanswered_;
  say("PING\r\n");
  return true;
}

void Client::on_closing(Reason reason) {
  leave_account();
  end_recheck();
  if (verifying_ != Verifying::nothing)
    worker_.server().verifier->cancel({worker_.id(), connection_.slot, connection_.generation});
  const Options& options = worker_.options();
  if (reason == Reason::slow_consumer_pending) {
    log::info("{} - Slow Consumer Detected: MaxPending of {} Exceeded", label(), options.pending_max);
  } else if (reason == Reason::slow_consumer_deadline) {
    log::info("{} - Slow Consumer Detected: WriteDeadline of {} exceeded with {} chunks of {} total bytes.",
              label(), format_duration(options.write_deadline), connection_.outbox.parts_count(),
              connection_.outbox.pending());
  } else if (reason == Reason::unknown_operation || reason == Reason::authentication_timeout) {
    log::debug("{} - {}", label(), wire_text(reason));  // anybody can cause them (CP-73)
  } else if (!wire_text(reason).empty() && !is_login_refusal(reason) && worker_.may_log_refusal()) {
    log::error("{} - {}", label(), wire_text(reason));
  }
  log::debug("{} - Client connection closed: {} [{}]", label(), close_name(reason), code(reason));
}

void Client::say(std::string_view line) {
  if (log::enabled(log::Level::trace)) [[unlikely]]
    trace_sent(connection_, line);
  connection_.send(line);
  // Answers count like messages: who asks without reading is cut.
  if (connection_.outbox.pending() > worker_.options().pending_max) [[unlikely]] {
    connection_.close(Reason::slow_consumer_pending);
  }
}

void Client::say_error(std::string_view text) {
  log::debug("{} - {}", label(), text);
  say(fmt::format("-ERR '{}'\r\n", text));
}

// "HOST:PORT - cid:N", and what the client says of itself (OP-12).
std::string Client::label() const {
  if (!has_connected_ || (connect_.version.empty() && connect_.lang.empty() && connect_.name.empty())) {
    return connection_.label();
  }
  const std::string said = fmt::format("v{}:{}{}{}", connect_.version, connect_.lang,
                                       connect_.name.empty() ? "" : ":", connect_.name);
  return fmt::format("{} - {}", connection_.label(), log::quoted(said));
}

}  // namespace nuncio::net
