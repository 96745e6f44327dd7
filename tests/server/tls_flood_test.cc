// TLS handshakes in crowds, half done, broken off and damaged (AT-18): whatever they do to themselves, nobody
// else notices.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <random>

#include "mutual_tls.h"
#include "rights.h"

namespace nuncio::test {
namespace {

using testing::ElementsAre;
using testing::EndsWith;

// How far a client has come with its handshake.
enum class Stage { greeted, half_hello, hello, half_answer, answer };
constexpr std::array stages{Stage::greeted, Stage::half_hello, Stage::hello, Stage::half_answer,
                            Stage::answer};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t crowd = 60;
#else
constexpr size_t crowd = 200;
#endif

class TlsFlood : public MutualTlsTest {
 protected:
  using Damage = std::function<std::string(std::string)>;
  // A connection whose handshake has come that far and goes no further. `damage` is done to its answer.
  Client client_at(Stage stage, const TlsSettings& settings = {}, const Damage& damage = std::identity{}) {
    Client one = client();
    one.info();
    if (stage == Stage::greeted) return one;
    TlsTransport tls(settings);
    tls.handshake();
    const std::string hello = tls.take_output();
    one.send(stage == Stage::half_hello ? hello.substr(0, hello.size() / 2) : hello);
    if (stage <= Stage::hello) return one;
    const std::string answer = damage(answer_of(one, tls));
    one.send(stage == Stage::half_answer ? answer.substr(0, answer.size() / 2) : answer);
    return one;
  }
  // A client that begins with its handshake is refused for those that began in this second.
  bool is_throttled() {
    Client one = client_at(Stage::hello);
    one.shutdown_send();
    return one.read_to_end().find("-ERR 'Connection throttling is active. Please try again later.'") !=
           std::string::npos;
  }
  size_t descriptors() {
    const std::filesystem::directory_iterator all(fmt::format("/proc/{}/fd", server().pid()));
    return static_cast<size_t>(std::distance(begin(all), end(all)));
  }

