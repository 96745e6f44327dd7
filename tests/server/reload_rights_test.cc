// What a reload that changes permissions does to those who are connected (AU-67).
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "reload.h"

namespace nuncio::test {
namespace {

class ReloadRights : public ReloadTest {};
NUNCIO_ON_EVERY_BACKEND(ReloadRights);

TEST_P(ReloadRights, AU_67_CP_66_SubscriptionsNoLongerAllowedAreRemoved) {
  start_config(users(both));
  Client anna = as("anna");
  subscribe(anna, "keep.x", "1");
  subscribe(anna, "gone.x", "27");
  subscribe(anna, "keep.*", "3");
  server().reload_config(anna_may("subscribe: \"keep.>\""));
  anna.expect(removed_violation("gone.x", "27"));
  anna.ping();
  Client bob = as("bob");
  publish(bob, "gone.x");
  anna.ping();
  publish(bob, "keep.x");
  EXPECT_EQ(anna.messages_until_pong().size(), 2u);
  expect_subscribe_refused(anna, "gone.x");
}

TEST_P(ReloadRights, AU_67_AQueueSubscriptionIsRemovedToo) {
  start_config(users(both));
  Client anna = as("anna");
  subscribe(anna, "gone.x work", "5");
  Client bob = as("bob");
  subscribe(bob, "gone.x work", "1");
  server().reload_config(anna_may("subscribe: \"keep.>\""));
  // The current line names the queue, 2.9.10 does not.
  EXPECT_THAT(anna.line(),
              testing::MatchesRegex("-ERR 'Permissions Violation for Subscription to \"gone.x\"( using "
                                    "queue \"work\")? [(]sid \"5\"[)]'"));
  anna.ping();
  Client other = as("bob");
  for (int i = 0; i < 20; ++i) publish(other, "gone.x");
  EXPECT_EQ(bob.messages_until_pong().size(), 20u);
  anna.ping();
}

TEST_P(ReloadRights, AU_67_ANewDenyInsideAWiderSubscription) {
  start_config(users(both));
  Client anna = as_listener("anna", ">");
  Client bob = as("bob");
  publish(bob, "secret");
  anna.expect("MSG secret 1 1\r\nx\r\n");
  server().reload_config(anna_may("subscribe: {deny: secret}"));
  anna.ping();  // the subscription stays
  publish(bob, "secret");
  anna.ping();
  publish(bob, "open");
  anna.expect("MSG open 1 1\r\nx\r\n");
  server().reload_config(users(both));
  publish(bob, "secret");
  anna.expect("MSG secret 1 1\r\nx\r\n");
}

TEST_P(ReloadRights, AU_67_AU_57_PublishRightsChangeAtOnce) {
  start_config(users(both));
  Client anna = as("anna");
  Client all = as_listener("bob", ">");
  publish(anna, "a");
  all.expect("MSG a 1 1\r\nx\r\n");
  server().reload_config(anna_may("publish: b"));
  expect_publish_refused(anna, "a");
  publish(anna, "b");
  all.expect("MSG b 1 1\r\nx\r\n");
  server().reload_config(anna_may("publish: a"));
  expect_publish_refused(anna, "b");
  publish(anna, "a");
  all.expect("MSG a 1 1\r\nx\r\n");
  server().reload_config(users(both));
  publish(anna, "b");
  all.expect("MSG b 1 1\r\nx\r\n");
}

TEST_P(ReloadRights, AU_67_NewRightsForWhoIsConnected) {
  start_config(anna_may("publish: a, subscribe: a"));
  Client anna = as("anna");
  expect_subscribe_refused(anna, "b");
  server().reload_config(anna_may("publish: [a, b], subscribe: [a, b]"));
  subscribe(anna, "b");
  anna.send("PUB b 1\r\nx\r\n");
  anna.expect("MSG b 1 1\r\nx\r\n");
}

TEST_P(ReloadRights, AU_67_RightsAndPasswordOfOthersDoNotMatter) {
  start_config(anna_may("subscribe: {allow: [a, b]}"));
  Client anna = as_listener("anna", "a");
  Client bob = as_listener("bob", "x");
  server().reload_config(
      users("{user: anna, password: p, permissions: {subscribe: {allow: [a, b]}}}, {user: bob, password: p}, "
            "{user: new, password: p}"));
  anna.ping();
  bob.ping();
}

}  // namespace
}  // namespace nuncio::test
