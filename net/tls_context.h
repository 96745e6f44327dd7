// One listener's TLS: certificates, keys, trust and policy, loaded and judged as a whole. Immutable once made
// and shared by sessions on any thread; a reload makes another one (OP-37). Nothing of the TLS library shows
// in this header or in tls_session.h: another engine can stand behind them.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/options.h"

namespace nuncio::net {

class TlsContext {
 public:
  struct Findings {
    std::vector<std::string> errors;    // "file:line:col: text", each naming the file or the choice
    std::vector<std::string> warnings;  // expired or not yet valid certificates …
  };
  // Reads the files. Null when there are errors: a file that is missing or malformed, a key that does not
  // match, a choice that this library does not have (`min_version: "1.3"` on mbedTLS 2.28).
  static std::shared_ptr<const TlsContext> make(const TlsOptions&, Findings&);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  const TlsOptions& options() const;
  // Made of the contents of all files: equal for equal material, however the files are called.
  const std::string& fingerprint() const;
  // One line for the log for each of our certificates: its subject and when it expires.
  std::vector<std::string> describe() const;
  bool is_pinned(const std::string& key_digest) const;  // or nothing is pinned
  // Whom `other` has verified, this one would have verified too.
  bool trusts_whom(const TlsContext& other) const;

  struct Engine;  // the library's own, for tls_session.cc
  Engine& engine() const { return *engine_; }

 private:
  TlsContext();
  const std::unique_ptr<Engine> engine_;
};

// The TLS library and its version, for -v and the log: "mbedTLS 2.28.3".
std::string tls_library();

}  // namespace nuncio::net
