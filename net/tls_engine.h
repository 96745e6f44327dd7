// What a TlsContext is made of, for the sources that use the TLS library. Immutable but for the keys of
// tickets and the list of configurations, which have locks of their own.
#pragma once

#include "net/tls_configs.h"
#include "net/tls_context.h"
#include "net/tls_material.h"
#include "net/tls_policy.h"
#include "net/tls_tickets.h"

namespace nuncio::net {

struct TlsContext::Engine {
  TlsOptions options;
  TlsMaterial material;
  TlsPolicy policy;
  TlsTickets tickets;
  TlsConfigs configs{*this};  // refer to all of the above
};

}  // namespace nuncio::net
