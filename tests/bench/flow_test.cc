// Does a run notice what a server does wrong? A scripted broker on loopback forwards, drops, doubles or
// refuses.
#include "bench/load/flow.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "bench/load/connection.h"

namespace nuncio::load {
namespace {

using testing::HasSubstr;

// What the broker sends to the subscriber for the publisher's message `number`, counted from 1.
using Script = std::function<std::string(uint64_t number)>;
const std::string message = "MSG bench 1 16\r\nxxxxxxxxxxxxxxxx\r\n";

// Serves one publisher and one subscriber, in this order, until both have closed.
class ScriptedBroker {
 public:
  explicit ScriptedBroker(Script script)
      : script_(std::move(script)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(bind(listener_.fd(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(listener_.fd(), 2), 0);
    getsockname(listener_.fd(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~ScriptedBroker() { thread_.join(); }
  uint16_t port() const { return port_; }

 private:
  void serve() {
    for (Client& client : clients_) accept_one(client);
    while (clients_[0].socket || clients_[1].socket) {
      std::array<pollfd, 2> waiting{
          {{clients_[0].socket.fd(), POLLIN, 0}, {clients_[1].socket.fd(), POLLIN, 0}}};
      if (poll(waiting.data(), 2, 10'000) <= 0) return;
      for (size_t i = 0; i < 2; ++i) {
        if (waiting[i].revents != 0) take(clients_[i]);
      }
    }
  }

  struct Client {
    Socket socket;
    std::string received;
  };

  // Logs a client in with a blocking reading of its lines up to the PING.
  void accept_one(Client& client) {
    client.socket = Socket(accept(listener_.fd(), nullptr, nullptr));
    say(client, "INFO {}\r\n");
    while (client.received.find("PING\r\n") == std::string::npos && client.socket) receive(client);
    say(client, "PONG\r\n");
    client.received.clear();
  }

  void take(Client& client) {
    receive(client);
    for (size_t end = 0; (end = client.received.find("\r\n")) != std::string::npos;) {
      const std::string line = client.received.substr(0, end);
      client.received.erase(0, end + 2);
      if (line == "PING") say(client, "PONG\r\n");
      if (line.starts_with("PUB")) say(clients_[1], script_(++published_));
    }
  }

  static void receive(Client& client) {
    std::array<char, 4096> buffer;
    const ssize_t n = recv(client.socket.fd(), buffer.data(), buffer.size(), 0);
    if (n > 0) client.received.append(buffer.data(), static_cast<size_t>(n));
    if (n <= 0) client.socket = Socket{};
  }

  static void say(const Client& client, const std::string& text) {
    if (client.socket && !text.empty())
      (void)send(client.socket.fd(), text.data(), text.size(), MSG_NOSIGNAL);
  }

  Script script_;
  Socket listener_;
  uint16_t port_ = 0;
  std::array<Client, 2> clients_;
  uint64_t published_ = 0;
  std::thread thread_;
};

// All problems that 200 messages through such a broker give, in one line.
std::string problems_of(Script script) {
  ScriptedBroker broker(std::move(script));
  Options options;
  options.command = "pubsub";
  options.url.host = "127.0.0.1";
  options.url.port = broker.port();
  options.count = 200;
  options.timeout_s = 0.5;
  Report report;
  run_flow(options, report);
  EXPECT_EQ(report.fields()["published"], 200);
  return report.problems().empty() ? "" : report.problems().dump();
}

TEST(Flow, NothingIsWrongWhenAllArrives) {
  EXPECT_EQ(problems_of([](uint64_t) { return message; }), "");
}

TEST(Flow, AServersPingAmongMessagesIsNoProblem) {
  EXPECT_EQ(problems_of([](uint64_t number) { return number == 150 ? "PING\r\n" + message : message; }), "");
}

TEST(Flow, ALostMessageFailsTheRun) {
  EXPECT_THAT(problems_of([](uint64_t number) { return number == 120 ? "" : message; }),
              HasSubstr("got 199 messages of 200"));
}

TEST(Flow, AMessageTooManyFailsTheRun) {
  EXPECT_THAT(problems_of([](uint64_t number) { return number == 200 ? message + message : message; }),
              HasSubstr("got 201 messages of 200"));
}

TEST(Flow, AnErrorOfTheServerFailsTheRun) {
  EXPECT_THAT(
      problems_of([](uint64_t number) { return number == 90 ? "-ERR 'Slow Consumer'\r\n" : message; }),
      HasSubstr("subscriber 0 after 89 messages: -ERR 'Slow Consumer'"));
}

}  // namespace
}  // namespace nuncio::load
