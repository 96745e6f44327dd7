// The server's side of one TLS connection: bytes in, bytes out, no socket. One thread at a time: a verifier
// thread during the handshake, then the connection's worker.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "auth/peer_certificate.h"
#include "net/tls_context.h"

namespace nuncio::net {

class TlsSession {
 public:
  explicit TlsSession(std::shared_ptr<const TlsContext>);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  enum class Handshake : uint8_t { wants_input, done, failed };
  // Goes on with the handshake by what the peer sent: takes used bytes off the front of `ciphertext` and
  // appends what is to be sent to `answer` (when it failed: the alert). After `done` what is left of
  // `ciphertext` are records. Milliseconds of work: never on a worker. A failure is final.
  Handshake handshake(std::string_view& ciphertext, std::string& answer);
  // Why it failed, for the log; never a secret.
  const std::string& problem() const;

  enum class Read : uint8_t {
    plaintext,    // `plain_size` bytes were written
    wants_input,  // no complete record is left; what there was of one is kept inside
    end,          // the peer closed the session properly
    failed        // tampered with, malformed, renegotiation …; problem() says what
  };
  struct ReadResult {
    Read status;
    size_t plain_size = 0;
  };
  // Takes records off the front of `ciphertext` and decrypts them into `plain`, which has room for
  // record_max at least (a byte more spares the largest records of 1.3 a copy), as many as fit. After
  // `plaintext` ask again.
  ReadResult read(std::string_view& ciphertext, std::span<char> plain);

  // Largest plaintext of one record, and what a record adds to it at most.
  static constexpr size_t record_max = 16 * 1024;
  static constexpr size_t record_overhead_max = 64;
  // What write() should be given at most: less than record_max when the client asked for smaller records.
  size_t record_size() const;
  // Encrypts `plain` (1 … record_max bytes) as one record into `ciphertext`, which has room for
  // plain.size() + record_overhead_max; its size, 0 when it failed for good.
  size_t write(std::string_view plain, std::span<char> ciphertext);
  // The record that tells the peer of the end, an orderly one or what was wrong with its records, into room
  // for record_overhead_max; its size, 0 when there is nothing to tell.
  size_t close(std::span<char> ciphertext);

  // After `done`. Null: the client gave none.
  const auth::PeerCertificate* peer() const;
  std::string_view version() const;       // "1.2", "1.3"
  std::string_view cipher_suite() const;  // name as in core/tls_names.h
  bool is_resumed() const;

 private:
  struct Engine;
  const std::unique_ptr<Engine> engine_;
};

}  // namespace nuncio::net
