// What a reload of the configuration does to those who are connected: section 9 of the authentication
// specification and section 5 of operations. Nothing here waits for time: reload_config() returns when the
// log says that the new configuration is in force.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <signal.h>
#include <unistd.h>

#include <tuple>

#include "reload.h"

namespace nuncio::test {
namespace {

class Reload : public ReloadTest {};
NUNCIO_ON_EVERY_BACKEND(Reload);

constexpr std::string_view violation = "Authorization Violation";

// --- who stays and who goes ---

TEST_P(Reload, AU_66_AChangedPasswordClosesTheOthersStay) {
  for (const auto& [before, after] : {std::pair<std::string, std::string>{"old", "new"},
                                      {bcrypt("old"), bcrypt("new")},
                                      {"old", bcrypt("new")},
                                      {bcrypt("old"), "new"}}) {
    const std::string config = "{{user: anna, password: \"{}\"}}, {{user: bob, password: p}}";
    start_config(users(fmt::format(fmt::runtime(config), before)));
    Client anna = as("anna", "old");
    Client bob = as_listener("bob", "x");
    server().reload_config(users(fmt::format(fmt::runtime(config), after)));
    anna.expect_error_and_close(violation);
    bob.ping();
    client().connect_refused(user("anna", "old"));
    as("anna", "new").send("PUB x 1\r\nx\r\n");
    bob.expect("MSG x 1 1\r\nx\r\n");
  }
}

TEST_P(Reload, AU_66_AGoneUserIsClosed) {
  start_config(users("{user: anna, password: p}, {user: bob, password: p}"));
  Client anna = as("anna");
  Client bob = as("bob");
  server().reload_config(users("{user: bob, password: p}, {user: carl, password: p}"));
  expect_revoked(anna);
  bob.ping();
  as("carl");
  client().connect_refused(user("anna", "p"));
}

TEST_P(Reload, AU_66_ATokenChanges) {
  start_config("authorization { token: old }");
  Client one = connected(token("old"));
  server().reload_config("authorization { token: new }");
  expect_revoked(one);
  client().connect_refused(token("old"));
  connected(token("new"));
}

TEST_P(Reload, AU_66_ASingleUserChanges) {
  start_config("authorization { user: anna, password: old }");
  Client one = as("anna", "old");
  server().reload_config("authorization { user: anna, password: new }");
  expect_revoked(one);
  Client two = as("anna", "new");
  server().reload_config("authorization { user: berta, password: new }");
  expect_revoked(two);
  as("berta", "new");
}

TEST_P(Reload, AU_66_NewlyRequiredAuthentication) {
  NUNCIO_OURS_ONLY();  // 2.9.10 closes everybody
  start_config("max_payload: 1000\n");
  Client nobody = connected();
  Client anna = as("anna", "p");  // gave what was not asked for
  Client wrong = as("anna", "wrong");
  Client silent = client();
  silent.send("PING\r\n");
  silent.expect("PONG\r\n");
  server().reload_config("max_payload: 1000\nauthorization { user: anna, password: p }\n");
  nobody.expect_error_and_close(violation);
  wrong.expect_error_and_close(violation);
  silent.expect_error_and_close(violation);
  anna.ping();
  EXPECT_EQ(client().info().value("auth_required", false), true);
  client().connect_refused(Json::object());
}

TEST_P(Reload, AU_66_NewlyRequiredAuthenticationByAHash) {
  NUNCIO_OURS_ONLY();  // 2.9.10 closes everybody
  start_config("max_payload: 1000\n");
  Client anna = as("anna", "p");
  Client wrong = as("anna", "wrong");
  server().reload_config(
      fmt::format("max_payload: 1000\nauthorization {{ user: anna, password: \"{}\" }}\n", bcrypt("p")));
  expect_revoked(wrong);
  anna.ping();
}

// What it is subscribed to stays with the account it was in.
TEST_P(Reload, AU_66_NewlyRequiredAuthenticationInAnotherAccount) {
  NUNCIO_OURS_ONLY();
  for (const std::string& stored : {std::string("p"), bcrypt("p")}) {
    SCOPED_TRACE(stored);
    start_config("max_payload: 1000\n");
    Client anna = as_listener("anna", ">");
    server().reload_config(fmt::format(
        "max_payload: 1000\naccounts {{ A {{ users = [ {{user: anna, password: \"{}\"}} ] }} }}\n", stored));
    anna.expect_closed();
    as_listener("anna", ">").ping();
  }
}

// Its hash is being computed when the reload begins that takes away what let it in unasked.
TEST_P(Reload, AU_66_ALoginDuringTheReload) {
  NUNCIO_OURS_ONLY();
  const std::string both =
      users(fmt::format("{{user: anna, password: \"{}\"}}, {{user: guest, password: p}}", bcrypt("p", 12)));
  start_config(both + "no_auth_user: guest\n", {"-V"});
  Client anna = client();
  anna.send("CONNECT {\"user\":\"anna\",\"pass\":\"p\",\"verbose\":true,\"headers\":true}\r\n");
  server().wait_for_log("<<- [CONNECT");
  server().reload_config(both);
  anna.expect("+OK\r\n");
  anna.send("SUB x 1\r\nHPUB x 12 13\r\nNATS/1.0\r\n\r\nx\r\n");
  anna.expect("+OK\r\n+OK\r\nHMSG x 1 12 13\r\nNATS/1.0\r\n\r\nx\r\n");
}

// The old hash is being computed when the new one comes: the new one decides.
TEST_P(Reload, AT_21_ALoginWithTheNewPasswordDuringTheReload) {
  NUNCIO_OURS_ONLY();
  for (const std::string& after : {std::string("new"), bcrypt("new")}) {
    SCOPED_TRACE(after);
    start_config(users(fmt::format("{{user: anna, password: \"{}\"}}", bcrypt("old", 12))), {"-V"});
    Client anna = client();
    anna.send("CONNECT {\"user\":\"anna\",\"pass\":\"new\",\"verbose\":false}\r\n");
    server().wait_for_log("<<- [CONNECT");
    server().reload_config(users(fmt::format("{{user: anna, password: \"{}\"}}", after)));
    anna.ping();
  }
}

// 2.9.10 closes it, as it does with every client of a single user.
TEST_P(Reload, AU_66_NoLongerRequiredAuthentication) {
  NUNCIO_OURS_ONLY();
  start_config("authorization { user: anna, password: p }\nmax_payload: 1000\n");
  Client anna = as("anna");
  server().reload_config("max_payload: 1000\n");
  anna.ping();
  connected();
}

// 2.9.10 refuses whoever is not logged in at that moment.
TEST_P(Reload, AU_66_WhoHasNotLoggedInYet) {
  NUNCIO_OURS_ONLY();
  start_config(users("{user: anna, password: old}"));
  Client one = client();
  one.info();
  Client two = client();
  two.send("CONNECT {\"verbose\":false,\"user\":\"anna\",");
  server().reload_config(users("{user: anna, password: new}"));
  one.send("CONNECT {\"verbose\":false,\"user\":\"anna\",\"pass\":\"new\"}\r\n");
  one.ping();
  two.send("\"pass\":\"old\"}\r\nPING\r\n");
  expect_revoked(two);
}

TEST_P(Reload, AU_66_AnotherAccountClosesWithoutAWord) {
  start_config(
      "accounts { A { users = [ {user: anna, password: p}, {user: bob, password: p} ] }, B { users = [ "
      "{user: x, password: p} ] } }");
  Client anna = as_listener("anna", ">");
  Client bob = as_listener("bob", "x");
  server().reload_config(
      "accounts { A { users = [ {user: bob, password: p} ] }, B { users = [ {user: anna, password: p}, "
      "{user: x, password: p} ] } }");
  anna.expect_closed();
  bob.ping();
  Client again = as_listener("anna", ">");  // now in B
  publish(bob, "y");
  again.ping();
  Client x = as("x");
  publish(x, "y");
  again.expect("MSG y 1 1\r\nx\r\n");
}

// Not reloadable in 2.9.10.
TEST_P(Reload, AU_66_OP_33_TheNoAuthUserChanges) {
  NUNCIO_OURS_ONLY();
  start_config(users("{user: anna, password: p}, {user: bob, password: p}") + "no_auth_user: anna\n");
  Client nobody = connected();
  Client bob = as("bob");
  server().reload_config(users("{user: anna, password: p}, {user: bob, password: p}"));
  nobody.expect_error_and_close(violation);
  bob.ping();
  client().connect_refused(Json::object());
  server().reload_config(users("{user: anna, password: p}, {user: bob, password: p}") +
                         "no_auth_user: bob\n");
  connected();
}

TEST_P(Reload, AU_66_NothingChangedNobodyNotices) {
  const std::string config = users(fmt::format(
      "{{user: anna, password: \"{}\"}}, {{user: bob, password: p, permissions: {{publish: x}} }}",
      bcrypt("p")));
  start_config(config);
  Client anna = as_listener("anna", "x");
  Client bob = as("bob");
  for (int i = 0; i < 5; ++i) server().reload_config(config);
  publish(bob, "x");
  anna.expect("MSG x 1 1\r\nx\r\n");
  anna.ping();
}

// A new hash of the same password is a new secret: the server cannot know that it is the same.
TEST_P(Reload, AU_66_ANewHashOfTheSamePasswordIsAChange) {
  NUNCIO_OURS_ONLY();
  start_config(users(fmt::format("{{user: anna, password: \"{}\"}}", bcrypt("p"))));
  Client anna = as("anna");
  server().reload_config(users(fmt::format("{{user: anna, password: \"{}\"}}", bcrypt("p"))));
  anna.expect_error_and_close(violation);
  as("anna");
}

// A hash that would take seconds is not computed again for those who are in: with a hundred of them this
// would not end within the deadline of a wait.
TEST_P(Reload, AU_68_AnUnchangedHashIsNotComputedAgain) {
  NUNCIO_OURS_ONLY();  // the reference hashes again
  const std::string stored = bcrypt("p", 10);
  const std::string config =
      users(fmt::format("{{user: anna, password: \"{}\"}}, {{user: bob, password: x}}", stored));
  start_config(config + "nuncio { credential_cache: false }\n");
  std::vector<Client> all;
  for (int i = 0; i < 5; ++i) all.push_back(as("anna"));
  for (int i = 0; i < 100; ++i) {
    server().reload_config(
        users(fmt::format("{{user: anna, password: \"{}\"}}, {{user: bob, password: x{}}}", stored, i)) +
        "nuncio { credential_cache: false }\n");
  }
  for (Client& one : all) one.ping();
}

TEST_P(Reload, AT_10_TheOldPasswordIsNotRemembered) {
  const std::string first = bcrypt("old");
  start_config(users(fmt::format("{{user: anna, password: \"{}\"}}", first)));
  for (int i = 0; i < 3; ++i) as("anna", "old");  // remembered
  server().reload_config(users(fmt::format("{{user: anna, password: \"{}\"}}", bcrypt("new"))));
  for (int i = 0; i < 3; ++i) client().connect_refused(user("anna", "old"));
  as("anna", "new");
  server().reload_config(users(fmt::format("{{user: berta, password: \"{}\"}}", first)));
  client().connect_refused(user("anna", "old"));
  as("berta", "old");  // the hash of another user now
}

// --- accounts ---

std::string two_accounts(std::string_view a, std::string_view b) {
  return fmt::format(R"(accounts {{
  A {{ users = [ {{user: a, password: p}} ], {} }}
  B {{ users = [ {{user: b, password: p}} ], {} }}
}})",
                     a, b);
}

