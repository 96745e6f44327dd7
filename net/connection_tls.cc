// Beside the cipher nothing is copied: records are decrypted out of the receive buffer and encrypted out of
// the outbox. Only what is smaller than a record is gathered first, up to 16 KiB.
#include "net/connection_tls.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/assert.h"
#include "core/log.h"
#include "net/server.h"
#include "net/worker.h"

namespace nuncio::net {
namespace {

constexpr char handshake_record = 0x16;  // first byte of a ClientHello
constexpr size_t handshake_bytes_max = 256 * 1024;
constexpr size_t received_max = 64 * 1024;  // beside a step under way; a little more until reading stops
constexpr uint64_t record_overhead_max = TlsSession::record_overhead_max;
constexpr uint64_t chunk_size_max = ChunkPool::size_of[ChunkPool::sizes - 1];

}  // namespace

// A verifier thread has it while a step is under way.
struct ConnectionTls::Handshake : auth::Work {
  explicit Handshake(std::shared_ptr<const TlsContext> with) : context(std::move(with)) {}
  void run() override;

  std::shared_ptr<const TlsContext> context;
  std::unique_ptr<TlsSession> session;  // made with the first bytes: who says nothing costs nothing
  std::string input, answer;
  TlsSession::Handshake status = TlsSession::Handshake::wants_input;
};

void ConnectionTls::Handshake::run() {
  if (session == nullptr) session = std::make_unique<TlsSession>(context);
  std::string_view left = input;
  status = session->handshake(left, answer);
  input.erase(0, input.size() - left.size());
}

ConnectionTls::ConnectionTls(Connection& connection, std::shared_ptr<const TlsContext> context,
                             bool admits_plain)
    : connection_(connection),
      context_(std::move(context)),
      admits_plain_(admits_plain),
      has_greeted_(!context_->options().is_handshake_first) {
  const TlsOptions& options = context_->options();
  const int64_t now_ns = connection_.worker.now_ns();
  by_ns_ = now_ns + options.timeout.count();
  if (!has_greeted_ && options.handshake_first_fallback.count() != 0)
    greet_at_ns_ = now_ns + options.handshake_first_fallback.count();
  connection_.schedule(greet_at_ns_ != 0 ? std::min(greet_at_ns_, by_ns_) : by_ns_);
}

ConnectionTls::~ConnectionTls() {
  release_chunks();
}

bool ConnectionTls::is_plain(std::string_view first) const {
  return admits_plain_ && state_ == State::waiting && has_greeted_ && first[0] != handshake_record;
}

void ConnectionTls::on_received(std::string_view bytes) {
  if (state_ == State::open) [[likely]]
    return decrypt(bytes);
  if (state_ == State::failed || connection_.is_closing()) return;
  if (state_ == State::waiting) {
    if (bytes[0] != handshake_record) return fail("the first bytes are no handshake");
    const uint32_t per_second = context_->options().handshakes_per_second;
    if (admits_plain_ && !connection_.worker.server().handshake_rate.admits(per_second))
      return connection_.close(Reason::connections_throttled);
    log::debug("{} - Starting TLS client connection handshake", connection_.label());
    state_ = State::handshaking;
    // As it is now: a client may have waited over a reload.
    if (const auto& now = connection_.worker.state().tls; now != nullptr) context_ = now;
    handshake_ = std::make_shared<Handshake>(context_);
  }
  received_.append(bytes);
  if (!is_under_way_) return submit_step();
  if (received_.size() > received_max) connection_.pause(Connection::handshaking);
}

void ConnectionTls::submit_step() {
  handshake_bytes_ += received_.size();
  if (handshake_bytes_ > handshake_bytes_max) return fail("the handshake is too long");
  handshake_->input.append(received_);
  received_.clear();
  const auth::Ticket ticket{connection_.worker.id(), connection_.slot, connection_.generation};
  is_under_way_ =
      connection_.worker.server().verifier->submit(ticket, std::string(connection_.address.ip()), handshake_);
  if (!is_under_way_) fail("too many wait for their turn", Reason::verifier_overloaded);
}

void ConnectionTls::on_step() {
  is_under_way_ = false;
  if (!handshake_->answer.empty()) {
    connection_.send(std::exchange(handshake_->answer, {}));
    has_answered_ = true;
  }
  switch (handshake_->status) {
    case TlsSession::Handshake::failed:
      return fail(handshake_->session->problem());
    case TlsSession::Handshake::done:
      return open();
    case TlsSession::Handshake::wants_input:
      if (!received_.empty()) submit_step();
      if (defers_end() && connection_.is_receive_over()) return;  // this one may be the last
      return connection_.resume(Connection::handshaking);
  }
}

void ConnectionTls::fail(std::string_view problem, Reason reason) {
  state_ = State::failed;
  if (connection_.worker.may_log_refusal())
    log::error("{} - TLS handshake error: {}", connection_.label(), problem);
  connection_.close(reason);
}

void ConnectionTls::open() {
  session_ = std::move(handshake_->session);
  const std::string ciphertext = std::move(handshake_->input) + received_;
  handshake_.reset();
  received_ = {};
  if (!is_pinned()) return fail("certificate not pinned");
  if (!is_trusted_still()) return fail("other certificates are trusted since a reload");
  // Its keys and lists would otherwise outlive many reloads.
  context_.reset();
  state_ = State::open;
  record_max_ = session_->record_size();
  clear_bytes_ = connection_.outbox.pending();  // the last of the handshake
  log::debug("{} - TLS handshake complete", connection_.label());
  log::debug("{} - TLS version {}, cipher suite {}{}", connection_.label(), session_->version(),
             session_->cipher_suite(), session_->is_resumed() ? ", resumed" : "");
  connection_.session->on_transport_ready();
  if (!ciphertext.empty()) decrypt(ciphertext);
  connection_.resume(Connection::handshaking);
}

// Also by what a reload during the handshake has pinned: nobody would look at this client again.
bool ConnectionTls::is_pinned() const {
  const auth::PeerCertificate* peer = session_->peer();
  const std::string digest = peer != nullptr ? peer->key_digest : "";
  const TlsContext* now = connection_.worker.state().tls.get();
  return context_->is_pinned(digest) && (now == nullptr || now->is_pinned(digest));
}

// Verified by what a reload during the handshake took out of force, nobody gets in once that reload is done.
bool ConnectionTls::is_trusted_still() const {
  const TlsContext* now = connection_.worker.state().tls.get();
  return now == nullptr || now->trusts_whom(*context_);
}

void ConnectionTls::decrypt(std::string_view ciphertext) {
  const std::span<char> buffer = connection_.worker.plain_buffer();
  while (!connection_.is_closing()) {
    const TlsSession::ReadResult read = session_->read(ciphertext, buffer);
    switch (read.status) {
      case TlsSession::Read::plaintext:
        connection_.on_plaintext({buffer.data(), read.plain_size});
        break;
      case TlsSession::Read::wants_input:
        return;
      case TlsSession::Read::end:
        return connection_.on_end_of_stream();
      case TlsSession::Read::failed:
        log::debug("{} - TLS error: {}", connection_.label(), session_->problem());
        return connection_.close(Reason::tls_record_failed);
    }
  }
}

int64_t ConnectionTls::on_timer(int64_t now_ns) {
  if (state_ == State::waiting && greet_at_ns_ != 0 && greet_at_ns_ <= now_ns) {
    greet_at_ns_ = 0;
    has_greeted_ = true;
    connection_.session->greet();
  }
  const bool may_greet = state_ == State::waiting && greet_at_ns_ != 0;
  if (by_ns_ > now_ns) return may_greet ? std::min(greet_at_ns_, by_ns_) : by_ns_;
  if (state_ == State::waiting && admits_plain_ && has_greeted_) {
    is_late_plain_ = true;
  } else {
    if (connection_.worker.may_log_refusal()) log::error("{} - TLS handshake timeout", connection_.label());
    connection_.close(Reason::tls_handshake_timeout);
  }
  return INT64_MAX;
}

void ConnectionTls::on_closing() {
  if (is_under_way_)
    connection_.worker.server().verifier->cancel(
        {connection_.worker.id(), connection_.slot, connection_.generation});
  if (state_ == State::open) return;
  state_ = State::failed;
  handshake_.reset();  // 40 KiB, which need not wait with the socket for the peer's FIN
}

unsigned ConnectionTls::begin_send(iovec (&parts)[Outbox::parts_max]) {
  Outbox& outbox = connection_.outbox;
  if (!is_open()) return outbox.begin_send(parts);
  if (clear_bytes_ != 0) return outbox.begin_send(parts, clear_bytes_);
  const uint64_t records_per_chunk = chunk_size_max / (record_max_ + record_overhead_max);
  iovec plain[Outbox::parts_max];
  const unsigned count = outbox.begin_send(plain, chunks_.size() * records_per_chunk * record_max_);
  if (count == 0) return 0;
  if (!encrypt({plain, count})) {
    release_chunks();
    outbox.end_send(0);
    connection_.close(Reason::write_error);
    return 0;
  }
  for (unsigned i = 0; i < chunks_count_; ++i) parts[i] = {chunks_[i].data, chunks_[i].size};
  return chunks_count_;
}

bool ConnectionTls::encrypt(std::span<iovec> plain) {
  uint64_t all = 0;
  for (const iovec& part : plain) all += part.iov_len;
  for (uint64_t left = all; left != 0;) {
    const std::string_view record = next_record(plain);
    if (!append_record(record, left)) return false;
    left -= record.size();
  }
  sending_plain_ = all;
  connection_.worker.count_encrypted(all);
  return true;
}

// Takes the next record off the front: all but the last are full.
std::string_view ConnectionTls::next_record(std::span<iovec>& plain) {
  const auto take = [&](size_t size_max) {
    iovec& first = plain.front();
    const std::string_view taken(static_cast<char*>(first.iov_base), std::min(first.iov_len, size_max));
    first.iov_base = static_cast<char*>(first.iov_base) + taken.size();
    first.iov_len -= taken.size();
    if (first.iov_len == 0) plain = plain.subspan(1);
    return taken;
  };
  if (plain.size() == 1 || plain.front().iov_len >= record_max_) return take(record_max_);
  const std::span<char> buffer = connection_.worker.plain_buffer();
  size_t size = 0;
  while (!plain.empty() && size < record_max_) {
    const std::string_view piece = take(record_max_ - size);
    std::memcpy(buffer.data() + size, piece.data(), piece.size());
    size += piece.size();
  }
  return {buffer.data(), size};
}

// `left`: plaintext that is still to come, this included.
bool ConnectionTls::append_record(std::string_view plain, uint64_t left) {
  Chunk* chunk = chunks_count_ != 0 ? &chunks_[chunks_count_ - 1] : nullptr;
  const auto room = [&] { return ChunkPool::size_of[chunk->pool_size] - chunk->size; };
  if (chunk == nullptr || room() < plain.size() + record_overhead_max) {
    NUNCIO_ASSERT(chunks_count_ < chunks_.size());
    const uint64_t wanted = left + (left / record_max_ + 1) * record_overhead_max;
    unsigned pool_size = 0;
    while (pool_size + 1 < ChunkPool::sizes && ChunkPool::size_of[pool_size] < wanted) ++pool_size;
    chunk = &chunks_[chunks_count_++];
    *chunk = {connection_.worker.chunks().take(pool_size), 0, pool_size};
  }
  const size_t size = session_->write(plain, {chunk->data + chunk->size, room()});
  chunk->size += static_cast<uint32_t>(size);
  return size != 0;
}

void ConnectionTls::on_sent(uint64_t bytes, bool has_failed) {
  if (sending_plain_ == 0) {
    connection_.outbox.end_send(bytes);
    if (is_open()) clear_bytes_ -= bytes;
    return;
  }
  release_chunks();
  connection_.outbox.end_send(has_failed ? 0 : std::exchange(sending_plain_, 0));
}

void ConnectionTls::release_chunks() {
  for (unsigned i = 0; i < chunks_count_; ++i)
    connection_.worker.chunks().give(chunks_[i].pool_size, chunks_[i].data);
  chunks_count_ = 0;
}

bool ConnectionTls::append_close() {
  if (!is_open() || is_close_appended_) return false;
  is_close_appended_ = true;
  // What could not be encrypted must not go out in clear in this record's place.
  connection_.outbox.clear();
  char record[record_overhead_max];
  clear_bytes_ = session_->close(record);
  connection_.outbox.append({record, clear_bytes_});
  return clear_bytes_ != 0;
}

}  // namespace nuncio::net
