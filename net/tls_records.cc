#include "net/tls_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "core/assert.h"

namespace nuncio::net {
namespace {

using Read = TlsSession::Read;

constexpr size_t header_size = 5;
constexpr size_t explicit_nonce_size = 8;  // of GCM in 1.2
constexpr size_t type_size = 1;            // behind the data in 1.3
constexpr uint8_t useless_max = 16;        // as Go has it
// A key of AES-GCM is good for 2^24.5 records of full size (RFC 8446, 5.5).
constexpr uint64_t records_of_key_max = uint64_t{1} << 24;

constexpr uint8_t close_notify = 0, unexpected_message = 10, bad_record_mac = 20, record_overflow = 22,
                  illegal_parameter = 47, decode_error = 50, internal_error = 80, user_canceled = 90,
                  no_renegotiation = 100, nothing = 255;
constexpr uint8_t level_warning = 1, level_fatal = 2;
constexpr uint8_t key_update = 24;

void expand_label(mbedtls_md_type_t hash, std::span<const uint8_t> secret, std::string_view label,
                  std::span<uint8_t> output);

size_t hash_size(mbedtls_md_type_t hash) {
  return hash == MBEDTLS_MD_SHA384 ? 48 : 32;
}

void put_big_endian(uint8_t* to, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) to[i] = static_cast<uint8_t>(value >> (8 * (size - 1 - i)));
}

uint8_t* bytes_of(char* text) {
  return reinterpret_cast<uint8_t*>(text);
}
std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// What 1.2 authenticates beside a record's data.
std::array<uint8_t, 13> context_of(uint64_t sequence, uint8_t type, size_t size) {
  std::array<uint8_t, 13> context;
  put_big_endian(context.data(), sequence, 8);
  context[8] = type;
  context[9] = context[10] = 3;
  put_big_endian(context.data() + 11, size, 2);
  return context;
}

}  // namespace

TlsRecords::TlsRecords(const TlsTraffic& traffic)
    : cipher_(traffic.cipher),
      hash_(traffic.hash),
      is_tls_1_3_(traffic.is_tls_1_3),
      client_(traffic, traffic.client),
      server_(traffic, traffic.server) {}

TlsSession::ReadResult TlsRecords::read(std::string_view& ciphertext, std::span<char> plain) {
  size_t filled = 0;
  while (!is_failed_ && !is_closed_) {
    const Bytes record = whole_record(ciphertext);
    if (record.empty()) break;
    const size_t room = plain.size() - filled, inner = inner_size(record.size() - header_size);
    if (inner > room && filled > 0) break;  // there will be more room next time
    // A full record of 1.3 has a byte more than its data.
    std::vector<uint8_t> aside(inner > room ? inner : 0);
    uint8_t* const target = aside.empty() ? bytes_of(plain.data()) + filled : aside.data();
    Opened opened{};
    if (!open(record, target, opened) || !accept(opened, target)) break;
    consume(record, ciphertext);
    if (opened.type != Type::data) continue;
    if (!aside.empty()) std::memcpy(plain.data(), aside.data(), opened.size);
    filled += opened.size;
  }
  if (partial_.empty() && partial_.capacity() > 32) std::string().swap(partial_);
  if (filled > 0) return {Read::plaintext, filled};  // and how it ended next time
  return {is_failed_ ? Read::failed : is_closed_ ? Read::end : Read::wants_input};
}

size_t TlsRecords::write(std::string_view plain, std::span<char> ciphertext) {
  if (is_failed_) return 0;
  const bool is_worn = is_tls_1_3_ && server_.sequence >= records_of_key_max;
  const size_t before = owes_keys_ || is_worn ? announce_keys(ciphertext) : 0;
  const size_t size = seal(Type::data, plain, ciphertext.subspan(before));
  return size == 0 ? 0 : before + size;
}

size_t TlsRecords::close(std::span<char> ciphertext) {
  if (alert_ == nothing) return 0;
  const char alert[] = {static_cast<char>(alert_ == close_notify ? level_warning : level_fatal),
                        static_cast<char>(alert_)};
  alert_ = nothing;
  return seal(Type::alert, {alert, sizeof alert}, ciphertext);
}

size_t TlsRecords::tell(uint8_t alert, std::span<char> ciphertext) {
  alert_ = alert;
  return close(ciphertext);
}

// The record at the front, header and all, without taking it away; empty: there is none that is complete, and
// what there is of it is kept.
TlsRecords::Bytes TlsRecords::whole_record(std::string_view& ciphertext) {
  const auto take = [&](size_t size_wanted) {
    const size_t size = std::min(size_wanted - std::min(size_wanted, partial_.size()), ciphertext.size());
    partial_.append(ciphertext.substr(0, size));
    ciphertext.remove_prefix(size);
    return partial_.size() >= size_wanted;
  };
  const bool is_in_place = partial_.empty() && ciphertext.size() >= header_size;
  if (!is_in_place && !take(header_size)) return {};
  const Bytes all = bytes_of(is_in_place ? ciphertext : std::string_view(partial_));
  if (!check_header(all)) return {};
  const size_t size = header_size + static_cast<size_t>(all[3] << 8 | all[4]);
  if (is_in_place && ciphertext.size() >= size) return all.first(size);
  partial_.reserve(size);
  return take(size) ? bytes_of(partial_) : Bytes();
}

