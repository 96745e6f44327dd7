#include "net/tls_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "core/assert.h"
#include "core/log.h"
#include "core/tls_names.h"
#include "net/tls_engine.h"
#include "net/tls_peer.h"

namespace nuncio::net {

struct TlsSession::Engine {
  explicit Engine(std::shared_ptr<const TlsContext>);
  ~Engine();

  std::shared_ptr<const TlsContext> context;
  mbedtls_ssl_context ssl;
  std::optional<auth::PeerCertificate> peer;
  const TlsCipherSuite* suite = nullptr;
  bool is_done = false, is_failed = false, is_resumed = true;
  std::string problem;
  std::string certificate_problem;  // what we have against the peer's, beyond what the library has
  // What the library reads from and writes to during a call.
  std::string_view* input = nullptr;
  std::string* answer = nullptr;
  std::span<char> output;
  size_t output_size = 0;

  bool finish();
  std::string problem_of(int code) const;
  // The library's callbacks, with the session's engine.
  static int receive(void*, unsigned char* bytes, size_t size);
  static int send(void*, const unsigned char* bytes, size_t size);
  static int judge(void*, mbedtls_x509_crt*, int depth, uint32_t* flags);
};

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context)
    : engine_(std::make_unique<Engine>(std::move(context))) {}
TlsSession::~TlsSession() = default;

TlsSession::Handshake TlsSession::handshake(std::string_view& ciphertext, std::string& answer) {
  Engine& engine = *engine_;
  if (engine.is_failed) return Handshake::failed;
  engine.input = &ciphertext;
  engine.answer = &answer;
  int result = 0;
  {
    const LibraryLock lock;
    while (result == 0 && engine.ssl.MBEDTLS_PRIVATE(state) != MBEDTLS_SSL_HANDSHAKE_OVER) {
      // A resumed session passes over this one, in either version.
      if (engine.ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_SERVER_CERTIFICATE) engine.is_resumed = false;
      result = mbedtls_ssl_handshake_step(&engine.ssl);
    }
  }
  engine.input = nullptr;
  engine.answer = nullptr;
  if (result == MBEDTLS_ERR_SSL_WANT_READ) return Handshake::wants_input;
  if (result != 0) engine.problem = engine.problem_of(result);
  engine.is_failed = result != 0 || !engine.finish();
  return engine.is_failed ? Handshake::failed : Handshake::done;
}

const std::string& TlsSession::problem() const {
  return engine_->problem;
}

TlsSession::ReadResult TlsSession::read(std::string_view& ciphertext, std::span<char> plain) {
  Engine& engine = *engine_;
  NUNCIO_ASSERT(engine.is_done && plain.size() >= record_max);
  if (engine.is_failed) return {Read::failed};
  engine.input = &ciphertext;
  const int result =
      mbedtls_ssl_read(&engine.ssl, reinterpret_cast<unsigned char*>(plain.data()), plain.size());
  engine.input = nullptr;
  if (result > 0) return {Read::plaintext, static_cast<size_t>(result)};
  if (result == MBEDTLS_ERR_SSL_WANT_READ) return {Read::wants_input};
  if (result == 0 || result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) return {Read::end};
  engine.is_failed = true;
  engine.problem = engine.problem_of(result);
  return {Read::failed};
}

size_t TlsSession::write(std::string_view plain, std::span<char> ciphertext) {
  Engine& engine = *engine_;
  NUNCIO_ASSERT(engine.is_done && !plain.empty() && plain.size() <= record_max &&
                ciphertext.size() >= plain.size() + record_overhead_max);
  if (engine.is_failed) return 0;
  engine.output = ciphertext;
  engine.output_size = 0;
  const int result =
      mbedtls_ssl_write(&engine.ssl, reinterpret_cast<const unsigned char*>(plain.data()), plain.size());
  engine.output = {};
  if (result == static_cast<int>(plain.size())) return engine.output_size;
  engine.is_failed = true;
  engine.problem = engine.problem_of(result);
  return 0;
}

size_t TlsSession::close(std::span<char> ciphertext) {
  Engine& engine = *engine_;
  NUNCIO_ASSERT(ciphertext.size() >= record_overhead_max);
  if (!engine.is_done || engine.is_failed) return 0;
  engine.output = ciphertext;
  engine.output_size = 0;
  const int result = mbedtls_ssl_close_notify(&engine.ssl);
  engine.output = {};
  return result == 0 ? engine.output_size : 0;
}

