// Accounts: their users, limits, mappings, and what they export and import.
#include "tests/core/config_files.h"

namespace nuncio::config {
namespace {

using std::chrono::seconds;
using Response = ExportOptions::Response;

class ConfigAccounts : public ConfigFiles {
 protected:
  LoadedOptions load_account(const std::string& text) { return load("accounts { A { " + text + " } }"); }
  AccountOptions account(const std::string& text) {
    const auto loaded = load("accounts { A { " + text +
                             " }, B { exports: [{stream: \"s.>\"}, {service: q}, {service: r}] }, C {} }");
    EXPECT_THAT(loaded.errors, IsEmpty()) << text;
    return loaded.options.accounts.empty() ? AccountOptions() : loaded.options.accounts[0];
  }
};

TEST_F(ConfigAccounts, CF_53_AMapOfAccountsAndAListOfNames) {
  const auto map = load("accounts { A {}, \"b c\" { users: [{user: u, password: \"x\"}] } }");
  EXPECT_THAT(map.errors, IsEmpty());
  ASSERT_EQ(map.options.accounts.size(), 2u);
  EXPECT_EQ(map.options.accounts[0].name, "A");
  EXPECT_THAT(map.options.accounts[0].position, HasSubstr("t.conf:1:12"));
  EXPECT_EQ(map.options.accounts[1].name, "b c");
  EXPECT_EQ(map.options.authorization.users.at(0).account, "b c");
  const auto list = load("accounts: [A, B]");
  EXPECT_THAT(list.errors, IsEmpty());
  EXPECT_EQ(list.options.accounts.at(1).name, "B");
  EXPECT_THAT(list.warnings, ElementsAre(HasSubstr("there are no users: everybody may connect")));

  EXPECT_THAT(load("accounts: [A, A]").errors, ElementsAre("t.conf:1:15: Duplicate Account Entry: \"A\""));
  EXPECT_THAT(load("accounts: A").errors, ElementsAre(HasSubstr("expected a map or an array of names")));
  EXPECT_THAT(load("accounts { A: 1 }").errors, ElementsAre(HasSubstr("Expected map entries for accounts")));
  EXPECT_THAT(load("accounts { A { uzers: 1 } }").errors, ElementsAre(HasSubstr("did you mean \"users\"")));
}

TEST_F(ConfigAccounts, AU_58_TheDefaultAccountIsReserved) {
  EXPECT_THAT(load("accounts { \"$G\" {} }").errors,
              ElementsAre("t.conf:1:12: \"$G\" is a Reserved Account"));
  EXPECT_THAT(load("accounts: [\"$G\"]").errors, ElementsAre(HasSubstr("\"$G\" is a Reserved Account")));
  EXPECT_THAT(load("accounts: [\"$SYS\"]").errors, IsEmpty());
  EXPECT_THAT(load("accounts { \"\" {} }").errors, ElementsAre(HasSubstr("the name of an account is empty")));
}

TEST_F(ConfigAccounts, CF_53_UsersAndTheirDefaultPermissions) {
  const auto loaded = load(R"(
    authorization { users: [{user: g, password: "x"}], default_permissions: {publish: g} }
    accounts {
      A { users: [{user: a, password: "x"}, {user: b, password: "x", permissions: {publish: b}}],
          default_permissions: {publish: a} }
      B { users: [{user: c, password: "x"}] }
    })");
  ASSERT_THAT(loaded.errors, IsEmpty());
  const auto& users = loaded.options.authorization.users;
  ASSERT_EQ(users.size(), 4u);
  const auto shown = [](const UserOptions& user) {
    return user.account + " " + user.name + " " +
           (user.permissions ? user.permissions->publish.allow->at(0) : "-");
  };
  EXPECT_EQ(shown(users[0]), "$G g g");
  EXPECT_EQ(shown(users[1]), "A a a");
  EXPECT_EQ(shown(users[2]), "A b b");
  EXPECT_EQ(shown(users[3]), "B c -");
}

TEST_F(ConfigAccounts, CF_42_UsersOfAccountsExcludeOtherWaysToLogInWhateverComesFirst) {
  const std::string accounts = "accounts { A { users: [{user: a, password: \"x\"}] } }\n";
  for (const auto& [block, text] :
       {std::pair("authorization { user: b, password: \"x\" }\n",
                  "Can not have a single user/pass and a users array"),
        {"authorization { password: \"x\" }\n", "Can not have a single user/pass and a users array"},
        {"authorization { token: \"x\" }\n", "Can not have a token and a users array"}}) {
    EXPECT_THAT(load(accounts + block).errors, ElementsAre(HasSubstr(text)));
    EXPECT_THAT(load(block + accounts).errors, ElementsAre(HasSubstr(text)));
  }
  EXPECT_THAT(load(accounts + "authorization { timeout: 1 }").errors, IsEmpty());
  EXPECT_THAT(load(accounts, {"--auth", "t"}).errors,
              ElementsAre(HasSubstr("Can not have a token and a users array")));
  EXPECT_THAT(load(accounts, {"--user", "t"}).warnings,
              ::testing::Contains(HasSubstr("--user and --pass are ignored")));
}

TEST_F(ConfigAccounts, CF_43_UsersAreUniqueAcrossAccounts) {
  EXPECT_THAT(load("accounts { A { users: [{user: a}] }, B { users: [{user: a}] } }").errors,
              ElementsAre(HasSubstr("Duplicate user \"a\" detected (the first is at")));
  EXPECT_THAT(load("authorization { users: [{user: a}] }, accounts { A { users: [{user: a}] } }").errors,
              ElementsAre(HasSubstr("Duplicate user \"a\" detected")));
}

TEST_F(ConfigAccounts, CF_46_EmptyUsersAreRefusedWhenThereAreNoOthers) {
  EXPECT_THAT(load_account("users: []").errors, ElementsAre(HasSubstr("would let everybody in")));
  EXPECT_THAT(load("accounts { A { users: [] }, B { users: [{user: a, password: \"x\"}] } }").errors,
              IsEmpty());
  EXPECT_THAT(load("accounts { A { users: [] } }, authorization { token: \"x\" }").errors, IsEmpty());
}

TEST_F(ConfigAccounts, AU_16_NoAuthUserMayBelongToAnAccount) {
  EXPECT_THAT(load("no_auth_user: a, accounts { A { users: [{user: a, password: \"x\"}] } }").errors,
              IsEmpty());
  EXPECT_THAT(load("no_auth_user: b, accounts { A { users: [{user: a, password: \"x\"}] } }").errors,
              ElementsAre(HasSubstr("no_auth_user: \"b\" not present")));
}

TEST_F(ConfigAccounts, AU_62_Limits) {
  const auto limited = account("limits {max_connections: 1, max_subs: -5, max_pay: 3, max_leafnodes: -1}");
  EXPECT_EQ(limited.connections_max, 1);
  EXPECT_EQ(limited.subscriptions_max, -1);
  EXPECT_EQ(limited.payload_max, 3);
  const auto other = account("limits {max_conn: 0, max_subscriptions: 2, max_payload: 3}");
  EXPECT_EQ(other.connections_max, 0);
  EXPECT_EQ(other.subscriptions_max, 2);
  EXPECT_EQ(account("").connections_max, -1);
  EXPECT_THAT(load_account("limits {max_conn: \"1\"}").errors, ElementsAre(HasSubstr("expected a number")));
  EXPECT_THAT(load_account("limits {foo: 1}").errors, ElementsAre(HasSubstr("unknown field \"foo\"")));
  EXPECT_THAT(load_account("limits: 1").errors, ElementsAre(HasSubstr("expected a map")));
}

TEST_F(ConfigAccounts, AU_59_Exports) {
  const auto exports = account(R"(exports: [
      {stream: "s.>"}
      {service: q, accounts: [B, C], response_type: Stream, threshold: "2s"}
      {service: "z.*", account_token_position: 2, response: chunked}
      {accounts: [B], stream: t}])")
                           .exports;
  ASSERT_EQ(exports.size(), 4u);
  EXPECT_TRUE(!exports[0].is_service && exports[0].is_public && exports[0].subject == "s.>");
  EXPECT_THAT(exports[0].position, HasSubstr("t.conf:2:16"));
  EXPECT_TRUE(exports[1].is_service && !exports[1].is_public);
  EXPECT_THAT(exports[1].accounts, ElementsAre("B", "C"));
  EXPECT_EQ(exports[1].response, Response::stream);
  EXPECT_EQ(exports[1].response_threshold, seconds(2));
  EXPECT_EQ(exports[2].account_token_position, 2u);
  EXPECT_EQ(exports[2].response, Response::chunked);
  EXPECT_EQ(exports[2].response_threshold, seconds(120));
  EXPECT_THAT(exports[3].accounts, ElementsAre("B"));
}

TEST_F(ConfigAccounts, AU_59_MistakesInExports) {
  for (const auto& [text, expected] :
       {std::pair("{}", "Exports should be an array"),
        {"[x]", "Export Items should be a map with type entry"},
        {"[{}]", "an export requires a stream or a service"},
        {"[{stream: x, service: y}]", "Detected service but already saw a stream"},
        {"[{stream: x, response_type: Stream}]", "Detected response directive on non-service"},
        {"[{threshold: \"1s\", stream: x}]", "Detected response directive on non-service"},
        {"[{service: x, response_type: foo}]", "Unknown response type: \"foo\""},
        {"[{service: x, threshold: 5}]", "Expected response threshold to be a parseable time duration"},
        {"[{service: x, threshold: foo}]", "error parsing threshold"},
        {"[{stream: x, accounts: B}]", "Expected accounts to be an array"},
        {"[{stream: x, accounts: []}]", "which nats-server takes for everybody"},
        {"[{service: x, latency: lat}]", "\"latency\" is not supported"},
        {"[{service: x, account_token_position: \"2\"}]", "expected a number"},
        {"[{stream: 1}]", "expected a string"},
        {"[{stream: x, foo: 1}]", "unknown field \"foo\""}}) {
    EXPECT_THAT(load_account("exports: " + std::string(text)).errors, ElementsAre(HasSubstr(expected)))
        << text;
  }
}

TEST_F(ConfigAccounts, AU_60_Imports) {
  const auto imports = account(R"(imports: [
      {stream: {account: B, subject: "s.*"}}
      {stream: {account: B, subject: "s.a.*"}, prefix: p}
      {prefix: "p.", stream: {account: B, subject: "s.b"}}
      {stream: {subject: "s.c.*", account: B}, to: "t.$1"}
      {service: {account: B, subject: q}, to: u, share: true}
      {service: {account: B, subject: r}}])")
                           .imports;
  ASSERT_EQ(imports.size(), 6u);
  EXPECT_EQ(imports[0].to, "");
  EXPECT_EQ(imports[0].account + " " + imports[0].subject, "B s.*");
  EXPECT_EQ(imports[1].to, "p.s.a.*");
  EXPECT_EQ(imports[2].to, "p.s.b");
  EXPECT_EQ(imports[3].to, "t.$1");
  EXPECT_TRUE(imports[4].is_service && imports[4].shares_client && imports[4].to == "u");
  EXPECT_TRUE(imports[5].is_service && !imports[5].shares_client && imports[5].to.empty());
  EXPECT_THAT(load_account("imports: [{service: {account: B, subject: q}, prefix: p}]").warnings,
              ::testing::Contains(HasSubstr("\"prefix\" has no effect on the import of a service")));
  EXPECT_THAT(load_account("imports: [{stream: {account: B, subject: q}, share: true}]").warnings,
              ::testing::Contains(HasSubstr("\"share\" has no effect on the import of a stream")));
}