TEST_P(Reload, AU_69_StreamImportsComeAndGo) {
  const std::string without = two_accounts(R"(exports: [ {stream: "ev.>"} ])", "");
  const std::string with = two_accounts(R"(exports: [ {stream: "ev.>"} ])",
                                        R"(imports: [ {stream: {account: A, subject: "ev.>"}} ])");
  const std::string elsewhere =
      two_accounts(R"(exports: [ {stream: "ev.>"} ])",
                   R"(imports: [ {stream: {account: A, subject: "ev.>"}, prefix: p} ])");
  start_config(without);
  Client a = as("a");
  Client literal = as_listener("b", "ev.x");
  Client wild = as_listener("b", "ev.*");
  Client prefixed = as_listener("b", "p.ev.x");
  struct Step {
    const std::string& config;
    bool is_plain, is_prefixed;
  };
  for (const Step& step : {Step{without, false, false}, Step{with, true, false}, Step{elsewhere, false, true},
                           Step{without, false, false}, Step{with, true, false}}) {
    server().reload_config(step.config);
    publish(a, "ev.x");
    EXPECT_EQ(literal.messages_until_pong().size(), step.is_plain ? 1u : 0u);
    EXPECT_EQ(wild.messages_until_pong().size(), step.is_plain ? 1u : 0u);
    EXPECT_EQ(prefixed.messages_until_pong().size(), step.is_prefixed ? 1u : 0u);
  }
}

