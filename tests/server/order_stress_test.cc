// Order (invariant I5), auto-unsubscribe and queue groups, with publishers that race on several workers.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <map>
#include <random>
#include <set>

#include "harness.h"

namespace nuncio::test {
namespace {

class OrderStress : public ServerTest {};
NUNCIO_ON_EVERY_BACKEND_AND_WORKERS(OrderStress, 1, 2, 4);

// Payload "publisher number xxx…", so long that small copies and large blocks take turns.
std::string numbered_pub(const std::string& subject, int publisher, size_t number) {
  static constexpr size_t paddings[] = {0, 0, 0, 100, 0, 3000, 0, 20000};
  const std::string payload =
      fmt::format("{} {} {}", publisher, number, std::string(paddings[number % 8], 'x'));
  return fmt::format("PUB {} {}\r\n{}\r\n", subject, payload.size(), payload);
}

struct Numbered {
  int publisher;
  size_t number;
};

Numbered read_numbered(const std::string& payload) {
  char* rest = nullptr;
  const auto publisher = static_cast<int>(std::strtol(payload.c_str(), &rest, 10));
  return {publisher, static_cast<size_t>(std::strtoull(rest, nullptr, 10))};
}

TEST_P(OrderStress, I5_CP_53_EachPublishersMessagesArriveInOrderAndNoneIsLost) {
  start();
  constexpr int publishers = 3;
  const size_t messages = scaled(3000);
  const std::vector<std::string> patterns{"order.a", "order.*", ">", "order.a"};
  std::vector<Client> subscribers;
  for (const std::string& pattern : patterns) {
    subscribers.push_back(connected());
    subscribers.back().send(fmt::format("SUB {} 1\r\n", pattern));
    subscribers.back().ping();
  }
  std::vector<std::function<void()>> threads;
  for (int publisher = 0; publisher < publishers; ++publisher) {
    threads.push_back([&, publisher] {
      Client one = connected();
      for (size_t i = 0; i < messages; ++i) one.send(numbered_pub("order.a", publisher, i));
      one.ping();
    });
  }
  for (Client& subscriber : subscribers) {
    threads.push_back([&] {
      std::map<int, size_t> next;
      for (size_t i = 0; i < publishers * messages; ++i) {
        const auto [publisher, number] = read_numbered(subscriber.message().payload);
        if (number != next[publisher]) {
          fail(fmt::format("publisher {}: {} after {}", publisher, number, next[publisher]),
               Where::current());
        }
        ++next[publisher];
      }
    });
  }
  together(threads);
  for (Client& subscriber : subscribers) subscriber.ping();
}

// Order holds between subjects of one publisher as well, and while other subscriptions of the subscriber come
// and go.
TEST_P(OrderStress, I5_OrderHoldsAcrossSubjects) {
  start();
  const size_t messages = scaled(4000);
  Client subscriber = connected();
  subscriber.send("SUB s.* 1\r\n");
  subscriber.ping();
  Client publisher = connected();
  together({[&] {
              std::mt19937 random(7);
              for (size_t i = 0; i < messages; ++i)
                publisher.send(numbered_pub(fmt::format("s.{}", random() % 50), 0, i));
              publisher.ping();
            },
            [&] {
              for (size_t i = 0; i < messages; ++i) {
                if (i % 10 == 0) subscriber.send(fmt::format("SUB other.{0} x{0}\r\nUNSUB x{0}\r\n", i));
                const Numbered got = read_numbered(subscriber.message().payload);
                if (got.number != i) fail(fmt::format("{} instead of {}", got.number, i), Where::current());
              }
            }});
}

TEST_P(OrderStress, CP_36_ExactlyMaxMessagesThoughPublishersRace) {
  start();
  constexpr int publishers = 4;
  std::vector<Client> racing;
  for (int i = 0; i < publishers; ++i) racing.push_back(connected());
  Client subscriber = connected();
  std::mt19937 random(11);
  const size_t rounds = scaled(80);
  for (size_t round = 0; round < rounds; ++round) {
    const size_t maximum = 1 + random() % 300;
    const std::string group = round % 3 == 0 ? "q " : "";
    subscriber.send(fmt::format("SUB race {}{}\r\nUNSUB {} {}\r\n", group, round, round, maximum));
    subscriber.ping();
    std::vector<std::function<void()>> threads;
    for (Client& publisher : racing) {
      threads.push_back([&publisher] {
        std::string burst;
        for (int i = 0; i < 10; ++i) burst += "PUB race 1\r\nx\r\n";
        for (int i = 0; i < 10; ++i) publisher.send(burst);
        publisher.ping();
      });
    }
    together(threads);
    ASSERT_EQ(subscriber.messages_until_pong().size(), maximum) << "round " << round;
    ASSERT_EQ(subscriber.messages_until_pong().size(), 0u);
  }
}

// Every message reaches exactly one member of the group while members come and go. Those that leave do so by
// UNSUB and still read what was given to them before.
TEST_P(OrderStress, CP_52_QueueMessagesArriveExactlyOnceUnderChurn) {
  start();
  constexpr int publishers = 3;
  constexpr int steady_members = 4;
  constexpr int leaving_members = 3;
  const size_t messages = scaled(5000);

  std::atomic<bool> is_over{false};
  std::vector<Client> members;
  for (int i = 0; i < steady_members + leaving_members; ++i) members.push_back(connected());
  std::vector<std::vector<Message>> got(members.size());
  for (int i = 0; i < steady_members; ++i) {
    members[i].send("SUB work group 1\r\n");
    members[i].ping();
  }
  std::atomic<int> running{publishers};
  std::vector<std::function<void()>> threads;
  for (int publisher = 0; publisher < publishers; ++publisher) {
    threads.push_back([&, publisher] {
      const std::shared_ptr<void> end(nullptr, [&](void*) {
        if (--running == 0) is_over = true;
      });
      Client one = connected();
      for (size_t i = 0; i < messages; ++i) {
        one.send(
            fmt::format("PUB work {}\r\n{} {}\r\n", fmt::format("{} {}", publisher, i).size(), publisher, i));
        if (i % 100 == 0) one.ping();
      }
      one.ping();
    });
  }
  for (size_t i = 0; i < members.size(); ++i) {
    threads.push_back([&, i] {
      const auto keep = [&] {
        for (Message& message : members[i].messages_until_pong()) got[i].push_back(std::move(message));
      };
      for (int sid = 2; !is_over; ++sid) {
        if (i >= steady_members) members[i].send(fmt::format("SUB work group {}\r\n", sid));
        keep();
        if (i >= steady_members) members[i].send(fmt::format("UNSUB {}\r\n", sid));
        keep();
      }
    });
  }
  together(threads);

  std::map<std::string, int> times;
  for (size_t i = 0; i < members.size(); ++i) {
    for (Message& message : members[i].messages_until_pong()) got[i].push_back(std::move(message));
    for (const Message& message : got[i]) ++times[message.payload];
  }
  EXPECT_EQ(times.size(), publishers * messages);
  for (const auto& [payload, count] : times) ASSERT_EQ(count, 1) << payload;
}

// Members that end without a word take with them at most what was on its way to them; nothing is delivered
// twice, and the group goes on.
TEST_P(OrderStress, CP_52_CP_54_MembersThatEndAbruptlyStopNobody) {
  start();
  Client steady = connected();
  steady.send("SUB work group 1\r\n");
  steady.ping();
  Client publisher = connected();
  const size_t rounds = scaled(150);
  std::set<std::string> seen;
  for (size_t round = 0; round < rounds; ++round) {
    Client leaving = connected();
    leaving.send("SUB work group 1\r\n");
    leaving.ping();
    publisher.send(fmt::format("PUB work {}\r\n{}\r\n", std::to_string(round).size(), round));
    if (round % 2 == 0) leaving.reset();
    publisher.ping();
    for (const Message& message : steady.messages_until_pong()) {
      ASSERT_TRUE(seen.insert(message.payload).second) << message.payload << " came twice";
    }
  }
  EXPECT_GT(seen.size(), rounds / 5);  // half of them or so
  server().wait_until(
      [&] {
        publisher.send("PUB work 4\r\nlast\r\n");
        publisher.ping();
        return !steady.messages_until_pong().empty();
      },
      "a message for the member that stays");
}

// Connections that come, subscribe, publish and go, all at once.
TEST_P(OrderStress, CP_54_ChurnOfConnections) {
  start();
  Client listener = connected();
  listener.send("SUB steady 1\r\n");
  listener.ping();
  const size_t rounds = scaled(120);
  constexpr size_t churners = 4;
  std::vector<std::function<void()>> threads;
  for (size_t churner = 0; churner < churners; ++churner) {
    threads.push_back([&, churner] {
      for (size_t round = 0; round < rounds; ++round) {
        Client one = connected();
        std::string subs;
        for (int i = 0; i < 30; ++i)
          subs += fmt::format("SUB churn.{} {}\r\nSUB churn.*.{} q w{}\r\n", i, i, i, i);
        one.send(subs + "PUB churn.3 1\r\nx\r\nPUB churn.x.4 1\r\ny\r\nPUB steady 1\r\nz\r\n");
        one.messages_until_pong();
        if ((round + churner) % 3 == 0)
          one.reset();
        else
          one.close();
      }
    });
  }
  together(threads);
  for (size_t i = 0; i < churners * rounds; ++i) listener.expect("MSG steady 1 1\r\nz\r\n");
  listener.ping();
}

}  // namespace
}  // namespace nuncio::test
