// Publishers that send as fast as the server takes, and subscribers that count what arrives: pub, pubsub,
// fanout, pairs and queue are shapes of this one run. One thread drives all publishers, the calling one all
// subscribers.
#pragma once

#include "bench/load/options.h"
#include "bench/load/report.h"

namespace nuncio::load {

// Ends when everything published has arrived, or as a problem in `report` when it does not within the time
// limit.
void run_flow(const Options& options, Report& report);

}  // namespace nuncio::load
