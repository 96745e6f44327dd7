// The publishing side of a flow: every publisher writes one block of whole messages again and again, as fast
// as the server takes it, and ends with PING so that its PONG says all was dealt with. Runs on one thread of
// its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/load/connection.h"
#include "bench/load/server_stream.h"

namespace nuncio::load {

// What the two threads of a flow tell each other.
struct FlowProgress {
  static constexpr uint64_t not_known = UINT64_MAX;
  std::atomic<uint64_t> published{not_known};  // by all publishers, once that is certain
  std::atomic<bool> is_stopped{false};         // one side has failed: the other need not go on
};

struct Publisher {
  Connection connection;
  std::string block;  // a whole number of messages, all of the same length
  uint64_t message_bytes = 0;
  uint64_t bytes_total = 0;  // FlowProgress::not_known while a run by time goes on
  uint64_t bytes_sent = 0;
  bool has_pinged = false;
  MessageReader inbound;

  uint64_t messages_sent() const noexcept { return bytes_sent / message_bytes; }
};

class Sender {
 public:
  Sender(std::vector<Publisher>& publishers, FlowProgress& progress, uint64_t timeout_ns, uint64_t run_ns);
  // Sends all and awaits the PONGs; never throws, problem() says what went wrong. Stops progress when it
  // fails.
  void run() noexcept;

  const std::string& problem() const noexcept { return problem_; }
  uint64_t first_sent_ns() const noexcept { return first_sent_ns_; }
  uint64_t last_pong_ns() const noexcept { return last_pong_ns_; }

 private:
  void loop();
  void end_by_time();
  void note_published();
  bool send_some(Publisher& publisher);
  bool read_all(Publisher& publisher);
  bool read_some(Publisher& publisher);
  void answer_pings(Publisher& publisher);

  std::vector<Publisher>& publishers_;
  FlowProgress& progress_;
  uint64_t timeout_ns_;
  uint64_t run_ns_;  // 0: by count
  Socket poller_;
  size_t unfinished_ = 0;
  uint64_t first_sent_ns_ = 0;
  uint64_t last_pong_ns_ = 0;
  std::string problem_;
};

}  // namespace nuncio::load
