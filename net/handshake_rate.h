// How many TLS handshakes a second may begin at a listener (`connection_rate_limit`, AT-18). Any thread;
// takes a lock, once a connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace nuncio::net {

class HandshakeRate {
 public:
  // One more is about to begin: whether it may. A second begins with the first one after the last was over;
  // 0: no limit.
  bool admits(uint32_t per_second);

 private:
  std::mutex mutex_;
  std::chrono::steady_clock::time_point second_began_{};
  uint32_t begun_ = 0;  // in this second
};

}  // namespace nuncio::net
