// What a certificate says of whom it was made for, out of its DER. For the TLS engine only. Any thread.
#pragma once

#include <tl/expected.hpp>

#include <string>

#include "auth/peer_certificate.h"
#include "net/tls_library.h"

namespace nuncio::net {

// Or why it must be refused: a name with a NUL byte, text that is none. Such a certificate could stand for
// somebody else, depending on who reads it.
tl::expected<auth::PeerCertificate, std::string> read_peer_certificate(const mbedtls_x509_crt&);

// By its usage and extended usage: that of a server signs.
bool is_for_servers(const mbedtls_x509_crt&);
// By its extended key usage, which Go asks of every certificate of a chain and the library of the last only.
bool is_for_clients(const mbedtls_x509_crt&);
// The library ignores name constraints unless they are critical.
bool has_name_constraints(const mbedtls_x509_crt&);

}  // namespace nuncio::net
