// A password or token as configured (plain text or a hash that libxcrypt knows), or the public key of an
// nkey. Immutable, shared between snapshots of the auth table, so that "the same stored secret" is the same
// object or has the same identity().
#pragma once

#include <tl/expected.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "auth/hash_format.h"
#include "auth/keyed_digest.h"
#include "auth/nkey.h"
#include "core/secret.h"

namespace nuncio::auth {

class StoredSecret {
 public:
  enum class Kind : uint8_t {
    plain,
    hash,
    public_key  // an nkey: the candidate is a signature (64 bytes) and then the message it signs
  };

  // Judges configured text: a supported hash, plain text, or an error (weak or malformed hash, cost that
  // would hold a verifier for minutes: AU-25, AT-12). The error names no part of the secret.
  static tl::expected<std::shared_ptr<const StoredSecret>, std::string> make(std::string_view configured);
  // Of a user's public key as configured, "U…" (AU-33).
  static tl::expected<std::shared_ptr<const StoredSecret>, std::string> make_nkey(
      std::string_view configured);
  // What matches() of a public key takes.
  static Secret signature_candidate(const Signature&, std::string_view message);

  Kind kind() const;
  // Plain: constant-time comparison of digests, cheap. Hash: runs the hash function, up to seconds; public
  // key: checks a signature, some 50 µs; verifier threads only. Candidates with NUL bytes never match a hash
  // (AU-22). bcrypt looks at the first 72 bytes of a candidate and ignores the rest: longer ones that begin
  // alike match alike (AT-4). Never throws.
  bool matches(std::string_view candidate) const;
  // Hash: method and cost, "$2b$11" (for the dummy of AU-28 and warnings).
  std::string_view method() const;
  // Keyed digest of the configured text or key (random key per process), for comparing snapshots.
  std::string_view identity() const;

  // A secret nobody knows that costs as much to check: of the same method and cost, or plain (AU-28).
  static std::shared_ptr<const StoredSecret> dummy_like(const StoredSecret&);
  // Plain and empty: what a user without a password has (AU-15).
  bool is_empty() const;
  // Hash: what one check costs, as a share of what is worth a warning (roughly, for comparing methods).
  double work() const { return format_.work / format_.work_warn; }
  // Hash: set when a check takes so long that it deserves a warning; measured on this machine, takes
  // milliseconds.
  std::optional<std::chrono::milliseconds> slow_check_time() const;

 private:
  StoredSecret(Kind kind, std::string_view configured, HashFormat format);
  explicit StoredSecret(const PublicKey& key);
  bool is_signed(std::string_view candidate) const;

  Kind kind_;
  HashFormat format_;
  Digest digest_;  // plain text is kept as this digest only
  Secret hash_text_;
  PublicKey public_key_{};
};

}  // namespace nuncio::auth
