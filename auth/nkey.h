// nkeys: Ed25519 keys in the text form of the NATS ecosystem (AU-31 … AU-37): base32 of prefix, key and
// CRC-16, where the first letter tells what the key is for.
#pragma once

#include <tl/expected.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/secret.h"

namespace nuncio::auth {

using PublicKey = std::array<uint8_t, 32>;
using Signature = std::array<uint8_t, 64>;

// "U…", 56 characters. Nullopt: not a public user key (prefix, length, alphabet, checksum).
std::optional<PublicKey> parse_user_nkey(std::string_view text);
// Unpadded URL-safe or standard base64, padded or not, as clients send `sig`.
std::optional<Signature> parse_signature(std::string_view text);
// Small-order and non-canonical keys and signatures never verify (AU-36). Some 50 µs.
bool is_signed_by(const PublicKey&, const Signature&, std::string_view message) noexcept;

// A fresh nonce for INFO: 11 random bytes as 15 characters (AU-31). Any thread.
std::string make_nonce();

// A new user key pair. Seed "SU…" and public key "U…".
struct UserKeyPair {
  Secret seed;
  std::string public_key;
};
UserKeyPair make_user_key();
// The public key of a seed; an error for anything that is no user seed.
tl::expected<std::string, std::string> public_key_of(const Secret& seed);

}  // namespace nuncio::auth