 private:
  // What the client says to the server's part of the handshake, read record by record; nothing when the
  // server has refused.
  static std::string answer_of(Client& one, TlsTransport& tls) {
    constexpr size_t head_size = 5;
    for (;;) {
      const std::string head = one.bytes_or_end(head_size);
      if (head.size() < head_size) return {};
      const size_t size = static_cast<unsigned char>(head[3]) * 256u + static_cast<unsigned char>(head[4]);
      tls.received(head + one.bytes_or_end(size));
      tls.handshake();
      if (std::string answer = tls.take_output(); !answer.empty()) return answer;
    }
  }
};
NUNCIO_ON_EVERY_BACKEND_AND_WORKERS(TlsFlood, 1, 2, 4);

// The queue of handshakes is one for all workers, and filling it keeps the machine busy.
using TlsQueue = MutualTlsTest;
NUNCIO_ON_EVERY_BACKEND(TlsQueue);

// All have sent their ClientHello before the first goes on.
TEST_P(TlsFlood, AT_18_OP_39_AStormOfHandshakesIsLetIn) {
  start_mutual("verify: true");
  const TlsSettings settings{.certificate = authority().client("/CN=anna")};
  Client listener = tls_connected(Json::object(), settings);
  subscribe(listener, "in");
  std::vector<Client> all;
  const size_t count = scaled(crowd);
  for (size_t i = 0; i < count; ++i) all.push_back(client());
  for (Client& one : all) one.send_raw(one.client_hello(settings));
  std::vector<std::function<void()>> threads;
  constexpr size_t thread_count = 8;
  for (size_t thread = 0; thread < thread_count; ++thread) {
    threads.emplace_back([&, thread] {
      for (size_t i = thread; i < all.size(); i += thread_count) {
        all[i].finish_tls();
        all[i].connect_ok();
        publish(all[i], "in", std::to_string(i));
      }
    });
  }
  together(threads);
  std::vector<bool> heard(count);
  for (const Message& each : listener.messages_until_pong()) heard.at(std::stoul(each.payload)) = true;
  EXPECT_TRUE(std::ranges::all_of(heard, std::identity{}));
  for (Client& one : all) one.ping();
}

// Those who are connected talk on, over plain text and over TLS, and others get in.
TEST_P(TlsFlood, AT_18_OP_40_StalledHandshakesHurtNobody) {
  start_mutual("verify: true", "allow_non_tls: true\n");
  const TlsSettings settings{.certificate = authority().client("/CN=anna")};
  Client plain = connected();
  Client secure = tls_connected(Json::object(), settings);
  subscribe(plain, "s");
  subscribe(secure, "s");
  Client plain_speaker = connected();
  Client secure_speaker = tls_connected(Json::object(), settings);
  std::vector<Client> stalled;
  for (size_t i = 0; i < scaled(100); ++i) {
    const Stage stage = stages[i % stages.size()];
    stalled.push_back(client_at(stage, settings));
    const std::string payload = std::to_string(i);
    publish(i % 2 == 0 ? plain_speaker : secure_speaker, "s", payload);
    const std::string message = fmt::format("MSG s 1 {}\r\n{}\r\n", payload.size(), payload);
    plain.expect(message);
    secure.expect(message);
  }
  connected().ping();
  tls_connected(Json::object(), settings).ping();
  plain.ping();
  secure.ping();
}

TEST_P(TlsFlood, AT_18_OP_40_StalledHandshakesEndOnTime) {
  // Logging in may take longer: what ends here is the handshake.
  start_config(tls_block("timeout: 3") + "authorization { user: anna, password: p, timeout: 60 }\n", {"-D"});
  Client steady = tls_connected(user("anna", "p"));
  std::vector<Client> stalled;
  for (size_t i = 0; i < scaled(40); ++i)
    stalled.push_back(client_at(stages[i % (stages.size() - 1)]));  // without `answer`: that one is done
  for (Client& one : stalled) one.read_to_end();
  steady.ping();
  server().wait_for_log("TLS handshake");
  server().wait_for_log("Client connection closed: TLS Handshake Failure");
  EXPECT_EQ(outcome(TlsSettings{}, user("anna", "p")), "PONG");
}

// One byte now and then is no progress.
TEST_P(TlsFlood, AT_18_OP_40_ASlowHandshakeEndsOnTime) {
  start_config(tls_block("timeout: 3"));
  Client one = client();
  const std::string hello = one.client_hello();
  // Until the server has closed; a ClientHello has some 300 bytes.
  server().wait_until(
      [&, at = size_t{0}]() mutable {
        if (at + 1 < hello.size()) one.send_raw(hello.substr(at++, 1));
        return !one.is_open_and_silent();
      },
      "the end of a slow handshake");
  EXPECT_EQ(outcome(), "PONG");
}

TEST_P(TlsFlood, AT_18_BrokenOffAtEveryStage) {
  start_mutual("verify: true");
  const TlsSettings settings{.certificate = authority().client("/CN=anna")};
  Client steady = tls_connected(Json::object(), settings);
  const size_t before = descriptors();
  for (size_t round = 0; round < scaled(8); ++round) {
    for (const Stage stage : stages) {
      client_at(stage, settings).close();
      client_at(stage, settings).reset();
      Client half_closed = client_at(stage, settings);
      half_closed.shutdown_send();
      half_closed.read_to_end();
    }
    steady.ping();
  }
  server().wait_until([&] { return descriptors() == before; }, "all descriptors to be given back");
  EXPECT_EQ(outcome(settings), "PONG");
}

TEST_P(TlsFlood, AT_18_DamagedHandshakes) {
  start_mutual("verify: true");
  const TlsSettings settings{.certificate = authority().client("/CN=anna")};
  Client steady = tls_connected(Json::object(), settings);
  const size_t before = descriptors();
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  const auto damaged = [&](std::string bytes) {
    for (unsigned i = 0, changes = 1 + random() % 4; i < changes && !bytes.empty(); ++i)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    return bytes;
  };
  for (size_t round = 0; round < scaled(100); ++round) {
    TlsSettings each = settings;
    each.version_max = round % 2 == 0 ? "1.2" : "1.3";
    Client first = client();
    first.send_raw(damaged(first.client_hello(each)));
    Client second = client_at(Stage::answer, each, damaged);
    // What is announced and does not come ends here.
    for (Client* one : {&first, &second}) {
      one->shutdown_send();
      one->read_to_end();
    }
  }
  steady.ping();
  server().wait_until([&] { return descriptors() == before; }, "all descriptors to be given back");
  EXPECT_EQ(outcome(settings), "PONG");
}

TEST_P(TlsFlood, AT_18_OP_3_StoppedDuringHandshakes) {
  start_mutual("");
  std::vector<Client> all;
  for (const Stage stage : stages) {
    for (size_t i = 0; i < 5; ++i) all.push_back(client_at(stage));
  }
  // And a crowd whose handshakes are waiting for their turn.
  for (size_t i = 0; i < crowd; ++i) all.push_back(client_at(Stage::hello));
  server().stop();
  for (Client& one : all) one.read_to_end();
}

TEST_P(TlsFlood, AT_18_TheRateIsLimited) {
  start_mutual("connection_rate_limit: 2");
  server().wait_until([&] { return is_throttled(); }, "the limit");
  server().wait_until([&] { return !is_throttled(); }, "the next second");
}

TEST_P(TlsFlood, AT_18_CF_59_TheRateIsThatOfHandshakes) {
  start_mutual("connection_rate_limit: 1", "allow_non_tls: true\n");
  size_t throttled = 0;
  for (size_t i = 0; i < 10; ++i) {
    connected().ping();
    throttled += is_throttled();
  }
  server().wait_until([&] { return is_throttled(); }, "the limit");
  EXPECT_LT(throttled, 10u);
  server().wait_until([&] { return !is_throttled(); }, "the next second");
}

// Messages of clients in clear, and of who is through with its handshake, pass while others are refused; more
// of those in clear get in.
TEST_P(TlsFlood, AT_18_CF_59_MessagesPassBesideThrottledHandshakes) {
  start_mutual("connection_rate_limit: 1", "allow_non_tls: true\n");
  Client secure = tls_connected();
  Client plain = connected();
  Client publisher = connected();
  subscribe(secure, "s");
  subscribe(plain, "s");
  std::atomic<size_t> throttled = 0;
  std::atomic<int> knocking = 2;
  const auto knock = [&] {
    for (size_t i = 0; i < scaled(50); ++i) throttled += is_throttled();
    --knocking;
  };
  const auto talk = [&] {
    for (size_t i = 0; i < 200 || knocking > 0; ++i) {
      const std::string payload = std::to_string(i) + std::string(i % 20 == 0 ? 20000 : 0, 'x');
      const std::string message = fmt::format("MSG s 1 {}\r\n{}\r\n", payload.size(), payload);
      publisher.send(fmt::format("PUB s {}\r\n{}\r\n", payload.size(), payload));
      plain.expect(message);
      secure.expect(message);
      if (i % 50 == 0) connected().ping();
    }
  };
  together({knock, knock, talk});
  EXPECT_GT(throttled, 0u);
  for (Client* one : {&secure, &plain, &publisher}) one->ping();
}

// Told in clear, whether the handshake had begun or not, and logged once. No login was decided about, so the
// audit log has nothing.
TEST_P(TlsFlood, AT_18_CP_65_WhatAThrottledClientIsTold) {
  const TempDirectory directory;
  const std::string audit = directory / "audit";
  for (const char* allowed : {"", "allow_non_tls: true\n"}) {
    SCOPED_TRACE(allowed);
    std::string config = allowed;
    if (!is_oracle()) config += fmt::format("nuncio {{ audit_log: \"{}\" }}\n", audit);
    start_mutual("connection_rate_limit: 1", config, {"-D"});
    std::string told, label;
    server().wait_until(
        [&] {
          Client one = client_at(Stage::hello);
          one.shutdown_send();
          label = one.address() + " - cid:";
          told = one.read_to_end();
          return told.starts_with("-ERR");
        },
        "the limit");
    EXPECT_EQ(told, "-ERR 'Connection throttling is active. Please try again later.'\r\n");
    server().wait_for_log("Client connection closed: Maximum Connections Exceeded");
    server().stop();
    const std::vector<std::string> lines = server().log_lines(label);
    if (is_oracle()) {
      EXPECT_THAT(lines, ElementsAre(EndsWith("created"), EndsWith("Maximum Connections Exceeded")));
    } else {
      EXPECT_THAT(lines, ElementsAre(EndsWith(" - Client connection created"),
                                     EndsWith(" - Connection throttling is active. Please try again later."),
                                     EndsWith(" - Client connection closed: Maximum Connections Exceeded "
                                              "[connections_throttled]")));
      EXPECT_EQ(read_file(audit), "");
    }
  }
}

// More handshakes at once than may wait for their turn: some are refused, in order, and none hangs. Others'
// get in beside them, and everybody does afterwards.
TEST_P(TlsQueue, AT_18_TooManyHandshakesAtOnce) {
  NUNCIO_OURS_ONLY();  // the reference lets any number wait
  constexpr size_t count = 1200;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max < 2 * count) GTEST_SKIP() << "too few descriptors";
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  start({.config = tls_block(""), .process = {.descriptors_max = limit.rlim_max}});
  std::vector<Client> all;
  for (size_t i = 0; i < count; ++i) {
    all.push_back(client());
    all.back().info();
  }
  for (Client& one : all) one.send_raw(one.client_hello());
  Client neighbour = Client::from("127.0.0.2", server().port());
  neighbour.start_tls();
  neighbour.connect_ok();
  size_t admitted = 0;
  for (Client& one : all) {
    const std::string refused = one.try_finish_tls();
    EXPECT_NE(refused, "reset");
    admitted += refused.empty();
  }
  EXPECT_GT(admitted, 0u);
  if (admitted < all.size()) server().wait_for_log("TLS handshake error: too many wait for their turn");
  EXPECT_EQ(outcome(), "PONG");
}

}  // namespace
}  // namespace nuncio::test
