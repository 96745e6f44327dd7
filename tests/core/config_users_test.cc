// Users and what they may do: permissions in all their forms, nkeys, connection types.
#include "tests/core/config_files.h"

namespace nuncio::config {
namespace {

const std::string nkey = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

class ConfigUsers : public ConfigFiles {
 protected:
  LoadedOptions load_users(const std::string& users) {
    return load("authorization { users: [" + users + "] }");
  }
  LoadedOptions load_permissions(const std::string& permissions) {
    return load_users("{user: a, password: \"x\", permissions: " + permissions + "}");
  }
  PermissionOptions permissions(const std::string& text) {
    const auto loaded = load_permissions(text);
    EXPECT_THAT(loaded.errors, IsEmpty()) << text;
    const auto& users = loaded.options.authorization.users;
    return users.size() == 1 && users[0].permissions ? *users[0].permissions : PermissionOptions();
  }
};

TEST_F(ConfigUsers, CF_49_ASubjectAListAndAMapOfAllowAndDeny) {
  const auto all =
      permissions("{publish: foo, subscribe: {allow: [\"a.*\", \"b v1\", \"c \\t v1.>\"], deny: d}}");
  EXPECT_THAT(all.publish.allow.value(), ElementsAre("foo"));
  EXPECT_THAT(all.publish.deny, IsEmpty());
  EXPECT_THAT(all.subscribe.allow.value(), ElementsAre("a.*", "b v1", "c v1.>"));
  EXPECT_THAT(all.subscribe.deny, ElementsAre("d"));
  EXPECT_FALSE(all.responses);
  const auto list = permissions("{pub: [\"a\", \"b.>\"], sub: {deny: [\"x\", \"y q\"]}}");
  EXPECT_THAT(list.publish.allow.value(), ElementsAre("a", "b.>"));
  EXPECT_FALSE(list.subscribe.allow);
  EXPECT_THAT(list.subscribe.deny, ElementsAre("x", "y q"));
  const auto route = permissions("{import: a, export: b}");
  EXPECT_THAT(route.publish.allow.value(), ElementsAre("a"));
  EXPECT_THAT(route.subscribe.allow.value(), ElementsAre("b"));
  const auto nothing = permissions("{publish: {}, subscribe: {deny: []}}");
  EXPECT_FALSE(nothing.publish.allow || nothing.subscribe.allow);
}

TEST_F(ConfigUsers, CF_49_PermissionsGoByEachOfTheirNames) {
  for (const char* name : {"permissions", "permission", "authorization"}) {
    const auto loaded = load_users("{user: a, password: \"x\", " + std::string(name) + ": {publish: p}}");
    ASSERT_THAT(loaded.errors, IsEmpty()) << name;
    EXPECT_THAT(loaded.options.authorization.users[0].permissions->publish.allow.value(), ElementsAre("p"));
  }
  EXPECT_FALSE(load_users("{user: a, password: \"x\"}").options.authorization.users[0].permissions);
}

TEST_F(ConfigUsers, CF_49_MistakesInPermissionsHaveTheirPlace) {
  const auto errors = [this](const std::string& text) { return load_permissions(text).errors; };
  EXPECT_THAT(errors("{publish: \"foo..q\"}"),
              ElementsAre("t.conf:1:73: subject \"foo..q\" is not a valid subject"));
  EXPECT_THAT(errors("{publish: [\"a\", \"\"]}"),
              ElementsAre(HasSubstr("subject \"\" is not a valid subject")));
  EXPECT_THAT(errors("{subscribe: \"a b c\"}"),
              ElementsAre(HasSubstr("subject \"a b c\" is not a valid subject")));
  EXPECT_THAT(errors("{subscribe: \"a..b c\"}"),
              ElementsAre(HasSubstr("subject \"a..b\" is not a valid subject")));
  EXPECT_THAT(errors("{subscribe: \"a c..d\"}"),
              ElementsAre(HasSubstr("queue \"c..d\" is not a valid queue name")));
  EXPECT_THAT(errors("{publish: \"foo q\"}"), ElementsAre(HasSubstr("names a queue")));
  EXPECT_THAT(errors("{publish: 1}"),
              ElementsAre(HasSubstr("Expected subject permissions to be a subject, or array")));
  EXPECT_THAT(errors("{publish: [ 1 , 2 ]}"), ElementsAre(HasSubstr("expected a string in \"publish\"")));
  EXPECT_THAT(errors("foo"), ElementsAre(HasSubstr("Expected permissions to be a map/struct")));
  EXPECT_THAT(errors("{publish: {alow: x}}"),
              ElementsAre(HasSubstr("unknown field \"alow\", did you mean \"allow\"")));
  EXPECT_THAT(errors("{foo: x}"), ElementsAre(HasSubstr("unknown field \"foo\"")));
  for (const char* text : {"{publish: []}", "{publish: {allow: []}}", "{subscribe: {allow: [], deny: a}}"}) {
    EXPECT_THAT(errors(text), ElementsAre(HasSubstr("is empty, which nats-server takes for everything")))
        << text;
  }
}

TEST_F(ConfigUsers, CF_50_AllowResponses) {
  using std::chrono::minutes;
  using std::chrono::seconds;
  for (const char* text : {"{allow_responses: true}", "{publish_allow_responses: {}}",
                           "{allow_responses: {max: 0, expires: \"0s\"}}"}) {
    const auto found = permissions(text);
    ASSERT_TRUE(found.responses) << text;
    EXPECT_EQ(found.responses->max, 1);
    EXPECT_EQ(found.responses->expires, minutes(2));
    EXPECT_THAT(found.publish.allow.value(), IsEmpty()) << "nothing but answers";
    EXPECT_FALSE(found.subscribe.allow);
  }
  EXPECT_FALSE(permissions("{allow_responses: false}").responses);
  EXPECT_FALSE(permissions("{allow_responses: false}").publish.allow);
  for (const char* name : {"max", "max_msgs", "max_messages", "max_responses"})
    EXPECT_EQ(permissions("{allow_responses: {" + std::string(name) + ": -1}}").responses->max, -1);
  for (const char* name : {"expires", "expiration", "ttl"})
    EXPECT_EQ(permissions("{allow_responses: {" + std::string(name) + ": \"-1s\"}}").responses->expires,
              -seconds(1));
  const auto both = permissions("{allow_responses: {max: 5, ttl: \"10s\"}, publish: \"a\"}");
  EXPECT_EQ(both.responses->max, 5);
  EXPECT_EQ(both.responses->expires, seconds(10));
  EXPECT_THAT(both.publish.allow.value(), ElementsAre("a"));

  for (const char* text :
       {"{publish: {deny: a}, allow_responses: true}", "{allow_responses: true, pub: {deny: a}}"}) {
    const auto denied = load_permissions(text);
    EXPECT_THAT(denied.options.authorization.users[0].permissions->publish.allow.value(), IsEmpty());
    EXPECT_THAT(denied.warnings,
                ::testing::Contains(HasSubstr("publish without allow admits nothing but answers")));
  }
  EXPECT_THAT(load_permissions("{allow_responses: 5}").errors,
              ElementsAre(HasSubstr("expected a boolean or a map")));
  EXPECT_THAT(load_permissions("{allow_responses: {expires: 5}}").errors,
              ElementsAre(HasSubstr("error parsing expires, not a duration string")));
  EXPECT_THAT(load_permissions("{allow_responses: {expires: \"x\"}}").errors,
              ElementsAre(HasSubstr("error parsing expires")));
  EXPECT_THAT(load_permissions("{allow_responses: {max: \"1\"}}").errors,
              ElementsAre(HasSubstr("expected a number")));
}

TEST_F(ConfigUsers, CF_51_DefaultPermissionsAreForUsersWithoutTheirOwnAsAWhole) {
  for (const char* name : {"default_permissions", "default_permission", "permissions"}) {
    const auto loaded =
        load("authorization { users: [{user: a, password: \"x\"}, {nkey: " + nkey +
             "}, {user: b, password: \"x\", permissions: {subscribe: s}}], " + name + ": {publish: p} }");
    ASSERT_THAT(loaded.errors, IsEmpty()) << name;
    const auto& users = loaded.options.authorization.users;
    EXPECT_THAT(users[0].permissions->publish.allow.value(), ElementsAre("p"));
    EXPECT_THAT(users[1].permissions->publish.allow.value(), ElementsAre("p"));
    EXPECT_FALSE(users[2].permissions->publish.allow) << "they are not merged";
  }
}

TEST_F(ConfigUsers, CF_51_PermissionsBesideASingleUserHoldWithAWarning) {
  const auto single = load("authorization { user: a, password: \"x\", permissions: {publish: p} }");
  EXPECT_THAT(single.errors, IsEmpty());
  EXPECT_THAT(single.options.authorization.single_user->permissions->publish.allow.value(), ElementsAre("p"));
  EXPECT_THAT(single.warnings, ElementsAre(HasSubstr("nats-server applies them only to a users array")));
  const auto flags = load("authorization { permissions: {publish: p} }", {"--user", "a", "--pass", "x"});
  EXPECT_THAT(flags.options.authorization.single_user->permissions->publish.allow.value(), ElementsAre("p"));
  EXPECT_THAT(load("authorization { token: \"x\", permissions: {publish: p} }").warnings,
              ElementsAre(HasSubstr("hold for nobody")));
}

TEST_F(ConfigUsers, CF_48_NkeyUsers) {
  const auto loaded = load_users("{nkey: " + nkey + ", permissions: {publish: p}}");
  ASSERT_THAT(loaded.errors, IsEmpty());
  const UserOptions& user = loaded.options.authorization.users.at(0);
  EXPECT_EQ(user.nkey, nkey);
  EXPECT_EQ(user.name, "");
  EXPECT_THAT(user.passwords, IsEmpty());
  EXPECT_TRUE(user.permissions);
  EXPECT_THAT(user.position, HasSubstr("t.conf:1:32"));
  EXPECT_THAT(load_users("{nkey: " + nkey + ", pass: \"\"}").errors, IsEmpty()) << "as nats-server";
  for (const char* beside : {"user: a", "pass: \"x\"", "passwords: [\"x\"]"}) {
    EXPECT_THAT(load_users("{nkey: " + nkey + ", " + beside + "}").errors,
                ElementsAre(HasSubstr("Nkey users do not take usernames or passwords")))
        << beside;
  }
  // A changed character, an account's key, a seed.
  for (const char* key : {"UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF5",
                          "ADECCNBUEBWZ727OMBFSN7OMK2FPYRM52TJS25TFQWYS76NPOJBN3KU4",
                          "SUAGMJH5XLGZKQQWAWKRZJIGMOU4HPFUYLXJMXOO5NLFEO2OOQJ5LPRDPM", "UABC"}) {
    const auto bad = load_users("{nkey: " + std::string(key) + "}");
    EXPECT_THAT(bad.errors, ElementsAre(HasSubstr("t.conf:1:32: Not a valid public nkey for a user"))) << key;
    EXPECT_THAT(all(bad), Not(HasSubstr(key))) << "it may be a seed";
  }
  EXPECT_THAT(load_users("{nkey: \"\"}").errors, ElementsAre(HasSubstr("User entry requires a user")));
  EXPECT_THAT(load_users("{nkey: \"\", user: a, pass: \"x\"}").errors, IsEmpty());
}

TEST_F(ConfigUsers, CF_43_NkeysAreUnique) {
  EXPECT_THAT(load_users("{nkey: " + nkey + "}, {nkey: " + nkey + "}").errors,
              ElementsAre(HasSubstr("Duplicate nkey \"" + nkey + "\" detected (the first is at")));
  EXPECT_THAT(load_users("{nkey: " + nkey + "}, {user: " + nkey + "}").errors,
              ElementsAre(HasSubstr("Duplicate user")));
}

TEST_F(ConfigUsers, CF_52_ConnectionTypes) {
  const auto types = [this](const std::string& text) {
    const auto loaded = load_users("{user: a, password: \"x\", " + text + "}");
    EXPECT_THAT(loaded.errors, IsEmpty()) << text;
    return loaded.options.authorization.users.at(0).connection_types;
  };
  EXPECT_EQ(types("clients: standard"), 1);
  EXPECT_EQ(types("connection_types: [\"STANDARD\", \"WebSocket\"]"), 1 | 2);
  EXPECT_EQ(types("allowed_connection_types: [LEAFNODE, LEAFNODE_WS, MQTT, MQTT_WS, IN_PROCESS]"),
            4 | 8 | 16 | 32 | 64);
  EXPECT_EQ(types("password: \"y\""), 0);
  const auto errors = [this](const std::string& text) {
    return load_users("{user: a, password: \"x\", clients: " + text + "}").errors;
  };
  EXPECT_THAT(errors("[\"standard\", \"nope\"]"),
              ElementsAre(HasSubstr("invalid connection types \"nope\"")));
  EXPECT_THAT(errors("[]"), ElementsAre(HasSubstr("is empty, which nats-server takes for all of them")));
}

TEST_F(ConfigUsers, AU_16_AU_35_NoAuthUserMayBeAnNkey) {
  EXPECT_THAT(load("no_auth_user: " + nkey + "\nauthorization { users: [{nkey: " + nkey + "}] }").errors,
              IsEmpty());
  EXPECT_THAT(load("no_auth_user: \"\"\nauthorization { users: [{nkey: " + nkey + "}] }").errors, IsEmpty());
  EXPECT_THAT(load("no_auth_user: a\nauthorization { users: [{nkey: " + nkey + "}] }").errors,
              ElementsAre(HasSubstr("not present as user")));
}

TEST_F(ConfigUsers, CF_25_PermissionsMayComeFromAVariable) {
  const auto loaded = load(
      "ADMIN: {publish: \">\"}\nauthorization { READ: {subscribe: \"r.>\"}, users: [{user: a, password: "
      "\"x\", "
      "permissions: $ADMIN}, {user: b, password: \"x\", permissions: $READ}] }");
  ASSERT_THAT(loaded.errors, IsEmpty());
  EXPECT_THAT(loaded.options.authorization.users[0].permissions->publish.allow.value(), ElementsAre(">"));
  EXPECT_THAT(loaded.options.authorization.users[1].permissions->subscribe.allow.value(), ElementsAre("r.>"));
}

TEST_F(ConfigUsers, CF_38_TheDigestDependsOnPermissionsToo) {
  const auto digest = [this](const std::string& text) {
    return load_permissions(text).options.config_digest;
  };
  EXPECT_NE(digest("{publish: a}"), digest("{publish: b}"));
  EXPECT_NE(digest("{publish: {allow: a}}"), digest("{publish: {deny: a}}"));
  EXPECT_NE(digest("{publish: a}"), digest("{subscribe: a}"));
  EXPECT_NE(digest("{allow_responses: {max: 1}}"), digest("{allow_responses: {max: 2}}"));
}

}  // namespace
}  // namespace nuncio::config
