// A password or token as configured: plain text or a hash that libxcrypt knows. Immutable, shared between snapshots of
// the auth table, so that "the same stored secret" is the same object or has the same identity().
#pragma once

#include <tl/expected.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/secret.h"

namespace nuncio::auth {

class StoredSecret {
 public:
  enum class Kind : uint8_t { plain, hash };

  // Judges configured text: a supported hash, plain text, or an error (weak or malformed hash, cost that would hold a
  // verifier for minutes: AU-25, AT-12). The error names no part of the secret.
  static tl::expected<std::shared_ptr<const StoredSecret>, std::string> make(std::string_view configured);

  Kind kind() const;
  // Plain: constant-time comparison, cheap. Hash: runs the hash function, up to seconds; verifier threads only.
  // Candidates with NUL bytes never match a hash (AU-22). Never throws.
  bool matches(std::string_view candidate) const;
  // Hash: method and cost, "$2b$11" (for the dummy of AU-28 and warnings).
  std::string_view method() const;
  // Keyed digest of the configured text (random key per process), for comparing snapshots.
  std::string_view identity() const;
};

}  // namespace nuncio::auth
