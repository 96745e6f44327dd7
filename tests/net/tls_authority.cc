#include "tls_authority.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace nuncio::test {
namespace {

using Bio = std::unique_ptr<BIO, OpenSslFree<BIO_free>>;

void check(bool is_done, const char* what) {
  if (is_done) return;
  char text[256];
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  throw std::runtime_error(std::string(what) + ": " + text);
}

std::string text_of(BIO& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(&bio, &data);
  return {data, static_cast<size_t>(size)};
}

void add_subject(X509& certificate, const std::vector<SubjectAttribute>& subject) {
  X509_NAME* name = X509_get_subject_name(&certificate);
  for (const auto& attribute : subject) {
    check(X509_NAME_add_entry_by_txt(name, attribute.type.c_str(), attribute.encoding,
                                     reinterpret_cast<const unsigned char*>(attribute.value.data()),
                                     static_cast<int>(attribute.value.size()), -1,
                                     attribute.is_same_relative ? -1 : 0) == 1,
          "subject");
  }
}

void add_names(X509& certificate, const std::vector<AlternativeName>& names) {
  if (names.empty()) return;
  using Names = std::unique_ptr<GENERAL_NAMES, OpenSslFree<GENERAL_NAMES_free>>;
  const Names list(GENERAL_NAMES_new());
  for (const auto& name : names) {
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, name.value.data(), static_cast<int>(name.value.size()));
    GENERAL_NAME* general = GENERAL_NAME_new();
    const int type = name.kind == AlternativeName::email ? GEN_EMAIL
                     : name.kind == AlternativeName::dns ? GEN_DNS
                                                         : GEN_URI;
    GENERAL_NAME_set0_value(general, type, text);
    sk_GENERAL_NAME_push(list.get(), general);
  }
  check(X509_add1_ext_i2d(&certificate, NID_subject_alt_name, list.get(), 0, 0) == 1, "names");
}

void add_extension(X509& certificate, int id, const std::string& value) {
  if (value.empty()) return;
  using Extension = std::unique_ptr<X509_EXTENSION, OpenSslFree<X509_EXTENSION_free>>;
  const Extension extension(X509V3_EXT_conf_nid(nullptr, nullptr, id, value.c_str()));
  check(extension && X509_add_ext(&certificate, extension.get(), -1) == 1, value.c_str());
}

long next_serial() {
  static long serial = 1000;
  return ++serial;
}

Key make_rsa_key(const char* exponent) {
  using Context = std::unique_ptr<EVP_PKEY_CTX, OpenSslFree<EVP_PKEY_CTX_free>>;
  using Number = std::unique_ptr<BIGNUM, OpenSslFree<BN_free>>;
  const Context context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  BIGNUM* number = nullptr;
  BN_dec2bn(&number, exponent);
  const Number owned(number);
  EVP_PKEY* key = nullptr;
  check(EVP_PKEY_keygen_init(context.get()) == 1 &&
            EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), 2048) == 1 &&
            EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context.get(), number) == 1 &&
            EVP_PKEY_generate(context.get(), &key) == 1,
        "RSA key");
  return Key(key);
}

// Signed by `issuer`, or by itself when that is null.
Identity make(const CertificateRequest& request, const Identity* issuer) {
  Identity made{Certificate(X509_new()), make_key(request.key), {}, {}};
  X509& certificate = *made.certificate;
  X509_set_version(&certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(&certificate), next_serial());
  X509_gmtime_adj(X509_getm_notBefore(&certificate), request.valid_from_s);
  X509_gmtime_adj(X509_getm_notAfter(&certificate), request.valid_to_s);
  X509_set_pubkey(&certificate, made.key.get());
  add_subject(certificate, request.subject);
  X509& issuer_certificate = issuer ? *issuer->certificate : certificate;
  X509_set_issuer_name(&certificate, X509_get_subject_name(&issuer_certificate));
  add_names(certificate, request.names);
  add_extension(certificate, NID_ext_key_usage, request.usage);
  add_extension(certificate, NID_key_usage, request.key_usage);
  add_extension(certificate, NID_name_constraints, request.name_constraints);
  if (request.is_authority) add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  EVP_PKEY* signer = issuer ? issuer->key.get() : made.key.get();
  const bool is_eddsa = EVP_PKEY_get_base_id(signer) == EVP_PKEY_ED25519;
  check(X509_sign(&certificate, signer, is_eddsa ? nullptr : EVP_get_digestbyname(request.digest)) > 0,
        "sign");
  made.certificate_pem = to_pem(certificate);
  made.key_pem = to_pem(*made.key);
  return made;
}

}  // namespace

