// A handshake of the TLS library, from the first bytes of a client to the secrets of its records. Some 40 KiB
// while it lives, so it goes as soon as it is done. One thread at a time, which may be another at each call.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/peer_certificate.h"
#include "core/tls_names.h"
#include "net/tls_engine.h"
#include "net/tls_records.h"
#include "net/tls_session.h"

namespace nuncio::net {

class TlsHandshake {
 public:
  explicit TlsHandshake(TlsContext::Engine&);
  ~TlsHandshake();
  TlsHandshake(const TlsHandshake&) = delete;
  TlsHandshake& operator=(const TlsHandshake&) = delete;

  // As TlsSession::handshake; not after `failed` or `done`.
  TlsSession::Handshake go_on(std::string_view& ciphertext, std::string& answer);
  const std::string& problem() const { return problem_; }

  // After `done`.
  const TlsCipherSuite& suite() const { return *suite_; }
  std::optional<auth::PeerCertificate>& peer() { return peer_; }
  bool is_resumed() const { return is_resumed_; }
  size_t record_size() const { return record_size_; }
  void get_traffic(TlsTraffic&) const;

  // The library's callbacks for a context's tickets, with its engine.
  static int write_ticket(void*, const mbedtls_ssl_session*, unsigned char* start, const unsigned char* end,
                          size_t* size, uint32_t* lifetime_s);
  static int read_ticket(void*, mbedtls_ssl_session*, unsigned char* bytes, size_t size);

 private:
  TlsSession::Handshake begin(std::string_view& ciphertext);
  TlsSession::Handshake fail(std::string problem);
  void tell_failure(int code, size_t answered);
  uint8_t alert_of(int code) const;
  TlsSession::Handshake step();
  int step_once();
  TlsSession::Handshake finish();
  bool find_suite();
  std::string problem_of(int code) const;
  bool accept_peer(const mbedtls_x509_crt&);
  bool restore_peer();
  static int receive(void*, unsigned char* bytes, size_t size);
  static int send(void*, const unsigned char* bytes, size_t size);
  static int judge(void*, mbedtls_x509_crt*, int depth, uint32_t* flags);

  TlsContext::Engine& context_;
  std::shared_ptr<TlsConfigs::One> config_;  // that the session refers to
  bool may_sign_ = false;                    // with the keys of that
  mbedtls_ssl_context ssl_;
  ExportedSecrets secrets_;
  std::string hello_;  // the client's first record, until it is complete
  bool has_begun_ = false;
  bool is_resumed_ = true;
  bool has_client_finished_ = false;
  const TlsCipherSuite* suite_ = nullptr;
  std::optional<auth::PeerCertificate> peer_;
  size_t record_size_ = TlsSession::record_max;
  std::string problem_;
  std::string certificate_problem_;  // what we have against the client's, beyond what the library has
  std::string certificate_;          // the client's, in DER: verified now, or when the ticket was made
  int64_t resumable_until_;          // Unix time: no ticket of this session is good for longer
  // During a call.
  std::string_view* input_ = nullptr;
  std::string* answer_ = nullptr;
};

}  // namespace nuncio::net
