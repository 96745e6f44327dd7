// Passwords and tokens of a configuration: in place, several at once with the time they may be used (AU-72),
// and in files of their own (AU-73). No finding holds a part of one. One thread; reads files.
#pragma once

#include <optional>
#include <vector>

#include "core/config/field_reader.h"
#include "core/options.h"

namespace nuncio::config {

// What the secret is called in its options: `password`, `passwords`, `password_file`, or the same with
// `token`.
enum class SecretKind : uint8_t { password, token };

// Collects the secrets of one user, or the tokens of a block, from the options that may hold some. Each add
// gives false after a mistake.
class SecretsReader {
 public:
  SecretsReader(FieldReader& reader, SecretKind kind) : reader_(reader), kind_(kind) {}

  bool add_text(const Entry&);  // password: "…"; may be empty
  bool add_list(const Entry&);  // passwords: ["…", {password: "…", name: "…", not_before: …, not_after: …}]
  bool add_file(const Entry&);  // password_file: "…"
  std::vector<SecretOptions> take() { return std::move(secrets_); }

 private:
  bool add_item(const Value&, const Entry& list);

  FieldReader& reader_;
  SecretKind kind_;
  std::vector<SecretOptions> secrets_;
};

constexpr size_t secret_file_bytes_max = 4096;

}  // namespace nuncio::config
