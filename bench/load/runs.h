// The commands that are not flows (flow.h). Each makes its connections, measures, and puts what it found in
// `report`; Failure when it cannot go on.
#pragma once

#include "bench/load/options.h"
#include "bench/load/report.h"

namespace nuncio::load {

void run_request(const Options& options, Report& report);
void run_latency(const Options& options, Report& report);
void run_connect(const Options& options, Report& report);
void run_idle(const Options& options, Report& report);
void run_subs(const Options& options, Report& report);

}  // namespace nuncio::load