void TlsRecords::consume(Bytes record, std::string_view& ciphertext) {
  if (!partial_.empty()) {
    partial_.clear();
  } else {
    ciphertext.remove_prefix(record.size());
  }
}

bool TlsRecords::check_header(Bytes header) {
  const size_t size = static_cast<size_t>(header[3] << 8 | header[4]);
  const bool is_known = is_tls_1_3_ ? header[0] == static_cast<uint8_t>(Type::data)
                                    : header[0] >= static_cast<uint8_t>(Type::change_cipher_spec) &&
                                          header[0] <= static_cast<uint8_t>(Type::data);
  if (!is_known || header[1] != 3 || header[2] != 3) return fail(unexpected_message, "not a record of TLS");
  const size_t size_min = TlsAead::tag_size + (is_tls_1_3_            ? type_size
                                               : has_explicit_nonce() ? explicit_nonce_size
                                                                      : 0);
  if (size < size_min) return fail(bad_record_mac, "a record is too short");
  const size_t inner_max = TlsSession::record_max + (is_tls_1_3_ ? type_size : 0);
  if (inner_size(size) > inner_max) return fail(record_overflow, "a record is too long");
  return true;
}

size_t TlsRecords::inner_size(size_t payload_size) const {
  return payload_size - TlsAead::tag_size - (has_explicit_nonce() ? explicit_nonce_size : 0);
}

// Decrypts into `inner`, which has room for inner_size().
bool TlsRecords::open(Bytes record, uint8_t* inner, Opened& opened) {
  const Bytes header = record.first(header_size);
  Bytes sealed = record.subspan(header_size);
  opened = {static_cast<Type>(header[0]), inner_size(sealed.size())};
  auto with = nonce(client_);
  bool is_good = false;
  if (is_tls_1_3_) {
    is_good = client_.aead.open(with, header, sealed, inner);
  } else {
    if (has_explicit_nonce()) {
      std::ranges::copy(sealed.first(explicit_nonce_size), with.begin() + 4);
      sealed = sealed.subspan(explicit_nonce_size);
    }
    is_good = client_.aead.open(with, context_of(client_.sequence, header[0], opened.size), sealed, inner);
  }
  if (!is_good) return fail(bad_record_mac, "a record is not of this session, or was changed on its way");
  ++client_.sequence;
  if (!is_tls_1_3_) return true;
  // Data, its type, padding of zeros.
  size_t& size = opened.size;
  while (size > 0 && inner[size - 1] == 0) --size;
  if (size == 0) return fail(unexpected_message, "a record has no type");
  opened.type = static_cast<Type>(inner[--size]);
  return true;
}

bool TlsRecords::accept(const Opened& opened, const uint8_t* inner) {
  const Bytes content(inner, opened.size);
  if (opened.type == Type::data && opened.size > 0) {
    useless_ = 0;
    return true;
  }
  if (opened.type == Type::data) return accept_useless();
  if (opened.type == Type::alert) return accept_alert(content);
  if (opened.type == Type::handshake && is_tls_1_3_) return accept_key_update(content);
  if (opened.type == Type::handshake) return fail(no_renegotiation, "the client asks for another handshake");
  return fail(unexpected_message, "a record of a type that does not belong here");
}

bool TlsRecords::accept_alert(Bytes alert) {
  if (alert.size() != 2) return fail(decode_error, "a malformed alert");
  if (alert[1] == close_notify) {
    is_closed_ = true;
    return true;
  }
  const bool is_warning = is_tls_1_3_ ? alert[1] == user_canceled : alert[0] == level_warning;
  if (is_warning) return accept_useless();
  return fail(nothing, fmt::format("the client ended it with alert {}", alert[1]));
}

bool TlsRecords::accept_key_update(Bytes message) {
  constexpr uint8_t start[] = {key_update, 0, 0, 1};
  if (message.size() != 5 || !std::ranges::equal(message.first(4), start))
    return fail(unexpected_message, "a message of a handshake after its end");
  if (message[4] > 1) return fail(illegal_parameter, "a malformed request for new keys");
  if (!accept_useless()) return false;
  renew_keys(client_);
  owes_keys_ = owes_keys_ || message[4] == 1;
  return true;
}

// These cost a worker time and bring nothing; a few in a row are legal.
bool TlsRecords::accept_useless() {
  return ++useless_ <= useless_max || fail(unexpected_message, "too many records without data");
}

