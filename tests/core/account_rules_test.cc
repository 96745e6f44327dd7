// What accounts do with messages, and what is refused when they are built.
#include "core/account_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "core/account_graph.h"

namespace nuncio {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

ExportOptions offer(bool is_service, std::string subject, std::vector<std::string> accounts = {},
                    uint32_t token_position = 0) {
  ExportOptions options;
  options.is_service = is_service;
  options.subject = std::move(subject);
  options.is_public = accounts.empty();
  options.accounts = std::move(accounts);
  options.account_token_position = token_position;
  options.position = "x.conf:1:1";
  return options;
}

ExportOptions stream_out(std::string subject, std::vector<std::string> accounts = {}, uint32_t token = 0) {
  return offer(false, std::move(subject), std::move(accounts), token);
}

ExportOptions service_out(std::string subject, std::vector<std::string> accounts = {}, uint32_t token = 0) {
  return offer(true, std::move(subject), std::move(accounts), token);
}

ImportOptions take(bool is_service, std::string account, std::string subject, std::string to) {
  return {is_service, std::move(account), std::move(subject), std::move(to), false, "x.conf:2:2"};
}

ImportOptions stream_in(std::string account, std::string subject, std::string to = {}) {
  return take(false, std::move(account), std::move(subject), std::move(to));
}

ImportOptions service_in(std::string account, std::string subject, std::string to = {}) {
  return take(true, std::move(account), std::move(subject), std::move(to));
}

struct Share {
  std::string subject;
  uint32_t weight = 100;
  std::string cluster = {};
};

MappingOptions mapping(std::string source, const std::vector<Share>& shares) {
  MappingOptions options{std::move(source), {}, "x.conf:3:3"};
  for (const Share& share : shares)
    options.destinations.push_back({share.subject, share.weight, share.cluster});
  return options;
}

AccountOptions account(std::string name, std::vector<ExportOptions> exports = {},
                       std::vector<ImportOptions> imports = {}) {
  AccountOptions options;
  options.name = std::move(name);
  options.exports = std::move(exports);
  options.imports = std::move(imports);
  options.position = "x.conf:9:9";
  return options;
}

AccountOptions mapped(std::vector<MappingOptions> mappings) {
  AccountOptions options = account("$G");
  options.mappings = std::move(mappings);
  return options;
}

struct Made {
  std::shared_ptr<const AccountTable> table;
  std::vector<std::string> errors;