TEST_F(ConfigAccounts, AU_60_MistakesInImports) {
  for (const auto& [text, expected] :
       {std::pair("{}", "Imports should be an array"),
        {"[x]", "Import Items should be a map with type entry"},
        {"[{to: x}]", "an import requires a stream or a service"},
        {"[{service: x}]", "Service entry should be an account map, got a string"},
        {"[{stream: x}]", "Stream entry should be an account map, got a string"},
        {"[{service: {account: B}}]", "Expect an account name and a subject"},
        {"[{service: {account: B, subject: x, foo: 1}}]", "unknown field \"foo\""},
        {"[{service: {account: B, subject: x}, stream: {account: B, subject: x}}]",
         "Detected service but already"},
        {"[{stream: {account: B, subject: x}, prefix: p, to: q}]",
         "can not have a 'prefix' and a 'to' property"},
        {"[{service: {account: B, subject: x}, share: 1}]", "expected true or false"}}) {
    EXPECT_THAT(load_account("imports: " + std::string(text)).errors, ElementsAre(HasSubstr(expected)))
        << text << ", and nothing that only follows from it";
  }
}

TEST_F(ConfigAccounts, AU_60_RefusedAccountsAreNotJudgedFurther) {
  const auto loaded = load("system_account: A, accounts { A { exports: [{}] }, B {} }");
  EXPECT_THAT(loaded.errors, SizeIs(1));
  EXPECT_THAT(loaded.options.accounts, IsEmpty());
  EXPECT_EQ(loaded.options.system_account, "");
}

