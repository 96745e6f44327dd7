// Makes certificates, keys and revocation lists for tests, good and bad ones, with OpenSSL. Throws
// std::runtime_error when OpenSSL does not want to.
#pragma once

#include <openssl/x509.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nuncio::test {

template <auto free_function>
struct OpenSslFree {
  template <typename T>
  void operator()(T* object) const {
    free_function(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, OpenSslFree<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, OpenSslFree<X509_free>>;

enum class KeyKind { p256, p384, rsa2048, rsa2048_wide_exponent, ed25519, brainpool512 };
Key make_key(KeyKind kind = KeyKind::p256);

struct SubjectAttribute {
  std::string type, value;        // "CN", "DC" …
  bool is_same_relative = false;  // joins the one before: a multi-valued RDN
  int encoding = MBSTRING_UTF8;   // else the tag that `value` has as it stands
};

struct AlternativeName {
  enum Kind { email, dns, uri } kind;
  std::string value;  // as it stands, NULs included
};

struct CertificateRequest {
  std::vector<SubjectAttribute> subject{{.type = "CN", .value = "test"}};
  std::vector<AlternativeName> names = {};
  std::string usage = "clientAuth";                   // extended key usage as OpenSSL has it; empty: none
  std::string key_usage = "";                         // "keyEncipherment" …; empty: none
  long valid_from_s = -3600, valid_to_s = 24 * 3600;  // from now
  KeyKind key = KeyKind::p256;
  bool is_authority = false;
  std::string name_constraints = "";  // "permitted;email:.example.com"
  const char* digest = "SHA256";
};

// A certificate with its key, both in PEM form too.
struct Identity {
  Certificate certificate;
  Key key;
  std::string certificate_pem, key_pem;
  std::string key_digest() const;  // as pinned_certs has it, by OpenSSL
};

class Authority {
 public:
  explicit Authority(std::string name = "Test CA");                     // self-signed
  explicit Authority(Identity identity) : own_(std::move(identity)) {}  // an intermediate one
  Identity issue(const CertificateRequest& request = {}) const;
  std::string revoke(const std::vector<const Identity*>& revoked,
                     long valid_to_s = 3600) const;  // a list in PEM form
  const std::string& pem() const { return own_.certificate_pem; }
  const Identity& identity() const { return own_; }

 private:
  Identity own_;
};

// Signed by itself.
Identity self_signed(const CertificateRequest& request);

std::string to_der(X509&);
std::string to_pem(X509&);
std::string to_pem(EVP_PKEY&, const char* password = nullptr);

}  // namespace nuncio::test
