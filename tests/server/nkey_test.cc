// Logins by nkey: section 4 of the authentication specification.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <set>

#include "harness.h"
#include "logins.h"
#include "nkey_client.h"
#include "rights.h"

namespace nuncio::test {
namespace {

class Nkeys : public ServerTest {
 protected:
  // `key_` and a user anna with the password S3cret.
  void start_with_key(std::string_view more = "") {
    start_config(
        fmt::format("authorization {{ users = [ {{nkey: {}}}, {{user: anna, password: S3cret}} ] }}\n{}\n",
                    key_.text(), more));
  }
  static std::string nonce_of(Client& one) { return one.info().value("nonce", ""); }
  // A client that is logged in with the key.
  Client signed_in(const UserKey& key, Where where = Where::current()) {
    Client one = client(where);
    one.connect_ok(key.login(nonce_of(one)), where);
    return one;
  }
  Finished check(std::string_view config) {
    return run_server({.flags = {"-a", "127.0.0.1", "-p", "-1", "-t"}, .config = std::string(config)});
  }

  const UserKey key_;
};
NUNCIO_ON_EVERY_BACKEND(Nkeys);

TEST_P(Nkeys, AU_31_AFreshNonceForEachConnection) {
  start_with_key();
  std::set<std::string> nonces;
  for (int i = 0; i < 50; ++i) {
    Client one = client();
    EXPECT_EQ(one.info().value("auth_required", false), true);
    EXPECT_THAT(nonce_of(one), testing::MatchesRegex("[A-Za-z0-9_-]{15}"));
    nonces.insert(nonce_of(one));
  }
  EXPECT_EQ(nonces.size(), 50u);
}

TEST_P(Nkeys, AU_31_NoNonceWithoutNkeys) {
  start_config("authorization { users = [ {user: anna, password: S3cret} ] }");
  EXPECT_FALSE(client().info().contains("nonce"));
}

TEST_P(Nkeys, AU_31_AU_1_NkeysOfAnAccount) {
  start_config(fmt::format(
      "accounts {{ A {{ users = [ {{nkey: {}}} ] }}, B {{ users = [ {{user: b, password: p}} ] }} }}",
      key_.text()));
  EXPECT_EQ(client().info().value("auth_required", false), true);
  Client one = signed_in(key_);
  subscribe(one, ">");
  Client other = connected(user("b", "p"));
  publish(other, "x");
  one.ping();
  Client same = signed_in(key_);
  publish(same, "x");
  one.expect("MSG x 1 1\r\nx\r\n");
}

TEST_P(Nkeys, AU_32_EveryEncodingOfASignature) {
  start_with_key();
  for (int i = 0; i < 20; ++i) {  // until all characters have been there
    signed_in(key_);
    Client standard = client();
    standard.connect_ok({{"nkey", key_.text()}, {"sig", base64_standard(key_.sign(nonce_of(standard)))}});
  }
}

TEST_P(Nkeys, AU_32_MissingMalformedAndWrongSignatures) {
  start_with_key();
  const UserKey other;
  const std::array<unsigned char, 64> zeros{};
  signed_in(key_);  // and so this address is not held back afterwards (AU-74)
  for (int i = 0; i < 11; ++i) {
    SCOPED_TRACE(i);
    Client one = client();
    const std::string nonce = nonce_of(one);
    const auto right = key_.sign(nonce);
    auto flipped = right;
    flipped[40] ^= 1;
    const std::vector<Json> logins{
        {{"nkey", key_.text()}},
        {{"nkey", key_.text()}, {"sig", ""}},
        {{"nkey", key_.text()}, {"sig", "not base64!"}},
        {{"nkey", key_.text()}, {"sig", base64_url(right).substr(0, 80)}},
        {{"nkey", key_.text()}, {"sig", base64_url(right) + "AAAA"}},
        {{"nkey", key_.text()}, {"sig", base64_url(flipped)}},
        {{"nkey", key_.text()}, {"sig", base64_url(zeros)}},
        {{"nkey", key_.text()}, {"sig", base64_url(other.sign(nonce))}},
        {{"nkey", key_.text()}, {"sig", base64_url(key_.sign(nonce + "x"))}},
        {{"nkey", key_.text()}, {"sig", base64_url(key_.sign(""))}},
        {{"nkey", ""}, {"sig", base64_url(right)}},
    };
    one.connect_refused(logins.at(static_cast<size_t>(i)));
  }
  signed_in(key_);
}

TEST_P(Nkeys, AU_33_CF_48_WhatIsNoPublicUserKeyIsAnError) {
  std::string wrong_checksum = key_.text();
  wrong_checksum[20] = wrong_checksum[20] == 'A' ? 'B' : 'A';
  std::string lower = key_.text();
  lower[0] = 'u';
  for (const std::string& text :
       {nkey_text(0, {}), wrong_checksum, key_.text().substr(0, 55), key_.text() + "A", lower,
        std::string("U"), std::string("\"\""),
        std::string("SUAJ7EAZQS4V7Q3CMUEYIFYJ7JDLYUQZ6ETGMC6ANIBQRJXDZ7DAX7SZUQ")}) {
    if (is_oracle() && text.size() == 57) continue;  // 2.9.10 ignores what is behind
    SCOPED_TRACE(text);
    const Finished end = check(fmt::format("authorization {{ users = [ {{nkey: {}}} ] }}", text));
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_FALSE(end.err.empty());
    if (text.starts_with("SU")) {
      EXPECT_THAT(end.out + end.err, testing::Not(testing::HasSubstr(text))) << "a seed is shown";
    }
  }
  const Finished wrong = check(fmt::format("authorization {{ users = [ {{nkey: {}}} ] }}", wrong_checksum));
  EXPECT_THAT(wrong.err, testing::HasSubstr("Not a valid public nkey for a user"));
}

TEST_P(Nkeys, CF_48_AnNkeyTakesNoNameNorPassword) {
  for (const char* more : {", user: anna", ", password: S3cret", ", user: anna, password: S3cret"}) {
    SCOPED_TRACE(more);
    const Finished end =
        check(fmt::format("authorization {{ users = [ {{nkey: {}{}}} ] }}", key_.text(), more));
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_THAT(end.err, testing::HasSubstr("Nkey users do not take usernames or passwords"));
  }
}

TEST_P(Nkeys, CF_43_DuplicateNkeys) {
  const Finished end =
      check(fmt::format("authorization {{ users = [ {{nkey: {0}}}, {{nkey: {0}}} ] }}", key_.text()));
  EXPECT_EQ(end.exit_status, 1);
  EXPECT_THAT(end.err, testing::HasSubstr(fmt::format("Duplicate nkey \"{}\" detected", key_.text())));
}

TEST_P(Nkeys, AU_34_AU_9_TheNkeyDecides) {
  start_with_key();
  const UserKey unknown;
  Client one = client();
  one.connect_refused(unknown.login(nonce_of(one)));
  // A right password does not save a wrong nkey,
  Client two = client();
  Json both = unknown.login(nonce_of(two));
  both.update(user("anna", "S3cret"));
  two.connect_refused(both);
  Client three = client();
  both = key_.login("another nonce");
  both.update(user("anna", "S3cret"));
  three.connect_refused(both);
  // nor does a wrong password harm a right one.
  Client four = client();
  both = key_.login(nonce_of(four));
  both.update(user("anna", "wrong"));
  four.connect_ok(both);
  connected(user("anna", "S3cret"));
  client().connect_refused(Json::object());
  client().connect_refused(user(key_.text(), ""));
}

TEST_P(Nkeys, AU_9_WithoutNkeysConfiguredAnNkeyIsIgnored) {
  start_config("authorization { users = [ {user: anna, password: S3cret} ] }");
  Json both = key_.login("nothing");
  client().connect_refused(both);
  both.update(user("anna", "S3cret"));
  connected(both);
}

TEST_P(Nkeys, AU_16_TheNoAuthUserBesideNkeys) {
  start_with_key("no_auth_user: anna");
  connected();
  signed_in(key_);
  client().connect_refused({{"nkey", key_.text()}});
  const UserKey unknown;
  Client one = client();
  one.connect_refused(unknown.login(nonce_of(one)));
}

// The current line of the reference; 2.9.10 refuses to start.
TEST_P(Nkeys, AU_35_AnNkeyAsNoAuthUser) {
  NUNCIO_OURS_ONLY();
  start_config(
      fmt::format("authorization {{ users = [ {{nkey: {}, permissions: {{publish: ok}} }}, {{user: anna, "
                  "password: S3cret}} ] }}\n"
                  "no_auth_user: {}\n",
                  key_.text(), key_.text()));
  Client one = connected();
  expect_publish_refused(one, "no");
  client().connect_refused({{"nkey", key_.text()}});  // who names it must sign
  Client silent = client();
  silent.send("PING\r\n");
  silent.expect_error_and_close("Authorization Violation");
  signed_in(key_);
  connected(user("anna", "S3cret"));
}

// Order 1 and the identity: everybody can sign for it with a check that does not refuse it.
TEST_P(Nkeys, AU_36_APointOfSmallOrderLetsNobodyIn) {
  NUNCIO_OURS_ONLY();
  std::array<unsigned char, 32> identity{};
  identity[0] = 1;
  std::array<unsigned char, 64> signature{};
  signature[0] = 1;
  const std::string config =
      fmt::format("authorization {{ users = [ {{nkey: {}}}, {{user: anna, password: S3cret}} ] }}",
                  nkey_text(20 << 3, identity));
  if (check(config).exit_status != 0) return;  // refused at load is as good
  start_config(config);
  client().connect_refused({{"nkey", nkey_text(20 << 3, identity)}, {"sig", base64_url(signature)}});
}

// S must be below the group's order: S + L signs the same in a check that does not look.
TEST_P(Nkeys, AU_36_ANonCanonicalSignatureIsRefused) {
  start_with_key();
  constexpr std::array<unsigned char, 32> order{
      0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
      0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
  Client one = client();
  auto signature = key_.sign(nonce_of(one));
  unsigned carry = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    carry += static_cast<unsigned>(signature[32 + i]) + order[i];
    signature[32 + i] = static_cast<unsigned char>(carry & 0xff);
    carry >>= 8;
  }
  one.connect_refused({{"nkey", key_.text()}, {"sig", base64_url(signature)}});
}

TEST_P(Nkeys, AT_23_AU_36_ARecordedLoginOpensNothing) {
  start_with_key();
  Client first = client();
  const Json recorded = key_.login(nonce_of(first));
  first.connect_ok(recorded);
  client().connect_refused(recorded);
  first.close();
  for (int i = 0; i < 10; ++i) client().connect_refused(recorded);
  signed_in(key_);
}

TEST_P(Nkeys, AU_18_ASecondConnectSignsTheSameNonce) {
  start_with_key();
  Client one = signed_in(key_);
  Json again{{"verbose", false}, {"pedantic", false}};
  again.update(key_.login("not the nonce"));
  one.send("CONNECT " + again.dump() + "\r\nPING\r\n");
  one.expect_error_and_close("Authorization Violation");
}

TEST_P(Nkeys, AT_19_NothingBehindAWrongSignatureRuns) {
  start_with_key();
  Client listener = connected(user("anna", "S3cret"));
  subscribe(listener, ">");
  signed_in(key_);  // and so this address is not held back afterwards (AU-74)
  for (int i = 0; i < 20; ++i) {
    Client one = client();
    one.send("CONNECT " + key_.login("wrong").dump() + "\r\nPUB stolen 1\r\nx\r\nSUB > 1\r\nPING\r\n");
    one.expect_error_and_close("Authorization Violation");
  }
  listener.ping();
  Client right = client();
  Json login{{"verbose", false}, {"pedantic", false}};
  login.update(key_.login(nonce_of(right)));
  right.send("CONNECT " + login.dump() + "\r\nPUB mine 1\r\nx\r\n");
  right.ping();
  listener.expect("MSG mine 1 1\r\nx\r\n");
}

TEST_P(Nkeys, AT_17_ManySignaturesAtOnceAllAnswered) {
  start_with_key();
  std::vector<Client> right;
  std::vector<Client> wrong;
  for (size_t i = 0; i < scaled(100); ++i) {
    right.push_back(client());
    wrong.push_back(client());
    Json login{{"verbose", false}};
    login.update(key_.login(nonce_of(right.back())));
    right.back().send("CONNECT " + login.dump() + "\r\nPING\r\n");
    wrong.back().send("CONNECT " + key_.login(nonce_of(right.back())).dump() + "\r\nPING\r\n");
  }
  for (Client& one : right) one.expect("PONG\r\n");
  for (Client& one : wrong) one.expect_error_and_close("Authorization Violation");
}

TEST_P(Nkeys, AT_17_AFloodOfSignaturesAndOneOfHashesStopNeitherKind) {
  NUNCIO_OURS_ONLY();  // back-off has to be switched off
  start_config(
      fmt::format("authorization {{ users = [ {{nkey: {}}}, {{user: hash, password: \"{}\"}}, {{user: anna, "
                  "password: S3cret}} ], timeout: 60 }}\nnuncio {{ login_backoff: false }}",
                  key_.text(), bcrypt("S3cret", 6)));
  std::atomic<bool> is_over = false;
  // Fifty at a time, so that no queue is full.
  const auto flood = [&](const std::function<Json(int)>& wrong) {
    for (int i = 0; !is_over; i += 50) {
      std::vector<Client> all;
      for (int n = 0; n < 50; ++n) {
        all.push_back(client());
        all.back().send("CONNECT " + wrong(i + n).dump() + "\r\n");
      }
      for (Client& one : all) one.expect_error_and_close("Authorization Violation");
    }
  };
  together({[&] { flood([&](int) { return key_.login("another nonce"); }); },
            [&] { flood([](int i) { return user("hash", fmt::format("wrong{}", i)); }); },
            [&] {
              try {
                for (int i = 0; i < 20; ++i) {
                  signed_in(key_);
                  connected(user("hash", "S3cret"));
                  connected(user("anna", "S3cret"));
                }
              } catch (...) {
                is_over = true;
                throw;
              }
              is_over = true;
            }});
}

TEST_P(Nkeys, AU_44_ARefusalNamesTheNkey) {
  start_with_key();
  const UserKey unknown;
  Client one = client();
  const std::string address = one.address();
  const Json login = unknown.login(nonce_of(one));
  one.connect_refused(login);
  server().wait_for_log(fmt::format("{} - cid:", address));
  server().wait_for_log(fmt::format("authentication error - Nkey \"{}\"", unknown.text()));
  EXPECT_THAT(server().log(), testing::Not(testing::HasSubstr(login.at("sig").get<std::string>())));
}

TEST_P(Nkeys, AU_48_AU_19_AnNkeyHasRightsAndConnectionTypes) {
  const UserKey web;
  start_config(
      fmt::format("authorization {{ users = [ {{nkey: {}, permissions: {{publish: ok}} }}, {{nkey: {}, "
                  "allowed_connection_types: "
                  "[WEBSOCKET]}} ] }}",
                  key_.text(), web.text()));
  Client one = signed_in(key_);
  publish(one, "ok");
  expect_publish_refused(one, "no");
  Client two = client();
  two.connect_refused(web.login(nonce_of(two)));
}

TEST_P(Nkeys, AU_66_AReloadThatTakesTheNkeyAway) {
  start_with_key();
  Client one = signed_in(key_);
  Client anna = connected(user("anna", "S3cret"));
  const UserKey next;
  server().reload_config(fmt::format(
      "authorization {{ users = [ {{nkey: {}}}, {{user: anna, password: S3cret}} ] }}\n", next.text()));
  if (is_oracle()) {
    one.expect_closed();  // as if it had moved to another account
  } else {
    one.expect_error_and_close("Authorization Violation");
  }
  anna.ping();
  Client old = client();
  old.connect_refused(key_.login(nonce_of(old)));
  signed_in(next);
}

TEST_P(Nkeys, AU_66_AU_31_AReloadThatBringsTheFirstNkey) {
  start_config("authorization { users = [ {user: anna, password: S3cret} ] }");
  Client anna = connected(user("anna", "S3cret"));
  server().reload_config(fmt::format(
      "authorization {{ users = [ {{nkey: {}}}, {{user: anna, password: S3cret}} ] }}", key_.text()));
  anna.ping();
  signed_in(key_);
}

}  // namespace
}  // namespace nuncio::test
