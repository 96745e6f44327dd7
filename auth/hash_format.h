// The written form of password hashes: which method and cost a configured text names, and whether it may be
// used. Pure functions on text; nothing is hashed here (auth/hash_run.h). Forms: crypt(5) of libxcrypt.
#pragma once

#include <tl/expected.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nuncio::auth {

enum class HashFamily : uint8_t { bcrypt, yescrypt, gost_yescrypt, scrypt, sha512, sha256 };

struct HashFormat {
  HashFamily family;
  std::string method;    // with its cost and without its salt: "$2b$11", "$y$j9T", "$6$rounds=5000"
  double work = 0;       // what one check costs: bcrypt 2^cost, SHA rounds, else bytes of memory filled
  double work_warn = 0;  // above this: about a second, worth a warning (AU-29)
  size_t digest_at = 0;  // where the digest begins: what is before it is the setting
};

// nullopt: not a hash, so plain text (AU-20). Error: a hash that is weak, malformed or too costly, or
// something that looks like a hash of a method nobody here knows (AU-25, AT-12). Errors contain no part of
// salt or digest.
tl::expected<std::optional<HashFormat>, std::string> parse_hash(std::string_view text);

// True for what might as well be a DES hash: such text cannot be told from an ordinary password and is taken
// as plain.
bool looks_like_des(std::string_view text) noexcept;

}  // namespace nuncio::auth
