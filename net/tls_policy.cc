#include "net/tls_policy.h"

#include <fmt/format.h>

#include <algorithm>

#include "net/tls_context.h"
#include "net/tls_material.h"

namespace nuncio::net {
namespace {

std::vector<int> choose_suites(const TlsOptions&, TlsContext::Findings& findings);
std::vector<LibraryCurve> choose_curves(const TlsOptions&, TlsContext::Findings& findings);
mbedtls_x509_crt_profile certificate_profile();

bool library_has_suite(const TlsCipherSuite& suite) {
  return (library_has_tls_1_3 || !suite.is_of_tls_1_3) &&
         mbedtls_ssl_ciphersuite_from_id(suite.id) != nullptr;
}

}  // namespace

TlsPolicy TlsPolicy::make(const TlsOptions& options, TlsContext::Findings& findings) {
  TlsPolicy policy;
  policy.is_only_tls_1_3 = options.version_min == TlsVersion::tls_1_3;
  if (policy.is_only_tls_1_3 && !library_has_tls_1_3)
    findings.errors.push_back(at_position(
        options.position,
        fmt::format("min_version \"1.3\": {} has no TLS 1.3; it takes 3.6 or later", tls_library())));
  policy.suites = choose_suites(options, findings);
  policy.curves = choose_curves(options, findings);
  policy.certificates = certificate_profile();
  return policy;
}

void TlsPolicy::apply(mbedtls_ssl_config& config) const {
  set_versions(config, is_only_tls_1_3);
  mbedtls_ssl_conf_ciphersuites(&config, suites.data());
  set_curves(config, curves);
  mbedtls_ssl_conf_cert_profile(&config, &certificates);
  mbedtls_ssl_conf_renegotiation(&config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
}

TlsAead::Cipher aead_of(const TlsCipherSuite& suite) {
  if (suite.name.find("CHACHA20") != std::string_view::npos) return TlsAead::Cipher::chacha20_poly1305;
  if (suite.name.find("AES_256_GCM") != std::string_view::npos) return TlsAead::Cipher::aes_256_gcm;
  return TlsAead::Cipher::aes_128_gcm;
}

namespace {

// As configured, else the fastest first. As in Go, what is configured for 1.2 leaves 1.3 its own.
std::vector<int> choose_suites(const TlsOptions& options, TlsContext::Findings& findings) {
  std::vector<const TlsCipherSuite*> chosen;
  for (const auto& name : options.cipher_suites) {
    const auto* suite = find_tls_cipher_suite(name);
    if (suite != nullptr && suite->is_default && library_has_suite(*suite)) {
      chosen.push_back(suite);
      continue;
    }
    const auto why = suite == nullptr || suite->is_default
                         ? tls_library() + " does not have it"
                         : "only those with forward secrecy and authenticated encryption are offered";
    findings.errors.push_back(at_position(options.position, fmt::format("cipher suite {}: {}", name, why)));
  }
  const bool names_tls_1_3 = std::ranges::any_of(chosen, &TlsCipherSuite::is_of_tls_1_3);
  std::vector<const TlsCipherSuite*> others;
  for (const auto& suite : tls_cipher_suites()) {
    const bool is_open = options.cipher_suites.empty() || (suite.is_of_tls_1_3 && !names_tls_1_3);
    if (is_open && suite.is_default && library_has_suite(suite)) others.push_back(&suite);
  }
  const auto preferred = TlsAead::by_preference();
  std::ranges::stable_sort(others, {}, [&](const TlsCipherSuite* suite) {
    return std::ranges::find(preferred, aead_of(*suite)) - preferred.begin();
  });
  chosen.insert(chosen.end(), others.begin(), others.end());

  std::vector<int> suites;
  for (const auto* suite : chosen) suites.push_back(suite->id);
  if (suites.empty() && findings.errors.empty())
    findings.errors.push_back(at_position(options.position, "no cipher suite is left"));
  suites.push_back(0);
  return suites;
}

std::vector<LibraryCurve> choose_curves(const TlsOptions& options, TlsContext::Findings& findings) {
  std::vector<uint16_t> ids;
  for (const auto& name : options.curves) {
    const auto* curve = find_tls_curve(name);
    if (curve == nullptr || !library_has_curve(curve->id)) {
      findings.errors.push_back(
          at_position(options.position, fmt::format("curve {}: {} does not have it", name, tls_library())));
    } else {
      ids.push_back(curve->id);
    }
  }
  if (options.curves.empty()) {
    for (const auto& curve : tls_curves())
      if (library_has_curve(curve.id)) ids.push_back(curve.id);
  }
  // The library has one list of curves for key exchange and for clients' certificates.
  constexpr uint16_t p256 = 23;
  if (options.is_verifying && std::ranges::find(ids, p256) == ids.end())
    findings.warnings.push_back(
        at_position(options.position,
                    "without CurveP256, TLS 1.2 refuses clients' certificates with keys on that curve"));
  return library_curves(ids);
}

// SHA-2, RSA from 2048 bits, the curves of NIST: SHA-1 has been forged, and smaller keys can be.
mbedtls_x509_crt_profile certificate_profile() {
  return {
      .allowed_mds = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) |
                     MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
      .allowed_pks = 0xFFFFFFF,
      .allowed_curves = certificate_curves,
      .rsa_min_bitlen = 2048,
  };
}

}  // namespace
}  // namespace nuncio::net
