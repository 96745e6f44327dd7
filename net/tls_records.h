// The records of a TLS connection after its handshake: data, alerts, new keys. The TLS library would keep
// 33 KiB for each connection and copy every byte twice; this needs some 400 bytes, decrypts from where bytes
// were received and encrypts to where they are sent from. AEAD only: there is no padding to be attacked.
// One thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "net/tls_aead.h"
#include "net/tls_library.h"
#include "net/tls_session.h"

namespace nuncio::net {

// What the handshake leaves to its records. Wiped with it.
struct TlsTraffic {
  struct Side {
    std::array<uint8_t, TlsAead::key_size_max> key{};  // key and iv for 1.2
    std::array<uint8_t, TlsAead::nonce_size> iv{};
    std::array<uint8_t, 48> secret{};  // for 1.3
    uint64_t sequence = 0;             // of its next record
  };

  TlsAead::Cipher cipher = TlsAead::Cipher::aes_256_gcm;
  mbedtls_md_type_t hash = MBEDTLS_MD_SHA256;
  bool is_tls_1_3 = false;
  Side client, server;

  TlsTraffic() = default;
  ~TlsTraffic() { mbedtls_platform_zeroize(this, sizeof *this); }
  TlsTraffic(const TlsTraffic&) = delete;
  TlsTraffic& operator=(const TlsTraffic&) = delete;
};

class TlsRecords {
 public:
  explicit TlsRecords(const TlsTraffic&);

  // As those of TlsSession.
  TlsSession::ReadResult read(std::string_view& ciphertext, std::span<char> plain);
  size_t write(std::string_view plain, std::span<char> ciphertext);
  size_t close(std::span<char> ciphertext);
  // A fatal alert, as a record; for a handshake that fails when its client has the keys already.
  size_t tell(uint8_t alert, std::span<char> ciphertext);
  const std::string& problem() const { return problem_; }
  bool is_tls_1_3() const { return is_tls_1_3_; }

 private:
  using Bytes = std::span<const uint8_t>;
  enum class Type : uint8_t { change_cipher_spec = 20, alert = 21, handshake = 22, data = 23 };
  struct Opened {
    Type type;
    size_t size;
  };

  // One direction.
  struct Side {
    Side(const TlsTraffic&, const TlsTraffic::Side&);
    ~Side();

    TlsAead aead;
    std::array<uint8_t, TlsAead::nonce_size> iv;
    std::array<uint8_t, 48> secret;
    uint64_t sequence;
  };

  Bytes whole_record(std::string_view& ciphertext);
  void consume(Bytes record, std::string_view& ciphertext);
  bool check_header(Bytes header);
  size_t inner_size(size_t payload_size) const;
  bool open(Bytes record, uint8_t* inner, Opened&);
  bool accept(const Opened&, const uint8_t* inner);
  bool accept_alert(Bytes alert);
  bool accept_key_update(Bytes message);
  bool accept_useless();
  size_t seal(Type, std::string_view plain, std::span<char> ciphertext);
  size_t announce_keys(std::span<char> ciphertext);
  void renew_keys(Side&);
  bool fail(uint8_t alert, std::string problem);

  bool has_explicit_nonce() const { return !is_tls_1_3_ && cipher_ != TlsAead::Cipher::chacha20_poly1305; }
  TlsAead::Nonce nonce(const Side&) const;

  const TlsAead::Cipher cipher_;
  const mbedtls_md_type_t hash_;
  const bool is_tls_1_3_;
  bool is_closed_ = false;  // by the peer
  bool is_failed_ = false;
  bool owes_keys_ = false;  // the peer asked us for new ones
  uint8_t alert_ = 0;       // that close() sends
  uint8_t useless_ = 0;     // records in a row that brought no data
  Side client_, server_;
  std::string partial_;  // the beginning of a record, or a whole one that found no room
  std::string problem_;
};

}  // namespace nuncio::net
