// The configurations of the TLS library that a context's handshakes use. All say the same; each has private
// keys of its own, and a handshake has one to itself until it has signed: the library locks an RSA key for
// the milliseconds of a signature (so that a thread of low priority would hold up all others), and 2.28 fills
// tables inside an EC key without any lock. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/tls_context.h"
#include "net/tls_library.h"

namespace nuncio::net {

class TlsConfigs {
 public:
  class One {
   public:
    explicit One(TlsContext::Engine&);
    ~One();
    One(const One&) = delete;
    One& operator=(const One&) = delete;

    mbedtls_ssl_config config;
    std::string error;  // of the library; empty: it can be used

   private:
    int fill();
    int copy_keys();
    static int choose_certificate(void* one, mbedtls_ssl_context*, const unsigned char* name, size_t size);

    TlsContext::Engine& context_;
    std::vector<mbedtls_pk_context> keys_;  // as the pairs of the context
  };

  explicit TlsConfigs(TlsContext::Engine& context) : context_(context) {}

  // One that nobody else signs with; made when there is none. The library keeps pointers to it: it must be
  // kept for as long as the handshake lives.
  std::shared_ptr<One> borrow();
  // Others may sign with it now.
  void give_back(std::shared_ptr<One>);

 private:
  static constexpr size_t idle_max =
      32;  // more than there are threads; those beyond go with their handshakes

  TlsContext::Engine& context_;
  std::mutex mutex_;  // held for a pointer's time
  std::vector<std::shared_ptr<One>> idle_;
};

}  // namespace nuncio::net