TEST_P(Reload, AU_69_ServiceImportsComeAndGo) {
  const std::string without = two_accounts(R"(exports: [ {service: svc} ])", "");
  const std::string with = two_accounts(R"(exports: [ {service: svc} ])",
                                        R"(imports: [ {service: {account: A, subject: svc}, to: here} ])");
  start_config(without);
  Client service = as_listener("a", "svc");
  Client asker = as_listener("b", "inbox.*");
  for (int i = 0; i < 3; ++i) {
    asker.send("PUB here inbox.1 0\r\n\r\n");
    asker.ping();
    service.ping();
    server().reload_config(with);
    asker.send("PUB here inbox.1 0\r\n\r\n");
    asker.ping();
    publish(service, service.message().reply);
    asker.expect("MSG inbox.1 1 1\r\nx\r\n");
    server().reload_config(without);
  }
}

TEST_P(Reload, AU_69_AnAccountThatIsNew) {
  start_config("accounts { A { users = [ {user: a, password: p} ], exports: [ {stream: \"ev.>\"} ] } }");
  Client a = as_listener("a", ">");
  server().reload_config(two_accounts(R"(exports: [ {stream: "ev.>"} ])",
                                      R"(imports: [ {stream: {account: A, subject: "ev.>"}} ])"));
  Client b = as_listener("b", ">");
  Client publisher = as("a");
  publish(publisher, "ev.x");
  a.expect("MSG ev.x 1 1\r\nx\r\n");
  b.expect("MSG ev.x 1 1\r\nx\r\n");
  server().reload_config(
      "accounts { A { users = [ {user: a, password: p} ], exports: [ {stream: \"ev.>\"} ] } }");
  b.read_to_end();
  publish(publisher, "ev.x");
  a.expect("MSG ev.x 1 1\r\nx\r\n");
}

