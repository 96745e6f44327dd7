#include "net/tls_library.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "net/tls_arithmetic.h"
#include "net/tls_context.h"

#include <sodium.h>

#if MBEDTLS_VERSION_MAJOR >= 3
#include <mbedtls/psa_util.h>
#include <psa/crypto.h>
#endif

// The library's, though in no header that 3.6 installs.
extern "C" int mbedtls_ssl_flush_output(mbedtls_ssl_context*);
extern "C" int mbedtls_ssl_read_record(mbedtls_ssl_context*, unsigned update_hs_digest);

namespace nuncio::net {

std::string tls_library() {
  char version[18];
  mbedtls_version_get_string(version);
  return std::string("mbedTLS ") + version;
}

bool start_library() {
  if (sodium_init() < 0) return false;
  has_fast_arithmetic();  // has the linker take them
#if MBEDTLS_VERSION_MAJOR >= 3 && defined(MBEDTLS_PSA_CRYPTO_C)
  // TLS 1.3 of 3.x computes with PSA. Counted by the library's own lock; never undone.
  static const bool is_started = psa_crypto_init() == PSA_SUCCESS;
  return is_started;
#else
  return true;
#endif
}

std::string library_error(int code) {
  char text[160] = "";
#if defined(MBEDTLS_ERROR_C)
  mbedtls_strerror(code, text, sizeof text);
#endif
  char number[32];
  std::snprintf(number, sizeof number, " (-0x%04x)", static_cast<unsigned>(-code));
  return std::string(text[0] ? text : "error of the TLS library") + number;
}

int fill_random(void*, unsigned char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t got = ::getrandom(bytes, size, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    }
    bytes += got;
    size -= static_cast<size_t>(got);
  }
  return 0;
}

#if !defined(MBEDTLS_THREADING_C)
static std::mutex library_mutex;
LibraryLock::LibraryLock() : lock_(library_mutex) {}
#endif

bool library_has_curve(uint16_t id) {
  return mbedtls_ecp_curve_info_from_tls_id(id) != nullptr;
}

std::vector<LibraryCurve> library_curves(std::span<const uint16_t> ids) {
  std::vector<LibraryCurve> curves;
  for (const uint16_t id : ids) {
#if MBEDTLS_VERSION_MAJOR >= 3
    curves.push_back(id);
#else
    curves.push_back(mbedtls_ecp_curve_info_from_tls_id(id)->grp_id);
#endif
  }
#if MBEDTLS_VERSION_MAJOR >= 3
  curves.push_back(MBEDTLS_SSL_IANA_TLS_GROUP_NONE);
#else
  curves.push_back(MBEDTLS_ECP_DP_NONE);
#endif
  return curves;
}

void set_curves(mbedtls_ssl_config& config, const std::vector<LibraryCurve>& curves) {
#if MBEDTLS_VERSION_MAJOR >= 3
  mbedtls_ssl_conf_groups(&config, curves.data());
#else
  mbedtls_ssl_conf_curves(&config, curves.data());
#endif
}

void set_versions(mbedtls_ssl_config& config, bool only_tls_1_3) {
#if MBEDTLS_VERSION_MAJOR >= 3
  mbedtls_ssl_conf_min_tls_version(&config,
                                   only_tls_1_3 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2);
  mbedtls_ssl_conf_max_tls_version(
      &config, library_has_tls_1_3 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2);
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
  // Not resumption without new keys, which whoever gets hold of a ticket's key could read.
  mbedtls_ssl_conf_tls13_key_exchange_modes(&config, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ALL);
#endif
#else
  static_cast<void>(only_tls_1_3);  // refused before
  mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_max_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
}

bool is_tls_1_3(const mbedtls_ssl_context& ssl) {
  return std::string_view(mbedtls_ssl_get_version(&ssl)) == "TLSv1.3";
}

