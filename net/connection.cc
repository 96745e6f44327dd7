#include "net/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "core/assert.h"
#include "core/log.h"
#include "core/secret.h"
#include "net/server.h"
#include "net/worker.h"

namespace nuncio::net {
namespace {

constexpr int64_t never_ns = INT64_MAX;
constexpr int64_t stall_ns = 5'000'000;      // CP-62: the reference stalls 2 to 5 ms
constexpr uint64_t stall_bytes = 16 * 1024;  // between two stalls: nobody is stopped for good
constexpr int64_t cautious_ns = 100'000'000;
constexpr int64_t breath_ns = 1'000'000;
constexpr size_t whole_piece = 64 * 1024;       // about a receive buffer
constexpr int64_t head_start_ns = 200'000'000;  // of an -ERR before close_notify
constexpr int64_t linger_at_stop_ns = 100'000'000;
constexpr int64_t linger_ns = 1'000'000'000;  // how long a refused peer may take to read its -ERR

// Ends after which nothing can or should be sent any more.
bool is_abrupt(Reason reason) {
  return reason == Reason::read_error || reason == Reason::write_error ||
         reason == Reason::slow_consumer_pending || reason == Reason::slow_consumer_deadline;
}

}  // namespace

Connection::Connection(Worker& owner, Slot slot_, uint32_t generation_, const Address& address_, uint64_t id_)
    : outbox(owner.chunks()),
      worker(owner),
      slot(slot_),
      generation(generation_),
      id(id_),
      address(address_) {}

Connection::~Connection() = default;

std::string Connection::label() const {
  return fmt::format("{} - cid:{}", address.host_and_port(), id);
}

void Connection::secure(std::shared_ptr<const TlsContext> context, bool admits_plain) {
  tls_ = std::make_unique<ConnectionTls>(*this, std::move(context), admits_plain);
}

void Connection::go_on_in_plain() {
  tls_.reset();
  session->on_transport_ready();
}

void Connection::on_received(std::string_view bytes) {
  if (tls_) [[unlikely]] {
    if (is_closing_ || !tls_->is_plain(bytes)) return tls_->on_received(bytes);
    go_on_in_plain();
  }
  on_plaintext(bytes);
}

void Connection::on_plaintext(std::string_view bytes) {
  // Read and dropped, so that the peer's FIN is seen and no RST overtakes our -ERR. It may be the CONNECT of
  // a client too many, so nothing stays of it (I8).
  if (is_closing_) return wipe(const_cast<char*>(bytes.data()), bytes.size());
  if (paused_ != 0) [[unlikely]] {
    append(bytes, 0);
    if (input_.view().size() > worker.options().control_line_max) pause_receive();
    return;
  }
  while (!input_.empty()) {
    // Complete the operation that is kept, then go on in place.
    size_t take = bytes.size();
    if (needed_ != 0) {
      take = std::min<size_t>(take, needed_ - input_.view().size());
    } else if (const void* end = std::memchr(bytes.data(), '\n', bytes.size())) {
      take = static_cast<size_t>(static_cast<const char*>(end) - bytes.data()) + 1;
    }
    append(bytes.substr(0, take), needed_);
    bytes.remove_prefix(take);
    execute_kept();
    if (is_closing_) return;
    if (paused_ != 0) {
      if (!bytes.empty()) append(bytes, 0);
      return;
    }
    if (bytes.empty()) return;
  }
  const Session::Consumed done = session->receive(bytes, nullptr);
  if (done.bytes != bytes.size() && !is_closing_) keep(bytes.substr(done.bytes), done.needed);
}

void Connection::keep(std::string_view bytes, uint64_t needed) {
  needed_ = needed;
  append(bytes, needed);
}

// What is copied out of the receive buffer would stay there until somebody else's bytes come: not a CONNECT,
// nor what a client sends while its first one is judged.
void Connection::append(std::string_view bytes, uint64_t expected) {
  input_.append(bytes, expected);
  if (input_.is_confidential() || is_paused(verifying)) [[unlikely]]
    wipe(const_cast<char*>(bytes.data()), bytes.size());
}

void Connection::execute_kept() {
  const BlockRef block = input_.block().share();  // close() lets go of the input while it is being read
  const Session::Consumed done = session->receive(input_.view(), &block);
  if (is_closing_) {  // the input is gone
    if (!block->is_shared()) wipe(block->data(), block->capacity());
    return;
  }
  input_.consume(done.bytes);
  needed_ = done.needed;
}

void Connection::pause(Pause why) {
  if (is_closing_) return;
  if (why == stalled) {
    const uint64_t received = bytes_in + 16 * messages_in;
    if (received - received_at_stall_ < stall_bytes) return;
    received_at_stall_ = received;
    cautious_until_ns_ = worker.now_ns() + cautious_ns;
    stall_for(stall_ns);
  }
  paused_ |= why;
  // While credentials are checked the socket is still read, up to a limit, to notice a client that leaves
  // (AU-7).
  if (why != verifying) pause_receive();
}

// A stall asked for by another worker takes a while to arrive: for some time after one, input goes in small
// pieces with a breath in between, so that the next stall is heard before much more is under way.
size_t Connection::piece_max() const {
  return is_cautious() ? stall_bytes : whole_piece;
}

void Connection::end_piece() {
  if (is_closing_) return;
  if (!is_cautious()) return worker.resume_next_turn(*this);
  paused_ |= stalled;
  pause_receive();
  stall_for(breath_ns);
}

bool Connection::is_cautious() const {
  return worker.now_ns() < cautious_until_ns_;
}

void Connection::stall_for(int64_t duration_ns) {
  stalled_until_ns_ = worker.now_ns() + duration_ns;
  schedule(stalled_until_ns_);
}

void Connection::pause_receive() {
  if (is_receive_paused_ || is_receive_over_) return;
  is_receive_paused_ = true;
  worker.io().pause_receive(slot);
}

void Connection::resume_receive() {
  if (!is_receive_paused_ || is_receive_over_) return;
  is_receive_paused_ = false;
  worker.io().resume_receive(slot);
}

void Connection::resume(Pause why) {
  if (!is_paused(why) || is_closing_) return;
  paused_ &= static_cast<uint8_t>(~why);
  if (paused_ != 0) return;
  if (!input_.empty()) execute_kept();
  if (paused_ != 0 || is_closing_) return;
  if (is_receive_over_) return close(is_receive_broken_ ? Reason::read_error : Reason::client_closed);
  resume_receive();
}

void Connection::flush_later() {
  if (is_in_flush_list) return;
  is_in_flush_list = true;
  worker.add_to_flush_list(*this);
}

void Connection::flush(int64_t now_ns) {
  if (is_ending_) return;
  if (is_closing_ && is_abrupt(close_reason_)) return end_now();
  iovec parts[Outbox::parts_max];
  const unsigned count = tls_ ? tls_->begin_send(parts) : outbox.begin_send(parts);
  if (count == 0) {
    if (is_closing_ && !outbox.is_sending()) end_when_flushed();
    return;
  }
  send_began_ns_ = now_ns;
  schedule(now_ns + worker.options().write_deadline.count());
  worker.io().send(slot, parts, count);
}

void Connection::on_sent(uint64_t bytes, int error) {
  tls_ ? tls_->on_sent(bytes, error != 0) : outbox.end_send(bytes);
  send_began_ns_ = 0;
  if (is_ending_) return;
  if (error != 0) {
    close(Reason::write_error);
    return end_now();
  }
  if (outbox.pending() != 0 || is_closing_) flush_later();
}

void Connection::on_end_of_stream() {
  is_receive_over_ = true;
  if (is_lingering_) return end_now();
  if (close_notify_at_ns_ != 0) return flush_later();
  if (tls_ && tls_->defers_end()) return pause(handshaking);
  // What came before is executed first (CP-55): a paused connection closes when it has caught up.
  // A client that leaves while its credentials are checked gives up its place at once (AU-7).
  if (paused_ == 0 || input_.empty() || is_paused(verifying)) close(Reason::client_closed);
}

void Connection::on_receive_failed() {
  is_receive_over_ = true;
  is_receive_broken_ = true;
  // What came before the reset is executed as before a FIN.
  if (paused_ != 0 && !is_paused(verifying) && !input_.empty()) return;
  close(Reason::read_error);
  end_now();
}

void Connection::close(Reason reason) {
  if (is_closing_) return;
  is_closing_ = true;
  delivery_filter = takes_nothing;
  close_reason_ = reason;
  paused_ = 0;
  input_.clear();
  session->on_closing(reason);
  const bool is_heard = !tls_ || tls_->can_tell();
  if (tls_) tls_->on_closing();
  if (const std::string_view text = wire_text(reason); !text.empty() && is_heard) {
    outbox.append(fmt::format("-ERR '{}'\r\n", text));
    has_told_why_ = true;
  }
  worker.remove_subscriptions_later(*this);
  resume_receive();
  flush_later();
}

void Connection::end_when_flushed() {
  if (leaves_first_to_peer()) return;
  if (tls_ && tls_->append_close()) return flush_later();
  if (is_receive_over_) return end_now();
  if (is_lingering_) return;
  is_lingering_ = true;
  linger_until_ns_ =
      worker.now_ns() + (close_reason_ == Reason::server_shutdown ? linger_at_stop_ns : linger_ns);
  schedule(linger_until_ns_);
  worker.io().shutdown_send(slot);
}

// nats.go loses what it reads together with the close_notify of TLS 1.2 (Go returns both the bytes and the
// end): it would take a refusal for a connection that was lost, and dial again for ever. Most clients end by
// themselves when they have read an -ERR.
bool Connection::leaves_first_to_peer() {
  const bool is_at_risk = has_told_why_ && tls_ && tls_->is_open() && tls_->session().version() == "1.2";
  if (!is_at_risk || is_receive_over_ || close_reason_ == Reason::server_shutdown) return false;
  const int64_t now_ns = worker.now_ns();
  if (close_notify_at_ns_ == 0) {
    close_notify_at_ns_ = now_ns + head_start_ns;
    schedule(close_notify_at_ns_);
  }
  return now_ns < close_notify_at_ns_;
}

void Connection::end_now() {
  if (is_ending_) return;
  is_ending_ = true;
  worker.io().close(slot);
}

void Connection::schedule(int64_t at_ns) {
  if (timer_at_ns_ != 0 && timer_at_ns_ <= at_ns) return;
  // The later one stays with the worker: when its time is asked for again, it is there.
  const int64_t later_ns = timer_at_ns_;
  timer_at_ns_ = at_ns;
  if (at_ns != later_timer_ns_) worker.add_timer(at_ns, *this);
  if (later_ns != 0 || at_ns == later_timer_ns_) later_timer_ns_ = later_ns;
}

void Connection::on_timer(int64_t at_ns, int64_t now_ns) {
  if (at_ns == later_timer_ns_) later_timer_ns_ = 0;
  if (at_ns != timer_at_ns_) return;  // rescheduled since
  timer_at_ns_ = 0;
  if (is_ending_) return;
  int64_t next_ns = never_ns;
  const auto is_due = [&](int64_t deadline_ns) {
    if (deadline_ns > now_ns) next_ns = std::min(next_ns, deadline_ns);
    return deadline_ns <= now_ns;
  };
  if (send_began_ns_ != 0 && is_due(send_began_ns_ + worker.options().write_deadline.count())) {
    close(Reason::slow_consumer_deadline);
    return end_now();
  }
  if (is_lingering_) {
    if (is_due(linger_until_ns_)) return end_now();
  } else if (!is_closing_) {
    if (is_paused(stalled) && is_due(stalled_until_ns_)) resume(stalled);
    const bool is_settling = tls_ && !tls_->is_open();
    if (!is_closing_) is_due(is_settling ? tls_->on_timer(now_ns) : session->on_timer(now_ns));
    if (is_settling && tls_->is_late_plain()) go_on_in_plain();
  } else if (close_notify_at_ns_ != 0 && is_due(close_notify_at_ns_)) {
    flush_later();
  }
  if (next_ns != never_ns) schedule(next_ns);
}

}  // namespace nuncio::net