TEST_P(Reload, AU_69_MappingsOfAnAccountComeAndGo) {
  const auto config = [](std::string_view mappings) {
    return two_accounts(fmt::format("mappings = {{ {} }}", mappings), "");
  };
  start_config(config(""));
  Client listener = as_listener("a", ">");
  const auto publish_anew = [&](std::string_view subject) {
    Client one = as("a");
    publish(one, subject);
  };
  for (int i = 0; i < 3; ++i) {
    publish_anew("in");
    listener.expect("MSG in 1 1\r\nx\r\n");
    server().reload_config(config("in: out"));
    publish_anew("in");
    listener.expect("MSG out 1 1\r\nx\r\n");
    server().reload_config(config("in: other"));
    publish_anew("in");
    listener.expect("MSG other 1 1\r\nx\r\n");
    server().reload_config(config(""));
  }
}

TEST_P(Reload, AU_69_AU_56_MappingsComeAndGo) {
  NUNCIO_OURS_ONLY();  // 2.9.10 maps what the connected publish as before
  const std::string plain = users(both);
  start_config(plain);
  Client anna = as("anna");
  Client bob = as_listener("bob", ">");
  for (int i = 0; i < 3; ++i) {
    publish(anna, "in");
    bob.expect("MSG in 1 1\r\nx\r\n");
    server().reload_config(plain + "mappings = { in: out }\n");
    publish(anna, "in");
    bob.expect("MSG out 1 1\r\nx\r\n");
    server().reload_config(plain + "mappings = { in: other, \"w.*\": \"v.$1\" }\n");
    publish(anna, "in");
    bob.expect("MSG other 1 1\r\nx\r\n");
    publish(anna, "w.x");
    bob.expect("MSG v.x 1 1\r\nx\r\n");
    server().reload_config(plain);
  }
}

