// Certificates of the tests, made by OpenSSL when they are asked for: an authority issues them, with any
// subject, names, usages and times. Files are PEM in a directory that goes with the test process; nothing is
// cached between processes. Keys are P-256 unless a test is about RSA, which takes long to make.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nuncio::test {

enum class StringType : uint8_t {
  utf8,
  printable,
  ia5,
  bmp
};  // bmp: the value's bytes are UTF-16, big end first

struct NameAttribute {
  std::string type;   // "CN", "OU", "DC", "UID", "emailAddress", or an object identifier "1.2.3"
  std::string value;  // may hold any byte
  StringType string_type = StringType::utf8;
};

// A distinguished name: parts in the order of the encoding, several attributes in a multi-valued one.
class Subject {
 public:
  using Part = std::vector<NameAttribute>;
  // As `openssl req -subj` takes it: "/DC=com/O=Nuncio/CN=anna+UID=7"; a backslash escapes / + and itself.
  Subject(const char* text) : Subject(std::string_view(text)) {}
  Subject(const std::string& text) : Subject(std::string_view(text)) {}
  Subject(std::string_view text);
  Subject(std::vector<Part> parts) : parts_(std::move(parts)) {}

  const std::vector<Part>& parts() const { return parts_; }

 private:
  std::vector<Part> parts_;
};

// Relative to now.
struct Validity {
  std::chrono::hours from;
  std::chrono::hours until;
};
inline constexpr Validity valid_now{std::chrono::hours(-1), std::chrono::hours(24)};
inline constexpr Validity expired{std::chrono::hours(-48), std::chrono::hours(-1)};
inline constexpr Validity not_yet_valid{std::chrono::hours(1), std::chrono::hours(48)};

enum class KeyType : uint8_t { p256, rsa2048 };

struct CertificateRequest {
  Subject subject;
  // Alternative names: "DNS:host", "IP:127.0.0.1", "email:a@b", "URI:x://y"; behind the colon any byte.
  std::vector<std::string> names = {};
  std::vector<std::string> usages = {};  // "serverAuth", "clientAuth" …; empty: no extension, good for all
  Validity validity = valid_now;
  KeyType key = KeyType::p256;
};

// A certificate, behind it those between it and the authority's own, and its key.
struct Certificate {
  std::string file;
  std::string key_file;
  long serial = 0;
  std::string key_digest;  // lower-case hex SHA-256 of the public key info, as in pinned_certs
};

class Authority {
 public:
  // Signs itself.
  explicit Authority(const Subject& subject, const Validity& validity = valid_now);
  ~Authority();
  Authority(Authority&&) noexcept;
  Authority& operator=(Authority&&) noexcept;

  const std::string& file() const;  // its own certificate
  Certificate issue(const CertificateRequest&) const;
  // For `localhost` and 127.0.0.1.
  Certificate server(KeyType = KeyType::p256) const;
  Certificate client(const Subject&, std::vector<std::string> names = {}) const;
  // One below this one: what it issues brings its certificate along.
  Authority intermediate(const Subject& subject, const Validity& validity = valid_now) const;
  // A list (PEM) that revokes these; its path.
  std::string revocation_list(const std::vector<Certificate>& revoked, const Validity& = valid_now) const;

 private:
  struct Keys;
  explicit Authority(std::unique_ptr<Keys>);
  std::unique_ptr<Keys> keys_;
};

// Signed by its own key.
Certificate self_signed(const CertificateRequest&);

// The authority that the test process's servers and clients trust unless told otherwise, and the
// certificate of its servers.
const Authority& authority();
const Certificate& server_certificate();

// A new file beside the certificates; its path.
std::string pem_file(std::string_view text);

}  // namespace nuncio::test
