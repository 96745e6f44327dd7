#include "net/tls_material.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/log.h"
#include "core/secret.h"
#include "net/tls_peer.h"

namespace nuncio::net {
namespace {

using Findings = TlsContext::Findings;

constexpr size_t file_size_max = 16 * 1024 * 1024;  // the certificates of a system are some 200 KiB
constexpr size_t key_file_size_max = 1024 * 1024;

// Where systems keep the certificates they trust: Debian, Fedora, openSUSE, Alpine.
constexpr const char* system_trust_files[] = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem"};

// A file's text with a NUL behind it, in one piece of memory that is wiped in the end: it may hold a key.
class FileText {
 public:
  // Empty, or why it could not be read.
  std::string read(const std::string& path, size_t size_max);
  ~FileText() { wipe(text_); }

  std::string_view with_nul() const { return {text_.data(), size_ + 1}; }
  bool has(std::string_view part) const {
    return std::string_view(text_.data(), size_).find(part) != std::string_view::npos;
  }

 private:
  std::string text_;
  size_t size_ = 0;
};

bool load_chain(const TlsOptions::KeyPair&, TlsMaterial::Pair&, Findings&);
bool load_key(const TlsOptions::KeyPair&, TlsMaterial::Pair&, Findings&);
void judge_own(const TlsOptions::KeyPair&, TlsMaterial::Pair&, Findings&);
void load_trust(const TlsOptions&, TlsMaterial&, Findings&);
void load_revoked(const TlsOptions&, TlsMaterial&, Findings&);
std::string trust_fingerprint_of(const TlsMaterial&);
std::string fingerprint_of(const TlsMaterial&);

std::string name_of(const mbedtls_x509_crt& certificate) {
  char text[512] = "";
  mbedtls_x509_dn_gets(text, sizeof text, &certificate.subject);
  return text;
}

std::string time_text(const mbedtls_x509_time& time) {
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", time.year, time.mon, time.day, time.hour,
                     time.min, time.sec);
}

}  // namespace

TlsMaterial::Pair::Pair() {
  mbedtls_x509_crt_init(&chain);
  mbedtls_pk_init(&key);
}

TlsMaterial::Pair::~Pair() {
  mbedtls_x509_crt_free(&chain);
  mbedtls_pk_free(&key);
}

TlsMaterial::TlsMaterial() {
  mbedtls_x509_crt_init(&trust);
  mbedtls_x509_crl_init(&revoked);
}

TlsMaterial::~TlsMaterial() {
  mbedtls_x509_crt_free(&trust);
  mbedtls_x509_crl_free(&revoked);
}

void TlsMaterial::load(const TlsOptions& options, Findings& findings) {
  for (const auto& files : options.pairs) {
    auto pair = std::make_unique<Pair>();
    const bool has_chain = load_chain(files, *pair, findings);
    const bool has_key = load_key(files, *pair, findings);
    if (!has_chain || !has_key) continue;
    judge_own(files, *pair, findings);
    pairs.push_back(std::move(pair));
  }
  // Without `verify` it judges nobody, but a file that cannot be read is a mistake all the same.
  if (options.is_verifying || !options.ca_file.empty()) load_trust(options, *this, findings);
  if (!options.revocation_file.empty()) load_revoked(options, *this, findings);
  trust_fingerprint = trust_fingerprint_of(*this);
  fingerprint = fingerprint_of(*this);
}

std::vector<std::string> TlsMaterial::describe() const {
  std::vector<std::string> lines;
  for (const auto& pair : pairs)
    lines.push_back(fmt::format("TLS certificate {} expires on {}", log::quoted(name_of(pair->chain)),
                                time_text(pair->chain.valid_to)));
  return lines;
}

std::string at_position(const std::string& position, const std::string& text) {
  return position.empty() ? text : position + ": " + text;
}

namespace {

std::string FileText::read(const std::string& path, size_t size_max) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::strerror(errno);
  struct stat status {};
  const bool is_regular = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
  // At once as large as it gets: a string that grows leaves copies behind.
  text_.resize(is_regular ? std::min(static_cast<size_t>(status.st_size), size_max) + 1 : size_max + 1);
  int error = 0;
  while (size_ < text_.size()) {
    const ssize_t got = ::read(file, text_.data() + size_, text_.size() - size_);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    size_ += static_cast<size_t>(got);
  }
  ::close(file);
  if (error != 0) return std::strerror(error);
  if (size_ == text_.size())
    return fmt::format("longer than {} KiB, or it grew while it was read", size_max / 1024);
  text_[size_] = '\0';
  return {};
}

bool load_chain(const TlsOptions::KeyPair& files, TlsMaterial::Pair& pair, Findings& findings) {
  const auto fail = [&](const std::string& why) {
    findings.errors.push_back(at_position(files.position, fmt::format("cannot read certificate file {}: {}",
                                                                      log::quoted(files.cert_file), why)));
    return false;
  };
  FileText text;
  if (const auto why = text.read(files.cert_file, key_file_size_max); !why.empty()) return fail(why);
  if (!text.has("-----BEGIN CERTIFICATE-----")) return fail("there is no certificate in PEM form");
  const int result = mbedtls_x509_crt_parse(
      &pair.chain, reinterpret_cast<const unsigned char*>(text.with_nul().data()), text.with_nul().size());
  if (result < 0) return fail(library_error(result));
  if (result > 0) return fail(fmt::format("{} of its certificates cannot be read", result));
  return true;
}

std::string key_error(int code) {
  switch (code) {
    case MBEDTLS_ERR_PK_PASSWORD_REQUIRED:
    case MBEDTLS_ERR_PK_PASSWORD_MISMATCH:
      return "the key is encrypted; only keys without a password can be used";
    case MBEDTLS_ERR_PK_UNKNOWN_PK_ALG:
    case MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE:
      return fmt::format("{} has RSA and ECDSA keys only", tls_library());
    default:
      return library_error(code);
  }
}