// 2.9.10 takes such a file on a reload, though not at the start.
TEST_P(Reload, AU_69_AT_30_APrivateExport) {
  NUNCIO_OURS_ONLY();
  const char* import = R"(imports: [ {stream: {account: A, subject: "ev.>"}} ])";
  start_config(two_accounts(R"(exports: [ {stream: "ev.>", accounts: [B]} ])", import));
  Client a = as("a");
  Client b = as_listener("b", "ev.x");
  // The importer is not admitted any more: the file does not load, and nothing changes.
  server().reload_refused(two_accounts(R"(exports: [ {stream: "ev.>", accounts: [C]} ])", import) +
                          "\naccounts: 7");
  publish(a, "ev.x");
  b.expect("MSG ev.x 1 1\r\nx\r\n");
  server().reload_config(two_accounts(R"(exports: [ {stream: "ev.>", accounts: [B]} ])", ""));
  publish(a, "ev.x");
  b.ping();
}

// A service may answer in a stream for ever: not through an import that is gone.
TEST_P(Reload, AU_69_AT_30_AnswersEndWithTheImport) {
  NUNCIO_OURS_ONLY();
  const std::string exports = R"(exports: [ {service: svc, response_type: stream} ])";
  start_config(two_accounts(exports, R"(imports: [ {service: {account: A, subject: svc}} ])"));
  Client service = as_listener("a", "svc");
  Client asker = as_listener("b", "inbox.*");
  asker.send("PUB svc inbox.1 0\r\n\r\n");
  asker.ping();
  const std::string reply = service.message().reply;
  publish(service, reply);
  asker.expect("MSG inbox.1 1 1\r\nx\r\n");
  server().reload_config(
      two_accounts(exports, R"(imports: [ {service: {account: A, subject: svc}} ], mappings: { q: r })"));
  publish(service, reply);
  asker.expect("MSG inbox.1 1 1\r\nx\r\n");
  server().reload_config(two_accounts(exports, ""));
  publish(service, reply);
  asker.ping();
}

// --- nothing by halves ---

TEST_P(Reload, AU_71_OP_35_AFileThatDoesNotLoadChangesNothing) {
  const std::string good = users("{user: anna, password: p}");
  start_config(good);
  Client anna = as_listener("anna", "x");
  for (const char* bad :
       {"authorization {",
        "authorization { users = [ {user: anna, password: new}, {user: anna, password: p} ] }",
        "max_payload: -5x\nauthorization { user: other, password: q }",
        "accounts { A { users = [ {user: b, password: q} ], imports: [ {stream: {account: NONE, subject: x}} "
        "] } }",
        "authorization { users = [ {user: b, password: q, permissions: {publish: \"a..b\"}} ] }"}) {
    SCOPED_TRACE(bad);
    EXPECT_FALSE(server().reload_refused(bad).empty());
    anna.ping();
    as("anna");
    client().connect_refused(user("other", "q"));
    client().connect_refused(user("b", "q"));
  }
  as("anna").send("PUB x 1\r\nx\r\n");
  anna.expect("MSG x 1 1\r\nx\r\n");
  server().reload_config(users("{user: anna, password: p}, {user: b, password: q}"));
  as("b", "q");
}

TEST_P(Reload, AU_71_AMissingFileChangesNothing) {
  start_config(users("{user: anna, password: p}"));
  Client anna = as("anna");
  const std::string path = server().config_file().path();
  ::unlink(path.c_str());
  server().signal(SIGHUP);
  server().wait_for_log("Failed to reload server configuration: ");
  anna.ping();
  as("anna");
}

TEST_P(Reload, OP_34_WhatCannotBeReloadedIsNamedAndNothingChanges) {
  start_config("server_name: first\n" + users("{user: anna, password: p}"));
  Client anna = as("anna");
  const std::string reason =
      server().reload_refused("server_name: second\n" + users("{user: anna, password: new}"));
  EXPECT_THAT(reason,
              testing::HasSubstr("config reload not supported for ServerName: old=first, new=second"));
  anna.ping();
  as("anna");
  client().connect_refused(user("anna", "new"));
  EXPECT_EQ(client().info().value("server_name", ""), "first");
}

