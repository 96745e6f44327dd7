// Request and reply in a closed loop: a requester keeps a number of requests in flight, a responder on a
// thread of its own answers each. The reply subject's last token is the slot that knows when its request was
// sent.
#include <fmt/format.h>

#include <array>
#include <atomic>
#include <charconv>
#include <thread>
#include <vector>

#include "bench/load/clock.h"
#include "bench/load/failure.h"
#include "bench/load/placement.h"
#include "bench/load/runs.h"
#include "bench/load/server_stream.h"

namespace nuncio::load {
namespace {

constexpr uint64_t default_count = 20'000;

// Answers until told to stop; what went wrong ends up in `problem`.
void respond(Connection& connection, const std::string& payload, const std::atomic<bool>& is_done,
             std::string& problem) noexcept {
  try {
    std::vector<char> buffer(256 * 1024);
    MessageReader reader;
    std::string replies;
    while (!is_done.load(std::memory_order_relaxed)) {
      if (!connection.wait_readable(20)) continue;
      reader.feed(connection.try_receive(buffer));
      replies.clear();
      while (const auto request = reader.next()) {
        fmt::format_to(std::back_inserter(replies), "PUB {} {}\r\n{}\r\n", request->reply, payload.size(),
                       payload);
      }
      ControlSeen& seen = reader.control();
      for (; seen.pings_unanswered > 0; --seen.pings_unanswered) replies += "PONG\r\n";
      if (!seen.error.empty()) throw Failure(seen.error);
      connection.send(replies);
    }
  } catch (const std::exception& failure) {
    problem = fmt::format("responder: {}", failure.what());
  }
}

class Requester {
 public:
  Requester(Connection& connection, const Options& options)
      : connection_(connection),
        sent_at_ns_(options.concurrency),
        payload_(options.size_bytes, 'x'),
        subject_(options.subject),
        timeout_ns_(static_cast<uint64_t>(options.timeout_s * ns_per_s)) {}

  // Returns when `count` requests, or those of `run_ns`, have their replies.
  void run(uint64_t count, uint64_t run_ns);
  uint64_t answered() const noexcept { return answered_; }
  const Histogram& latency() const noexcept { return latency_; }

 private:
  void add_request(size_t slot, uint64_t now);
  void take_replies();
  size_t slot_of(std::string_view reply_subject) const;

  Connection& connection_;
  std::vector<uint64_t> sent_at_ns_;
  std::string payload_;
  std::string subject_;
  uint64_t timeout_ns_;
  std::string outgoing_;
  std::vector<size_t> free_slots_;
  std::vector<char> buffer_ = std::vector<char>(256 * 1024);
  MessageReader reader_;
  Histogram latency_;
  uint64_t answered_ = 0;
};

void Requester::run(uint64_t count, uint64_t run_ns) {
  for (size_t slot = 0; slot < sent_at_ns_.size(); ++slot) free_slots_.push_back(slot);
  const uint64_t start_ns = now_ns();
  uint64_t answered_at_ns = start_ns;
  uint64_t sent = 0;
  for (;;) {
    const uint64_t now = now_ns();
    const bool is_open = run_ns > 0 ? now - start_ns < run_ns : sent < count;
    if (!is_open && answered_ == sent) return;
    while (is_open && !free_slots_.empty() && (run_ns > 0 || sent < count)) {
      add_request(free_slots_.back(), now);
      free_slots_.pop_back();
      ++sent;
    }
    connection_.send(outgoing_);
    outgoing_.clear();
    if (connection_.wait_readable(20)) {
      take_replies();
      answered_at_ns = now;
    } else if (now - answered_at_ns > timeout_ns_) {
      throw Failure(fmt::format("{} requests stay without a reply", sent - answered_));
    }
  }
}

void Requester::add_request(size_t slot, uint64_t now) {
  sent_at_ns_[slot] = now;
  fmt::format_to(std::back_inserter(outgoing_), "PUB {} _INBOX.bench.{} {}\r\n{}\r\n", subject_, slot,
                 payload_.size(), payload_);
}

void Requester::take_replies() {
  reader_.feed(connection_.try_receive(buffer_));
  const uint64_t now = now_ns();
  while (const auto reply = reader_.next()) {
    const size_t slot = slot_of(reply->subject);
    latency_.record(now - sent_at_ns_[slot]);
    sent_at_ns_[slot] = 0;
    free_slots_.push_back(slot);
    ++answered_;
  }
  ControlSeen& seen = reader_.control();
  for (; seen.pings_unanswered > 0; --seen.pings_unanswered) outgoing_ += "PONG\r\n";
  if (!seen.error.empty()) throw Failure(seen.error);
}

size_t Requester::slot_of(std::string_view reply_subject) const {
  const std::string_view digits = reply_subject.substr(reply_subject.rfind('.') + 1);
  size_t slot = SIZE_MAX;
  std::from_chars(digits.data(), digits.data() + digits.size(), slot);
  if (slot >= sent_at_ns_.size() || sent_at_ns_[slot] == 0)
    throw Failure("a reply came that nothing waits for");
  return slot;
}

}  // namespace

void run_request(const Options& options, Report& report) {
  PlacedPair pair = connect_pair(options);
  pair.subscribing.send(fmt::format("SUB {} 1\r\n", options.subject));
  pair.subscribing.flush();
  pair.publishing.send("SUB _INBOX.bench.* 1\r\n");
  pair.publishing.flush();

  ServerMeter meter(options.pid);
  Requester requester(pair.publishing, options);
  std::atomic<bool> is_done{false};
  std::string responder_problem;
  meter.start();
  std::thread responding(
      [&] { respond(pair.subscribing, std::string(options.size_bytes, 'x'), is_done, responder_problem); });
  const uint64_t start_ns = now_ns();
  try {
    requester.run(options.count > 0 ? options.count : default_count,
                  static_cast<uint64_t>(options.seconds * ns_per_s));
  } catch (const std::exception& failure) {
    report.problem(fmt::format("requester: {}", failure.what()));
  }
  const uint64_t elapsed_ns = now_ns() - start_ns;
  meter.stop();
  is_done = true;
  responding.join();
  if (!responder_problem.empty()) report.problem(responder_problem);

  report_tls(report, pair.publishing);
  report.set("requests", requester.answered());
  report.set("elapsed_ns", elapsed_ns);
  report.set("requests_per_s", per_second(requester.answered(), elapsed_ns));
  report.set_latency("round_trip_ns", requester.latency());
  meter.report(report, "request", requester.answered());
}

}  // namespace nuncio::load