Key make_key(KeyKind kind) {
  switch (kind) {
    case KeyKind::p256:
      return Key(EVP_EC_gen("P-256"));
    case KeyKind::p384:
      return Key(EVP_EC_gen("P-384"));
    case KeyKind::rsa2048:
      return Key(EVP_RSA_gen(2048));
    case KeyKind::rsa2048_wide_exponent:
      return make_rsa_key("4294967297");
    case KeyKind::ed25519:
      return Key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    case KeyKind::brainpool512:
      return Key(EVP_EC_gen("brainpoolP512r1"));
  }
  return nullptr;
}

Authority::Authority(std::string name)
    : own_(self_signed(
          {.subject = {{.type = "CN", .value = std::move(name)}}, .usage = "", .is_authority = true})) {}

Identity Authority::issue(const CertificateRequest& request) const {
  return make(request, &own_);
}

std::string Authority::revoke(const std::vector<const Identity*>& revoked, long valid_to_s) const {
  using List = std::unique_ptr<X509_CRL, OpenSslFree<X509_CRL_free>>;
  using Time = std::unique_ptr<ASN1_TIME, OpenSslFree<ASN1_TIME_free>>;
  const List list(X509_CRL_new());
  X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(own_.certificate.get()));
  const Time before(X509_gmtime_adj(nullptr, -7200)), after(X509_gmtime_adj(nullptr, valid_to_s));
  X509_CRL_set1_lastUpdate(list.get(), before.get());
  X509_CRL_set1_nextUpdate(list.get(), after.get());
  for (const auto* identity : revoked) {
    X509_REVOKED* entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(identity->certificate.get()));
    X509_REVOKED_set_revocationDate(entry, before.get());
    X509_CRL_add0_revoked(list.get(), entry);
  }
  X509_CRL_sort(list.get());
  check(X509_CRL_sign(list.get(), own_.key.get(), EVP_sha256()) > 0, "sign the list");
  const Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_CRL(bio.get(), list.get());
  return text_of(*bio);
}

Identity self_signed(const CertificateRequest& request) {
  return make(request, nullptr);
}

std::string Identity::key_digest() const {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.get()), &der);
  unsigned char digest[32];
  EVP_Digest(der, static_cast<size_t>(size), digest, nullptr, EVP_sha256(), nullptr);
  OPENSSL_free(der);
  std::string text;
  for (const unsigned char byte : digest) {
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02x", byte);
    text += hex;
  }
  return text;
}

std::string to_der(X509& certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(&certificate, &bytes);
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

std::string to_pem(X509& certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), &certificate);
  return text_of(*bio);
}

std::string to_pem(EVP_PKEY& key, const char* password) {
  const Bio bio(BIO_new(BIO_s_mem()));
  // OpenSSL takes the password as mutable bytes and does not write them.
  auto* bytes = reinterpret_cast<unsigned char*>(const_cast<char*>(password));
  PEM_write_bio_PrivateKey(bio.get(), &key, password ? EVP_aes_128_cbc() : nullptr, bytes,
                           password ? static_cast<int>(std::string_view(password).size()) : 0, nullptr,
                           nullptr);
  return text_of(*bio);
}

}  // namespace nuncio::test
