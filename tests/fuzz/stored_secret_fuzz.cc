// Configured secrets of any shape: judged in bounded time, an accepted hash has a method and a bounded cost,
// and no text is plain that begins as a bcrypt hash does.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "auth/hash_format.h"
#include "auth/stored_secret.h"
#include "core/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using nuncio::auth::StoredSecret;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  nuncio::auth::looks_like_des(text);
  const auto format = nuncio::auth::parse_hash(text);
  const auto made = StoredSecret::make(text);
  if (!format || !made) {
    NUNCIO_ASSERT(!made);
    NUNCIO_ASSERT(!made.error().empty());
    return 0;
  }
  if ((*made)->kind() == StoredSecret::Kind::plain) {
    NUNCIO_ASSERT(!*format);
    NUNCIO_ASSERT((*made)->matches(text));
    NUNCIO_ASSERT(!(*made)->matches(std::string(text) + "x"));
    NUNCIO_ASSERT(!text.starts_with("$2b$"));
    return 0;
  }
  const auto& hash = **format;
  NUNCIO_ASSERT(!hash.method.empty() && hash.digest_at < text.size());
  NUNCIO_ASSERT(hash.work > 0 && hash.work <= 64.01 * hash.work_warn + 1e7);
  // Cheap ones are run as well: whatever libxcrypt makes of odd parameters, the hash itself must not match.
  if (hash.work < hash.work_warn / 500) NUNCIO_ASSERT(!(*made)->matches(text));
  return 0;
}
