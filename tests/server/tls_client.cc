#include "tls_client.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <stdexcept>
#include <utility>

namespace nuncio::test {
namespace {

void must(bool is_done, const std::string& what) {
  if (is_done) return;
  char text[256] = "";
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  throw std::runtime_error("the test's own TLS, " + what + ": " + text);
}

int version_number(const std::string& text) {
  if (text == "1.0") return TLS1_VERSION;
  if (text == "1.1") return TLS1_1_VERSION;
  if (text == "1.2") return TLS1_2_VERSION;
  if (text == "1.3") return TLS1_3_VERSION;
  return 0;  // the library's own limit
}

constexpr uint32_t early_data_max = 16384;

// A session that no server has begun: what its early data says, nobody can read.
int own_session(SSL* ssl, const EVP_MD* digest, const unsigned char** id, size_t* id_size,
                SSL_SESSION** session) {
  static constexpr unsigned char name[] = "nobody's", suite[] = {0x13, 0x01}, key[32] = {1, 2, 3};
  *session = nullptr;
  const SSL_CIPHER* cipher = SSL_CIPHER_find(ssl, suite);
  if (digest != nullptr && digest != SSL_CIPHER_get_handshake_digest(cipher)) return 1;
  *session = SSL_SESSION_new();
  *id = name;
  *id_size = sizeof name - 1;
  return SSL_SESSION_set1_master_key(*session, key, sizeof key) == 1 &&
         SSL_SESSION_set_cipher(*session, cipher) == 1 &&
         SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION) == 1 &&
         SSL_SESSION_set_max_early_data(*session, early_data_max) == 1;
}

}  // namespace

TlsTransport::TlsTransport(const TlsSettings& settings)
    : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), ssl_(nullptr, SSL_free) {
  configure(settings);
  ssl_.reset(SSL_new(context_.get()));
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_info_callback(ssl_.get(), on_event);
  SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl_.get());
  if (!settings.server_name.empty()) {
    must(SSL_set_tlsext_host_name(ssl_.get(), settings.server_name.c_str()) == 1, "the server's name");
    must(SSL_set1_host(ssl_.get(), settings.server_name.c_str()) == 1, "the server's name");
  }
  early_data_ = settings.early_data;
  if (!early_data_.empty() && settings.ticket)
    SSL_SESSION_set_max_early_data(settings.ticket.get(), early_data_max);
  else if (!early_data_.empty())
    SSL_set_psk_use_session_callback(ssl_.get(), own_session);
  if (settings.ticket) must(SSL_set_session(ssl_.get(), settings.ticket.get()) == 1, "the ticket");
}

TlsTransport::~TlsTransport() = default;

void TlsTransport::configure(const TlsSettings& settings) {
  SSL_CTX* context = context_.get();
  const std::string ca = settings.ca.empty() ? authority().file() : settings.ca;
  must(SSL_CTX_load_verify_file(context, ca.c_str()) == 1, ca);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_min_proto_version(context, version_number(settings.version_min));
  SSL_CTX_set_max_proto_version(context, version_number(settings.version_max));
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
  SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  // What a server may accept is for the server to say: an attacker's library has no security level.
  const std::string ciphers = settings.ciphers.empty() ? "ALL" : settings.ciphers;
  must(SSL_CTX_set_cipher_list(context, (ciphers + ":@SECLEVEL=0").c_str()) == 1, ciphers);
  if (!settings.suites.empty())
    must(SSL_CTX_set_ciphersuites(context, settings.suites.c_str()) == 1, settings.suites);
  if (!settings.groups.empty())
    must(SSL_CTX_set1_groups_list(context, settings.groups.c_str()) == 1, settings.groups);
  for (const auto& [size, mode] : {std::pair(512, 1), {1024, 2}, {2048, 3}, {4096, 4}}) {
    if (settings.record_max == static_cast<size_t>(size))
      SSL_CTX_set_tlsext_max_fragment_length(context, static_cast<uint8_t>(mode));
  }
  if (settings.certificate) {
    const Certificate& own = *settings.certificate;
    must(SSL_CTX_use_certificate_chain_file(context, own.file.c_str()) == 1, own.file);
    must(SSL_CTX_use_PrivateKey_file(context, own.key_file.c_str(), SSL_FILETYPE_PEM) == 1, own.key_file);
  }
}

