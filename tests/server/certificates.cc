#include "certificates.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "temp_file.h"

namespace nuncio::test {
namespace {

template <auto free>
struct Free {
  template <class Type>
  void operator()(Type* object) const {
    free(object);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Free<X509_free>>;
using NamePtr = std::unique_ptr<X509_NAME, Free<X509_NAME_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;
using ListPtr = std::unique_ptr<X509_CRL, Free<X509_CRL_free>>;
using OutputPtr = std::unique_ptr<BIO, Free<BIO_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, Free<ASN1_TIME_free>>;

// Every function of OpenSSL that we call answers 1 or a pointer when it worked.
template <class Result>
Result must(Result result, std::string_view what) {
  if (!result) {
    char text[256] = "";
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    throw std::runtime_error(fmt::format("{}: {}", what, text));
  }
  return result;
}

const TempDirectory& directory() {
  static const TempDirectory result;
  return result;
}

KeyPtr make_key(KeyType type) {
  return KeyPtr(must(type == KeyType::p256 ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048), "making a key"));
}

template <class Write>
std::string pem(const Write& write) {
  const OutputPtr out(BIO_new(BIO_s_mem()));
  must(write(out.get()), "writing PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<size_t>(size)};
}

std::string pem(X509* certificate) {
  return pem([&](BIO* out) { return PEM_write_bio_X509(out, certificate); });
}

std::string pem(EVP_PKEY* key) {
  return pem(
      [&](BIO* out) { return PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr); });
}

int asn1_type(StringType type) {
  switch (type) {
    case StringType::utf8:
      return V_ASN1_UTF8STRING;
    case StringType::printable:
      return V_ASN1_PRINTABLESTRING;
    case StringType::ia5:
      return V_ASN1_IA5STRING;
    case StringType::bmp:
      return V_ASN1_BMPSTRING;
  }
  return V_ASN1_UTF8STRING;
}

NamePtr encode(const Subject& subject) {
  NamePtr result(X509_NAME_new());
  for (const Subject::Part& part : subject.parts()) {
    bool is_first = true;
    for (const NameAttribute& attribute : part) {
      must(X509_NAME_add_entry_by_txt(result.get(), attribute.type.c_str(), asn1_type(attribute.string_type),
                                      reinterpret_cast<const unsigned char*>(attribute.value.data()),
                                      static_cast<int>(attribute.value.size()), -1, is_first ? 0 : -1),
           "the attribute " + attribute.type);
      is_first = false;
    }
  }
  return result;
}

GENERAL_NAME* encode_name(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) throw std::runtime_error("no kind of name: " + std::string(text));
  const std::string_view kind = text.substr(0, colon);
  const std::string value(text.substr(colon + 1));
  GENERAL_NAME* result = GENERAL_NAME_new();
  const auto set_text = [&](int type) {
    ASN1_IA5STRING* string = ASN1_IA5STRING_new();
    ASN1_STRING_set(string, value.data(), static_cast<int>(value.size()));
    GENERAL_NAME_set0_value(result, type, string);
  };
  if (kind == "DNS")
    set_text(GEN_DNS);
  else if (kind == "email")
    set_text(GEN_EMAIL);
  else if (kind == "URI")
    set_text(GEN_URI);
  else if (kind == "IP")
    GENERAL_NAME_set0_value(result, GEN_IPADD, must(a2i_IPADDRESS(value.c_str()), value));
  else
    throw std::runtime_error("unknown kind of name: " + std::string(kind));
  return result;
}

void add_names(X509* certificate, const std::vector<std::string>& names) {
  if (names.empty()) return;
  const NamesPtr all(GENERAL_NAMES_new());
  for (const std::string& name : names) sk_GENERAL_NAME_push(all.get(), encode_name(name));
  must(X509_add1_ext_i2d(certificate, NID_subject_alt_name, all.get(), 0, X509V3_ADD_DEFAULT), "names");
}

void add_extension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(must(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()), value));
  must(X509_add_ext(certificate, extension.get(), -1), value);
}

std::time_t at(std::chrono::hours offset) {
  return std::time(nullptr) + std::chrono::seconds(offset).count();
}

long next_serial() {
  static std::atomic<long> last{1000};
  return ++last;
}

struct Issuer {
  X509_NAME* name;
  EVP_PKEY* key;
};

CertificatePtr make_unsigned(const Subject& subject, const Validity& validity, EVP_PKEY* key) {
  CertificatePtr result(X509_new());
  X509_set_version(result.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(result.get()), next_serial());
  must(X509_set_subject_name(result.get(), encode(subject).get()), "the subject");
  ASN1_TIME_set(X509_getm_notBefore(result.get()), at(validity.from));
  ASN1_TIME_set(X509_getm_notAfter(result.get()), at(validity.until));
  must(X509_set_pubkey(result.get(), key), "the key");
  return result;
}

void sign(X509* certificate, const Issuer& issuer) {
  must(X509_set_issuer_name(certificate, issuer.name), "the issuer");
  must(X509_sign(certificate, issuer.key, EVP_sha256()), "signing");
}