TEST_P(Reload, OP_34_TheVerifiersThreadsStay) {
  NUNCIO_OURS_ONLY();
  start_config("nuncio { verifier_threads: 1 }\n" + users("{user: anna, password: p}"));
  Client anna = as("anna");
  const std::string reason =
      server().reload_refused("nuncio { verifier_threads: 2 }\n" + users("{user: anna, password: q}"));
  EXPECT_EQ(reason, "config reload not supported for VerifierThreads: old=1, new=2");
  anna.ping();
  as("anna");
}

TEST_P(Reload, OP_35_WhatChangedIsLogged) {
  start_config(users("{user: anna, password: p}") + "max_payload: 1000\n");
  server().reload_config(users("{user: anna, password: q}") + "max_payload: 2000\n");
  EXPECT_THAT(server().log(), testing::ContainsRegex("Reloaded: max_payload"));
  EXPECT_THAT(server().log(), testing::ContainsRegex("Reloaded: authorization"));
  EXPECT_THAT(server().log(), testing::Not(testing::HasSubstr("Reloaded: ping_interval")));
}

TEST_P(Reload, OP_33_LimitsOfTheConnected) {
  start_config("max_payload: 1000\nmax_control_line: 1024\n");
  Client one = connected();
  Client two = connected();
  one.send("PUB a 1001\r\n");
  one.expect_error_and_close("Maximum Payload Violation");
  server().reload_config("max_payload: 3000\nmax_control_line: 1024\n");
  EXPECT_EQ(client().info().value("max_payload", 0), 3000);
  Client three = connected();
  publish(three, "a", std::string(2500, 'x'));
  two.send(fmt::format("PUB a 2500\r\n{}\r\n", std::string(2500, 'x')));
  EXPECT_THAT(two.until_pong(),
              testing::AnyOf("", testing::StartsWith("INFO {")));  // those who are connected too
  server().reload_config("max_payload: 3000\nmax_control_line: 4096\n");
  Client four = connected();
  subscribe(four, "long." + std::string(2000, 'x'));
}

TEST_P(Reload, OP_33_SurplusConnectionsAreClosed) {
  start_config("max_connections: 10\n");
  std::vector<Client> all;
  for (int i = 0; i < 5; ++i) all.push_back(connected());
  server().reload_config("max_connections: 3\n");
  size_t closed = 0;
  for (Client& one : all) {
    one.send("PING\r\n");
    const std::string answer = one.line();
    if (answer == "PONG") continue;
    EXPECT_EQ(answer, "-ERR 'maximum connections exceeded'");
    ++closed;
  }
  EXPECT_EQ(closed, 2u);
  client().expect_error_and_close("maximum connections exceeded");
}

// The newest; the reference takes any.
TEST_P(Reload, OP_33_TheNewestConnectionsAreTheSurplus) {
  NUNCIO_OURS_ONLY();
  start_config("max_connections: 10\n");
  std::vector<Client> all;
  for (int i = 0; i < 6; ++i) all.push_back(connected());
  server().reload_config("max_connections: 2\n");
  for (size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    if (i < 2) {
      all[i].ping();
    } else {
      all[i].expect_error_and_close("maximum connections exceeded");
    }
  }
}

TEST_P(Reload, OP_33_PingInterval) {
  start_config("ping_interval: \"100s\"\nping_max: 2\n");
  server().reload_config("ping_interval: \"200ms\"\nping_max: 2\n");
  Client one = connected();
  one.expect("PING\r\nPING\r\n-ERR 'Stale Connection'\r\n");
  one.expect_closed();
}

TEST_P(Reload, OP_33_DebugAndTrace) {
  start_config("debug: false\ntrace: false\n");
  Client one = connected();
  publish(one, "before");
  server().reload_config("debug: true\ntrace: true\n");
  publish(one, "during");
  server().wait_for_log("[PUB during");
  server().reload_config("debug: false\ntrace: false\n");
  publish(one, "after");
  EXPECT_THAT(server().log(), testing::Not(testing::HasSubstr("[PUB before")));
  EXPECT_THAT(server().log(), testing::Not(testing::HasSubstr("[PUB after")));
}

