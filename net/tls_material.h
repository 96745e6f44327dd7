// The files of a `tls` block, read and judged: certificate chains with their keys, the certificates that
// clients are trusted by, revocation lists. Immutable once loaded; the private keys are wiped with it. For
// the TLS engine only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/tls_context.h"
#include "net/tls_library.h"

namespace nuncio::net {

struct TlsMaterial {
  struct Pair {
    Pair();
    ~Pair();
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;

    mbedtls_x509_crt chain;  // our certificate first
    mbedtls_pk_context key;
    std::vector<std::string> dns_names;  // that our certificate is for
  };

  TlsMaterial();
  ~TlsMaterial();
  TlsMaterial(const TlsMaterial&) = delete;
  TlsMaterial& operator=(const TlsMaterial&) = delete;

  std::vector<std::unique_ptr<Pair>> pairs;
  mbedtls_x509_crt trust;  // judges nobody unless clients are verified
  bool is_system_trust = false;
  mbedtls_x509_crl revoked;
  std::string trust_fingerprint;  // of authorities and lists
  std::string fingerprint;        // of these and our certificates

  // Reads everything that `options` names, going on after a mistake so that all are found. What it leaves
  // is only good when it added no error.
  void load(const TlsOptions& options, TlsContext::Findings&);
  std::vector<std::string> describe() const;
};

// "file:line:col: text".
std::string at_position(const std::string& position, const std::string& text);

}  // namespace nuncio::net
