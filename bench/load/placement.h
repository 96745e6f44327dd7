// Two connections, one that publishes and one that subscribes, opened in the order and with the gap that the
// options ask for, so that they share a worker of the server or do not.
#pragma once

#include <vector>

#include "bench/load/connection.h"
#include "bench/load/options.h"
#include "bench/load/report.h"

namespace nuncio::load {

struct PlacedPair {
  Connection publishing;
  Connection subscribing;
  std::vector<Connection> padding;  // held only to occupy places
};

PlacedPair connect_pair(const Options& options);
// As many idle connections as --pad-connections says.
std::vector<Connection> connect_padding(const Options& options);
// The server that the options name, resolved.
Target target_of(const Options& options);
// Version and cipher suite, if there is TLS.
void report_tls(Report& report, const Connection& connection);

}  // namespace nuncio::load