// Without an issuer it signs itself.
CertificatePtr make_authority(const Subject& subject, const Validity& validity, EVP_PKEY* key,
                              const Issuer* issuer) {
  CertificatePtr result = make_unsigned(subject, validity, key);
  add_extension(result.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(result.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  sign(result.get(), issuer != nullptr ? *issuer : Issuer{X509_get_subject_name(result.get()), key});
  return result;
}

std::string digest_of_key(X509* certificate) {
  unsigned char* encoded = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &encoded);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(encoded, static_cast<size_t>(size), digest);
  OPENSSL_free(encoded);
  std::string result;
  for (const unsigned char byte : digest) result += fmt::format("{:02x}", byte);
  return result;
}

Certificate make_leaf(const CertificateRequest& request, const Issuer* issuer, const std::string& chain) {
  const KeyPtr key = make_key(request.key);
  const CertificatePtr leaf = make_unsigned(request.subject, request.validity, key.get());
  add_names(leaf.get(), request.names);
  std::string usages;
  for (const std::string& usage : request.usages) usages += (usages.empty() ? "" : ",") + usage;
  if (!usages.empty()) add_extension(leaf.get(), NID_ext_key_usage, usages);
  sign(leaf.get(), issuer != nullptr ? *issuer : Issuer{X509_get_subject_name(leaf.get()), key.get()});
  return {.file = pem_file(pem(leaf.get()) + chain),
          .key_file = pem_file(pem(key.get())),
          .serial = ASN1_INTEGER_get(X509_get_serialNumber(leaf.get())),
          .key_digest = digest_of_key(leaf.get())};
}

}  // namespace

struct Authority::Keys {
  KeyPtr key;
  CertificatePtr certificate;
  std::string file;
  std::string chain;  // what certificates issued here bring along

  Issuer issuer() const { return {X509_get_subject_name(certificate.get()), key.get()}; }
};

Authority::Authority(const Subject& subject, const Validity& validity) : keys_(std::make_unique<Keys>()) {
  keys_->key = make_key(KeyType::p256);
  keys_->certificate = make_authority(subject, validity, keys_->key.get(), nullptr);
  keys_->file = pem_file(pem(keys_->certificate.get()));
}

Authority::Authority(std::unique_ptr<Keys> keys) : keys_(std::move(keys)) {}
Authority::~Authority() = default;
Authority::Authority(Authority&&) noexcept = default;
Authority& Authority::operator=(Authority&&) noexcept = default;

const std::string& Authority::file() const {
  return keys_->file;
}

Certificate Authority::issue(const CertificateRequest& request) const {
  const Issuer issuer = keys_->issuer();
  return make_leaf(request, &issuer, keys_->chain);
}

Certificate Authority::server(KeyType key) const {
  return issue({.subject = "/O=Nuncio tests/CN=localhost",
                .names = {"DNS:localhost", "IP:127.0.0.1"},
                .usages = {"serverAuth"},
                .key = key});
}

Certificate Authority::client(const Subject& subject, std::vector<std::string> names) const {
  return issue({.subject = subject, .names = std::move(names), .usages = {"clientAuth"}});
}

Authority Authority::intermediate(const Subject& subject, const Validity& validity) const {
  auto below = std::make_unique<Keys>();
  const Issuer issuer = keys_->issuer();
  below->key = make_key(KeyType::p256);
  below->certificate = make_authority(subject, validity, below->key.get(), &issuer);
  const std::string text = pem(below->certificate.get());
  below->file = pem_file(text);
  below->chain = text + keys_->chain;
  return Authority(std::move(below));
}

std::string Authority::revocation_list(const std::vector<Certificate>& revoked,
                                       const Validity& validity) const {
  const ListPtr list(X509_CRL_new());
  X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
  const Issuer issuer = keys_->issuer();
  must(X509_CRL_set_issuer_name(list.get(), issuer.name), "the list's issuer");
  const TimePtr from(ASN1_TIME_set(nullptr, at(validity.from)));
  const TimePtr until(ASN1_TIME_set(nullptr, at(validity.until)));
  X509_CRL_set1_lastUpdate(list.get(), from.get());
  X509_CRL_set1_nextUpdate(list.get(), until.get());
  for (const Certificate& one : revoked) {
    X509_REVOKED* entry = X509_REVOKED_new();
    const std::unique_ptr<ASN1_INTEGER, Free<ASN1_INTEGER_free>> serial(ASN1_INTEGER_new());
    ASN1_INTEGER_set(serial.get(), one.serial);
    X509_REVOKED_set_serialNumber(entry, serial.get());
    X509_REVOKED_set_revocationDate(entry, from.get());
    must(X509_CRL_add0_revoked(list.get(), entry), "an entry of the list");
  }
  X509_CRL_sort(list.get());
  must(X509_CRL_sign(list.get(), issuer.key, EVP_sha256()), "signing the list");
  return pem_file(pem([&](BIO* out) { return PEM_write_bio_X509_CRL(out, list.get()); }));
}

Certificate self_signed(const CertificateRequest& request) {
  return make_leaf(request, nullptr, "");
}

const Authority& authority() {
  static const Authority result("/O=Nuncio tests/CN=Authority");
  return result;
}

const Certificate& server_certificate() {
  static const Certificate result = authority().server();
  return result;
}

std::string pem_file(std::string_view text) {
  static std::atomic<int> count{0};
  const std::string path = directory() / fmt::format("{}.pem", ++count);
  std::ofstream file(path, std::ios::binary);
  std::filesystem::permissions(path,
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  file.write(text.data(), static_cast<long>(text.size()));
  return path;
}

Subject::Subject(std::string_view text) {
  const auto bad = [&] { throw std::runtime_error("no subject: " + std::string(text)); };
  if (text.empty()) return;
  if (text[0] != '/') bad();
  bool is_type = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '/' || c == '+') {
      if (c == '/') parts_.emplace_back();
      parts_.back().emplace_back();
      is_type = true;
    } else if (c == '=' && is_type) {
      is_type = false;
    } else if (c == '\\' && !is_type && i + 1 < text.size()) {
      parts_.back().back().value += text[++i];
    } else {
      NameAttribute& last = parts_.back().back();
      (is_type ? last.type : last.value) += c;
    }
  }
  if (is_type) bad();
}

}  // namespace nuncio::test