size_t TlsRecords::seal(Type type, std::string_view plain, std::span<char> ciphertext) {
  const size_t before = header_size + (has_explicit_nonce() ? explicit_nonce_size : 0);
  const size_t inner = plain.size() + (is_tls_1_3_ ? type_size : 0);
  const size_t size = before + inner + TlsAead::tag_size;
  NUNCIO_ASSERT(ciphertext.size() >= size);
  uint8_t* const to = bytes_of(ciphertext.data());
  to[0] = static_cast<uint8_t>(is_tls_1_3_ ? Type::data : type);
  to[1] = to[2] = 3;
  put_big_endian(to + 3, size - header_size, 2);

  auto with = nonce(server_);
  bool is_good = false;
  if (is_tls_1_3_) {
    std::memcpy(to + before, plain.data(), plain.size());
    to[before + plain.size()] = static_cast<uint8_t>(type);
    is_good = server_.aead.seal(with, Bytes(to, header_size), {to + before, inner}, to + before);
  } else {
    if (has_explicit_nonce()) {
      // The number of the record: never the same twice under a key.
      put_big_endian(with.data() + 4, server_.sequence, explicit_nonce_size);
      put_big_endian(to + header_size, server_.sequence, explicit_nonce_size);
    }
    const auto context = context_of(server_.sequence, static_cast<uint8_t>(type), plain.size());
    is_good = server_.aead.seal(with, context, bytes_of(plain), to + before);
  }
  ++server_.sequence;
  return is_good ? size : (fail(internal_error, "a record cannot be encrypted"), 0);
}

// Only 1.3 comes here. The last record of the old keys says so.
size_t TlsRecords::announce_keys(std::span<char> ciphertext) {
  constexpr char message[] = {key_update, 0, 0, 1, 0};  // without asking for theirs
  const size_t size = seal(Type::handshake, {message, sizeof message}, ciphertext);
  renew_keys(server_);
  owes_keys_ = false;
  return size;
}

void TlsRecords::renew_keys(Side& side) {
  TlsTraffic next;
  next.cipher = cipher_;
  const std::span<uint8_t> secret(next.client.secret.data(), hash_size(hash_));
  expand_label(hash_, std::span(side.secret).first(secret.size()), "traffic upd", secret);
  const std::span<uint8_t> key(next.client.key.data(), TlsAead::key_size(cipher_));
  expand_label(hash_, secret, "key", key);
  expand_label(hash_, secret, "iv", side.iv);
  side.aead.set_key(key);
  side.secret = next.client.secret;
  side.sequence = 0;
}

bool TlsRecords::fail(uint8_t alert, std::string problem) {
  is_failed_ = true;
  alert_ = alert;
  problem_ = std::move(problem);
  return false;
}

// GCM in 1.2 replaces the last eight bytes.
TlsAead::Nonce TlsRecords::nonce(const Side& side) const {
  TlsAead::Nonce nonce = side.iv;
  if (has_explicit_nonce()) return nonce;
  uint8_t number[8];
  put_big_endian(number, side.sequence, sizeof number);
  for (size_t i = 0; i < sizeof number; ++i) nonce[4 + i] ^= number[i];
  return nonce;
}

TlsRecords::Side::Side(const TlsTraffic& traffic, const TlsTraffic::Side& from)
    : aead(traffic.cipher, std::span(from.key).first(TlsAead::key_size(traffic.cipher))),
      iv(from.iv),
      secret(from.secret),
      sequence(from.sequence) {
  if (!traffic.is_tls_1_3) return;
  std::array<uint8_t, TlsAead::key_size_max> bytes;
  const std::span key = std::span(bytes).first(TlsAead::key_size(traffic.cipher));
  const std::span given = std::span(secret).first(hash_size(traffic.hash));
  expand_label(traffic.hash, given, "key", key);
  expand_label(traffic.hash, given, "iv", iv);
  aead.set_key(key);
  mbedtls_platform_zeroize(bytes.data(), bytes.size());
}

TlsRecords::Side::~Side() {
  mbedtls_platform_zeroize(secret.data(), secret.size());
  mbedtls_platform_zeroize(iv.data(), iv.size());
}

namespace {

// HKDF-Expand-Label (RFC 8446, 7.1) without a context; no output is longer than one hash.
void expand_label(mbedtls_md_type_t hash, std::span<const uint8_t> secret, std::string_view label,
                  std::span<uint8_t> output) {
  constexpr std::string_view prefix = "tls13 ";
  std::string info;
  info += '\0';
  info += static_cast<char>(output.size());
  info += static_cast<char>(prefix.size() + label.size());
  info.append(prefix).append(label);
  info += '\0';    // no context
  info += '\x01';  // the first block
  uint8_t block[48];
  NUNCIO_ASSERT(output.size() <= hash_size(hash));
  NUNCIO_ASSERT(mbedtls_md_hmac(mbedtls_md_info_from_type(hash), secret.data(), secret.size(),
                                bytes_of(info).data(), info.size(), block) == 0);
  std::copy_n(block, output.size(), output.begin());
  mbedtls_platform_zeroize(block, sizeof block);
}

}  // namespace
}  // namespace nuncio::net