TEST_F(ConfigAccounts, AU_63_Mappings) {
  const auto mappings = account(R"(mappings {
      foo: bar
      "a.*.*": "b.$2.{{wildcard(1)}}"
      w: [{destination: w1, weight: 40%}, {dest: w2, weight: "60"}, {destination: w3, weight: 100, cluster: east}]
      one { destination: two, weight: 5 }
      none: []
    })")
                            .mappings;
  ASSERT_EQ(mappings.size(), 4u);
  EXPECT_EQ(mappings[0].source, "foo");
  EXPECT_EQ(mappings[0].destinations.at(0).subject, "bar");
  EXPECT_EQ(mappings[0].destinations.at(0).weight, 100u);
  EXPECT_EQ(mappings[1].source, "a.*.*");
  EXPECT_EQ(mappings[1].destinations.at(0).subject, "b.$2.{{wildcard(1)}}");
  ASSERT_EQ(mappings[2].destinations.size(), 3u);
  EXPECT_EQ(mappings[2].destinations[0].weight, 40u);
  EXPECT_EQ(mappings[2].destinations[1].subject, "w2");
  EXPECT_EQ(mappings[2].destinations[1].weight, 60u);
  EXPECT_EQ(mappings[2].destinations[2].cluster, "east");
  EXPECT_EQ(mappings[3].destinations.at(0).weight, 5u);
  EXPECT_EQ(account("maps { x: y }").mappings.size(), 1u);
}

