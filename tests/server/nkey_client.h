// The client's side of nkeys (AU-31 … AU-36): keys as text and signatures of a nonce, made here independently
// of the server's own code.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "client.h"

namespace nuncio::test {

// An Ed25519 user key pair with a random seed.
class UserKey {
 public:
  UserKey();
  const std::string& text() const { return text_; }  // "U…"
  std::array<unsigned char, 64> sign(std::string_view message) const;
  // Fields of a CONNECT: nkey, and sig as unpadded URL-safe base64 as the official clients send it.
  Json login(std::string_view nonce) const;

 private:
  std::array<unsigned char, 64> secret_;
  std::string text_;
};

// Base32 of prefix byte, key and checksum, as in seeds and public keys; prefixes: 20 << 3 user, 0 account.
std::string nkey_text(unsigned char prefix, const std::array<unsigned char, 32>& key);
std::string base64_url(const std::array<unsigned char, 64>& bytes);       // unpadded
std::string base64_standard(const std::array<unsigned char, 64>& bytes);  // padded

}  // namespace nuncio::test
