// What a stranger may send over TLS: bytes of a handshake, records sealed wrongly and rightly, certificates
// and chains of them. The first byte says which. However the bytes are cut into pieces, the same comes of
// them.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "../net/tls_authority.h"
#include "core/assert.h"
#include "net/tls_aead.h"
#include "net/tls_chain.h"
#include "net/tls_peer.h"
#include "net/tls_records.h"
#include "net/tls_session.h"

namespace nuncio::net {
namespace {

using Read = TlsSession::Read;

std::shared_ptr<const TlsContext> make_context() {
  const test::Authority authority;
  const auto server = authority.issue({.usage = "serverAuth"});
  std::string path = "/tmp/nuncio-tls-fuzz-XXXXXX";
  const int file = ::mkstemp(path.data());
  NUNCIO_ASSERT(file >= 0);
  ::close(file);
  std::ofstream(path) << server.certificate_pem << server.key_pem << authority.pem();
  TlsOptions options;
  options.pairs = {{path, path}};
  options.is_verifying = true;
  options.ca_file = path;
  TlsContext::Findings findings;
  auto context = TlsContext::make(options, findings);
  ::unlink(path.c_str());
  NUNCIO_ASSERT(context);
  return context;
}

// In pieces whose sizes the bytes themselves say.
template <typename Function>
void in_pieces(std::string_view bytes, Function&& function) {
  while (!bytes.empty()) {
    const size_t size = std::min<size_t>(bytes.size(), 1 + static_cast<uint8_t>(bytes.front()) % 64);
    function(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
}

void shake_hands(std::string_view bytes) {
  static const auto context = make_context();
  TlsSession session(context);
  auto state = TlsSession::Handshake::wants_input;
  in_pieces(bytes, [&](std::string_view piece) {
    if (state != TlsSession::Handshake::wants_input) return;
    std::string answer;
    state = session.handshake(piece, answer);
    NUNCIO_ASSERT(state != TlsSession::Handshake::wants_input || piece.empty());
  });
  // Nobody has our certificate's key, and no client one of our authority.
  NUNCIO_ASSERT(state != TlsSession::Handshake::done);
  NUNCIO_ASSERT((state == TlsSession::Handshake::failed) == !session.problem().empty());
}

void fill(TlsTraffic& traffic, uint8_t choice) {
  traffic.is_tls_1_3 = (choice & 1) != 0;
  traffic.cipher = std::array{TlsAead::Cipher::aes_256_gcm, TlsAead::Cipher::chacha20_poly1305,
                              TlsAead::Cipher::aes_128_gcm}[(choice >> 1) % 3];
  for (auto* side : {&traffic.client, &traffic.server}) {
    side->key.fill(7);
    side->secret.fill(8);
    side->iv.fill(9);
  }
}

struct Outcome {
  std::string plain;
  Read last = Read::wants_input;
};

void read_piece(TlsRecords& records, std::string_view bytes, Outcome& outcome) {
  std::string plain(TlsSession::record_max + 100, '\0');
  for (;;) {
    const auto result = records.read(bytes, plain);
    outcome.last = result.status;
    if (result.status != Read::plaintext) break;
    NUNCIO_ASSERT(result.plain_size > 0 && result.plain_size <= plain.size());
    outcome.plain.append(plain, 0, result.plain_size);
  }
  NUNCIO_ASSERT(outcome.last != Read::wants_input || bytes.empty());
  NUNCIO_ASSERT((outcome.last == Read::failed) == !records.problem().empty());
}

void read_records(uint8_t choice, std::string_view bytes) {
  TlsTraffic traffic;
  fill(traffic, choice);
  TlsRecords at_once(traffic), cut(traffic);
  Outcome whole, pieces;
  read_piece(at_once, bytes, whole);
  in_pieces(bytes, [&](std::string_view piece) { read_piece(cut, piece, pieces); });
  NUNCIO_ASSERT(whole.plain == pieces.plain && (bytes.empty() || whole.last == pieces.last));
  std::string record(TlsSession::record_overhead_max + 10, '\0');
  NUNCIO_ASSERT((at_once.write("0123456789", record) == 0) == (whole.last == Read::failed));
  at_once.close(record);
}

void append_big_endian(std::string& text, uint64_t value, int size) {
  for (int i = size - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
}

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// RFC 8446, 7.1.
void expand(const TlsTraffic::Side& side, std::string_view label, std::span<uint8_t> output) {
  std::string info;
  append_big_endian(info, output.size(), 2);
  append_big_endian(info, label.size() + 6, 1);
  info.append("tls13 ").append(label);
  append_big_endian(info, 1, 2);
  uint8_t block[32];
  mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), side.secret.data(), sizeof block,
                  bytes_of(info).data(), info.size(), block);
  std::copy_n(block, output.size(), output.begin());
}

// What a client could send: of every part (a type, a size, the bytes) a good record with ChaCha20-Poly1305.
std::string seal(bool is_tls_1_3, std::string_view parts) {
  TlsTraffic traffic;
  fill(traffic, is_tls_1_3 ? 3 : 2);
  auto& side = traffic.client;
  if (is_tls_1_3) {
    expand(side, "key", side.key);
    expand(side, "iv", side.iv);
  }
  TlsAead aead(traffic.cipher, side.key);
  std::string all;
  for (uint64_t sequence = 0; parts.size() >= 2; ++sequence) {
    const char type = parts[0];
    const size_t size = std::min<size_t>(parts.size() - 2, static_cast<uint8_t>(parts[1]));
    const std::string inner = std::string(parts.substr(2, size)) + (is_tls_1_3 ? std::string(1, type) : "");
    parts.remove_prefix(2 + size);

    std::string record(1, is_tls_1_3 ? '\x17' : type);
    append_big_endian(record, 0x0303, 2);
    append_big_endian(record, inner.size() + TlsAead::tag_size, 2);
    std::string context = record;
    if (!is_tls_1_3) {
      context.clear();
      append_big_endian(context, sequence, 8);
      context += type;
      append_big_endian(context, 0x0303, 2);
      append_big_endian(context, inner.size(), 2);
    }
    TlsAead::Nonce nonce = side.iv;
    for (int i = 0; i < 8; ++i) nonce[4 + i] ^= static_cast<uint8_t>(sequence >> (8 * (7 - i)));
    std::string sealed(inner.size() + TlsAead::tag_size, '\0');
    NUNCIO_ASSERT(
        aead.seal(nonce, bytes_of(context), bytes_of(inner), reinterpret_cast<uint8_t*>(sealed.data())));
    all += record + sealed;
  }
  return all;
}

void read_certificate(std::string_view bytes) {
  mbedtls_x509_crt certificate;
  mbedtls_x509_crt_init(&certificate);
  if (mbedtls_x509_crt_parse_der(&certificate, reinterpret_cast<const unsigned char*>(bytes.data()),
                                 bytes.size()) == 0) {
    const auto peer = read_peer_certificate(certificate);
    if (peer) {
      const auto is_clean = [](const std::string& text) { return text.find('\0') == std::string::npos; };
      for (const auto* names : {&peer->emails, &peer->dns_names, &peer->uris})
        NUNCIO_ASSERT(std::ranges::all_of(*names, is_clean));
      for (const auto& relative : peer->subject.relatives)
        for (const auto& attribute : relative) NUNCIO_ASSERT(is_clean(attribute.value));
      NUNCIO_ASSERT(peer->key_digest.size() == 64);
    }
    is_for_clients(certificate);
    has_name_constraints(certificate);
  }
  mbedtls_x509_crt_free(&certificate);
}

}  // namespace
}  // namespace nuncio::net

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace nuncio::net;
  static const bool is_started = start_library();
  NUNCIO_ASSERT(is_started);
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0]) {
    case 'h':
      shake_hands(bytes);
      break;
    case 'c':
      read_certificate(bytes);
      break;
    case 'm':
      refuse_costly_chain(bytes, false);
      break;
    case 'n':
      refuse_costly_chain(bytes, true);
      break;
    case '2':
      read_records(2, seal(false, bytes));
      break;
    case '3':
      read_records(3, seal(true, bytes));
      break;
    default:
      read_records(data[0], bytes);
      break;
  }
  return 0;
}
