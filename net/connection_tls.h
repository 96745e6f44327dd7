// TLS between a connection's socket and its session. The first byte tells whether TLS is spoken at all; the
// handshake is computed step by step on verifier threads (never here); then records are decrypted as they
// come and the outbox is encrypted as it goes. Lives on the connection's worker.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/reason.h"
#include "net/outbox.h"
#include "net/tls_session.h"

namespace nuncio::net {

class Connection;

class ConnectionTls {
 public:
  // `admits_plain`: who does not begin with a handshake goes on in plain text (CF-59).
  ConnectionTls(Connection& connection, std::shared_ptr<const TlsContext> context, bool admits_plain);
  ~ConnectionTls();
  ConnectionTls(const ConnectionTls&) = delete;
  ConnectionTls& operator=(const ConnectionTls&) = delete;

  // These first bytes are not TLS, and may be plain text: the connection goes on without this object.
  bool is_plain(std::string_view first) const;
  // What came from the socket; wiped by nobody, it is ciphertext.
  void on_received(std::string_view bytes);
  // The verifier has made the step of the handshake that it was given.
  void on_step();
  // FIN came while a step is computed that may be the last: what is behind the handshake counts first.
  bool defers_end() const { return is_under_way_ && has_answered_; }
  // A deadline passed; returns the next one (monotonic ns), INT64_MAX when there is none. Afterwards the
  // connection may be closing, or is_late_plain().
  int64_t on_timer(int64_t now_ns);
  // Nothing came in time, and plain text may follow: as is_plain().
  bool is_late_plain() const { return is_late_plain_; }
  void on_closing();

  // The handshake is done: what the session says and hears is encrypted.
  bool is_open() const { return state_ == State::open; }
  // What is appended to the outbox now, the peer can read.
  bool can_tell() const { return state_ == State::open || (state_ == State::waiting && has_greeted_); }

  // As Outbox::begin_send(), of what is to go out on the socket: records, or before them clear text.
  unsigned begin_send(iovec (&parts)[Outbox::parts_max]);
  // That send is over; `bytes` of it went out, all of them unless it failed.
  void on_sent(uint64_t bytes, bool has_failed);
  // Appends the record that tells of an orderly end, behind everything else; false when that was done, or
  // there is nothing to end.
  bool append_close();

  const TlsSession& session() const { return *session_; }  // when open

 private:
  enum class State : uint8_t { waiting, handshaking, open, failed };
  struct Handshake;
  struct Chunk {  // of records to be sent
    char* data;
    uint32_t size;
    unsigned pool_size;
  };

  void submit_step();
  void fail(std::string_view problem, Reason = Reason::tls_handshake_failed);
  void open();
  bool is_pinned() const;
  bool is_trusted_still() const;
  void decrypt(std::string_view ciphertext);
  bool encrypt(std::span<iovec> plain);
  std::string_view next_record(std::span<iovec>& plain);
  bool append_record(std::string_view plain, uint64_t left);
  void release_chunks();

  Connection& connection_;
  std::shared_ptr<const TlsContext> context_;  // null when open
  const bool admits_plain_;
  State state_ = State::waiting;
  bool has_greeted_;           // INFO went out in clear
  bool is_under_way_ = false;  // a step of the handshake
  bool has_answered_ = false;  // to the first one: the next may be the last
  bool is_late_plain_ = false;
  bool is_close_appended_ = false;
  int64_t by_ns_;            // the end of the handshake
  int64_t greet_at_ns_ = 0;  // INFO goes out in clear after all; 0: not
  std::shared_ptr<Handshake> handshake_;
  std::string received_;        // while a step is under way
  size_t handshake_bytes_ = 0;  // given to the handshake in all
  std::unique_ptr<TlsSession> session_;
  uint64_t record_max_ = TlsSession::record_max;  // plaintext of one; less where the client asked for that
  uint64_t clear_bytes_ = 0;                      // at the front of the outbox: not to be encrypted
  uint64_t sending_plain_ = 0;  // bytes of the outbox in the records under way; 0: clear text is
  unsigned chunks_count_ = 0;
  std::array<Chunk, 2> chunks_;
};

}  // namespace nuncio::net
