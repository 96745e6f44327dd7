// nkeys: Ed25519 keys in the text form of the NATS ecosystem (AU-31 … AU-37). Public keys as core/nkey_text.h
// describes them; seeds, which only the key tool sees, have a second prefix byte for what the key is of.
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
// False for keys that nobody can sign with: small order, not canonical, not in the prime-order group (AU-36).
bool is_usable(const PublicKey&) noexcept;
// Unpadded URL-safe or standard base64, padded or not, as clients send `sig`.
std::optional<Signature> parse_signature(std::string_view text);
// Small-order and non-canonical keys and signatures never verify (AU-36). Some 50 µs.
bool is_signed_by(const PublicKey&, const Signature&, std::string_view message) noexcept;

// A fresh nonce for INFO: 11 random bytes as 15 characters (AU-31). Any thread.
std::string make_nonce();

// For the key tool. Kinds of keys by their prefix byte: core/nkey_text.h.
struct KeyPair {
  Secret seed;  // "SU…" for a user, 58 characters
  std::string public_key;
};
KeyPair make_key_pair(uint8_t prefix);
// Errors for what is no seed; they show nothing of it.
tl::expected<std::string, std::string> public_key_of(const Secret& seed);
tl::expected<Signature, std::string> sign(const Secret& seed, std::string_view message);
// Unpadded URL-safe base64, as clients send it and the official tool prints it (0.4.7; 0.4.4 printed standard
// base64).
std::string encode_signature(const Signature&);

}  // namespace nuncio::auth
