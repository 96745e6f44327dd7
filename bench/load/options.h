// The command line of nuncio-bench, read and checked. Pure apart from printing the help.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "bench/load/tls.h"
#include "bench/load/url.h"

namespace nuncio::load {

// Who connects first: with a server that gives each new connection to the worker with the fewest, this and
// the number of connections in between decide whether publisher and subscriber share a worker.
enum class Order { publisher_first, subscriber_first };

struct Options {
  std::string command;
  Url url;
  TlsSettings tls;
  std::string subject = "bench";
  uint64_t size_bytes = 16;
  uint64_t count = 0;    // 0: the command's own default, or as many as fit in `seconds`
  double seconds = 0.0;  // 0: by count
  uint64_t clients = 0;  // 0: the command's own default
  uint64_t concurrency = 1;
  uint64_t users = 0;  // >0: log in as <user>0 … <user>N-1 in turn
  uint64_t rate_per_s = 1000;
  uint64_t subscriptions = 500'000;
  uint64_t pad_connections = 0;
  Order order = Order::publisher_first;
  double timeout_s = 20.0;
  pid_t pid = 0;  // 0: the server's cost is not measured
  bool is_json = false;
};

// What the command line asks for: a run, or to leave at once with an exit code (help printed, or the
// mistake).
struct ParsedOptions {
  std::optional<Options> options;
  int exit_code = 0;
};
ParsedOptions parse_options(int argc, char** argv);

}  // namespace nuncio::load
