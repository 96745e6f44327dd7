// Which protocol versions, cipher suites and curves a listener offers: the names of its options as the TLS
// library takes them. For the TLS engine only. Immutable once made.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/options.h"
#include "core/tls_names.h"
#include "net/tls_aead.h"
#include "net/tls_context.h"
#include "net/tls_library.h"

namespace nuncio::net {

// Of the keys in clients' certificates: those of NIST.
constexpr uint32_t certificate_curves = MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) |
                                        MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1) |
                                        MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP521R1);

struct TlsPolicy {
  std::vector<int> suites;  // by preference, with an end mark, as below
  std::vector<LibraryCurve> curves;
  bool is_only_tls_1_3 = false;
  mbedtls_x509_crt_profile certificates;  // what those of clients must be like

  // An error for each choice that this library does not have, by its name.
  static TlsPolicy make(const TlsOptions&, TlsContext::Findings&);
  // The library keeps pointers: the policy must outlive the configuration, and stay where it is.
  void apply(mbedtls_ssl_config&) const;
};

// What a suite encrypts records with; every suite that is offered has one.
TlsAead::Cipher aead_of(const TlsCipherSuite&);

}  // namespace nuncio::net
