// What a PONG promises across connections (invariant I4), tried thousands of times with the connections of
// one case on different workers and others churning the same subjects.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>

#include "harness.h"

namespace nuncio::test {
namespace {

class VisibilityStress : public ServerTest {
 protected:
  // SUB and UNSUB of the subjects below `space` until `is_over`, by a connection of its own: the last and the
  // first interest of a worker in a subject come and go all the time. It takes no part in what is checked.
  std::function<void()> churner(const std::string& space, int subjects, std::atomic<bool>& is_over) {
    return [this, space, subjects, &is_over] {
      Client one = connected();
      while (!is_over) {
        std::string on;
        std::string off;
        for (int i = 0; i < subjects; ++i) {
          on += fmt::format("SUB {}.{} {}\r\n", space, i, i);
          off += fmt::format("UNSUB {}\r\n", i);
        }
        one.send(on);
        one.messages_until_pong();
        one.send(off);
        one.messages_until_pong();
      }
    };
  }

  // Runs `round` on its own pair of connections, beside the others and the churners.
  using Round =
      std::function<void(Client& subscriber, Client& publisher, const std::string& subject, size_t number)>;
  void stress(size_t rounds, const Round& round) {
    constexpr int pairs = 3;
    constexpr int subjects = 4;
    std::atomic<bool> is_over{false};
    std::atomic<int> running{pairs};
    std::vector<std::function<void()>> threads;
    for (int pair = 0; pair < pairs; ++pair) {
      threads.push_back([&, pair] {
        const std::shared_ptr<void> end(nullptr, [&](void*) {
          if (--running == 0) is_over = true;
        });
        // The server places connections in turn: an odd one between them puts each pair differently.
        Client subscriber = connected();
        std::vector<Client> between;
        for (int i = 0; i < pair % 2; ++i) between.push_back(connected());
        Client publisher = connected();
        for (size_t i = 0; i < rounds; ++i) {
          round(subscriber, publisher, fmt::format("space{}.{}", pair, i % subjects), i);
        }
      });
      threads.push_back(churner(fmt::format("space{}", pair), subjects, is_over));
    }
    together(threads);
  }
};
NUNCIO_ON_EVERY_BACKEND_AND_WORKERS(VisibilityStress, 1, 2, 4);

TEST_P(VisibilityStress, I4_AfterThePongOfASubEveryPubArrives) {
  start();
  stress(scaled(1200), [](Client& subscriber, Client& publisher, const std::string& subject, size_t number) {
    subscriber.send(fmt::format("SUB {} {}\r\n", subject, number));
    subscriber.ping();
    publisher.send(fmt::format("PUB {} 4\r\n{:04}\r\n", subject, number % 10000));
    publisher.ping();
    // The publisher has its PONG: the subscriber's own cannot overtake the message.
    const std::vector<Message> got = subscriber.messages_until_pong();
    if (got.size() != 1 || got[0].sid != std::to_string(number)) {
      fail(fmt::format("round {}: {} messages", number, got.size()), Where::current());
    }
    subscriber.send(fmt::format("UNSUB {}\r\n", number));
  });
}

TEST_P(VisibilityStress, I4_AfterThePongOfAPubNoLaterSubGetsIt) {
  start();
  stress(scaled(1200), [](Client& subscriber, Client& publisher, const std::string& subject, size_t number) {
    publisher.send(fmt::format("PUB {} 1\r\nx\r\n", subject));
    publisher.ping();
    subscriber.send(fmt::format("SUB {} {}\r\n", subject, number));
    subscriber.ping();
    publisher.ping();
    subscriber.ping();  // nothing was under way either
    subscriber.send(fmt::format("UNSUB {}\r\n", number));
  });
}

TEST_P(VisibilityStress, I4_AfterThePongOfAnUnsubNoPubArrives) {
  start();
  stress(scaled(1200), [](Client& subscriber, Client& publisher, const std::string& subject, size_t number) {
    subscriber.send(fmt::format("SUB {} {}\r\nUNSUB {}\r\n", subject, number, number));
    subscriber.ping();
    publisher.send(fmt::format("PUB {} 1\r\nx\r\n", subject));
    publisher.ping();
    subscriber.ping();
  });
}

TEST_P(VisibilityStress, I4_WildcardsAndQueueGroupsToo) {
  start();
  stress(scaled(500), [](Client& subscriber, Client& publisher, const std::string& subject, size_t number) {
    const std::string space = subject.substr(0, subject.find('.'));
    const std::string group = "group" + space;
    subscriber.send(
        fmt::format("SUB {0}.* {1}w\r\nSUB {2} {0} {1}q\r\nSUB {0}.> {0} {1}wq\r\n", space, number, subject));
    subscriber.ping();
    publisher.send(fmt::format("PUB {} 1\r\nx\r\n", subject));
    publisher.ping();
    const size_t while_subscribed = subscriber.messages_until_pong().size();
    subscriber.send(fmt::format("UNSUB {0}w\r\nUNSUB {0}q\r\nUNSUB {0}wq\r\n", number));
    subscriber.ping();
    publisher.send(fmt::format("PUB {} 1\r\nx\r\n", subject));
    publisher.ping();
    const size_t afterwards = subscriber.messages_until_pong().size();
    // The plain one, and one or both of the queue subscriptions (their groups share a name, not a subject).
    if (while_subscribed < 2 || while_subscribed > 3 || afterwards != 0) {
      fail(fmt::format("round {}: {}, then {} messages", number, while_subscribed, afterwards),
           Where::current());
    }
  });
}

// The way of a request: SUB of a fresh inbox and PUB in one write, answered by a service elsewhere. No answer
// may miss the inbox, and nobody may be told that there are no responders.
TEST_P(VisibilityStress, I4_ARepliesInboxIsThereBeforeTheReply) {
  start();
  constexpr int requesters = 4;
  const size_t requests = scaled(1500);
  Client service = connected();
  service.send("SUB service 1\r\n");
  service.ping();
  std::vector<std::function<void()>> threads{[&] {
    for (size_t i = 0; i < requesters * requests; ++i) {
      const Message request = service.message();
      service.send(
          fmt::format("PUB {} {}\r\n{}\r\n", request.reply, request.payload.size(), request.payload));
    }
  }};
  for (int requester = 0; requester < requesters; ++requester) {
    threads.push_back([&, requester] {
      Client one = connected({{"no_responders", true}});
      for (size_t i = 0; i < requests; ++i) {
        const std::string number = std::to_string(i);
        const std::string inbox = fmt::format("_INBOX.{}.{}", requester, i);
        one.send(fmt::format("SUB {0} {1}\r\nUNSUB {1} 1\r\nPUB service {0} {2}\r\n{1}\r\n", inbox, number,
                             number.size()));
        const Message answer = one.message();
        if (answer.subject != inbox || answer.payload != number) {
          fail(fmt::format("request {}: got {} {}{}", i, answer.subject, answer.header, answer.payload),
               Where::current());
        }
      }
      one.ping();
    });
  }
  together(threads);
}

// A connection that has ended is gone for whoever sees it gone: no 503 while it answers, 503 from some moment
// on, and never an answer again.
TEST_P(VisibilityStress, I4_ADisconnectIsFinal) {
  start();
  const size_t rounds = scaled(60);
  Client one = connected({{"no_responders", true}});
  one.send("SUB inbox 1\r\n");
  for (size_t round = 0; round < rounds; ++round) {
    Client gone = connected();
    gone.send("SUB service 1\r\n");
    gone.ping();
    one.send("PUB service inbox 0\r\n\r\n");
    one.ping();
    gone.expect("MSG service 1 inbox 0\r\n\r\n");
    if (round % 2 == 0)
      gone.reset();
    else
      gone.close();
    server().wait_until(
        [&] {
          one.send("PUB service inbox 0\r\n\r\n");
          return one.messages_until_pong().size() == 1;
        },
        "the end of the service");
    for (int i = 0; i < 3; ++i) {
      one.send("PUB service inbox 0\r\n\r\n");
      ASSERT_EQ(one.messages_until_pong().size(), 1u);
    }
  }
}

}  // namespace
}  // namespace nuncio::test
