#include "bench/load/placement.h"

#include <utility>

#include "bench/load/clock.h"

namespace nuncio::load {

PlacedPair connect_pair(const Options& options) {
  const Target target = target_of(options);
  Connection first(target);
  std::vector<Connection> padding = connect_padding(options);
  Connection second(target);
  const bool is_publisher_first = options.order == Order::publisher_first;
  return {std::move(is_publisher_first ? first : second), std::move(is_publisher_first ? second : first),
          std::move(padding)};
}

std::vector<Connection> connect_padding(const Options& options) {
  const Target target = target_of(options);
  std::vector<Connection> padding;
  for (uint64_t i = 0; i < options.pad_connections; ++i) padding.emplace_back(target);
  return padding;
}

Target target_of(const Options& options) {
  return {resolve(options.url), options.url.credentials, static_cast<uint64_t>(options.timeout_s * ns_per_s),
          options.tls.is_wanted ? std::make_shared<TlsClient>(options.tls, options.url.host) : nullptr};
}

void report_tls(Report& report, const Connection& connection) {
  if (connection.tls() != nullptr) report.set("tls", connection.tls()->description());
}

}  // namespace nuncio::load
