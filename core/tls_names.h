// The cipher suites, curves and protocol versions that a `tls` block may name, by the names that nats-server
// (that is, Go) has for them. Names only: whether the TLS library at hand has them is the engine's question.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/options.h"

namespace nuncio {

struct TlsCipherSuite {
  std::string_view name;  // "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
  uint16_t id;            // as on the wire
  bool is_of_tls_1_3;
  bool is_insecure;  // 3DES, RC4, RSA key exchange …: what Go calls so
  bool is_default;   // with forward secrecy and authenticated encryption; no other is ever offered
};

struct TlsCurve {
  std::string_view name;  // "CurveP256", "X25519" …
  uint16_t id;            // as on the wire
};

// All there are names for, in the order of preference that holds where nothing is configured. As in Go, a
// choice without any suite of TLS 1.3 leaves that version its own, and one without any of TLS 1.2 ends that.
std::span<const TlsCipherSuite> tls_cipher_suites();
std::span<const TlsCurve> tls_curves();

// Names are matched as nats-server does: exactly, also by those it had for a while; null or nullopt: unknown.
const TlsCipherSuite* find_tls_cipher_suite(std::string_view name);
const TlsCurve* find_tls_curve(std::string_view name);
std::optional<TlsVersion> parse_tls_version(std::string_view text);  // "1.2"

}  // namespace nuncio
