#include "net/tls_chain.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>

#include "net/tls_library.h"
#include "net/tls_policy.h"

namespace nuncio::net {
namespace {

using Bytes = std::string_view;

// As in Go: an exponent as wide as the modulus makes a signature cost a hundred times as much.
constexpr size_t exponent_bits_max = 31;
// For each link the library tries every certificate with the issuer's name until it finds one whose time it
// is, signature by signature. One that an authority replaced may well be among them.
constexpr size_t untimely_max = 1;

// Off the front of `bytes` what a number of `size` bytes announces, as TLS has its vectors.
std::optional<Bytes> take_vector(Bytes& bytes, size_t size) {
  if (bytes.size() < size) return std::nullopt;
  size_t length = 0;
  for (const char byte : bytes.substr(0, size)) length = length << 8 | static_cast<uint8_t>(byte);
  bytes.remove_prefix(size);
  if (bytes.size() < length) return std::nullopt;
  const Bytes taken = bytes.substr(0, length);
  bytes.remove_prefix(length);
  return taken;
}

class Chain {
 public:
  Chain() { mbedtls_x509_crt_init(&first_); }
  ~Chain() { mbedtls_x509_crt_free(&first_); }
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  // `message` stays where it is as long as this lives.
  bool read(Bytes message, bool is_tls_1_3) {
    if (is_tls_1_3 && !take_vector(message, 1)) return false;  // the request's context
    auto list = take_vector(message, 3);
    while (list && !list->empty()) {
      const auto der = take_vector(*list, 3);
      if (!der || (is_tls_1_3 && !take_vector(*list, 2))) return false;  // extensions
      const auto* bytes = reinterpret_cast<const unsigned char*>(der->data());
      // One that cannot be read may be ignored by the library as well, which verifies with the others.
      static_cast<void>(mbedtls_x509_crt_parse_der_nocopy(&first_, bytes, der->size()));
    }
    return list.has_value();
  }
  const mbedtls_x509_crt& first() const { return first_; }

 private:
  mbedtls_x509_crt first_;
};

size_t exponent_bits(const mbedtls_pk_context& key) {
  if (!mbedtls_pk_can_do(&key, MBEDTLS_PK_RSA)) return 0;
  return mbedtls_mpi_bitlen(&mbedtls_pk_rsa(key)->MBEDTLS_PRIVATE(E));
}

// Others are refused anyway, but the library computes with them first, six times as long on the slowest.
bool is_on_other_curve(const mbedtls_pk_context& key) {
  const auto curve = curve_of(key);
  return curve != MBEDTLS_ECP_DP_NONE && (MBEDTLS_X509_ID_FLAG(curve) & certificate_curves) == 0;
}

bool is_untimely(const mbedtls_x509_crt& certificate) {
  return mbedtls_x509_time_is_past(&certificate.valid_to) ||
         mbedtls_x509_time_is_future(&certificate.valid_from);
}

}  // namespace

std::string refuse_costly_chain(Bytes message, bool is_tls_1_3) {
  Chain chain;
  if (!chain.read(message, is_tls_1_3)) return {};
  size_t untimely = 0;
  for (const auto* each = &chain.first(); each != nullptr; each = each->next) {
    if (each->version == 0) continue;  // there is none
    if (exponent_bits(each->pk) > exponent_bits_max)
      return fmt::format("an RSA exponent of more than {} bits", exponent_bits_max);
    if (is_on_other_curve(each->pk)) return "a key on a curve that is not one of NIST";
    if (each != &chain.first() && is_untimely(*each) && ++untimely > untimely_max)
      return "more than one of its issuers has expired or is not yet valid";
  }
  return {};
}

}  // namespace nuncio::net
