#include "net/tls_configs.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "net/tls_engine.h"
#include "net/tls_handshake.h"

namespace nuncio::net {
namespace {

bool fits(std::string_view pattern, std::string_view name);

}  // namespace

std::shared_ptr<TlsConfigs::One> TlsConfigs::borrow() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto one = std::move(idle_.back());
      idle_.pop_back();
      return one;
    }
  }
  return std::make_shared<One>(context_);
}

void TlsConfigs::give_back(std::shared_ptr<One> one) {
  const std::lock_guard lock(mutex_);
  if (one->error.empty() && idle_.size() < idle_max) idle_.push_back(std::move(one));
}

TlsConfigs::One::One(TlsContext::Engine& context) : context_(context) {
  mbedtls_ssl_config_init(&config);
  if (const int result = fill(); result != 0) error = library_error(result);
}

TlsConfigs::One::~One() {
  mbedtls_ssl_config_free(&config);
  for (auto& key : keys_) mbedtls_pk_free(&key);
}

int TlsConfigs::One::fill() {
  if (const int result = mbedtls_ssl_config_defaults(
          &config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
      result != 0)
    return result;
  mbedtls_ssl_conf_rng(&config, fill_random, nullptr);
  context_.policy.apply(config);
  if (const int result = copy_keys(); result != 0) return result;
  if (keys_.size() > 1) mbedtls_ssl_conf_sni(&config, choose_certificate, this);
  if (context_.options.is_verifying) {
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&config, &context_.material.trust, &context_.material.revoked);
    // A list of all that a system trusts helps no client to choose, and may not fit into its message.
    if (context_.material.is_system_trust)
      mbedtls_ssl_conf_cert_req_ca_list(&config, MBEDTLS_SSL_CERT_REQ_CA_LIST_DISABLED);
  } else {
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
  }
  mbedtls_ssl_conf_session_tickets_cb(&config, TlsHandshake::write_ticket, TlsHandshake::read_ticket,
                                      &context_);
  enable_export(config);
  return 0;
}

int TlsConfigs::One::copy_keys() {
  const auto& pairs = context_.material.pairs;
  keys_.resize(pairs.size());  // the library points into it
  for (auto& key : keys_) mbedtls_pk_init(&key);
  for (size_t i = 0; i < pairs.size(); ++i) {
    int result = copy_key(pairs[i]->key, keys_[i]);
    if (result == 0) result = mbedtls_ssl_conf_own_cert(&config, &pairs[i]->chain, &keys_[i]);
    if (result != 0) return result;
  }
  return 0;
}

// Of several certificates those whose names fit what the client asks for, in their order; the library takes
// the first that the client's algorithms allow. When none fits, it chooses from all of them.
int TlsConfigs::One::choose_certificate(void* opaque, mbedtls_ssl_context* ssl, const unsigned char* bytes,
                                        size_t size) {
  auto& one = *static_cast<One*>(opaque);
  const auto& pairs = one.context_.material.pairs;
  const std::string_view name(reinterpret_cast<const char*>(bytes), size);
  for (size_t i = 0; i < pairs.size(); ++i) {
    const bool is_for =
        std::ranges::any_of(pairs[i]->dns_names, [&](const auto& dns) { return fits(dns, name); });
    if (!is_for) continue;
    if (const int result = mbedtls_ssl_set_hs_own_cert(ssl, &pairs[i]->chain, &one.keys_[i]); result != 0)
      return result;
  }
  return 0;
}

namespace {

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

}  // namespace
}  // namespace nuncio::net
