// The subscribing side of a flow: counts what arrives on every subscriber until it is what was published. One
// thread.
#pragma once

#include <string>
#include <vector>

#include "bench/load/connection.h"
#include "bench/load/sender.h"
#include "bench/load/server_stream.h"

namespace nuncio::load {

struct Subscriber {
  Connection connection;
  StreamCounter counter;
};

class Receiver {
 public:
  // Every published message is to arrive `copies` times over all subscribers together.
  Receiver(std::vector<Subscriber>& subscribers, FlowProgress& progress, uint64_t copies,
           uint64_t timeout_ns);

  // Returns when all has arrived, or something went wrong; never throws. Stops progress when it fails.
  void run() noexcept;
  // PING and PONG on every subscriber: what a server delivers beyond what was published comes before the
  // PONG.
  void collect_surplus() noexcept;

  const std::string& problem() const noexcept { return problem_; }
  uint64_t delivered() const noexcept;
  uint64_t last_received_ns() const noexcept { return last_received_ns_; }

 private:
  void receive_until_complete();
  bool is_complete() const noexcept;
  // One round over what is readable; throws when a stream is wrong or closed.
  void receive_ready();
  void receive_all_from(Subscriber& subscriber);
  void receive_from(Subscriber& subscriber);
  void fail(const std::string& text) noexcept;

  std::vector<Subscriber>& subscribers_;
  FlowProgress& progress_;
  uint64_t copies_;
  uint64_t timeout_ns_;
  Socket poller_;
  std::vector<char> buffer_;
  uint64_t delivered_ = 0;
  uint64_t last_received_ns_ = 0;
  std::string problem_;
};

}  // namespace nuncio::load
