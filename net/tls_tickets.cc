#include "net/tls_tickets.h"

#include <sodium.h>

#include <algorithm>

#include "core/assert.h"

namespace nuncio::net {
namespace {

constexpr size_t name_size = 16;
constexpr size_t nonce_size = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t tag_size = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(TlsTickets::overhead == name_size + nonce_size + tag_size);

uint8_t* bytes_of(std::string& text, size_t at) {
  return reinterpret_cast<uint8_t*>(text.data()) + at;
}
const uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

}  // namespace

TlsTickets::~TlsTickets() {
  for (Key& key : keys_) sodium_memzero(&key, sizeof key);
}

std::string TlsTickets::seal(std::string_view content, Time now) {
  Key key = current(now);
  std::string ticket(overhead + content.size(), '\0');
  std::ranges::copy(key.name, bytes_of(ticket, 0));
  // Long enough to be drawn: it never comes twice.
  randombytes_buf(bytes_of(ticket, name_size), nonce_size);
  crypto_aead_xchacha20poly1305_ietf_encrypt(
      bytes_of(ticket, name_size + nonce_size), nullptr, bytes_of(content), content.size(), key.name.data(),
      key.name.size(), nullptr, bytes_of(ticket, name_size), key.secret.data());
  sodium_memzero(&key, sizeof key);
  return ticket;
}

std::optional<std::string> TlsTickets::open(std::string_view ticket, Time now) {
  if (ticket.size() < overhead) return std::nullopt;
  auto key = find(ticket.substr(0, name_size), now);
  if (!key) return std::nullopt;
  std::string content(ticket.size() - overhead, '\0');
  const std::string_view sealed = ticket.substr(name_size + nonce_size);
  const bool is_good =
      crypto_aead_xchacha20poly1305_ietf_decrypt(bytes_of(content, 0), nullptr, nullptr, bytes_of(sealed),
                                                 sealed.size(), key->name.data(), key->name.size(),
                                                 bytes_of(ticket.substr(name_size)), key->secret.data()) == 0;
  sodium_memzero(&*key, sizeof *key);
  if (!is_good) return std::nullopt;
  return content;
}

TlsTickets::Key TlsTickets::current(Time now) {
  const std::lock_guard lock(mutex_);
  if (keys_.empty() || now - keys_.front().made_at >= lifetime) {
    Key& key = keys_.emplace_front();
    randombytes_buf(key.name.data(), key.name.size());
    randombytes_buf(key.secret.data(), key.secret.size());
    key.made_at = now;
  }
  // The one before is good for what it sealed just before it was replaced.
  while (keys_.size() > 2) {
    sodium_memzero(&keys_.back(), sizeof(Key));
    keys_.pop_back();
  }
  return keys_.front();
}

std::optional<TlsTickets::Key> TlsTickets::find(std::string_view name, Time now) {
  const std::lock_guard lock(mutex_);
  for (const Key& key : keys_) {
    const bool is_it = std::equal(name.begin(), name.end(), key.name.begin(), key.name.end(),
                                  [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
    if (is_it && now - key.made_at < 2 * lifetime) return key;
  }
  return std::nullopt;
}

}  // namespace nuncio::net
