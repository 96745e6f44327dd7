// The client's side of a TLS connection for tests: OpenSSL over bytes in memory, and the exchange of these
// bytes with a session of ours.
#pragma once

#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/tls_session.h"
#include "tls_authority.h"

namespace nuncio::test {

struct TlsClientSettings {
  const Identity* identity = nullptr;  // the certificate it gives
  std::string chain = {};              // what it sends behind that, in PEM form
  std::string trust = {};              // PEM; empty: it trusts everybody
  std::string server_name = {};
  std::string suites = {};  // by OpenSSL's names: of TLS 1.2, or of 1.3 ("TLS_…")
  std::string curves = {};
  std::string signatures = {};
  int version_min = TLS1_2_VERSION, version_max = 0;  // 0: the newest
  SSL_SESSION* session = nullptr;                     // to resume
  bool allows_weak = false;
};

class TlsClient {
 public:
  explicit TlsClient(const TlsClientSettings& settings = {});
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  // Goes on with the handshake; true once it is done on this side.
  bool handshake();
  void write(std::string_view plain);
  std::string read();         // all that can be decrypted
  void close();               // sends close_notify
  bool is_closed() const;     // close_notify has come
  std::string take_output();  // ciphertext for the server
  void put_input(std::string_view ciphertext);
  std::string error() const { return error_; }  // of the last call that failed for good

  SSL* ssl() { return ssl_; }
  SSL_SESSION* session();                  // the newest that can be resumed, or null; lives as long as this
  std::string server_certificate() const;  // its subject's common name

 private:
  bool went_on(int result);

  SSL_CTX* context_;
  SSL* ssl_;
  SSL_SESSION* session_ = nullptr;
  std::string error_;
};

// Shakes hands, all bytes of a direction at once, and says what the server's side said last.
net::TlsSession::Handshake shake_hands(TlsClient&, net::TlsSession&);
// All the plaintext in `ciphertext`, and how it ended.
std::string read_all(net::TlsSession&, std::string_view ciphertext, net::TlsSession::Read* last = nullptr);
std::string encrypt(net::TlsSession&, std::string_view plain);  // any size, as records

}  // namespace nuncio::test