bool load_key(const TlsOptions::KeyPair& files, TlsMaterial::Pair& pair, Findings& findings) {
  const auto fail = [&](const std::string& why) {
    findings.errors.push_back(at_position(
        files.position, fmt::format("cannot read key file {}: {}", log::quoted(files.key_file), why)));
    return false;
  };
  FileText text;
  if (const auto why = text.read(files.key_file, key_file_size_max); !why.empty()) return fail(why);
  if (!text.has("PRIVATE KEY-----")) return fail("there is no private key in PEM form");
  const int result = parse_key(pair.key, text.with_nul());
  if (result != 0) return fail(key_error(result));
  return true;
}

void judge_own(const TlsOptions::KeyPair& files, TlsMaterial::Pair& pair, Findings& findings) {
  if (check_pair(pair.chain.pk, pair.key) != 0) {
    findings.errors.push_back(
        at_position(files.position, fmt::format("key file {} does not match certificate file {}",
                                                log::quoted(files.key_file), log::quoted(files.cert_file))));
    return;
  }
  if (!is_for_servers(pair.chain)) {
    // The library would pass it over in every handshake.
    findings.errors.push_back(at_position(
        files.position,
        fmt::format("certificate file {}: not for a server, by its key usage or extended key usage",
                    log::quoted(files.cert_file))));
    return;
  }
  const auto warn = [&](const std::string& what) {
    findings.warnings.push_back(at_position(
        files.position, fmt::format("certificate file {}: {}", log::quoted(files.cert_file), what)));
  };
  if (mbedtls_x509_time_is_past(&pair.chain.valid_to)) warn("expired on " + time_text(pair.chain.valid_to));
  if (mbedtls_x509_time_is_future(&pair.chain.valid_from))
    warn("not valid before " + time_text(pair.chain.valid_from));
  if (const auto names = read_peer_certificate(pair.chain)) pair.dns_names = names->dns_names;
}

void load_trust(const TlsOptions& options, TlsMaterial& material, Findings& findings) {
  std::string path = options.ca_file;
  if (path.empty()) {
    material.is_system_trust = true;
    for (const char* candidate : system_trust_files) {
      path = candidate;
      if (::access(candidate, R_OK) == 0) break;
    }
  }
  const auto fail = [&](const std::string& why) {
    findings.errors.push_back(
        at_position(options.position, fmt::format("cannot read CA file {}: {}", log::quoted(path), why)));
  };
  FileText text;
  if (const auto why = text.read(path, file_size_max); !why.empty()) return fail(why);
  if (!text.has("-----BEGIN CERTIFICATE-----")) return fail("there is no certificate in PEM form");
  const int result =
      mbedtls_x509_crt_parse(&material.trust, reinterpret_cast<const unsigned char*>(text.with_nul().data()),
                             text.with_nul().size());
  if (result < 0) return fail(library_error(result));
  for (auto* certificate = &material.trust; certificate != nullptr; certificate = certificate->next)
    complete_for_threads(certificate->pk);
  // As nats-server does: one of a kind that the library does not have must not take the others' place.
  if (result > 0 && !material.is_system_trust)
    findings.warnings.push_back(at_position(
        options.position,
        fmt::format("CA file {}: {} of its certificates cannot be read", log::quoted(path), result)));
}

void load_revoked(const TlsOptions& options, TlsMaterial& material, Findings& findings) {
  const auto& path = options.revocation_file;
  const auto fail = [&](const std::string& why) {
    findings.errors.push_back(at_position(
        options.position, fmt::format("cannot read revocation list {}: {}", log::quoted(path), why)));
  };
  FileText text;
  if (const auto why = text.read(path, file_size_max); !why.empty()) return fail(why);
  if (!text.has("-----BEGIN X509 CRL-----")) return fail("there is no revocation list in PEM form");
  const int result = mbedtls_x509_crl_parse(&material.revoked,
                                            reinterpret_cast<const unsigned char*>(text.with_nul().data()),
                                            text.with_nul().size());
  if (result != 0) return fail(library_error(result));
  for (const auto* list = &material.revoked; list != nullptr; list = list->next) {
    // The library refuses every certificate of its issuer then: better known before the first client is.
    if (list->version != 0 && mbedtls_x509_time_is_past(&list->next_update))
      findings.warnings.push_back(at_position(
          options.position,
          fmt::format(
              "revocation list {}: expired on {}, clients with certificates of its issuer are refused",
              log::quoted(path), time_text(list->next_update))));
  }
}

// Of certificates or lists, to the last of the chain.
template <class Item>
void append_digests(std::string& all, const Item* item) {
  for (; item != nullptr; item = item->next) {
    if (item->raw.len == 0) continue;
    const auto digest = sha256({item->raw.p, item->raw.len});
    all.append(digest.begin(), digest.end());
  }
  all += "/";
}

std::string hex_digest(const std::string& all) {
  return to_hex(sha256({reinterpret_cast<const uint8_t*>(all.data()), all.size()}));
}

std::string trust_fingerprint_of(const TlsMaterial& material) {
  std::string all;
  append_digests(all, &material.trust);
  append_digests(all, &material.revoked);
  return hex_digest(all);
}

// Of what is public: a key can only be the one of its certificate.
std::string fingerprint_of(const TlsMaterial& material) {
  std::string all;
  for (const auto& pair : material.pairs) append_digests(all, &pair->chain);
  return hex_digest(all + material.trust_fingerprint);
}

}  // namespace
}  // namespace nuncio::net
