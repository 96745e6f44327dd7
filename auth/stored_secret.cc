#include "auth/stored_secret.h"

#include <crypt.h>
#include <sodium.h>

#include <array>

#include "auth/hash_run.h"

namespace nuncio::auth {
namespace {

Digest digest_of(std::string_view secret) {
  return keyed_digest({"secret", secret});
}

const Digest& digest_of_empty() {
  static const Digest digest = digest_of("");
  return digest;
}

// Overwrites `text` from `at` on with random digits of the hashes' alphabet.
void randomise(std::string& text, size_t at) {
  constexpr std::string_view digits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  for (size_t i = at; i < text.size(); ++i) text[i] = digits[randombytes_uniform(digits.size())];
}

}  // namespace

tl::expected<std::shared_ptr<const StoredSecret>, std::string> StoredSecret::make(
    std::string_view configured) {
  auto format = parse_hash(configured);
  if (!format) return tl::unexpected(std::move(format.error()));
  if (!*format) return std::shared_ptr<const StoredSecret>(new StoredSecret(Kind::plain, configured, {}));
  // "Legacy" is SHA-256 and $2x$; whatever is too weak was refused by parse_hash().
  const int judged = crypt_checksalt(Secret(configured).reveal().data());
  if (judged != CRYPT_SALT_OK && judged != CRYPT_SALT_METHOD_LEGACY) {
    return tl::unexpected(std::string("is a hash of a method that this system's libcrypt does not support"));
  }
  return std::shared_ptr<const StoredSecret>(new StoredSecret(Kind::hash, configured, std::move(**format)));
}

StoredSecret::StoredSecret(Kind kind, std::string_view configured, HashFormat format)
    : kind_(kind), format_(std::move(format)), digest_(digest_of(configured)) {
  if (kind == Kind::hash) hash_text_ = Secret(configured);
}

StoredSecret::Kind StoredSecret::kind() const {
  return kind_;
}

bool StoredSecret::matches(std::string_view candidate) const {
  if (kind_ == Kind::hash) return hash_matches(hash_text_.reveal(), format_, candidate);
  return is_equal(digest_of(candidate), digest_);
}

std::string_view StoredSecret::method() const {
  return format_.method;
}

std::string_view StoredSecret::identity() const {
  return {reinterpret_cast<const char*>(digest_.data()), digest_.size()};
}

std::shared_ptr<const StoredSecret> StoredSecret::dummy_like(const StoredSecret& original) {
  if (original.kind_ == Kind::plain) {
    std::string random(32, '\0');
    randomise(random, 0);
    return std::shared_ptr<const StoredSecret>(new StoredSecret(Kind::plain, random, {}));
  }
  std::string text(original.hash_text_.reveal());
  randomise(text, original.format_.digest_at);
  std::shared_ptr<const StoredSecret> dummy(new StoredSecret(Kind::hash, text, original.format_));
  wipe(text);
  return dummy;
}

bool StoredSecret::is_empty() const {
  return kind_ == Kind::plain && is_equal(digest_, digest_of_empty());
}

std::optional<std::chrono::milliseconds> StoredSecret::slow_check_time() const {
  if (kind_ != Kind::hash || format_.work <= format_.work_warn) return std::nullopt;
  return estimated_check_time(format_);
}

}  // namespace nuncio::auth
