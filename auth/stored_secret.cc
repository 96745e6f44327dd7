#include "auth/stored_secret.h"

#include <crypt.h>
#include <sodium.h>

#include <algorithm>
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

tl::expected<std::shared_ptr<const StoredSecret>, std::string> StoredSecret::make_nkey(
    std::string_view configured) {
  const auto key = parse_user_nkey(configured);
  if (!key) return tl::unexpected(std::string("is not the public nkey of a user (\"U…\", 56 characters)"));
  return std::shared_ptr<const StoredSecret>(new StoredSecret(*key));
}

StoredSecret::StoredSecret(const PublicKey& key)
    : kind_(Kind::public_key),
      digest_(keyed_digest({"nkey", {reinterpret_cast<const char*>(key.data()), key.size()}})),
      public_key_(key) {}

Secret StoredSecret::signature_candidate(const Signature& signature, std::string_view message) {
  std::string text(reinterpret_cast<const char*>(signature.data()), signature.size());
  text += message;
  Secret candidate(text);
  wipe(text);
  return candidate;
}

StoredSecret::Kind StoredSecret::kind() const {
  return kind_;
}

bool StoredSecret::matches(std::string_view candidate) const {
  switch (kind_) {
    case Kind::hash:
      return hash_matches(hash_text_.reveal(), format_, candidate);
    case Kind::public_key:
      return is_signed(candidate);
    case Kind::plain:
      break;
  }
  return is_equal(digest_of(candidate), digest_);
}

bool StoredSecret::is_signed(std::string_view candidate) const {
  Signature signature;
  if (candidate.size() < signature.size()) return false;
  std::copy_n(candidate.begin(), signature.size(), reinterpret_cast<char*>(signature.data()));
  return is_signed_by(public_key_, signature, candidate.substr(signature.size()));
}

std::string_view StoredSecret::method() const {
  return format_.method;
}

std::string_view StoredSecret::identity() const {
  return {reinterpret_cast<const char*>(digest_.data()), digest_.size()};
}

std::shared_ptr<const StoredSecret> StoredSecret::dummy_like(const StoredSecret& original) {
  if (original.kind_ != Kind::hash) {
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