TlsTransport::Handshake TlsTransport::handshake() {
  ERR_clear_error();
  if (!early_data_.empty()) write_early_data();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return Handshake::done;
  if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) return Handshake::wants_input;
  note_problem();
  return Handshake::failed;
}

void TlsTransport::write_early_data() {
  size_t size = 0;
  const int result = SSL_write_early_data(ssl_.get(), early_data_.data(), early_data_.size(), &size);
  must(result == 1 && size == early_data_.size(), "early data");
  early_data_.clear();
}

bool TlsTransport::read(std::string& plain) {
  char chunk[16 * 1024];
  for (;;) {
    ERR_clear_error();
    const int size = SSL_read(ssl_.get(), chunk, sizeof chunk);
    if (size > 0) {
      plain.append(chunk, static_cast<size_t>(size));
      continue;
    }
    const int error = SSL_get_error(ssl_.get(), size);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return true;
    if (error != SSL_ERROR_ZERO_RETURN) note_problem();
    return false;
  }
}

void TlsTransport::write(std::string_view plain) {
  if (plain.empty()) return;
  ERR_clear_error();
  (void)SSL_write(ssl_.get(), plain.data(), static_cast<int>(plain.size()));
}

void TlsTransport::close() {
  SSL_shutdown(ssl_.get());
}

void TlsTransport::renegotiate() {
  must(SSL_renegotiate(ssl_.get()) == 1, "renegotiation");
  SSL_do_handshake(ssl_.get());
}

void TlsTransport::renew_keys() {
  must(SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED) == 1, "new keys");
  SSL_do_handshake(ssl_.get());
}

void TlsTransport::received(std::string_view bytes) {
  BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
}

std::string TlsTransport::take_output() {
  BIO* out = SSL_get_wbio(ssl_.get());
  std::string result(BIO_ctrl_pending(out), '\0');
  if (!result.empty()) BIO_read(out, result.data(), static_cast<int>(result.size()));
  return result;
}

bool TlsTransport::has_ended_well() const {
  return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0 && alert_.empty();
}

void TlsTransport::note_problem() {
  if (!problem_.empty()) return;
  const char* reason = ERR_reason_error_string(ERR_get_error());
  problem_ = reason != nullptr ? reason : "unknown";
}

void TlsTransport::on_event(const SSL* ssl, int where, int value) {
  if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT) return;
  if ((value & 0xff) == SSL_AD_CLOSE_NOTIFY) return;
  auto* self = static_cast<TlsTransport*>(SSL_get_app_data(ssl));
  // OpenSSL 3.0 has no text for this one.
  const bool is_required = (value & 0xff) == SSL_AD_CERTIFICATE_REQUIRED;
  self->alert_ = is_required ? "certificate required" : SSL_alert_desc_string_long(value);
  self->problem_ = self->alert_;
}

std::string TlsTransport::version() const {
  return SSL_get_version(ssl_.get());
}

std::string TlsTransport::cipher_suite() const {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_.get());
  return cipher != nullptr ? SSL_CIPHER_standard_name(cipher) : "";
}

std::string TlsTransport::group() const {
  const int kind = static_cast<int>(SSL_get_negotiated_group(ssl_.get()));
  const char* name = OBJ_nid2sn(kind);
  return name != nullptr ? name : "";
}

std::string TlsTransport::server_subject() const {
  const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) return {};
  const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
  X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<size_t>(size)};
}

bool TlsTransport::is_resumed() const {
  return SSL_session_reused(ssl_.get()) == 1;
}

TlsTicket TlsTransport::ticket() const {
  // A copy: the session itself becomes useless with a connection that ends without close_notify.
  return {SSL_SESSION_dup(SSL_get0_session(ssl_.get())), SSL_SESSION_free};
}

}  // namespace nuncio::test
