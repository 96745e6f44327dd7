#include "core/tls_names.h"

#include <algorithm>
#include <array>

namespace nuncio {
namespace {

constexpr TlsCipherSuite tls_1_3(std::string_view name, uint16_t id) {
  return {name, id, true, false, true};
}
constexpr TlsCipherSuite aead(std::string_view name, uint16_t id) {
  return {name, id, false, false, true};
}
// They have forward secrecy, but their padding has been attacked time and again.
constexpr TlsCipherSuite cbc(std::string_view name, uint16_t id) {
  return {name, id, false, false, false};
}
constexpr TlsCipherSuite insecure(std::string_view name, uint16_t id) {
  return {name, id, false, true, false};
}

// Go's order where the processor has instructions for AES.
constexpr std::array suites = {
    tls_1_3("TLS_AES_128_GCM_SHA256", 0x1301),
    tls_1_3("TLS_AES_256_GCM_SHA384", 0x1302),
    tls_1_3("TLS_CHACHA20_POLY1305_SHA256", 0x1303),
    aead("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xc02b),
    aead("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xc02f),
    aead("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 0xc02c),
    aead("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0xc030),
    aead("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca9),
    aead("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca8),
    cbc("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", 0xc009),
    cbc("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", 0xc013),
    cbc("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", 0xc00a),
    cbc("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 0xc014),
    insecure("TLS_RSA_WITH_AES_128_GCM_SHA256", 0x009c),
    insecure("TLS_RSA_WITH_AES_256_GCM_SHA384", 0x009d),
    insecure("TLS_RSA_WITH_AES_128_CBC_SHA", 0x002f),
    insecure("TLS_RSA_WITH_AES_256_CBC_SHA", 0x0035),
    insecure("TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", 0xc012),
    insecure("TLS_RSA_WITH_3DES_EDE_CBC_SHA", 0x000a),
    insecure("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", 0xc023),
    insecure("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", 0xc027),
    insecure("TLS_RSA_WITH_AES_128_CBC_SHA256", 0x003c),
    insecure("TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", 0xc007),
    insecure("TLS_ECDHE_RSA_WITH_RC4_128_SHA", 0xc011),
    insecure("TLS_RSA_WITH_RC4_128_SHA", 0x0005),
};

constexpr std::array<TlsCurve, 7> curves = {{
    {"X25519MLKEM768", 4588},
    {"SecP384r1MLKEM1024", 4589},
    {"SecP256r1MLKEM768", 4587},
    {"X25519", 29},
    {"CurveP256", 23},
    {"CurveP384", 24},
    {"CurveP521", 25},
}};

// nats-server up to 2.11 leaves out the hash.
std::string_view full_name(std::string_view name) {
  if (name == "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305") return "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";
  if (name == "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305")
    return "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
  return name;
}

}  // namespace

std::span<const TlsCipherSuite> tls_cipher_suites() {
  return suites;
}

std::span<const TlsCurve> tls_curves() {
  return curves;
}

const TlsCipherSuite* find_tls_cipher_suite(std::string_view name) {
  const auto found = std::ranges::find(suites, full_name(name), &TlsCipherSuite::name);
  return found == suites.end() ? nullptr : &*found;
}

const TlsCurve* find_tls_curve(std::string_view name) {
  const auto found = std::ranges::find(curves, name, &TlsCurve::name);
  return found == curves.end() ? nullptr : &*found;
}

std::optional<TlsVersion> parse_tls_version(std::string_view text) {
  if (text == "1.2") return TlsVersion::tls_1_2;
  if (text == "1.3") return TlsVersion::tls_1_3;
  return std::nullopt;
}

}  // namespace nuncio
