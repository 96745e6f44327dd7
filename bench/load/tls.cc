#include "bench/load/tls.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "bench/load/failure.h"

namespace nuncio::load {

// A BIO of ours in place of OpenSSL's socket BIO, which writes each record by a system call of its own, may
// die of SIGPIPE, and wants the same bytes again after a socket was full.
struct Wire {
  static int write(BIO* bio, const char* bytes, int size) {
    stream_of(bio).encrypted_.append(bytes, static_cast<size_t>(size));
    return size;
  }
  static int read(BIO* bio, char* into, int size) {
    BIO_clear_retry_flags(bio);
    const ssize_t n = recv(stream_of(bio).fd_, into, static_cast<size_t>(size), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
    return static_cast<int>(n);
  }
  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
  static TlsStream& stream_of(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

  static const BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* wire = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "nuncio-bench");
      BIO_meth_set_write(wire, write);
      BIO_meth_set_read(wire, read);
      BIO_meth_set_ctrl(wire, control);
      return wire;
    }();
    return made;
  }
};

namespace {

// Four records: one system call for them, and both texts stay in a core's second-level cache.
constexpr size_t encrypted_at_once = 64 * 1024;
// OpenSSL's default holds one record, at two system calls each without reading ahead.
constexpr size_t read_ahead_bytes = 64 * 1024;

std::string openssl_error() {
  const unsigned long error = ERR_peek_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(error)) return std::strerror(ERR_GET_REASON(error));
  const char* reason = ERR_reason_error_string(error);
  return reason != nullptr ? reason : "unknown error";
}

void require(bool holds, std::string_view what) {
  if (!holds) throw Failure(fmt::format("{}: {}", what, openssl_error()));
}

void set_version(SSL_CTX* context, const std::string& version) {
  const int lowest = version == "1.3" ? TLS1_3_VERSION : TLS1_2_VERSION;
  SSL_CTX_set_min_proto_version(context, lowest);
  SSL_CTX_set_max_proto_version(context, version == "1.2" ? TLS1_2_VERSION : TLS1_3_VERSION);
}

void set_cipher(SSL_CTX* context, const std::string& cipher) {
  if (cipher.empty()) return;
  const bool is_of_1_3 = cipher.starts_with("TLS_");
  const int set = is_of_1_3 ? SSL_CTX_set_ciphersuites(context, cipher.c_str())
                            : SSL_CTX_set_cipher_list(context, cipher.c_str());
  require(set == 1, cipher);
}

void set_authorities(SSL_CTX* context, const std::string& file) {
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (file.empty()) {
    require(SSL_CTX_set_default_verify_paths(context) == 1, "the system's authorities");
  } else {
    require(SSL_CTX_load_verify_file(context, file.c_str()) == 1, file);
  }
}

void set_certificate(SSL_CTX* context, const TlsSettings& settings) {
  if (settings.cert_file.empty()) return;
  require(SSL_CTX_use_certificate_chain_file(context, settings.cert_file.c_str()) == 1, settings.cert_file);
  require(SSL_CTX_use_PrivateKey_file(context, settings.key_file.c_str(), SSL_FILETYPE_PEM) == 1,
          settings.key_file);
}

}  // namespace

bool TlsStream::handshake() {
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  const int reason = SSL_get_error(ssl_.get(), done);
  const int read_error = errno;
  flush();
  if (done == 1) return true;
  if (reason == SSL_ERROR_WANT_READ) return false;
  const long verdict = SSL_get_verify_result(ssl_.get());
  if (verdict != X509_V_OK) {
    throw Failure(fmt::format("TLS: the server's certificate: {}", X509_verify_cert_error_string(verdict)));
  }
  if (reason == SSL_ERROR_SSL) throw Failure(fmt::format("TLS: {}", openssl_error()));
  if (done < 0) throw Failure(fmt::format("TLS: {}", std::strerror(read_error)));
  throw Failure("TLS: the server closed the connection");
}

size_t TlsStream::write(std::string_view bytes) {
  if (!flush()) return 0;
  const size_t some = std::min(bytes.size(), encrypted_at_once);
  if (some == 0) return 0;
  ERR_clear_error();
  const int taken = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(some));
  if (taken <= 0) throw Failure(fmt::format("TLS: {}", openssl_error()));
  flush();
  return static_cast<size_t>(taken);
}