TEST_F(ConfigAccounts, AU_63_MappingsOfTheDefaultAccount) {
  for (const char* name : {"mappings", "maps"}) {
    const auto loaded = load("accounts { A {} }\n" + std::string(name) + " { x: y }");
    ASSERT_THAT(loaded.errors, IsEmpty());
    ASSERT_EQ(loaded.options.accounts.size(), 2u);
    EXPECT_EQ(loaded.options.accounts[1].name, "$G");
    EXPECT_EQ(loaded.options.accounts[1].mappings.at(0).source, "x");
  }
}

TEST_F(ConfigAccounts, AU_63_MistakesInMappings) {
  for (const auto& [text, expected] :
       {std::pair("{foo: [{destination: bar}]}", "Missing weight for mapping destination \"bar\""),
        {"{foo: {destination: bar}}", "Missing weight for mapping destination \"bar\""},
        {"{foo: [{weight: 40}]}", "Missing destination"},
        {"{foo: [{destination: bar, weight: 101}]}", "Invalid weight for mapping destination"},
        {"{foo: [{destination: bar, weight: -1}]}", "Invalid weight for mapping destination"},
        {"{foo: [{destination: bar, weight: x}]}", "Invalid weight for mapping destination"},
        {"{foo: [{destination: bar, weight: \"5%%\"}]}", "Invalid weight for mapping destination"},
        {"{foo: [{destination: bar, weight: 1.5}]}", "expected a string for \"weight\""},
        {"{foo: [bar]}", "Expected an entry for the mapping destination"},
        {"{foo: 1}", "Expected an entry for the mapping destination"},
        {"{\"foo..x\": bar}", "Subject \"foo..x\" is not a valid subject"},
        {"1", "expected a map"}}) {
    EXPECT_THAT(load_account("mappings: " + std::string(text)).errors, ElementsAre(HasSubstr(expected)))
        << text;
  }
}

