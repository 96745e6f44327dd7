// What a TlsContext is made of, shared by tls_context.cc and tls_session.cc. Immutable but for the tickets'
// keys, which have a lock of their own.
#pragma once

#include "net/tls_context.h"
#include "net/tls_library.h"
#include "net/tls_material.h"
#include "net/tls_policy.h"
#include "net/tls_tickets.h"

namespace nuncio::net {

struct TlsContext::Engine {
  Engine();
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  TlsOptions options;
  TlsMaterial material;
  TlsPolicy policy;
  TlsTickets tickets;
  mbedtls_ssl_config config;  // refers to all of the above
};

}  // namespace nuncio::net