bool TlsStream::flush() {
  while (encrypted_sent_ < encrypted_.size()) {
    const ssize_t n = send(fd_, encrypted_.data() + encrypted_sent_, encrypted_.size() - encrypted_sent_,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return false;
    if (n < 0) throw Failure(fmt::format("send: {}", std::strerror(errno)));
    encrypted_sent_ += static_cast<size_t>(n);
  }
  encrypted_.clear();
  encrypted_sent_ = 0;
  return true;
}

std::string_view TlsStream::read(std::span<char> buffer) {
  size_t filled = 0;
  while (filled < buffer.size()) {
    ERR_clear_error();
    const size_t room = buffer.size() - filled;
    const int n = SSL_read(ssl_.get(), buffer.data() + filled, static_cast<int>(room));
    if (n > 0) {
      filled += static_cast<size_t>(n);
      continue;
    }
    const int reason = SSL_get_error(ssl_.get(), n);
    if (reason == SSL_ERROR_WANT_READ) {
      has_unread_ = false;
      return {buffer.data(), filled};
    }
    if (filled > 0) break;  // the end is told by the next call, after what came before it
    if (reason == SSL_ERROR_SSL) throw Failure(fmt::format("TLS: {}", openssl_error()));
    throw Failure("the server closed the connection");
  }
  has_unread_ = true;
  return {buffer.data(), filled};
}

std::string TlsStream::description() const {
  return fmt::format("{} {}", SSL_get_version(ssl_.get()), SSL_get_cipher_name(ssl_.get()));
}

bool TlsStream::is_resumed() const noexcept {
  return SSL_session_reused(ssl_.get()) == 1;
}

TlsStream::TlsStream(std::unique_ptr<SSL, OpenSslDelete> ssl, int fd) : ssl_(std::move(ssl)), fd_(fd) {
  BIO* bio = BIO_new(Wire::method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
}

// A session whose connection has not ended in good order may not be resumed; the context's quiet shutdown
// says that it has, and sends nothing.
TlsStream::~TlsStream() {
  SSL_shutdown(ssl_.get());
}

TlsClient::TlsClient(const TlsSettings& settings, std::string host)
    : context_(SSL_CTX_new(TLS_client_method())), host_(std::move(host)) {
  SSL_CTX* context = context_.get();
  require(context != nullptr, "OpenSSL");
  set_version(context, settings.version);
  set_cipher(context, settings.cipher);
  set_authorities(context, settings.ca_file);
  set_certificate(context, settings);
  SSL_CTX_set_quiet_shutdown(context, 1);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, read_ahead_bytes);
  // An idle connection keeps no buffers: thousands of them are ordinary here.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

void TlsClient::resume_sessions() {
  SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_app_data(context_.get(), this);
  SSL_CTX_sess_set_new_cb(context_.get(), keep_session);
}

int TlsClient::keep_session(SSL* ssl, SSL_SESSION* session) {
  static_cast<TlsClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->session_.reset(session);
  return 1;  // the reference is ours now
}

std::unique_ptr<TlsStream> TlsClient::open(int fd) {
  std::unique_ptr<SSL, OpenSslDelete> ssl(SSL_new(context_.get()));
  require(ssl != nullptr, "OpenSSL");
  SSL_set_connect_state(ssl.get());
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), host_.c_str()) != 1) {
    ERR_clear_error();
    require(SSL_set1_host(ssl.get(), host_.c_str()) == 1, host_);
    SSL_set_tlsext_host_name(ssl.get(), host_.c_str());
  }
  if (session_ && SSL_SESSION_is_resumable(session_.get()) == 1) SSL_set_session(ssl.get(), session_.get());
  return std::make_unique<TlsStream>(std::move(ssl), fd);
}

void OpenSslDelete::operator()(SSL_CTX* context) const noexcept {
  SSL_CTX_free(context);
}

void OpenSslDelete::operator()(SSL* ssl) const noexcept {
  SSL_free(ssl);
}

void OpenSslDelete::operator()(SSL_SESSION* session) const noexcept {
  SSL_SESSION_free(session);
}

}  // namespace nuncio::load
