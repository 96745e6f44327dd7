#include "net/tls_context.h"

#include <algorithm>
#include <utility>

#include "net/tls_engine.h"

namespace nuncio::net {
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
  engine.policy = TlsPolicy::make(options, findings);
  engine.material.load(options, findings);
  if (findings.errors.size() > errors_before) return nullptr;
  auto config = engine.configs.borrow();
  if (!config->error.empty()) {
    findings.errors.push_back(at_position(options.position, config->error));
    return nullptr;
  }
  engine.configs.give_back(std::move(config));
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

bool TlsContext::trusts_whom(const TlsContext& other) const {
  if (!engine_->options.is_verifying || this == &other) return true;
  return other.engine_->options.is_verifying &&
         engine_->material.trust_fingerprint == other.engine_->material.trust_fingerprint;
}

}  // namespace nuncio::net
