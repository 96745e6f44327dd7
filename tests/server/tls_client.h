// The TLS of a test client: OpenSSL between memory buffers, so that a test can hold back, cut, repeat or
// damage what would go over the socket. `Client` owns the socket and speaks through this once `start_tls()`
// was called. Shares nothing with the server's own engine.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "certificates.h"

struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;

namespace nuncio::test {

using TlsTicket = std::shared_ptr<ssl_session_st>;

struct TlsSettings {
  std::string ca = {};                             // who may have signed the server's; empty: authority()
  std::optional<Certificate> certificate = {};     // of the client
  std::string version_min = {}, version_max = {};  // "1.0" … "1.3"; empty: the widest
  std::string ciphers = {};                        // of TLS 1.2 and before, OpenSSL's names
  std::string suites = {};                         // of TLS 1.3
  std::string groups = {};                         // "P-256:X25519"
  std::string server_name = "localhost";           // asked for and verified; empty: neither
  TlsTicket ticket = {};                           // resume this session
  // Goes out with the ClientHello as early data of TLS 1.3, whatever the ticket allows; without a ticket by a
  // key that no server knows.
  std::string early_data = {};
  size_t record_max = 0;            // asks for records of 512, 1024, 2048 or 4096 bytes
  bool is_handshake_first = false;  // TLS before INFO
};

class TlsTransport {
 public:
  explicit TlsTransport(const TlsSettings&);
  ~TlsTransport();
  TlsTransport(const TlsTransport&) = delete;
  TlsTransport& operator=(const TlsTransport&) = delete;

  enum class Handshake { wants_input, done, failed };
  Handshake handshake();  // the first call makes the ClientHello
  // Appends what could be decrypted; false once the session is over, see has_ended_well() and problem().
  bool read(std::string& plain);
  void write(std::string_view plain);
  void close();        // makes the close_notify
  void renegotiate();  // makes a ClientHello inside the session; TLS 1.2
  void renew_keys();   // makes a KeyUpdate that asks for the server's; TLS 1.3

  void received(std::string_view bytes);  // from the socket
  std::string take_output();              // for the socket

  bool has_ended_well() const;  // the server sent its close_notify
  // The last alert of the server other than close_notify ("bad certificate"), else what OpenSSL found wrong.
  const std::string& problem() const { return problem_; }
  const std::string& alert() const { return alert_; }

  std::string version() const;         // "TLSv1.2"
  std::string cipher_suite() const;    // the standard's name, "TLS_AES_128_GCM_SHA256"
  std::string group() const;           // of the key exchange: "P-256", "X25519"; TLS 1.3 only
  std::string server_subject() const;  // "CN = localhost, …" as `openssl x509` shows it in RFC 2253 form
  bool is_resumed() const;
  TlsTicket ticket() const;  // of this session; with TLS 1.3 it comes behind the handshake

 private:
  void configure(const TlsSettings&);
  void write_early_data();
  void note_problem();
  static void on_event(const ssl_st*, int where, int value);

  std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)> context_;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> ssl_;
  std::string early_data_;  // until it was written
  std::string problem_;
  std::string alert_;
};

}  // namespace nuncio::test