  const AccountRules& rules(std::string_view name) const {
    return table->accounts()[table->find(name).value()];
  }
  // "account:subject" of all that a publish becomes elsewhere.
  std::vector<std::string> crossings(std::string_view name, std::string_view subject) const {
    std::vector<std::string> found;
    std::string scratch;
    rules(name).cross(subject, scratch, [&](const Crossing& crossing, std::string_view there) {
      found.push_back(table->accounts()[crossing.into].name + ":" + std::string(there));
    });
    EXPECT_EQ(rules(name).crosses(subject), !found.empty()) << subject;
    return found;
  }
};

Made make(const std::vector<AccountOptions>& options, std::string_view system = {},
          std::string_view cluster = {}) {
  AccountTable::Findings findings;
  auto table = AccountTable::make(options, system, cluster, findings);
  EXPECT_EQ(table == nullptr, !findings.errors.empty());
  return {std::move(table), std::move(findings.errors)};
}

std::string error_of(const std::vector<AccountOptions>& options, std::string_view system = {}) {
  const auto errors = make(options, system).errors;
  return errors.empty() ? "none" : errors.front();
}

std::string map(const AccountRules& rules, std::string_view subject) {
  std::string scratch;
  std::minstd_rand random(1);
  return std::string(rules.map(subject, scratch, random));
}

// How often each subject came out of `count` publishes.
std::map<std::string, int> draw(const AccountRules& rules, std::string_view subject, int count) {
  std::map<std::string, int> found;
  std::string scratch;
  std::minstd_rand random(7);
  for (int n = 0; n < count; ++n) ++found[std::string(rules.map(subject, scratch, random))];
  return found;
}

TEST(Accounts, AU_58_TheDefaultAndTheSystemAccountAreAlwaysThere) {
  const Made made = make({});
  ASSERT_TRUE(made.table);
  EXPECT_EQ(made.table->accounts().size(), 2u);
  EXPECT_EQ(made.table->find("$G"), made.table->default_account());
  EXPECT_EQ(made.table->find("$SYS"), made.table->system_account());
  EXPECT_EQ(made.table->find("X"), std::nullopt);
  EXPECT_TRUE(made.rules("$G").is_plain());
}

TEST(Accounts, AU_65_TheSystemAccountIsTheOneThatIsNamed) {
  const Made named = make({account("A"), account("B")}, "B");
  EXPECT_EQ(named.table->find("B"), named.table->system_account());
  EXPECT_EQ(named.table->find("$SYS"), std::nullopt);
  const Made own = make({account("$SYS"), account("A")});
  EXPECT_EQ(own.table->find("$SYS"), own.table->system_account());
  EXPECT_EQ(own.table->accounts().size(), 3u);
  EXPECT_EQ(error_of({account("A")}, "X"), "error resolving system account: account missing (\"X\")");
}

TEST(Accounts, AU_58_ReservedAndDoubleNamesAreRefused) {
  EXPECT_EQ(error_of({account("$G", {stream_out("a")})}), "x.conf:9:9: \"$G\" is a Reserved Account");
  EXPECT_EQ(error_of({account("A"), account("A")}), "x.conf:9:9: Duplicate Account Entry: A");
}

TEST(Accounts, AU_62_LimitsAreThoseOfTheAccount) {
  AccountOptions limited = account("A");
  limited.connections_max = 3;
  limited.subscriptions_max = 4;
  limited.payload_max = 5;
  const Made made = make({limited});
  EXPECT_EQ(made.rules("A").connections_max, 3);
  EXPECT_EQ(made.rules("A").subscriptions_max, 4);
  EXPECT_EQ(made.rules("A").payload_max, 5);
  EXPECT_EQ(made.rules("$G").connections_max, -1);
}

TEST(Accounts, AU_60_AStreamImportTakesMessagesToTheImporter) {
  const Made made = make({account("E", {stream_out("a.>"), stream_out("b.*.*")}),
                          account("I", {}, {stream_in("E", "a.>"), stream_in("E", "b.*.*", "x.$2.$1")}),
                          account("J", {}, {stream_in("E", "a.b", "pre.a.b")})});
  EXPECT_THAT(made.crossings("E", "a.b"), UnorderedElementsAre("I:a.b", "J:pre.a.b"));
  EXPECT_THAT(made.crossings("E", "a.c"), ElementsAre("I:a.c"));
  EXPECT_THAT(made.crossings("E", "b.1.2"), ElementsAre("I:x.2.1"));
  EXPECT_THAT(made.crossings("E", "c"), IsEmpty());
  EXPECT_TRUE(made.rules("I").is_plain());  // and nothing goes back
  EXPECT_THAT(made.crossings("I", "a.b"), IsEmpty());
}

TEST(Accounts, AU_60_AServiceImportTakesRequestsToTheExporter) {
  ExportOptions streaming = service_out("many.*");
  streaming.response = ExportOptions::Response::stream;
  streaming.response_threshold = std::chrono::seconds(2);
  ImportOptions sharing = service_in("E", "many.*", "ask.*");
  sharing.shares_client = true;
  const Made made =
      make({account("E", {service_out("one.>"), streaming}),
            account("I", {}, {service_in("E", "one.two"), sharing, service_in("E", "one.*.*", "q.$2.$1")})});
  EXPECT_THAT(made.crossings("I", "one.two"), ElementsAre("E:one.two"));
  EXPECT_THAT(made.crossings("I", "ask.x"), ElementsAre("E:many.x"));
  EXPECT_THAT(made.crossings("I", "q.2.1"), ElementsAre("E:one.1.2"));
  EXPECT_TRUE(made.rules("E").is_plain());
  const auto& crossings = made.rules("I").crossings;
  ASSERT_EQ(crossings.size(), 3u);
  EXPECT_TRUE(std::all_of(crossings.begin(), crossings.end(), [](const auto& c) { return c.is_service; }));
  EXPECT_EQ(crossings[0].response, ExportOptions::Response::singleton);
  EXPECT_FALSE(crossings[0].shares_client);
  EXPECT_EQ(crossings[1].response, ExportOptions::Response::stream);
  EXPECT_EQ(crossings[1].response_threshold, std::chrono::seconds(2));
  EXPECT_TRUE(crossings[1].shares_client);
}

TEST(Accounts, AU_60_UnknownAccountsAreNamed) {
  EXPECT_EQ(error_of({account("B", {}, {stream_in("X", "a.b")})}),
            "x.conf:2:2: \"X\" account not defined for stream import (\"a.b\" by account \"B\")");
  EXPECT_EQ(error_of({account("B", {}, {service_in("X", "a.b")})}),
            "x.conf:2:2: \"X\" account not defined for service import (\"a.b\" by account \"B\")");
  EXPECT_EQ(error_of({account("B", {stream_out("a.>", {"X"})})}),
            "x.conf:1:1: \"X\" account not defined for stream export (\"a.>\" of account \"B\")");
  EXPECT_EQ(error_of({account("B", {service_out("a.>", {"X"})})}),
            "x.conf:1:1: \"X\" account not defined for service export (\"a.>\" of account \"B\")");
}

TEST(Accounts, AT_30_OnlyWhatIsExportedCanBeImported) {
  const auto import = [](ExportOptions exported, ImportOptions imported) {
    return error_of(
        {account("E", {std::move(exported)}), account("I", {}, {std::move(imported)}), account("C")});
  };
  const std::string refused =
      "x.conf:2:2: Error adding stream import \"b\": stream import not authorized "
      "(account \"I\" imports it from account \"E\" as \"b\")";
  EXPECT_EQ(import(stream_out("a.>"), stream_in("E", "b")), refused);
  EXPECT_EQ(import(stream_out("b"), stream_in("E", "b")), "none");
  EXPECT_EQ(import(service_out("b"), stream_in("E", "b")), refused);  // the other kind
  EXPECT_EQ(import(stream_out("b", {"C"}), stream_in("E", "b")), refused);
  EXPECT_EQ(import(stream_out("b", {"C", "I"}), stream_in("E", "b")), "none");
  EXPECT_EQ(import(stream_out(">", {"C"}), stream_in("E", "b")), refused);
  ExportOptions nobody = stream_out("b");
  nobody.is_public = false;  // accounts: []
  EXPECT_EQ(import(nobody, stream_in("E", "b")), refused);
  // Wider than the export.
  EXPECT_THAT(import(stream_out("a.*"), stream_in("E", "a.>")), HasSubstr("not authorized"));
  EXPECT_THAT(import(stream_out("a.b"), stream_in("E", "a.*")), HasSubstr("not authorized"));
  EXPECT_THAT(import(stream_out("*"), stream_in("E", ">")), HasSubstr("not authorized"));
  EXPECT_THAT(import(service_out("a.>"), service_in("E", "b", "c")),
              HasSubstr("Error adding service import \"b\": service import not authorized (account \"I\" "
                        "imports it from account \"E\" as \"c\")"));
  EXPECT_THAT(import(service_out("a.b"), service_in("E", "a.>")), HasSubstr("not authorized"));
}

TEST(Accounts, AT_30_AnExportToFewIsNotOpenedByAWiderOne) {
  const auto import = [](std::vector<ExportOptions> exports, std::string subject) {
    return error_of(
        {account("E", std::move(exports)), account("I", {}, {stream_in("E", subject)}), account("C")});
  };
  EXPECT_THAT(import({stream_out("a.>"), stream_out("a.b", {"C"})}, "a.b"), HasSubstr("not authorized"));
  EXPECT_THAT(import({stream_out("a.b", {"C"}), stream_out("a.>")}, "a.b"), HasSubstr("not authorized"));
  EXPECT_THAT(import({stream_out("a.>"), stream_out("a.*", {"C"})}, "a.b"), HasSubstr("not authorized"));
  EXPECT_THAT(import({stream_out("a", {"C"}), stream_out("a")}, "a"), HasSubstr("not authorized"));
  EXPECT_EQ(import({stream_out("a", {"C"}), stream_out("a", {"I"})}, "a"), "none");
  EXPECT_EQ(import({stream_out(">", {"C"}), stream_out("a.b")}, "a.b"), "none");
}

TEST(Accounts, AU_59_TheTokenAtThePositionMustBeTheImporter) {
  const auto import = [](ExportOptions exported, std::string subject) {
    return error_of({account("E", {std::move(exported)}), account("I", {}, {stream_in("E", subject)})});
  };
  EXPECT_EQ(import(stream_out("a.*", {}, 2), "a.I"), "none");
  EXPECT_THAT(import(stream_out("a.*", {}, 2), "a.E"), HasSubstr("stream import not authorized"));
  EXPECT_THAT(import(stream_out("a.*", {}, 2), "a.*"), HasSubstr("stream import not authorized"));
  EXPECT_EQ(import(stream_out("a.*.>", {}, 2), "a.I.>"), "none");
  EXPECT_THAT(import(stream_out("a.*.>", {}, 2), "a.E.I"), HasSubstr("stream import not authorized"));
  EXPECT_EQ(error_of({account("E", {stream_out("a.*", {}, 3)})}),
            "x.conf:1:1: Error adding stream export \"a.*\": invalid subject, token 3 must be \"*\" (account "
            "\"E\")");
  EXPECT_THAT(error_of({account("E", {service_out("a.b", {}, 2)})}),
              HasSubstr("Error adding service export \"a.b\": invalid subject"));
  EXPECT_THAT(error_of({account("E", {service_out("a..b")})}),
              HasSubstr("Error adding service export \"a..b\": invalid subject (account \"E\")"));
}

TEST(Accounts, AU_60_BadTransformsOfImportsAreRefused) {
  const auto import = [](ImportOptions imported) {
    return error_of({account("E", {stream_out(">"), service_out(">")}), account("I", {}, {imported})});
  };
  EXPECT_EQ(import(stream_in("E", "a.*", "b")),
            "x.conf:2:2: Error adding stream import \"a.*\": failed to create mapping transform for stream "
            "import subject \"a.*\" to \"b\": invalid mapping destination: not using all of the token "
            "wildcard(s) in b (account \"I\" imports it from account \"E\" as \"b\")");
  EXPECT_THAT(import(service_in("E", "a.*", "b")),
              HasSubstr("transform for service import subject \"b\" to \"a.*\": invalid mapping "
                        "destination: not using all of the token wildcard(s) in b"));
  EXPECT_THAT(import(stream_in("E", "a.*", "b.$2")), HasSubstr("wildcard index out of range"));
  EXPECT_THAT(import(stream_in("E", "a.x", "b.*")), HasSubstr("wildcard index out of range"));
  EXPECT_THAT(import(service_in("E", "a.*", "b.{{partition(1,1)}}")), HasSubstr("only mapping function"));
  EXPECT_THAT(import(service_in("E", "a.*", "b.$1.$1")), HasSubstr("a wildcard twice"));
  EXPECT_THAT(import(stream_in("E", "a.>", "b")), HasSubstr("invalid subject"));
  EXPECT_THAT(import(stream_in("E", "a..b")), HasSubstr("invalid subject"));
  EXPECT_EQ(import(stream_in("E", "a.$1")), "none");  // as it is there, whatever it looks like
}

TEST(Accounts, AU_60_DoubleImportsAreRefused) {
  const auto import = [](std::vector<ImportOptions> imports) {
    return error_of({account("E", {stream_out(">"), service_out(">")}), account("F", {service_out(">")}),
                     account("I", {}, std::move(imports))});
  };
  EXPECT_THAT(import({stream_in("E", "a"), stream_in("E", "a", "q")}),
              HasSubstr("Error adding stream import \"a\": stream import already exists"));
  EXPECT_THAT(
      import({service_in("E", "a", "c"), service_in("E", "b", "c")}),
      HasSubstr(
          "Duplicate service import subject \"c\", previously used in import for account \"E\", subject \"a\""
          " (account \"I\" imports \"b\" as it, too)"));
  EXPECT_EQ(import({service_in("E", "a", "c"), service_in("F", "b", "c")}), "none");  // asks both
  EXPECT_EQ(import({service_in("E", "a"), stream_in("E", "a")}), "none");
}

TEST(Accounts, AU_60_CyclesOfServicesAreFound) {
  EXPECT_EQ(
      error_of({account("A", {service_out("a")}, {service_in("B", "b", "a")}),
                account("B", {service_out("b")}, {service_in("A", "a", "b")})}),
      "x.conf:2:2: Error adding service import \"b\": import forms a cycle: account \"A\" \"a\", account "
      "\"B\" \"b\", account \"A\" \"a\" (account \"A\" imports it from account \"B\" as \"a\")");
  EXPECT_THAT(error_of({account("A", {service_out("*")}, {service_in("B", "help")}),
                        account("B", {service_out("help")}, {service_in("A", "*")})}),
              HasSubstr("import forms a cycle"));
  // Three accounts, one way that only some of the subjects take, and a harmless branch before it.
  EXPECT_THAT(
      error_of({account("A", {service_out("*")}, {service_in("C", "narrow"), service_in("D", "other")}),
                account("C", {service_out("narrow")}),
                account("D", {service_out("other")}, {service_in("E", "other")}),
                account("E", {service_out("*")}, {service_in("A", "*")})}),
      HasSubstr("import forms a cycle"));
  // Renamed at each step, so that no two names meet but the first and the last.
  EXPECT_THAT(error_of({account("A", {service_out("a")}, {service_in("B", "b", "a")}),
                        account("B", {service_out("b")}, {service_in("C", "c", "b")}),
                        account("C", {service_out("c")}, {service_in("A", "a", "c")})}),
              HasSubstr("import forms a cycle"));
  EXPECT_THAT(error_of({account("A", {service_out("*")}, {service_in("B", "foo", "foo")}),
                        account("B", {service_out("foo")}, {service_in("A", "*", "$1")})}),
              HasSubstr("import forms a cycle"));
}

TEST(Accounts, AU_60_OneCycleIsReportedOnce) {
  EXPECT_EQ(make({account("A", {service_out("a")}, {service_in("B", "b", "a")}),
                  account("B", {service_out("b")}, {service_in("A", "a", "b")})})
                .errors.size(),
            1u);
}

TEST(Accounts, AU_60_CyclesOfStreamsAreFound) {
  EXPECT_EQ(
      error_of({account("A", {stream_out("s")}, {stream_in("B", "s")}),
                account("B", {stream_out("s")}, {stream_in("A", "s")})}),
      "x.conf:2:2: Error adding stream import \"s\": import forms a cycle: account \"B\" \"s\", account "
      "\"A\" \"s\", account \"B\" \"s\" (account \"A\" imports it from account \"B\" as \"s\")");
  EXPECT_THAT(error_of({account("A", {stream_out("*")}, {stream_in("C", "narrow"), stream_in("D", "other")}),
                        account("C", {stream_out("narrow")}),
                        account("D", {stream_out("other")}, {stream_in("E", "other")}),
                        account("E", {stream_out("*")}, {stream_in("A", "*")})}),
              HasSubstr("import forms a cycle"));
}

TEST(Accounts, AU_60_AccountsMayImportFromEachOtherWhatDoesNotComeBack) {
  EXPECT_EQ(error_of({account("A", {service_out("*")}, {service_in("B", "help")}),
                      account("B", {service_out("help")}, {service_in("C", "nohelp")}),
                      account("C", {service_out("*")}, {service_in("A", "*")})}),
            "none");
  EXPECT_EQ(error_of({account("A", {service_out("a.*")}, {service_in("B", "a.*", "b.*")}),
                      account("B", {service_out("a.*")}, {service_in("A", "a.foo", "c.foo")})}),
            "none");
  EXPECT_EQ(error_of({account("A", {stream_out("foo")}, {stream_in("B", "bar")}),
                      account("B", {stream_out("bar")}, {stream_in("C", "baz", "bar")}),
                      account("C", {stream_out("baz")}, {stream_in("A", "foo", "bar")})}),
            "none");
  // Within one account, and with services one way, streams the other.
  EXPECT_EQ(error_of({account("A", {service_out("a")}, {service_in("A", "a", "b")})}), "none");
  EXPECT_EQ(error_of({account("A", {service_out("x")}, {stream_in("B", "x")}),
                      account("B", {stream_out("x")}, {service_in("A", "x")})}),
            "none");
}

TEST(Accounts, AU_60_SubjectsThatGrowOnTheirWayEndTheSearch) {
  EXPECT_THAT(error_of({account("A", {service_out(">")}, {service_in("B", "x.>", ">")}),
                        account("B", {service_out(">")}, {service_in("A", "y.>", ">")}),
                        account("C", {}, {service_in("A", ">", ">")})}),
              HasSubstr("import forms a cycle"));
}

TEST(Accounts, AU_60_PatternsMeet) {
  EXPECT_EQ(intersection("a.*", "*.b"), "a.b");
  EXPECT_EQ(intersection("a.>", "*.b.*"), "a.b.*");
  EXPECT_EQ(intersection("*.x.>", "a.>"), "a.x.>");
  EXPECT_EQ(intersection(">", ">"), ">");
  EXPECT_EQ(intersection("a.>", "a"), std::nullopt);
  EXPECT_EQ(intersection("a", "b"), std::nullopt);
  EXPECT_EQ(intersection("a.*", "a.*.*"), std::nullopt);
}

TEST(Accounts, AU_60_ManyCrossingsAreFoundAsFewAre) {
  // Literals, first tokens and wildcards in front.
  std::vector<ImportOptions> imports{stream_in("E", "*.last"), stream_in("E", "t1.>", "w.>")};
  for (int n = 0; n < 40; ++n) {
    const std::string text = std::to_string(n);
    imports.push_back(stream_in("E", "literal." + text, "l." + text));
    imports.push_back(stream_in("E", "t" + text + ".*", "s" + text + ".*"));
  }
  const Made made = make({account("E", {stream_out(">")}), account("I", {}, imports)});
  EXPECT_THAT(made.crossings("E", "literal.17"), ElementsAre("I:l.17"));
  EXPECT_THAT(made.crossings("E", "literal.40"), IsEmpty());
  EXPECT_THAT(made.crossings("E", "t39.x"), ElementsAre("I:s39.x"));
  EXPECT_THAT(made.crossings("E", "t40.x"), IsEmpty());
  EXPECT_THAT(made.crossings("E", "t1.last"), UnorderedElementsAre("I:t1.last", "I:w.last", "I:s1.last"));
  EXPECT_THAT(made.crossings("E", "u.last"), ElementsAre("I:u.last"));
  EXPECT_THAT(made.crossings("E", "t1"), IsEmpty());
}

TEST(Accounts, AU_63_AMappingChangesTheSubject) {
  const Made made = make({mapped({mapping("a", {{"b"}}), mapping("in.*.*", {{"out.$2.$1"}})})});
  EXPECT_TRUE(made.rules("$G").has_mappings());
  EXPECT_FALSE(made.rules("$G").is_plain());
  EXPECT_EQ(map(made.rules("$G"), "a"), "b");
  EXPECT_EQ(map(made.rules("$G"), "in.x.y"), "out.y.x");
  EXPECT_EQ(map(made.rules("$G"), "c"), "c");
  EXPECT_EQ(map(made.rules("$SYS"), "a"), "a");
}

TEST(Accounts, AU_63_TheMostSpecificSourceDecides) {
  const Made made = make({mapped({mapping(">", {{"all.>"}}), mapping("*.b", {{"late.$1"}}),
                                  mapping("a.>", {{"rest.>"}}), mapping("a.*", {{"star.$1"}}),
                                  mapping("a.b", {{"literal"}}), mapping("a.*.c", {{"middle.$1"}})})});
  const AccountRules& rules = made.rules("$G");
  EXPECT_EQ(map(rules, "a.b"), "literal");
  EXPECT_EQ(map(rules, "a.x"), "star.x");
  EXPECT_EQ(map(rules, "a.x.c"), "middle.x");
  EXPECT_EQ(map(rules, "a.x.d"), "rest.x.d");
  EXPECT_EQ(map(rules, "z.b"), "late.z");
  EXPECT_EQ(map(rules, "z"), "all.z");
}

TEST(Accounts, AU_63_ManyMappingsAreFoundAsFewAre) {
  std::vector<MappingOptions> mappings{mapping(">", {{"all.>"}}), mapping("m7.>", {{"seven.>"}})};
  for (int n = 0; n < 50; ++n) {
    const std::string text = std::to_string(n);
    mappings.push_back(mapping("m" + text + ".*", {{"star" + text + ".$1"}}));
    mappings.push_back(mapping("m" + text + ".x", {{"literal" + text}}));
  }
  const Made made = make({mapped(mappings)});
  EXPECT_EQ(map(made.rules("$G"), "m7.x"), "literal7");
  EXPECT_EQ(map(made.rules("$G"), "m7.y"), "star7.y");
  EXPECT_EQ(map(made.rules("$G"), "m7.y.z"), "seven.y.z");
  EXPECT_EQ(map(made.rules("$G"), "m8.y.z"), "all.m8.y.z");
}

TEST(Accounts, AU_63_WeightsShareOutAndTheRestKeepsItsSubject) {
  const Made made = make({mapped({mapping("a", {{"b", 20}, {"c", 30}, {"never", 0}})})});
  auto found = draw(made.rules("$G"), "a", 10'000);
  EXPECT_EQ(found.size(), 3u);
  EXPECT_NEAR(found["b"], 2'000, 200);
  EXPECT_NEAR(found["c"], 3'000, 200);
  EXPECT_NEAR(found["a"], 5'000, 200);
}

TEST(Accounts, AU_63_ASourceAmongItsDestinationsLosesTheRest) {
  const Made made = make({mapped({mapping("loss.>", {{"loss.>", 60}})})});
  auto found = draw(made.rules("$G"), "loss.x", 10'000);
  EXPECT_EQ(found.size(), 2u);
  EXPECT_NEAR(found["loss.x"], 6'000, 200);
  EXPECT_NEAR(found[""], 4'000, 200);
}

TEST(Accounts, AU_63_DestinationsOfOurClusterGoBeforeTheOthers) {
  const std::vector<AccountOptions> options{
      mapped({mapping("a", {{"b", 100}, {"c", 100, "east"}, {"d", 100, "west"}}),
              mapping("only", {{"there", 100, "east"}})})};
  const Made east = make(options, {}, "east");
  EXPECT_EQ(map(east.rules("$G"), "a"), "c");
  EXPECT_EQ(map(east.rules("$G"), "only"), "there");
  const Made north = make(options, {}, "north");
  EXPECT_EQ(map(north.rules("$G"), "a"), "b");
  EXPECT_EQ(map(north.rules("$G"), "only"), "only");
  const Made alone = make(options);
  EXPECT_EQ(map(alone.rules("$G"), "a"), "b");
}

TEST(Accounts, AU_63_TheLastMappingOfASourceHolds) {
  const Made made = make({mapped({mapping("a", {{"b"}}), mapping("x", {{"y"}}), mapping("a", {{"c"}})})});
  EXPECT_EQ(map(made.rules("$G"), "a"), "c");
  EXPECT_EQ(map(made.rules("$G"), "x"), "y");
}

TEST(Accounts, AU_63_BadMappingsAreRefused) {
  const auto error = [](MappingOptions options) { return error_of({mapped({std::move(options)})}); };
  const std::string start = "x.conf:3:3: Error adding mapping for ";
  EXPECT_EQ(error(mapping("a", {{"b", 60}, {"c", 60}})),
            start + "\"a\" : total weight needs to be <= 100 (account \"$G\")");
  EXPECT_EQ(error(mapping("a", {{"b", 60}, {"c", 60, "east"}})), "none");
  EXPECT_EQ(error(mapping("a", {{"b", 101}})),
            start + "\"a\" : individual weights need to be <= 100 (account \"$G\")");
  EXPECT_EQ(error(mapping("a", {{"b", 10}, {"b", 20}})),
            start + "\"a\" : duplicate entry for \"b\" (account \"$G\")");
  EXPECT_EQ(error(mapping("a.*", {{"b.{{foo(1)}}"}})),
            start +
                "\"a.*\" to \"b.{{foo(1)}}\" : invalid mapping destination: unknown function in {{foo(1)}} "
                "(account \"$G\")");
  EXPECT_EQ(error(mapping("a.*", {{"b.*"}})),
            start + "\"a.*\" to \"b.*\" : invalid subject (account \"$G\")");
  EXPECT_EQ(error(mapping("a..b", {{"b"}})),
            "x.conf:3:3: Subject \"a..b\" is not a valid subject (account \"$G\")");
  // Those for other clusters are read, too.
  EXPECT_THAT(error(mapping("a", {{"b"}, {"b..c", 100, "west"}})), HasSubstr("b..c"));
}

TEST(Accounts, AT_30_AMappingNeverMakesAWildcard) {
  const Made made = make({mapped({mapping("in.*", {{"out.{{split(1,-)}}"}})})});
  EXPECT_EQ(map(made.rules("$G"), "in.a-b"), "out.a.b");
  EXPECT_EQ(map(made.rules("$G"), "in.a->"), "in.a->");
}

TEST(Accounts, AU_63_MappingAllocatesNothingInTheSteadyState) {
  const Made made = make({mapped({mapping("in.*", {{"out.$1.{{partition(9,1)}}", 50}, {"x.$1", 50}})})});
  std::string scratch;
  scratch.reserve(256);
  const char* const bytes = scratch.data();
  std::minstd_rand random(3);
  for (int n = 0; n < 100; ++n) made.rules("$G").map("in.a-token-longer-than-short", scratch, random);
  EXPECT_EQ(scratch.data(), bytes);
}

TEST(Accounts, AU_69_FingerprintsDifferWhereRulesDo) {
  AccountOptions exporter = account("E", {stream_out("a.>"), stream_out("b")});
  const AccountOptions importer = account("I", {}, {stream_in("E", "a.x"), stream_in("E", "b")});
  const auto fingerprint = [](const std::vector<AccountOptions>& options, std::string_view name) {
    const Made made = make(options);
    return made.table->fingerprint(made.table->find(name).value());
  };
  const auto e = fingerprint({exporter, importer}, "E");
  const auto i = fingerprint({exporter, importer}, "I");
  // Order and places do not matter.
  EXPECT_EQ(fingerprint({account("Z"), importer, exporter}, "E"), e);
  AccountOptions turned = importer;
  std::reverse(turned.imports.begin(), turned.imports.end());
  EXPECT_EQ(fingerprint({exporter, turned}, "I"), i);
  EXPECT_EQ(fingerprint({exporter, turned}, "E"), e);
  // What crosses out of an account is its own.
  turned.imports.front().to = "elsewhere";
  EXPECT_NE(fingerprint({exporter, turned}, "I"), i);
  EXPECT_NE(fingerprint({exporter, turned}, "E"), e);
  exporter.payload_max = 10;
  EXPECT_NE(fingerprint({exporter, importer}, "E"), e);
  EXPECT_EQ(fingerprint({exporter, importer}, "I"), i);
  EXPECT_NE(fingerprint({mapped({mapping("a", {{"b"}})})}, "$G"),
            fingerprint({mapped({mapping("a", {{"b", 50}})})}, "$G"));
}

}  // namespace
}  // namespace nuncio