TEST_P(Reload, OP_33_ThePidFile) {
  const TempDirectory directory;
  start_config(fmt::format("pid_file: \"{}\"\n", directory / "first"));
  server().reload_config(fmt::format("pid_file: \"{}\"\n", directory / "second"));
  EXPECT_EQ(read_file(directory / "second"), std::to_string(server().pid()));
}

TEST_P(Reload, AU_71_OP_35_ThePidFileStaysWithARefusedReload) {
  NUNCIO_OURS_ONLY();
  const TempDirectory directory;
  start_config(fmt::format("pid_file: \"{}\"\n", directory / "first"));
  EXPECT_THAT(
      server().reload_refused(fmt::format(
          "pid_file: \"{}\"\nnuncio {{ audit_log: \"/nonexistent/audit\" }}\n", directory / "second")),
      testing::HasSubstr("audit"));
  EXPECT_EQ(read_file(directory / "first"), std::to_string(server().pid()));
  EXPECT_NE(access((directory / "second").c_str(), F_OK), 0);
}

TEST_P(Reload, OP_33_TheTimeoutOfTheAuthorization) {
  start_config("authorization { user: anna, password: p, timeout: 100 }");
  server().reload_config("authorization { user: anna, password: p, timeout: 0.3 }");
  client().expect_error_and_close("Authentication Timeout");
}

TEST_P(Reload, AU_62_LimitsOfAnAccount) {
  const std::string config =
      "accounts {{ A {{ users = [ {{user: a, password: p}} ], limits: {{max_connections: {}}} }} }}";
  start_config(fmt::format(fmt::runtime(config), 1));
  Client one = as("a");
  server().reload_config(fmt::format(fmt::runtime(config), 2));
  Client two = as("a");
  one.ping();
  Client three = client();
  three.send("CONNECT {\"verbose\":false,\"user\":\"a\",\"pass\":\"p\"}\r\n");
  three.expect_error_and_close("maximum account active connections exceeded");
}

// Flags keep their say over what the file says now. 2.9.10 closes the clients of such a user.
TEST_P(Reload, OP_33_FlagsGoOverTheFileStill) {
  NUNCIO_OURS_ONLY();
  start_config("debug: false\n", {"--user", "anna", "--pass", "p"});
  Client anna = as("anna");
  server().reload_config("debug: true\n");
  anna.ping();
  as("anna");
  client().connect_refused(Json::object());
}

TEST_P(Reload, OP_33_BySignalReload) {
  start_config(users("{user: anna, password: p}"));
  server().config_file().write(users("{user: anna, password: new}"));
  EXPECT_EQ(run(server_binary(), {"--signal", fmt::format("reload={}", server().pid())}).exit_status, 0);
  server().wait_for_log("Reloaded server configuration");
  as("anna", "new");
}

TEST_P(Reload, OP_36_APlanTellsAndChangesNothing) {
  NUNCIO_OURS_ONLY();
  start_config(users("{user: anna, password: p}, {user: bob, password: p}") + "max_payload: 1000\n");
  Client anna = as_listener("anna", "gone.x");
  Client bob = as("bob");
  server().config_file().write(
      users("{user: anna, password: p, permissions: {subscribe: keep}}, {user: bob, password: n3w}") +
      "max_payload: 2000\n");
  const Finished plan = run(server_binary(), {"--reload-plan", std::to_string(server().pid())});
  EXPECT_EQ(plan.exit_status, 0) << plan.err;
  for (const char* text :
       {"max_payload = 2000", "\"anna\" would lose 1 subscription", "\"bob\" would be closed"})
    EXPECT_THAT(plan.out, testing::HasSubstr(text));
  EXPECT_THAT(plan.out, testing::Not(testing::HasSubstr("n3w")));
  anna.ping();
  bob.ping();
  as("bob");
  EXPECT_EQ(client().info().value("max_payload", 0), 1000);
}

}  // namespace
}  // namespace nuncio::test