namespace {

#if MBEDTLS_VERSION_MAJOR >= 3

void export_secrets(void* opaque, mbedtls_ssl_key_export_type type, const unsigned char* secret, size_t size,
                    const unsigned char client_random[32], const unsigned char server_random[32],
                    mbedtls_tls_prf_types prf) {
  auto& secrets = *static_cast<ExportedSecrets*>(opaque);
  auto* const to =
      type == MBEDTLS_SSL_KEY_EXPORT_TLS12_MASTER_SECRET ? &secrets.master
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
      : type == MBEDTLS_SSL_KEY_EXPORT_TLS1_3_CLIENT_APPLICATION_TRAFFIC_SECRET ? &secrets.client_traffic
      : type == MBEDTLS_SSL_KEY_EXPORT_TLS1_3_SERVER_APPLICATION_TRAFFIC_SECRET ? &secrets.server_traffic
#endif
                                                                                : nullptr;
  if (to == nullptr || size > to->size()) return;
  std::copy_n(secret, size, to->begin());
  std::copy_n(client_random, 32, secrets.client_random.begin());
  std::copy_n(server_random, 32, secrets.server_random.begin());
  secrets.prf = prf;
}

#else

// 2.28 has one callback for all sessions of a configuration.
thread_local ExportedSecrets* exported = nullptr;

int export_secrets(void*, const unsigned char* master, const unsigned char*, size_t, size_t, size_t,
                   const unsigned char client_random[32], const unsigned char server_random[32],
                   mbedtls_tls_prf_types prf) {
  if (exported == nullptr) return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
  std::copy_n(master, exported->master.size(), exported->master.begin());
  std::copy_n(client_random, 32, exported->client_random.begin());
  std::copy_n(server_random, 32, exported->server_random.begin());
  exported->prf = prf;
  return 0;
}

#endif

uint64_t from_big_endian(const unsigned char* bytes) {
  uint64_t number = 0;
  for (int i = 0; i < 8; ++i) number = number << 8 | bytes[i];
  return number;
}

}  // namespace

#if MBEDTLS_VERSION_MAJOR >= 3

void enable_export(mbedtls_ssl_config&) {}

ExportScope::ExportScope(mbedtls_ssl_context& ssl, ExportedSecrets& secrets) {
  mbedtls_ssl_set_export_keys_cb(&ssl, export_secrets, &secrets);
}

ExportScope::~ExportScope() {}

#else

void enable_export(mbedtls_ssl_config& config) {
  mbedtls_ssl_conf_export_keys_ext_cb(&config, export_secrets, nullptr);
}

ExportScope::ExportScope(mbedtls_ssl_context&, ExportedSecrets& secrets) {
  exported = &secrets;
}

ExportScope::~ExportScope() {
  exported = nullptr;
}

#endif

bool expand_keys_of_1_2(const ExportedSecrets& secrets, std::span<uint8_t> block) {
  std::array<uint8_t, 64> seed;
  std::copy_n(secrets.client_random.begin(), 32, std::ranges::copy(secrets.server_random, seed.begin()).out);
  return mbedtls_ssl_tls_prf(secrets.prf, secrets.master.data(), secrets.master.size(), "key expansion",
                             seed.data(), seed.size(), block.data(), block.size()) == 0;
}

int peek_message(mbedtls_ssl_context& ssl, PeerMessage& message) {
  // As a step begins: the peer waits for what we have said.
  if (const int result = mbedtls_ssl_flush_output(&ssl); result != 0) return result;
  // 1.2 has messages hashed as they are read, and its step takes one that was read for hashed.
  if (const int result = mbedtls_ssl_read_record(&ssl, is_tls_1_3(ssl) ? 0 : 1); result != 0) return result;
  ssl.MBEDTLS_PRIVATE(keep_current_message) = 1;
  message = {};
  constexpr size_t header_size = 4;
  const size_t size = ssl.MBEDTLS_PRIVATE(in_hslen);
  if (ssl.MBEDTLS_PRIVATE(in_msgtype) != MBEDTLS_SSL_MSG_HANDSHAKE || size < header_size) return 0;
  const auto* const bytes = ssl.MBEDTLS_PRIVATE(in_msg);
  message = {bytes[0], {reinterpret_cast<const char*>(bytes) + header_size, size - header_size}};
  return 0;
}