TEST_F(ConfigAccounts, CF_53_TheRestOfAnAccount) {
  EXPECT_THAT(load_account("nkey: ADECCNBUEBWZ727OMBFSN7OMK2FPYRM52TJS25TFQWYS76NPOJBN3KU4").errors,
              IsEmpty());
  EXPECT_THAT(load_account("nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4").errors,
              ElementsAre(HasSubstr("Not a valid public nkey for an account")));
  EXPECT_THAT(all(load_account("nkey: SAAGNJOZTRPYYXG2NJX3ZNGXYUSDYX2BWO447W3SHG6XQ7U66RWHQ3JUXM")),
              Not(HasSubstr("SAAGN")))
      << "a seed";
  for (const char* text : {"jetstream: false", "jetstream: disabled"})
    EXPECT_THAT(load_account(text).errors, IsEmpty()) << text;
  for (const char* text :
       {"jetstream: true", "jetstream: enabled", "jetstream {max_mem: 1}", "msg_trace {dest: x}"})
    EXPECT_THAT(load_account(text).errors, ElementsAre(HasSubstr("is not supported"))) << text;
}

TEST_F(ConfigAccounts, CF_53_TheSystemAccount) {
  for (const char* name : {"system_account", "system"})
    EXPECT_EQ(load(std::string(name) + ": A, accounts { A {} }").options.system_account, "A");
  EXPECT_THAT(load("system_account: 1").errors, ElementsAre(HasSubstr("expected a string")));
  for (const char* name : {"no_system_account", "no_system", "no_sys_acc"}) {
    EXPECT_THAT(load(std::string(name) + ": true").errors, IsEmpty());
    EXPECT_THAT(load(std::string(name) + ": 1").errors, ElementsAre(HasSubstr("expected true or false")));
  }
}

TEST_F(ConfigAccounts, CF_29_VariablesAreNoAccounts) {
  const auto loaded = load("accounts { X: {users: [{user: a, password: \"x\"}]}, A: $X }");
  EXPECT_THAT(loaded.errors, IsEmpty());
  ASSERT_EQ(loaded.options.accounts.size(), 1u);
  EXPECT_EQ(loaded.options.authorization.users.at(0).account, "A");
  EXPECT_THAT(load("accounts { X: 5, A { limits { max_conn: $X } } }").errors, IsEmpty());
}

TEST_F(ConfigAccounts, CF_38_TheDigestDependsOnAccountsToo) {
  const auto digest = [this](const std::string& text) { return load(text).options.config_digest; };
  EXPECT_NE(digest("accounts { A {} }"), digest("accounts { B {} }"));
  EXPECT_NE(digest("accounts { A {mappings {a: b}} }"), digest("accounts { A {mappings {a: c}} }"));
  EXPECT_NE(digest("accounts { A {mappings {a: b}} }"), digest("accounts { A {mappings {c: b}} }"));
  EXPECT_NE(digest("accounts { A {exports: [{stream: b}]} }"),
            digest("accounts { A {exports: [{service: b}]} }"));
}

}  // namespace
}  // namespace nuncio::config
