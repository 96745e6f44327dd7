// What a client's certificate says of it, for mapping it to a user. The TLS engine has verified it already.
// A plain value.
#pragma once

#include <string>
#include <vector>

#include "auth/distinguished_name.h"

namespace nuncio::auth {

struct PeerCertificate {
  // Subject alternative names, in the order of the certificate. Names with a NUL byte never get here.
  std::vector<std::string> emails, dns_names, uris;
  DistinguishedName subject;
  std::string key_digest;  // lower-case hex SHA-256 of the SubjectPublicKeyInfo (AU-39)
};

}  // namespace nuncio::auth
