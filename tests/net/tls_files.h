// The files of a `tls` block for tests, and the context that is made of them.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "net/tls_context.h"
#include "tls_authority.h"

namespace nuncio::test {

inline bool library_has_tls_1_3() {
  return !net::tls_library().starts_with("mbedTLS 2.");
}

// A directory that goes away with everything in it.
class TlsFiles {
 public:
  TlsFiles() {
    std::string pattern = std::filesystem::temp_directory_path() / "nuncio-tls-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    folder_ = pattern;
  }
  explicit TlsFiles(const Identity& server) : TlsFiles() { add_pair(server); }
  ~TlsFiles() { std::filesystem::remove_all(folder_); }
  TlsFiles(const TlsFiles&) = delete;
  TlsFiles& operator=(const TlsFiles&) = delete;

  // Its path.
  std::string add(std::string_view name, std::string_view content) {
    const std::string path = folder_ + "/" + std::string(name);
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  void add_pair(const Identity& server, std::string_view chain = {}) {
    const auto number = std::to_string(options.pairs.size());
    options.pairs.push_back({add("cert" + number + ".pem", server.certificate_pem + std::string(chain)),
                             add("key" + number + ".pem", server.key_pem)});
  }
  // Clients are verified by these certificates.
  void verify_by(std::string_view pem) {
    options.is_verifying = true;
    options.ca_file = add("ca.pem", pem);
  }
  void revoke(std::string_view pem) { options.revocation_file = add("crl.pem", pem); }

  std::shared_ptr<const net::TlsContext> context() const {
    net::TlsContext::Findings findings;
    auto context = net::TlsContext::make(options, findings);
    if (!context) throw std::runtime_error(findings.errors.at(0));
    return context;
  }

  TlsOptions options;

 private:
  std::string folder_;
};

}  // namespace nuncio::test
