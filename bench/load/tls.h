// TLS as a client has it, by OpenSSL: what is wanted, loaded once for a server, and the stream over one
// connected socket. Another library than the server's, so that a mistake in one does not hide in the other.
// Errors throw Failure.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

// OpenSSL's own names for what it calls SSL_CTX, SSL, SSL_SESSION and BIO.
struct ssl_ctx_st;
struct ssl_st;
struct ssl_session_st;
struct bio_st;

namespace nuncio::load {

struct TlsSettings {
  bool is_wanted = false;
  std::string ca_file;              // PEM, whom the server is verified by; empty: the system's
  std::string cert_file, key_file;  // PEM, the client's own; empty: none
  std::string version;              // "1.2" or "1.3": no other; empty: the best that both have
  std::string cipher;               // by OpenSSL's name: no other; empty: as both like best
  bool is_resuming = false;         // connect: each login with the ticket of an earlier one
};

struct OpenSslDelete {
  void operator()(ssl_ctx_st* context) const noexcept;
  void operator()(ssl_st* ssl) const noexcept;
  void operator()(ssl_session_st* session) const noexcept;
};

// One connection's TLS. The socket stays its owner's and must outlive it; never blocks.
class TlsStream {
 public:
  TlsStream(std::unique_ptr<ssl_st, OpenSslDelete> ssl, int fd);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Goes on with the handshake as far as it can now; true once it is done.
  bool handshake();
  // Encrypts some of `bytes` and says how many; what the socket does not take at once waits for flush() or
  // the next write, which takes nothing before. So 0 means: wait until the socket is writable.
  size_t write(std::string_view bytes);
  // True when the socket has taken all that was encrypted.
  bool flush();
  // What has arrived, at most a buffer full; empty when nothing is there now. Failure once the server has
  // closed.
  std::string_view read(std::span<char> buffer);
  // The last read() filled its buffer, so more may be here that the socket no longer tells of.
  bool has_unread() const noexcept { return has_unread_; }

  // "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256", once the handshake is done.
  std::string description() const;
  bool is_resumed() const noexcept;

 private:
  friend struct Wire;  // OpenSSL's way to the socket

  std::unique_ptr<ssl_st, OpenSslDelete> ssl_;
  int fd_;
  std::string encrypted_;
  size_t encrypted_sent_ = 0;
  bool has_unread_ = false;
};

// The settings and their files, for any number of connections to one server.
class TlsClient {
 public:
  // `host` is whom the server's certificate must name.
  TlsClient(const TlsSettings& settings, std::string host);

  // From now on each stream resumes the newest session that the server has given. Handshakes and reads must
  // then all be on one thread.
  void resume_sessions();
  std::unique_ptr<TlsStream> open(int fd);

 private:
  static int keep_session(ssl_st* ssl, ssl_session_st* session);

  std::unique_ptr<ssl_ctx_st, OpenSslDelete> context_;
  std::string host_;
  std::unique_ptr<ssl_session_st, OpenSslDelete> session_;
};

}  // namespace nuncio::load
