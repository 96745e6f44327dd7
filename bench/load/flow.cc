#include "bench/load/flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "bench/load/clock.h"
#include "bench/load/placement.h"
#include "bench/load/receiver.h"
#include "bench/load/sender.h"

namespace nuncio::load {
namespace {

// Who publishes where and who listens, before anybody connects.
struct Plan {
  std::vector<std::string> published_subjects;   // one for each publisher
  std::vector<std::string> subscribed_subjects;  // one for each subscriber
  std::string queue;
  uint64_t copies = 0;  // deliveries of one message over all subscribers
};

struct Flow {
  std::vector<Publisher> publishers;
  std::vector<Subscriber> subscribers;
  std::vector<Connection> padding;
};

constexpr uint64_t block_bytes_about = 256 * 1024;
constexpr uint64_t default_count = 1'000'000;

Plan plan_of(const Options& options);
Flow connect(const Plan& plan, const Options& options);
void check_each_subscriber(const Plan& plan, const Flow& flow, Report& report);

uint64_t timeout_ns(const Options& options) {
  return static_cast<uint64_t>(options.timeout_s * ns_per_s);
}

}  // namespace

void run_flow(const Options& options, Report& report) {
  const Plan plan = plan_of(options);
  Flow flow = connect(plan, options);
  FlowProgress progress;
  const auto run_ns = static_cast<uint64_t>(options.seconds * ns_per_s);
  Sender sender(flow.publishers, progress, timeout_ns(options), run_ns);
  Receiver receiver(flow.subscribers, progress, plan.copies, timeout_ns(options));
  ServerMeter meter(options.pid);

  meter.start();
  std::thread sending([&] { sender.run(); });
  if (plan.copies > 0) receiver.run();
  sending.join();
  meter.stop();
  if (!progress.is_stopped) receiver.collect_surplus();

  uint64_t published = 0;
  for (const Publisher& publisher : flow.publishers) published += publisher.messages_sent();
  const uint64_t end_ns = plan.copies > 0 ? receiver.last_received_ns() : sender.last_pong_ns();
  const uint64_t elapsed_ns = end_ns - std::min(end_ns, sender.first_sent_ns());
  report_tls(report, flow.publishers.front().connection);
  report.set("published", published);
  report.set("delivered", receiver.delivered());
  report.set("elapsed_ns", elapsed_ns);
  report.set("messages_per_s", per_second(published, elapsed_ns));
  report.set("payload_bytes_per_s", per_second(published * options.size_bytes, elapsed_ns));
  meter.report(report, "message", published);
  if (plan.copies > 0) {
    report.set("deliveries_per_s", per_second(receiver.delivered(), elapsed_ns));
    meter.report(report, "delivery", receiver.delivered());
  }
  if (!sender.problem().empty()) report.problem(sender.problem());
  if (!receiver.problem().empty()) report.problem(receiver.problem());
  check_each_subscriber(plan, flow, report);
}

namespace {

Plan plan_of(const Options& options) {
  const auto clients = [&](uint64_t preset) { return options.clients > 0 ? options.clients : preset; };
  const std::string& command = options.command;
  Plan plan;
  if (command == "pub") {
    plan.published_subjects.assign(clients(1), options.subject);
    return plan;
  }
  plan.copies = 1;
  if (command == "pairs") {
    for (uint64_t i = 0; i < clients(2); ++i) {
      plan.published_subjects.push_back(fmt::format("{}.{}", options.subject, i));
    }
    plan.subscribed_subjects = plan.published_subjects;
    return plan;
  }
  plan.published_subjects = {options.subject};
  const uint64_t subscribers = command == "pubsub" ? 1 : clients(command == "fanout" ? 100 : 4);
  plan.subscribed_subjects.assign(subscribers, options.subject);
  if (command == "queue") plan.queue = "workers";
  if (command == "fanout") plan.copies = subscribers;
  return plan;
}

void connect_publishers(const Plan& plan, const Options& options, const Target& target, Flow& flow) {
  const std::string payload(options.size_bytes, 'x');
  const uint64_t count = options.count > 0 ? options.count : default_count;
  for (const std::string& subject : plan.published_subjects) {
    Publisher publisher{.connection = Connection(target), .block = {}, .inbound = {}};
    const std::string message = fmt::format("PUB {} {}\r\n{}\r\n", subject, payload.size(), payload);
    publisher.message_bytes = message.size();
    publisher.bytes_total = options.seconds > 0 ? FlowProgress::not_known : count * message.size();
    const uint64_t repeats = std::max<uint64_t>(1, block_bytes_about / message.size());
    publisher.block.reserve(repeats * message.size());
    for (uint64_t i = 0; i < repeats; ++i) publisher.block += message;
    flow.publishers.push_back(std::move(publisher));
  }
}

void connect_subscribers(const Plan& plan, const Options& options, const Target& target, Flow& flow) {
  const std::string payload(options.size_bytes, 'x');
  for (const std::string& subject : plan.subscribed_subjects) {
    std::string message = fmt::format("MSG {} 1 {}\r\n{}\r\n", subject, payload.size(), payload);
    Subscriber subscriber{Connection(target), StreamCounter(std::move(message))};
    subscriber.connection.send(fmt::format("SUB {} {} 1\r\n", subject, plan.queue));
    subscriber.connection.flush();
    flow.subscribers.push_back(std::move(subscriber));
  }
}

Flow connect(const Plan& plan, const Options& options) {
  const Target target = target_of(options);
  Flow flow;
  if (options.order == Order::publisher_first) connect_publishers(plan, options, target, flow);
  if (options.order == Order::subscriber_first) connect_subscribers(plan, options, target, flow);
  flow.padding = connect_padding(options);
  if (options.order == Order::publisher_first) connect_subscribers(plan, options, target, flow);
  if (options.order == Order::subscriber_first) connect_publishers(plan, options, target, flow);
  return flow;
}

// A loss on one subscriber and a duplicate on another cancel out in the sum, so each is held against its own
// share.
void check_each_subscriber(const Plan& plan, const Flow& flow, Report& report) {
  if (plan.copies == 0) return;
  uint64_t published = 0;
  uint64_t delivered = 0;
  for (const Publisher& publisher : flow.publishers) published += publisher.messages_sent();
  for (size_t i = 0; i < flow.subscribers.size(); ++i) {
    const uint64_t got = flow.subscribers[i].counter.messages();
    delivered += got;
    if (!plan.queue.empty()) continue;
    const bool is_paired = flow.publishers.size() > 1;
    const uint64_t share = is_paired ? flow.publishers[i].messages_sent() : published;
    if (got != share) report.problem(fmt::format("subscriber {} got {} messages of {}", i, got, share));
  }
  if (delivered != published * plan.copies) {
    report.problem(fmt::format("{} deliveries instead of {}", delivered, published * plan.copies));
  }
}

}  // namespace

}  // namespace nuncio::load
