// Distinguished names: reading them as text, comparing them, and nats-server's texts of them. What is taken
// and what is equal was seen on nats-server with certificates made for it.
#include "auth/distinguished_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nuncio::auth {
namespace {

using ::testing::ElementsAre;
using Attribute = DistinguishedName::Attribute;
using Relative = DistinguishedName::Relative;

std::string value_of(std::string_view text) {
  const auto name = DistinguishedName::parse(text);
  return name && name->relatives.size() == 1 ? name->relatives[0][0].value : "(malformed)";
}

bool are_equal(std::string_view a, std::string_view b) {
  return DistinguishedName::parse(a).value().ordered_key() ==
         DistinguishedName::parse(b).value().ordered_key();
}

bool have_equal_relatives(std::string_view a, std::string_view b) {
  return DistinguishedName::parse(a).value().unordered_key() ==
         DistinguishedName::parse(b).value().unordered_key();
}

TEST(DistinguishedName, AU_38_TextBeginsWithTheMostSpecific) {
  const auto name = DistinguishedName::parse("CN=anna,OU=dev+L=here,DC=example,DC=org");
  ASSERT_TRUE(name);
  EXPECT_THAT(name->relatives, ElementsAre(Relative{{"DC", "org"}}, Relative{{"DC", "example"}},
                                           Relative{{"OU", "dev"}, {"L", "here"}}, Relative{{"CN", "anna"}}));
}

TEST(DistinguishedName, AU_38_SpacesAroundTypesAndValuesDoNotCount) {
  const auto name = DistinguishedName::parse("  cn = John  Doe , 2.5.4.10= users  + ou=x ");
  ASSERT_TRUE(name);
  EXPECT_THAT(name->relatives,
              ElementsAre(Relative{{"2.5.4.10", "users"}, {"ou", "x"}}, Relative{{"cn", "John  Doe"}}));
}

TEST(DistinguishedName, AU_38_EscapesAreCharactersOrBytes) {
  EXPECT_EQ(value_of(R"(CN=a\, b\+c \"q\" \<x\>\;\=\\)"), R"(a, b+c "q" <x>;=\)");
  EXPECT_EQ(value_of(R"(CN=Zo\c3\AB)"), "Zo\u00eb");
  EXPECT_EQ(value_of(R"(CN=\ a\ )"), " a ");
  EXPECT_EQ(value_of(R"(CN=\20a \20  )"), " a  ");
  EXPECT_EQ(value_of(R"(CN=\#a)"), "#a");
  EXPECT_EQ(value_of(R"(CN=a=b;c"d<e>f#g)"), R"(a=b;c"d<e>f#g)");
  EXPECT_EQ(value_of(std::string_view("CN=a\\00b", 8)), std::string_view("a\0b", 3));
}

TEST(DistinguishedName, AU_38_EmptyValuesAndACommaAtTheEndAreTaken) {
  EXPECT_EQ(value_of("CN="), "");
  EXPECT_EQ(value_of("CN=   "), "");
  EXPECT_THAT(DistinguishedName::parse("CN=,O=x").value().relatives,
              ElementsAre(Relative{{"O", "x"}}, Relative{{"CN", ""}}));
  EXPECT_TRUE(are_equal("CN=a,O=b, ", "CN=a,O=b"));
}

TEST(DistinguishedName, AT_44_MalformedTextsAreNoName) {
  for (const char* text :
       {"",           " ",         "a",          "anna@example.org", "=a",    " =a",       "CN=a,",
        "CN=a,,O=b",  "CN=a,O",    "CN=a+",      "CN=a++O=b",        ",CN=a", "+CN=a",     R"(CN=a\)",
        R"(CN=a\z1)", R"(CN=a\4)", R"(CN=a\4g)", "CN=#0c0161",       "CN=#",  R"(C\4e=a)", "C N=a",
        "C_N=a",      "\u00e9=a"}) {
    const bool is_comma_at_end = std::string_view(text) == "CN=a,";
    EXPECT_EQ(DistinguishedName::parse(text).has_value(), is_comma_at_end) << text;
  }
}

TEST(DistinguishedName, AU_38_TypesAreEqualInEitherCaseAndValuesAsTheyAre) {
  EXPECT_TRUE(are_equal("cn=a,Dc=b", "CN=a,DC=b"));
  EXPECT_FALSE(are_equal("CN=a", "CN=A"));
  EXPECT_FALSE(are_equal("CN=a b", "CN=a  b"));
  EXPECT_FALSE(are_equal("CN=a", "2.5.4.3=a"));
}

TEST(DistinguishedName, AU_38_OrderIsThatOfRelativesOnly) {
  EXPECT_FALSE(are_equal("CN=a,O=b", "O=b,CN=a"));
  EXPECT_TRUE(have_equal_relatives("CN=a,O=b", "O=b,CN=a"));
  EXPECT_TRUE(are_equal("CN=a+UID=1,O=b", "UID=1+CN=a,O=b"));
}

// Each comparison of sets that forgets how often, or where one ends, would let one of these pass.
TEST(DistinguishedName, AT_44_NamesThatDifferNeverCompareEqual) {
  const char* texts[] = {"CN=a,O=b",        "CN=a,CN=a,O=b",   "CN=a,O=b,O=b",  "CN=a+O=b",
                         "CN=a+CN=a+O=b",   "CN=a+O=b+O=b",    R"(CN=a\,O\=b)", R"(CN=a\+O\=b)",
                         "CN=a,O=b,OU=c",   "CN=a,O=",         "CN=,O=b",       "CN=aO=b",
                         R"(CN=1:a\,O\=b)", R"(CN=a\,O\=1:b)", "CN=a,O=b+OU=c", "O=a,CN=b"};
  for (const char* a : texts)
    for (const char* b : texts) EXPECT_EQ(have_equal_relatives(a, b), a == b) << a << " and " << b;
}

TEST(DistinguishedName, AU_38_UsualTextHasAnOrderOfItsOwn) {
  DistinguishedName name;
  for (const auto& [type, value] : std::vector<std::pair<const char*, const char*>>{{"C", "US"},
                                                                                    {"ST", "CA"},
                                                                                    {"L", "LA"},
                                                                                    {"O", "Acme"},
                                                                                    {"OU", "dev"},
                                                                                    {"STREET", "Main 1"},
                                                                                    {"POSTALCODE", "9"},
                                                                                    {"SERIALNUMBER", "77"},
                                                                                    {"CN", "full"}})
    name.relatives.push_back({{type, value}});
  EXPECT_EQ(name.usual_text(),
            "SERIALNUMBER=77,CN=full,OU=dev,O=Acme,POSTALCODE=9,STREET=Main 1,L=LA,ST=CA,C=US");
  EXPECT_EQ(name.domain_components_text(), "");
}

TEST(DistinguishedName, AU_38_UsualTextGroupsTypesAndLeavesOthersOut) {
  const auto text = [](std::vector<Relative> relatives) {
    return DistinguishedName{std::move(relatives)}.usual_text();
  };
  EXPECT_EQ(text({{{"C", "US"}}, {{"OU", "a"}}, {{"O", "Acme"}}, {{"OU", "b"}}, {{"CN", "x"}}}),
            "CN=x,OU=a+OU=b,O=Acme,C=US");
  EXPECT_EQ(text({{{"CN", "a"}}, {{"CN", "b"}}}), "CN=b");
  EXPECT_EQ(text({{{"CN", "a"}}, {{"CN", ""}}, {{"O", ""}}}), "O=");
  EXPECT_EQ(
      text({{{"CN", "j"}, {"UID", "7"}}, {{"emailAddress", "x@y"}}, {{"DC", "org"}}, {{"2.5.4.12", "t"}}}),
      "CN=j");
  EXPECT_EQ(text({}), "");
}

TEST(DistinguishedName, AU_38_UsualTextIsEscaped) {
  const DistinguishedName name{{{{"O", R"(A, B+C "q" <x>;y\z)"}}, {{"CN", " #lead trail "}}}};
  EXPECT_EQ(name.usual_text(), R"(CN=\ #lead trail\ ,O=A\, B\+C \"q\" \<x\>\;y\\z)");
  EXPECT_EQ((DistinguishedName{{{{"CN", "#a#=\u00eb"}}}}.usual_text()), "CN=\\#a#=\u00eb");
  EXPECT_EQ((DistinguishedName{{{{"CN", " "}}}}.usual_text()), R"(CN=\ )");
}

TEST(DistinguishedName, AU_38_DomainComponentsAreInTheOrderOfTheCertificate) {
  const DistinguishedName name{{{{"DC", "org"}}, {{"O", "x"}, {"DC", "a,b"}}, {{"CN", "j"}}}};
  EXPECT_EQ(name.domain_components_text(), R"(DC=org,DC=a\,b)");
}

TEST(DistinguishedName, AU_38_OnlyUsualTypesAreComparedAsAWhole) {
  EXPECT_TRUE(DistinguishedName::parse("cn=a,OU=b,dc=c,Street=d,postalCode=e,serialNumber=f,L=g,ST=h,C=i,O=j")
                  .value()
                  .is_comparable());
  EXPECT_FALSE(DistinguishedName::parse("CN=a+UID=b").value().is_comparable());
  EXPECT_FALSE(DistinguishedName::parse("emailAddress=a,CN=b").value().is_comparable());
  EXPECT_FALSE(DistinguishedName::parse("2.5.4.3=a").value().is_comparable());
  EXPECT_TRUE(DistinguishedName::looks_like_one(" uid = a"));
  EXPECT_TRUE(DistinguishedName::looks_like_one("CN=a,,"));
  EXPECT_FALSE(DistinguishedName::looks_like_one("spiffe://x?CN=a"));
  EXPECT_FALSE(DistinguishedName::looks_like_one("CN"));
}

}  // namespace
}  // namespace nuncio::auth
