#include "tls_client.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace nuncio::test {
namespace {

using Bio = std::unique_ptr<BIO, OpenSslFree<BIO_free>>;

std::vector<Certificate> read_certificates(const std::string& pem) {
  std::vector<Certificate> all;
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))
    all.emplace_back(certificate);
  ERR_clear_error();
  return all;
}

void check(bool is_done, const std::string& what) {
  if (!is_done) throw std::runtime_error("OpenSSL does not take " + what);
}

}  // namespace

TlsClient::TlsClient(const TlsClientSettings& settings) : context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX_set_min_proto_version(context_, settings.version_min);
  SSL_CTX_set_max_proto_version(context_, settings.version_max);
  if (settings.allows_weak) SSL_CTX_set_security_level(context_, 0);
  if (settings.suites.starts_with("TLS_")) {
    check(SSL_CTX_set_ciphersuites(context_, settings.suites.c_str()), "the suites");
  } else if (!settings.suites.empty()) {
    check(SSL_CTX_set_cipher_list(context_, settings.suites.c_str()), "the suites");
  }
  if (!settings.curves.empty())
    check(SSL_CTX_set1_groups_list(context_, settings.curves.c_str()), "the curves");
  if (!settings.signatures.empty())
    check(SSL_CTX_set1_sigalgs_list(context_, settings.signatures.c_str()), "the signatures");
  for (const auto& certificate : read_certificates(settings.trust))
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), certificate.get());
  SSL_CTX_set_verify(context_, settings.trust.empty() ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  if (settings.identity != nullptr) {
    check(SSL_CTX_use_certificate(context_, settings.identity->certificate.get()), "the certificate");
    check(SSL_CTX_use_PrivateKey(context_, settings.identity->key.get()), "the key");
    for (const auto& certificate : read_certificates(settings.chain))
      SSL_CTX_add1_chain_cert(context_, certificate.get());
  }
  ssl_ = SSL_new(context_);
  SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  if (!settings.server_name.empty()) SSL_set_tlsext_host_name(ssl_, settings.server_name.c_str());
  if (settings.session != nullptr) SSL_set_session(ssl_, settings.session);
  SSL_set_connect_state(ssl_);
}

TlsClient::~TlsClient() {
  SSL_SESSION_free(session_);
  // Else OpenSSL forgets the session, which another client may resume.
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

bool TlsClient::handshake() {
  return went_on(SSL_do_handshake(ssl_));
}

void TlsClient::write(std::string_view plain) {
  if (!plain.empty()) went_on(SSL_write(ssl_, plain.data(), static_cast<int>(plain.size())));
}

std::string TlsClient::read() {
  std::string all;
  char some[4096];
  for (;;) {
    const int size = SSL_read(ssl_, some, sizeof some);
    if (size <= 0) {
      went_on(size);
      return all;
    }
    all.append(some, static_cast<size_t>(size));
  }
}

void TlsClient::close() {
  SSL_shutdown(ssl_);
}

bool TlsClient::is_closed() const {
  return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0;
}

std::string TlsClient::take_output() {
  BIO* bio = SSL_get_wbio(ssl_);
  std::string all(BIO_ctrl_pending(bio), '\0');
  BIO_read(bio, all.data(), static_cast<int>(all.size()));
  return all;
}

void TlsClient::put_input(std::string_view ciphertext) {
  if (!ciphertext.empty())
    BIO_write(SSL_get_rbio(ssl_), ciphertext.data(), static_cast<int>(ciphertext.size()));
}

SSL_SESSION* TlsClient::session() {
  SSL_SESSION_free(session_);
  session_ = SSL_get1_session(ssl_);
  return session_ != nullptr && SSL_SESSION_is_resumable(session_) ? session_ : nullptr;
}

std::string TlsClient::server_certificate() const {
  const Certificate certificate(SSL_get1_peer_certificate(ssl_));
  if (!certificate) return {};
  char text[256] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, text, sizeof text);
  return text;
}

bool TlsClient::went_on(int result) {
  const int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_SSL) {
    const char* reason = ERR_reason_error_string(ERR_peek_error());
    error_ = reason ? reason : "unknown";
  }
  ERR_clear_error();
  return error == SSL_ERROR_NONE;
}

net::TlsSession::Handshake shake_hands(TlsClient& client, net::TlsSession& session) {
  using Handshake = net::TlsSession::Handshake;
  auto state = Handshake::wants_input;
  for (int turn = 0; turn < 10; ++turn) {
    const bool is_client_done = client.handshake();
    const std::string sent = client.take_output();
    if (sent.empty() && state != Handshake::wants_input) break;
    std::string_view left = sent;
    std::string answer;
    if (state == Handshake::wants_input) state = session.handshake(left, answer);
    client.put_input(answer);
    if (state == Handshake::failed) break;
    if (is_client_done && state == Handshake::done && answer.empty()) break;
  }
  client.read();  // tickets of TLS 1.3, or the alert
  return state;
}

std::string read_all(net::TlsSession& session, std::string_view ciphertext, net::TlsSession::Read* last) {
  std::string all, plain(net::TlsSession::record_max, '\0');
  for (;;) {
    const auto result = session.read(ciphertext, plain);
    if (result.status == net::TlsSession::Read::plaintext) {
      all.append(plain.data(), result.plain_size);
      continue;
    }
    if (last != nullptr) *last = result.status;
    return all;
  }
}

std::string encrypt(net::TlsSession& session, std::string_view plain) {
  std::string all;
  while (!plain.empty()) {
    const auto part = plain.substr(0, net::TlsSession::record_max);
    std::string record(part.size() + net::TlsSession::record_overhead_max, '\0');
    record.resize(session.write(part, record));
    all += record;
    plain.remove_prefix(part.size());
  }
  return all;
}

}  // namespace nuncio::test