const auth::PeerCertificate* TlsSession::peer() const {
  return engine_->peer ? &*engine_->peer : nullptr;
}

std::string_view TlsSession::version() const {
  return is_tls_1_3(engine_->ssl) ? "1.3" : "1.2";
}

std::string_view TlsSession::cipher_suite() const {
  return engine_->suite ? engine_->suite->name : std::string_view();
}

bool TlsSession::is_resumed() const {
  return engine_->is_done && engine_->is_resumed;
}

TlsSession::Engine::Engine(std::shared_ptr<const TlsContext> given) : context(std::move(given)) {
  mbedtls_ssl_init(&ssl);
  if (const int result = mbedtls_ssl_setup(&ssl, &context->engine().config); result != 0) {
    is_failed = true;
    problem = library_error(result);
    return;
  }
  mbedtls_ssl_set_bio(&ssl, this, send, receive, nullptr);
  mbedtls_ssl_set_verify(&ssl, judge, this);
}

TlsSession::Engine::~Engine() {
  mbedtls_ssl_free(&ssl);
}

// What is asked of the session later is taken out of the library's now.
bool TlsSession::Engine::finish() {
  const int id = mbedtls_ssl_get_ciphersuite_id(mbedtls_ssl_get_ciphersuite(&ssl));
  const auto suites = tls_cipher_suites();
  const auto found = std::ranges::find(suites, id, &TlsCipherSuite::id);
  if (found != suites.end()) suite = &*found;

  const auto* certificate = mbedtls_ssl_get_peer_cert(&ssl);
  if (context->options().is_verifying && certificate == nullptr) {
    problem = "the client gave no certificate";
    return false;
  }
  if (certificate != nullptr) {
    auto names = read_peer_certificate(*certificate);
    if (!names) {
      problem = "client certificate: " + names.error();
      return false;
    }
    peer = std::move(*names);
  }
  is_done = true;
  return true;
}

std::string TlsSession::Engine::problem_of(int code) const {
  if (!certificate_problem.empty()) return "client certificate: " + certificate_problem;
  const uint32_t flags = mbedtls_ssl_get_verify_result(&ssl);
  if (flags != 0 && flags != 0xffffffff) {
    char text[512] = "";
    mbedtls_x509_crt_verify_info(text, sizeof text, " ", flags);
    std::string line = text;
    std::ranges::replace(line, '\n', ';');
    return "client certificate:" + line;
  }
  if (code == MBEDTLS_ERR_SSL_CONN_EOF) return "the connection ended";
  return library_error(code);
}

int TlsSession::Engine::receive(void* opaque, unsigned char* bytes, size_t size) {
  const auto* input = static_cast<Engine*>(opaque)->input;
  if (input == nullptr || input->empty()) return MBEDTLS_ERR_SSL_WANT_READ;
  size = std::min(size, input->size());
  std::memcpy(bytes, input->data(), size);
  static_cast<Engine*>(opaque)->input->remove_prefix(size);
  return static_cast<int>(size);
}

int TlsSession::Engine::send(void* opaque, const unsigned char* bytes, size_t size) {
  Engine& engine = *static_cast<Engine*>(opaque);
  if (engine.answer != nullptr) {
    engine.answer->append(reinterpret_cast<const char*>(bytes), size);
  } else {
    // An alert while reading has nowhere to go: the connection ends anyway.
    if (engine.output.size() - engine.output_size < size) return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    std::memcpy(engine.output.data() + engine.output_size, bytes, size);
    engine.output_size += size;
  }
  return static_cast<int>(size);
}

// Called for each certificate of the chain that was found, ours to trust first, the client's last.
int TlsSession::Engine::judge(void* opaque, mbedtls_x509_crt* certificate, int depth, uint32_t* flags) {
  Engine& engine = *static_cast<Engine*>(opaque);
  if (depth != 0) return 0;
  if (const auto names = read_peer_certificate(*certificate); !names) {
    engine.certificate_problem = names.error();
    *flags |= MBEDTLS_X509_BADCERT_OTHER;
  }
  return 0;
}

}  // namespace nuncio::net
