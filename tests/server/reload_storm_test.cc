// Reloads while logins and messages are under way (AT-21, AT-22).
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "reload.h"

namespace nuncio::test {
namespace {

class ReloadStorm : public ReloadTest {
 protected:
  // What was published before the reload was done may still be on its way between workers; then nothing
  // comes.
  void expect_silence(Client& listener) {
    server().wait_until([&] { return listener.messages_until_pong().empty(); }, "the end of a stream");
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(listener.messages_until_pong().empty());
  }
};
NUNCIO_ON_EVERY_BACKEND_AND_WORKERS(ReloadStorm, 1, 2, 4);

// Logins during reloads are decided by the old table or the new one; after one is done only by the new one.
TEST_P(ReloadStorm, AT_21_LoginsDuringReloads) {
  const auto config = [](int round) {
    return users(fmt::format("{{user: anna, password: p{}}}, {{user: bob, password: p}}", round));
  };
  start_config(config(0));
  std::atomic<bool> is_over = false;
  std::atomic<int> done = 0;  // rounds whose reload is done
  std::atomic<int> admitted = 0;
  const auto storm = [&] {
    while (!is_over) {
      const int before = done;
      // Old, present, next: none older than what was done before the try may get in.
      for (const int round : {before - 1, before, before + 1}) {
        Client one = client();
        one.info();
        const int done_then = done;
        one.send(fmt::format("CONNECT {{\"verbose\":false,\"user\":\"anna\",\"pass\":\"p{}\"}}\r\nPING\r\n",
                             round));
        const std::string answer = one.line();
        const int done_now = done;
        if (answer == "PONG") {
          ++admitted;
          if (round < done_then)
            fail(fmt::format("p{} got in after reload {} was done", round, done_then), Where::current());
          if (round > done_now + 1) fail("a password of the future got in", Where::current());
        } else if (round == done_then && round == done_now && !is_over) {
          // A reload may be under way: refused by the next table is right then, but not for the last one.
          if (answer != "-ERR 'Authorization Violation'") fail("got " + answer, Where::current());
        }
      }
    }
  };
  const int rounds = static_cast<int>(scaled(40));
  together({storm, storm, storm, [&] {
              Client bob = as("bob");
              for (int round = 1; round <= rounds; ++round) {
                server().reload_config(config(round));
                done = round;
                bob.ping();
                connected(user("anna", fmt::format("p{}", round)));
                client().connect_refused(user("anna", fmt::format("p{}", round - 1)));
              }
              is_over = true;
            }});
  EXPECT_GT(admitted, 0);
}

TEST_P(ReloadStorm, AT_22_ARemovedUserThatPublishesAndReceives) {
  start_config(users("{user: anna, password: p}, {user: bob, password: p}"));
  Client listener = as_listener("bob", "from.anna");
  Client feeder = as("bob");
  std::vector<Client> annas;
  for (int i = 0; i < 8; ++i) {
    annas.push_back(as("anna"));
    subscribe(annas.back(), "to.anna", "1");
  }
  std::atomic<bool> is_over = false;
  std::vector<std::function<void()>> all;
  for (Client& one : annas) {
    all.emplace_back([&] {
      while (!is_over && one.send_some("PUB from.anna 1\r\nx\r\n") > 0) {
        if (is_over) break;
      }
    });
  }
  all.emplace_back([&] {
    listener.message();  // the stream flows
    server().reload_config(users("{user: bob, password: p}"));
    for (int i = 0; i < 100; ++i) publish(feeder, "to.anna", "after the reload");
    expect_silence(listener);
    is_over = true;
  });
  together(all);
  for (Client& one : annas) {
    EXPECT_THAT(one.read_to_end(), testing::Not(testing::HasSubstr("after the reload")));
  }
  client().connect_refused(user("anna", "p"));
}

TEST_P(ReloadStorm, AU_67_ARightTakenAwayUnderAStream) {
  start_config(users(both));
  Client listener = as_listener("bob", "s");
  Client anna = as("anna");
  std::atomic<bool> is_over = false;
  together({[&] {
              while (!is_over) anna.send_some("PUB s 1\r\nx\r\n");
            },
            [&] {
              listener.message();
              server().reload_config(anna_may("publish: other"));
              expect_silence(listener);
              is_over = true;
            }});
}

// Users with hashes log in while a stream runs and a reload changes half of their passwords: afterwards
// nobody gets in with an old one, nobody with the right one is refused, and the stream has lost nothing.
TEST_P(ReloadStorm, AT_21_AT_11_AHashStormWithAReloadInTheMiddle) {
  NUNCIO_OURS_ONLY();
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr size_t clients = 60;
#else
  constexpr size_t clients = 300;
#endif
  constexpr size_t names = 30;  // ten clients each
  std::vector<std::string> before;
  std::vector<std::string> after;
  for (size_t i = 0; i < names; ++i) {
    before.push_back(bcrypt(fmt::format("old{}", i)));
    after.push_back(i % 2 == 0 ? before[i] : bcrypt(fmt::format("new{}", i), 5));
  }
  const auto config = [&](const std::vector<std::string>& stored) {
    std::string entries = "{user: stream, password: p}";
    for (size_t i = 0; i < names; ++i)
      entries += fmt::format(", {{user: u{}, password: \"{}\"}}", i, stored[i]);
    return fmt::format("authorization {{ users = [ {} ], timeout: 60 }}\nnuncio {{ login_backoff: false }}\n",
                       entries);
  };
  const auto password_after = [](size_t i) { return fmt::format("{}{}", i % 2 == 0 ? "old" : "new", i); };
  start_config(config(before));

  Client listener = as_listener("stream", "s");
  Client publisher = as("stream");
  std::atomic<bool> is_over = false;
  std::atomic<bool> is_reloaded = false;
  std::atomic<size_t> admitted = 0;
  size_t sent = 0;
  // Says whether it was let in.
  const auto try_login = [&](size_t i, const std::string& password) {
    Client one = client();
    one.info();
    one.send(fmt::format("CONNECT {{\"verbose\":false,\"user\":\"u{}\",\"pass\":\"{}\"}}\r\nPING\r\n", i,
                         password));
    const std::string answer = one.line();
    if (answer == "PONG") return true;
    if (answer != "-ERR 'Authorization Violation'") fail("got " + answer, Where::current());
    return false;
  };
  std::vector<std::function<void()>> all;
  constexpr size_t threads = 10;
  for (size_t thread = 0; thread < threads; ++thread) {
    all.emplace_back([&, thread] {
      for (size_t n = thread; n < clients; n += threads) {
        const size_t i = n % names;
        const bool was_reloaded = is_reloaded;
        const bool is_in = try_login(i, fmt::format("old{}", i));
        if (is_in) ++admitted;
        if (i % 2 == 0 && !is_in)
          fail(fmt::format("u{} was refused with the right password", i), Where::current());
        if (i % 2 == 1 && was_reloaded && is_in)
          fail(fmt::format("u{} got in with an old password", i), Where::current());
        if (is_reloaded && !try_login(i, password_after(i)))
          fail(fmt::format("u{} was refused with the right password after the reload", i), Where::current());
      }
    });
  }
  all.emplace_back([&] {
    server().wait_until([&] { return admitted >= clients / 5; }, "a part of the logins");
    server().reload_config(config(after));
    is_reloaded = true;
  });
  std::thread stream([&] {
    while (!is_over) publish(publisher, "s", std::to_string(sent++));
  });
  try {
    together(all);
  } catch (...) {
    is_over = true;
    stream.join();
    throw;
  }
  is_over = true;
  stream.join();

  size_t next = 0;
  for (const Message& each : listener.messages_until_pong()) ASSERT_EQ(each.payload, std::to_string(next++));
  EXPECT_EQ(next, sent);
  for (size_t i = 0; i < names; ++i) {
    EXPECT_TRUE(try_login(i, password_after(i)));
    EXPECT_EQ(try_login(i, fmt::format("old{}", i)), i % 2 == 0);
  }
}

}  // namespace
}  // namespace nuncio::test
