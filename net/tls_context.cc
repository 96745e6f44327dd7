#include "net/tls_context.h"

#include <algorithm>
#include <string_view>

#include "net/tls_engine.h"
#include "net/tls_handshake.h"

namespace nuncio::net {
namespace {

bool configure(TlsContext::Engine&, std::vector<std::string>& errors);
int choose_certificate(void* engine, mbedtls_ssl_context*, const unsigned char* name, size_t size);

}  // namespace

TlsContext::Engine::Engine() {
  mbedtls_ssl_config_init(&config);
}

TlsContext::Engine::~Engine() {
  mbedtls_ssl_config_free(&config);
}

TlsContext::TlsContext() : engine_(std::make_unique<Engine>()) {}
TlsContext::~TlsContext() = default;

std::shared_ptr<const TlsContext> TlsContext::make(const TlsOptions& options, Findings& findings) {
  const size_t errors_before = findings.errors.size();
  if (!start_library()) {
    findings.errors.push_back(tls_library() + " cannot be started");
    return nullptr;
  }
  std::shared_ptr<TlsContext> context(new TlsContext);
  Engine& engine = *context->engine_;
  engine.options = options;
  engine.policy = TlsPolicy::make(options, findings.errors);
  engine.material.load(options, findings);
  if (findings.errors.size() > errors_before || !configure(engine, findings.errors)) return nullptr;
  return context;
}

const TlsOptions& TlsContext::options() const {
  return engine_->options;
}

const std::string& TlsContext::fingerprint() const {
  return engine_->material.fingerprint;
}

std::vector<std::string> TlsContext::describe() const {
  return engine_->material.describe();
}

bool TlsContext::is_pinned(const std::string& key_digest) const {
  const auto& pinned = engine_->options.pinned_certs;
  return pinned.empty() || std::ranges::find(pinned, key_digest) != pinned.end();
}

namespace {

bool configure(TlsContext::Engine& engine, std::vector<std::string>& errors) {
  mbedtls_ssl_config& config = engine.config;
  int result = mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                           MBEDTLS_SSL_PRESET_DEFAULT);
  mbedtls_ssl_conf_rng(&config, fill_random, nullptr);
  engine.policy.apply(config);
  for (const auto& pair : engine.material.pairs) {
    if (result == 0) result = mbedtls_ssl_conf_own_cert(&config, &pair->chain, &pair->key);
  }
  if (engine.material.pairs.size() > 1) mbedtls_ssl_conf_sni(&config, choose_certificate, &engine);
  if (engine.options.is_verifying) {
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&config, &engine.material.trust, &engine.material.revoked);
    // A list of all that a system trusts helps no client to choose, and may not fit into its message.
    if (engine.material.is_system_trust)
      mbedtls_ssl_conf_cert_req_ca_list(&config, MBEDTLS_SSL_CERT_REQ_CA_LIST_DISABLED);
  } else {
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
  }
  mbedtls_ssl_conf_session_tickets_cb(&config, TlsHandshake::write_ticket, TlsHandshake::read_ticket,
                                      &engine);
  enable_export(config);
  if (result != 0) errors.push_back(at_position(engine.options.position, library_error(result)));
  return result == 0;
}

bool is_same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// "*.example.com" fits one label in the star's place.
bool fits(std::string_view pattern, std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (!pattern.starts_with("*.")) return is_same_name(pattern, name);
  const size_t dot = name.find('.');
  return dot != std::string_view::npos && dot > 0 && is_same_name(pattern.substr(1), name.substr(dot));
}

// Of several certificates those whose names fit what the client asks for, in their order; the library takes
// the first that the client's algorithms allow. When none fits, it chooses from all of them.
int choose_certificate(void* opaque, mbedtls_ssl_context* ssl, const unsigned char* bytes, size_t size) {
  auto& engine = *static_cast<TlsContext::Engine*>(opaque);
  const std::string_view name(reinterpret_cast<const char*>(bytes), size);
  for (const auto& pair : engine.material.pairs) {
    const bool is_for =
        std::ranges::any_of(pair->dns_names, [&](const auto& dns) { return fits(dns, name); });
    if (!is_for) continue;
    if (const int result = mbedtls_ssl_set_hs_own_cert(ssl, &pair->chain, &pair->key); result != 0)
      return result;
  }
  return 0;
}

}  // namespace
}  // namespace nuncio::net
