// mbedTLS as the engine sees it: its headers, and in one place whatever 2.28 and 3.6 do differently. Only the
// engine's own sources (tls_*.cc) include it. All functions may be called from any thread.
#pragma once

#include <mbedtls/asn1.h>
#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>

#include <array>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#ifndef MBEDTLS_PRIVATE
#define MBEDTLS_PRIVATE(member) member
#endif

namespace nuncio::net {

constexpr bool library_has_tls_1_3 =
#if defined(MBEDTLS_SSL_PROTO_TLS1_3) && MBEDTLS_VERSION_MAJOR >= 3
    true;
#else
    false;
#endif

// Before anything else is asked of the library; again is harmless. False: it cannot be used.
bool start_library();
// "SSL - Processing of the Certificate handshake message failed", without the library's own name.
std::string library_error(int code);
// For the library's callbacks: bytes of the kernel's generator, which has no state of ours to guard.
int fill_random(void* unused, unsigned char* bytes, size_t size);

// Held during each step of a handshake. Where the library was built without threads, sessions that share keys
// must not run at once; where it has them, this is nothing.
class LibraryLock {
 public:
#if defined(MBEDTLS_THREADING_C)
  LibraryLock() {}
#else
  LibraryLock();

 private:
  std::lock_guard<std::mutex> lock_;
#endif
};

// A curve by its number on the wire.
bool library_has_curve(uint16_t id);
// A choice of curves as this version of the library takes it.
#if MBEDTLS_VERSION_MAJOR >= 3
using LibraryCurve = uint16_t;
#else
using LibraryCurve = mbedtls_ecp_group_id;
#endif
std::vector<LibraryCurve> library_curves(std::span<const uint16_t> ids);  // with the end mark
void set_curves(mbedtls_ssl_config&, const std::vector<LibraryCurve>&);

void set_versions(mbedtls_ssl_config&, bool only_tls_1_3);
// Of a handshake that has chosen, too.
bool is_tls_1_3(const mbedtls_ssl_context&);

// The number of its suite, also while it lasts; 0: none yet.
int suite_of(const mbedtls_ssl_context&);

// What a handshake has made, from which the keys of its records follow. Wiped with it.
struct ExportedSecrets {
  std::array<uint8_t, 48> master{};  // 1.2
  std::array<uint8_t, 32> client_random{}, server_random{};
  mbedtls_tls_prf_types prf = MBEDTLS_SSL_TLS_PRF_NONE;
  std::array<uint8_t, 48> client_traffic{}, server_traffic{};  // 1.3

  ExportedSecrets() = default;
  ~ExportedSecrets() { mbedtls_platform_zeroize(this, sizeof *this); }
  ExportedSecrets(const ExportedSecrets&) = delete;
  ExportedSecrets& operator=(const ExportedSecrets&) = delete;
};
void enable_export(mbedtls_ssl_config&);
// While it lives, what this session's handshake makes on this thread goes to `secrets`.
class ExportScope {
 public:
  ExportScope(mbedtls_ssl_context&, ExportedSecrets& secrets);
  ~ExportScope();
  ExportScope(const ExportScope&) = delete;
  ExportScope& operator=(const ExportScope&) = delete;
};
// The "key block" of 1.2, as much as `block` holds.
bool expand_keys_of_1_2(const ExportedSecrets&, std::span<uint8_t> block);

// The peer's next message of the handshake, ahead of the library's next step, which takes it as well.
struct PeerMessage {
  uint8_t type;           // MBEDTLS_SSL_HS_…
  std::string_view body;  // until that step; empty when it is no message of a handshake
};
// As mbedtls_ssl_handshake_step(): 0, MBEDTLS_ERR_SSL_WANT_READ, or what is wrong with it.
int peek_message(mbedtls_ssl_context&, PeerMessage&);

// The numbers of the next record that the library would read and write.
uint64_t next_sequence_in(const mbedtls_ssl_context&);
uint64_t next_sequence_out(const mbedtls_ssl_context&);

// A private key from text of the PEM form, `text` ending with a NUL that counts, or from DER.
int parse_key(mbedtls_pk_context&, std::string_view text);
int copy_key(const mbedtls_pk_context& from, mbedtls_pk_context& to);
// A public key that several threads will verify signatures with: 2.28 adds to it at first use.
void complete_for_threads(mbedtls_pk_context&);
// MBEDTLS_ECP_DP_NONE: a key of another kind.
mbedtls_ecp_group_id curve_of(const mbedtls_pk_context&);
int check_pair(const mbedtls_pk_context& public_key, const mbedtls_pk_context& private_key);

std::array<uint8_t, 32> sha256(std::span<const uint8_t> bytes);
std::string to_hex(std::span<const uint8_t> bytes);

}  // namespace nuncio::net