uint64_t next_sequence_in(const mbedtls_ssl_context& ssl) {
  return from_big_endian(ssl.MBEDTLS_PRIVATE(in_ctr));
}

uint64_t next_sequence_out(const mbedtls_ssl_context& ssl) {
  return from_big_endian(ssl.MBEDTLS_PRIVATE(cur_out_ctr));
}

int suite_of(const mbedtls_ssl_context& ssl) {
  const auto* session = ssl.MBEDTLS_PRIVATE(session);
  if (session == nullptr) session = ssl.MBEDTLS_PRIVATE(session_negotiate);
  return session == nullptr ? 0 : session->MBEDTLS_PRIVATE(ciphersuite);
}

int parse_key(mbedtls_pk_context& key, std::string_view text) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
#if MBEDTLS_VERSION_MAJOR >= 3
  return mbedtls_pk_parse_key(&key, bytes, text.size(), nullptr, 0, fill_random, nullptr);
#else
  return mbedtls_pk_parse_key(&key, bytes, text.size(), nullptr, 0);
#endif
}

int copy_key(const mbedtls_pk_context& from, mbedtls_pk_context& to) {
  std::array<unsigned char, 16 * 1024> der;  // RSA of 16,384 bits takes 9 KiB
  // 2.28 takes the key as mutable and does not change it.
  const int size = mbedtls_pk_write_key_der(const_cast<mbedtls_pk_context*>(&from), der.data(), der.size());
  const auto* const start = reinterpret_cast<const char*>(der.data() + der.size()) - std::max(size, 0);
  const int result = size < 0 ? size : parse_key(to, {start, static_cast<size_t>(size)});
  mbedtls_platform_zeroize(der.data(), der.size());
  return result;
}

void complete_for_threads(mbedtls_pk_context& key) {
#if MBEDTLS_VERSION_MAJOR >= 3
  static_cast<void>(key);  // has its tables compiled in
#else
  // Multiples of the base point are tabulated inside the group by whoever first computes with it.
  if (mbedtls_pk_can_do(&key, MBEDTLS_PK_ECKEY) == 0) return;
  auto& group = mbedtls_pk_ec(key)->grp;
  mbedtls_ecp_point point;
  mbedtls_mpi two;
  mbedtls_ecp_point_init(&point);
  mbedtls_mpi_init(&two);
  if (mbedtls_mpi_lset(&two, 2) == 0)
    static_cast<void>(multiply_by_library(group, point, two, group.G));
  mbedtls_mpi_free(&two);
  mbedtls_ecp_point_free(&point);
#endif
}

mbedtls_ecp_group_id curve_of(const mbedtls_pk_context& key) {
  if (!mbedtls_pk_can_do(&key, MBEDTLS_PK_ECKEY)) return MBEDTLS_ECP_DP_NONE;
#if defined(MBEDTLS_PK_USE_PSA_EC_DATA)
  return mbedtls_ecc_group_from_psa(key.MBEDTLS_PRIVATE(ec_family), key.MBEDTLS_PRIVATE(ec_bits));
#else
  return mbedtls_pk_ec(key)->MBEDTLS_PRIVATE(grp).id;
#endif
}

int check_pair(const mbedtls_pk_context& public_key, const mbedtls_pk_context& private_key) {
#if MBEDTLS_VERSION_MAJOR >= 3
  return mbedtls_pk_check_pair(&public_key, &private_key, fill_random, nullptr);
#else
  return mbedtls_pk_check_pair(&public_key, &private_key);
#endif
}

std::array<uint8_t, 32> sha256(std::span<const uint8_t> bytes) {
  std::array<uint8_t, 32> digest{};
#if MBEDTLS_VERSION_MAJOR >= 3
  mbedtls_sha256(bytes.data(), bytes.size(), digest.data(), 0);
#else
  mbedtls_sha256_ret(bytes.data(), bytes.size(), digest.data(), 0);
#endif
  return digest;
}

std::string to_hex(std::span<const uint8_t> bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

}  // namespace nuncio::net
