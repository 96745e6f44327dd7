// What a reload changes and what it cannot, by the names that nats-server 2.9.10 logs.
#include "core/config/reload_plan.h"

#include "tests/core/config_files.h"

namespace nuncio::config {
namespace {

class ConfigReloadPlan : public ConfigFiles {
 protected:
  ReloadPlan plan(const std::string& before, const std::string& after, bool secrets_differ = false,
                  bool tls_files_differ = false) {
    auto running = load(before), wanted = load(after);
    EXPECT_THAT(running.errors, IsEmpty());
    EXPECT_THAT(wanted.errors, IsEmpty());
    running.options.authorization.clear_secrets();
    return plan_reload(running.options, wanted.options, secrets_differ, tls_files_differ);
  }
  std::vector<std::string> changed(const std::string& before, const std::string& after,
                                   bool secrets_differ = false) {
    const auto found = plan(before, after, secrets_differ);
    EXPECT_THAT(found.refused, IsEmpty());
    return found.changed;
  }
};

TEST_F(ConfigReloadPlan, OP_35_NothingChangedIsNothingSaid) {
  const std::string full = R"(
    host: localhost, port: -1, max_payload: 1000
    authorization { users: [{user: a, password: "x", permissions: {publish: [a, b], allow_responses: true}}] }
    accounts { A { users: [{user: b, password: "x"}], exports: [{stream: s}], mappings: {a: b} },
               B { imports: [{stream: {account: A, subject: s}}] } })";
  EXPECT_THAT(changed(full, full), IsEmpty());
  EXPECT_THAT(changed(full, "# other lines\n\n" + full), IsEmpty());
  EXPECT_THAT(
      changed("authorization { user: a, password: \"x\" }", "authorization { user: a, password: \"y\" }"),
      IsEmpty())
      << "secrets are the caller's business";
}

TEST_F(ConfigReloadPlan, OP_33_EachReloadableOptionByItsName) {
  for (const auto& [text, name] :
       {std::pair("debug: true", "debug = true"),
        {"trace: true", "trace = true"},
        {"logtime: false", "logtime = false"},
        {"logtime_utc: true", "logtime_utc = true"},
        {"log_file: \"x.log\"", "log_file = x.log"},
        {"syslog: true", "syslog = true"},
        {"max_traced_msg_len: 5", "max_traced_msg_len = 5"},
        {"max_connections: 10", "max_connections = 10"},
        {"max_subscriptions: 10", "max_subscriptions = 10"},
        {"max_sub_tokens: 10", "max_sub_tokens = 10"},
        {"max_control_line: 1024", "max_control_line = 1024"},
        {"max_payload: 1024", "max_payload = 1024"},
        {"max_pending: 10mb", "max_pending = 10485760"},
        {"write_deadline: \"5s\"", "write_deadline = 5s"},
        {"ping_interval: \"5s\"", "ping_interval = 5s"},
        {"ping_max: 5", "ping_max = 5"},
        {"disable_short_first_ping: true", "disable_short_first_ping = true"},
        {"no_fast_producer_stall: true", "no_fast_producer_stall = true"},
        {"client_advertise: \"a:1\"", "client_advertise = a:1"},
        {"client_advertise: a", "client_advertise = a"},
        {"pid_file: \"x.pid\"", "pid_file = x.pid"},
        {"pid_file: \"x\\ny\"", "pid_file = \"x\\ny\""},
        {"authorization { timeout: 0.5 }", "authorization timeout = 0.5"},
        {"authorization { timeout: 3 }", "authorization timeout = 3"},
        {"accounts { A {} }", "accounts"},
        {"mappings { a: b }", "accounts"},
        {"nuncio { audit_log: syslog }", "audit_log = syslog"},
        {"nuncio { login_backoff: false }", "login_backoff = false"},
        {"nuncio { login_backoff { failures: 3 } }", "login_backoff = failures 3, wait 1s, wait_max 1m0s"}}) {
    EXPECT_THAT(changed("", text), ElementsAre(name)) << text;
  }
}

TEST_F(ConfigReloadPlan, OP_34_WhatCannotChangeIsRefusedByName) {
  const std::string not_supported = "config reload not supported for ";
  for (const auto& [text, name] :
       {std::pair("host: localhost", "Host: old=0.0.0.0, new=localhost"),
        {"port: 4333", "Port: old=4222, new=4333"},
        {"server_name: x", "ServerName: old=, new=x"},
        {"no_header_support: true", "NoHeaderSupport: old=false, new=true"},
        {"system_account: \"$SYS\"", "SystemAccount: old=, new=$SYS"},
        {"ports_file_dir: d", "PortsFileDir: old=, new=d"},
        {"nuncio { workers: 2 }", "Workers: old=0, new=2"},
        {"nuncio { io_backend: epoll }", "IoBackend: old=auto, new=epoll"},
        {"nuncio { verifier_threads: 2 }", "VerifierThreads: old=0, new=2"},
        {"nuncio { credential_cache: false }", "CredentialCache: old=true, new=false"},
        {"nuncio { credential_cache_ttl: \"1m\" }", "CredentialCacheTTL: old=10m0s, new=1m0s"}}) {
    const auto found = plan("", text);
    EXPECT_THAT(found.refused, ElementsAre(not_supported + name)) << text;
    EXPECT_THAT(found.changed, IsEmpty()) << text;
  }
  EXPECT_THAT(plan("", "host: localhost, port: 1, debug: true").refused, SizeIs(2));
}

// Lines and refusals as of nats-server 2.9.10; those about handshake_first as of later ones.
TEST_F(ConfigReloadPlan, OP_33_TlsIsSwitchedAndChanged) {
  const auto tls = [](const std::string& rest) {
    return "tls { cert_file: c, key_file: k, ca_file: ca, verify: true" + rest + " }";
  };
  const std::string other_pair = "tls { cert_file: d, key_file: k, ca_file: ca, verify: true }";
  const std::string pin = ", pinned_certs: [" + std::string(64, 'a') + "]";
  EXPECT_THAT(changed("", tls("")), ElementsAre("authorization timeout = 3", "tls = enabled"));
  EXPECT_THAT(changed(tls(""), ""), ElementsAre("authorization timeout = 2", "tls = disabled"));
  EXPECT_THAT(changed(tls(""), "\n\n" + tls("")), IsEmpty());
  EXPECT_THAT(changed(tls(", timeout: 2"), tls(", timeout: 2.5")),
              ElementsAre("authorization timeout = 3.5", "tls timeout = 2.5"));
  EXPECT_THAT(changed(tls(""), other_pair), ElementsAre("tls = enabled"));
  for (const std::string rest :
       {", min_version: \"1.3\"", ", curve_preferences: [X25519]",
        ", cipher_suites: [TLS_AES_128_GCM_SHA256]", "\n}\nnuncio { tls_revocation_file: crl"})
    EXPECT_THAT(changed(tls(""), tls(rest)), ElementsAre("tls = enabled")) << rest;
  EXPECT_THAT(changed(tls(""), "tls { cert_file: c, key_file: k, ca_file: ca }"),
              ElementsAre("tls = enabled"));
  EXPECT_THAT(changed(tls(""), tls(pin)), ElementsAre("1 pinned_certs"));
  EXPECT_THAT(changed(tls(pin), tls("")), ElementsAre("0 pinned_certs"));
  EXPECT_THAT(
      changed(tls(""), tls(", handshake_first: auto")),
      ElementsAre("Client TLS handshake first: true", "Client TLS handshake first fallback delay: 50ms"));
}

TEST_F(ConfigReloadPlan, OP_37_OtherContentsOfFilesAreAChange) {
  const std::string tls = "tls { cert_file: c, key_file: k }";
  EXPECT_THAT(plan(tls, tls, false, true).changed, ElementsAre("tls = enabled"));
  EXPECT_THAT(plan(tls, tls, false, false).changed, IsEmpty());
  EXPECT_THAT(plan(tls, "", false, true).changed, ElementsAre("authorization timeout = 2", "tls = disabled"));
}

TEST_F(ConfigReloadPlan, OP_34_WhatOfTlsCannotChange) {
  const std::string users = "\nauthorization { users: [{user: a, password: \"x\"}], timeout: 3 }";
  const auto refused = [&](const std::string& before, const std::string& after) {
    const auto found = plan(before + users, after + users);
    return found.refused;
  };
  const std::string not_supported = "config reload not supported for ";
  EXPECT_THAT(refused("tls { cert_file: c, key_file: k, ca_file: ca, verify: true }",
                      "tls { cert_file: c, key_file: k, ca_file: ca, verify_and_map: true }"),
              ElementsAre(not_supported + "TLSMap: old=false, new=true"));
  EXPECT_THAT(refused("tls { cert_file: c, key_file: k }",
                      "tls { cert_file: c, key_file: k, connection_rate_limit: 5 }"),
              ElementsAre(not_supported + "TLSRateLimit: old=0, new=5"));
  EXPECT_THAT(
      refused("tls { cert_file: c, key_file: k }", "tls { cert_file: c, key_file: k }\nallow_non_tls: true"),
      ElementsAre(not_supported + "AllowNonTLS: old=false, new=true"));
}

TEST_F(ConfigReloadPlan, OP_35_TheSingleUserAndTokens) {
  const std::string user = "authorization { user: a, password: \"x\" }";
  EXPECT_THAT(changed("", user, true), ElementsAre("authorization username", "authorization password"));
  EXPECT_THAT(changed(user, "authorization { user: c, password: \"x\" }"),
              ElementsAre("authorization username"));
  EXPECT_THAT(changed(user, user, true), ElementsAre("authorization password"));
  EXPECT_THAT(changed(user, "authorization { user: a, password: \"x\", permissions: {publish: p} }"),
              ElementsAre("authorization permissions"));
  const std::string token = "authorization { token: \"x\" }";
  EXPECT_THAT(changed(token, token, true), ElementsAre("authorization token"));
  EXPECT_THAT(changed(token, "authorization { tokens: [\"x\", \"y\"] }"), ElementsAre("authorization token"));
  EXPECT_THAT(
      changed(token, "authorization { tokens: [{token: \"x\", not_after: \"2030-01-01T00:00:00Z\"}] }"),
      ElementsAre("authorization token"));
  EXPECT_THAT(changed(user, token, true),
              ElementsAre("authorization username", "authorization password", "authorization token"));
}

TEST_F(ConfigReloadPlan, OP_35_UsersAndNkeys) {
  const auto users = [](const std::string& list) { return "authorization { users: [" + list + "] }"; };
  const std::string a = "{user: a, password: \"x\"}", b = "{user: b, password: \"x\"}";
  const std::string nkey = "{nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4}";
  EXPECT_THAT(changed(users(a), users(a + ", " + b)), ElementsAre("authorization users"));
  EXPECT_THAT(changed(users(a + ", " + b), users(b + ", " + a)), IsEmpty()) << "their order means nothing";
  EXPECT_THAT(changed(users(a), users(a), true), ElementsAre("authorization users"));
  EXPECT_THAT(changed(users(a), users("{user: a, passwords: [\"x\", \"y\"]}")),
              ElementsAre("authorization users"));
  EXPECT_THAT(changed(users(a), users("{user: a, password: \"x\", clients: standard}")),
              ElementsAre("authorization users"));
  EXPECT_THAT(changed(users(a), users("{user: a, password: \"x\", permissions: {subscribe: {deny: d}}}")),
              ElementsAre("authorization users"));
  EXPECT_THAT(changed(users(a), users(a + ", " + nkey)), ElementsAre("authorization nkey users"));
  EXPECT_THAT(changed(users(a), users(a) + "\nno_auth_user: a"), ElementsAre("no_auth_user = a"));
  const auto responses = [&](const std::string& max) {
    return users("{user: a, password: \"x\", permissions: {allow_responses: {max: " + max + "}}}");
  };
  EXPECT_THAT(changed(responses("1"), responses("2")), ElementsAre("authorization users"));
}

TEST_F(ConfigReloadPlan, OP_35_Accounts) {
  const auto accounts = [](const std::string& a) { return "accounts { A { " + a + " }, B {} }"; };
  const std::string base = accounts("");
  EXPECT_THAT(changed(base, "accounts { B {}, A {} }"), IsEmpty());
  for (const char* text :
       {"limits { max_conn: 5 }", "limits { max_subs: 5 }", "limits { max_payload: 5 }",
        "exports: [{stream: s}]", "imports: [{stream: {account: B, subject: s}}]", "mappings { a: b }"}) {
    EXPECT_THAT(changed(base, accounts(text)), ElementsAre("accounts")) << text;
  }
  for (const auto& [before, after] :
       {std::pair("exports: [{stream: s}]", "exports: [{service: s}]"),
        {"exports: [{service: s}]", "exports: [{service: s, accounts: [B]}]"},
        {"exports: [{service: s}]", "exports: [{service: s, response_type: stream}]"},
        {"exports: [{service: s}]", "exports: [{service: s, threshold: \"1s\"}]"},
        {"imports: [{service: {account: B, subject: s}}]",
         "imports: [{service: {account: B, subject: s}, to: t}]"},
        {"imports: [{service: {account: B, subject: s}}]",
         "imports: [{service: {account: B, subject: s}, share: true}]"},
        {"mappings {a: b}", "mappings {a: [{destination: b, weight: 50}]}"}}) {
    EXPECT_THAT(changed(accounts(before), accounts(after)), ElementsAre("accounts")) << after;
  }
  const std::string user = "users: [{user: a, password: \"x\"}]";
  EXPECT_THAT(changed("accounts { A { " + user + " }, B {} }", "accounts { A {}, B { " + user + " } }"),
              ElementsAre("authorization users"));
}

}  // namespace
}  // namespace nuncio::config
