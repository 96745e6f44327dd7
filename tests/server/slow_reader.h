// Readers that have stopped reading, and what overruns them.
#pragma once

#include <functional>

#include "harness.h"

namespace nuncio::test {

// A reader with a small socket buffer that has stopped reading, subscribed to `flood`; `prepare` may start
// TLS.
Client stuck_reader(int port, const std::function<void(Client&)>& prepare = {});

// Publishes to `flood` until `condition`; publishers that the server slows down send what fits.
void flood(Server&, Client& publisher, const std::function<bool()>& condition);

}  // namespace nuncio::test
