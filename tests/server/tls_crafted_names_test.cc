// Names crafted to pass for another user's where certificates are mapped to users (AT-44): whoever gets to
// choose a part of the name in his certificate becomes exactly whom it names, or nobody.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "mutual_tls.h"

namespace nuncio::test {
namespace {

using std::string_literals::operator""s;

constexpr std::string_view nobody = "nobody";
constexpr std::string_view refused = "refused";  // during the handshake

// A subject of these parts, the most general first; no character of a value is special.
Subject parts(std::vector<Subject::Part> parts) {
  return Subject(std::move(parts));
}
Subject common_name(const std::string& value, StringType type = StringType::utf8) {
  return parts({{{"CN", value, type}}});
}

std::string utf16(std::u16string_view text) {
  std::string result;
  for (const char16_t unit : text) {
    result += static_cast<char>(unit >> 8);
    result += static_cast<char>(unit);
  }
  return result;
}

class TlsCraftedNames : public MutualTlsTest {
 protected:
  void start_with(const std::vector<std::string>& names) {
    names_ = names;
    start_mutual("verify_and_map: true", users(names));
  }
  // The name of the user that a certificate's client becomes.
  std::string whom(const Certificate& certificate, Where where = Where::current()) {
    Client one = client(where);
    std::string alert = one.try_tls({.certificate = certificate}, where);
    if (alert.empty()) {
      one.send("CONNECT {\"verbose\":false}\r\nPING\r\n");
      const std::optional<std::string> answer = one.line_or_end(where);
      if (answer == "PONG") return names_.at(who(one));
      if (answer == "-ERR 'Authorization Violation'") return std::string(nobody);
      if (answer) fail("got " + printable(*answer), where);
      alert = one.tls().alert();
    }
    EXPECT_THAT(alert, testing::AnyOfArray(certificate_alerts));
    return std::string(refused);
  }
  std::string whom(const Subject& subject, std::vector<std::string> alternative = {},
                   Where where = Where::current()) {
    return whom(authority().client(subject, std::move(alternative)), where);
  }
  // The reference takes names with a NUL, whole: then they are nobody's.
  static testing::Matcher<std::string> refused_for_a_nul() {
    if (is_oracle()) return testing::AnyOf(nobody, refused);
    return testing::Eq(refused);
  }

 private:
  std::vector<std::string> names_;
};
NUNCIO_ON_EVERY_BACKEND(TlsCraftedNames);

// One attribute's value holds what would end it, were it not escaped: it never becomes two.
TEST_P(TlsCraftedNames, AT_44_AValueIsOneValue) {
  start_with({"CN=admin", "CN=admin,O=Org", "CN=admin+O=Org", "O=Org,CN=admin", "CN=x,CN=admin",
              "CN=admin,OU=One+OU=Two"});
  EXPECT_EQ(whom("/CN=admin"), "CN=admin");
  for (const char* value : {"admin,O=Org", "admin, O=Org", "admin+O=Org", "admin;O=Org", "x,CN=admin",
                            "x+CN=admin", "x/CN=admin", "CN=admin", "admin/O=Org", "admin\\,O=Org"}) {
    SCOPED_TRACE(value);
    EXPECT_EQ(whom(common_name(value)), nobody);
  }
  for (const char* value : {"Org,CN=admin", "Org+CN=admin", "Org/CN=admin", "CN=admin"}) {
    SCOPED_TRACE(value);
    EXPECT_EQ(whom(parts({{{"O", value}}})), nobody);
    EXPECT_EQ(whom(parts({{{"O", value}}, {{"CN", "x"}}})), nobody);
  }
  EXPECT_EQ(whom(parts({{{"OU", "One+OU=Two"}}, {{"CN", "admin"}}})), nobody);
  EXPECT_EQ(whom(parts({{{"OU", "One"}}, {{"OU", "Two"}}, {{"CN", "admin"}}})), "CN=admin,OU=One+OU=Two");
}

// What is special in the text of a name is an ordinary character of a certificate's, and counts.
TEST_P(TlsCraftedNames, AT_44_SpecialCharactersAreNotDropped) {
  start_with({"CN=admin", R"(CN=\ admin)", R"(CN=admin\ )", R"(CN=\#admin)", R"(CN=ad\"min)", R"(CN=admin\\)",
              R"(CN=ad\,min)", R"(CN=ad\+min)", "CN=ad#min", "CN=a  min"});
  EXPECT_EQ(whom(common_name("admin")), "CN=admin");
  EXPECT_EQ(whom(common_name(" admin")), R"(CN=\ admin)");
  EXPECT_EQ(whom(common_name("admin ")), R"(CN=admin\ )");
  EXPECT_EQ(whom(common_name("#admin")), R"(CN=\#admin)");
  EXPECT_EQ(whom(common_name("ad\"min")), R"(CN=ad\"min)");
  EXPECT_EQ(whom(common_name("admin\\")), R"(CN=admin\\)");
  EXPECT_EQ(whom(common_name("ad,min")), R"(CN=ad\,min)");
  EXPECT_EQ(whom(common_name("ad+min")), R"(CN=ad\+min)");
  EXPECT_EQ(whom(common_name("ad#min")), "CN=ad#min");
  EXPECT_EQ(whom(common_name("a  min")), "CN=a  min");
  for (const std::string& value :
       {"\"admin\""s, "  admin"s, "admin  "s, " admin "s, "\\ admin"s, "##admin"s, "\\#admin"s, "admin\\\\"s,
        "\\admin"s, "\\61dmin"s, "#0c0561646d696e"s, "a min"s, "admin\t"s, "admin\r\n"s, "\\00admin"s}) {
    SCOPED_TRACE(printable(value));
    EXPECT_EQ(whom(common_name(value)), nobody);
  }
}

// Of several common names the last is the name, as in the reference: no other makes its client somebody.
TEST_P(TlsCraftedNames, AT_44_OfSeveralCommonNamesOneCounts) {
  start_with({"CN=admin", "CN=anna", "CN=carl,CN=berta"});
  EXPECT_EQ(whom("/CN=admin/CN=anna"), "CN=anna");
  EXPECT_EQ(whom("/CN=anna/CN=admin"), "CN=admin");
  EXPECT_EQ(whom("/CN=admin/CN=x"), nobody);
  EXPECT_EQ(whom("/CN=admin/CN="), nobody);
  EXPECT_EQ(whom("/CN=berta/CN=carl"), "CN=carl,CN=berta");
}

// A name and an organisation in one relative name are a name of their own; in the text that is compared last
// they stand apart.
TEST_P(TlsCraftedNames, AT_44_MultiValuedRelativeNames) {
  start_with({"CN=anna+O=Org", "CN=admin,O=Org", "CN=admin", "O=Org", "CN=one+OU=x,O=Org"});
  const auto together = [](const char* name, const char* organisation) {
    return parts({{{"O", organisation}, {"CN", name}}});
  };
  EXPECT_EQ(whom(together("anna", "Org")), "CN=anna+O=Org");
  EXPECT_EQ(whom("/O=Org/CN=anna"), nobody);
  EXPECT_EQ(whom(together("admin", "Org")), "CN=admin,O=Org");
  EXPECT_EQ(whom(together("admin", "Other")), nobody);
  EXPECT_EQ(whom(together("x", "Org")), nobody);
  EXPECT_EQ(whom(parts({{{"O", "Org"}, {"OU", "x"}}, {{"CN", "one"}}})), nobody);
}

// The reference joins domain components as they are.
TEST_P(TlsCraftedNames, AT_44_ADomainComponentIsOne) {
  NUNCIO_OURS_ONLY();
  start_with({"CN=Jane,DC=com,DC=example", "CN=Jane,DC=example,DC=com"});
  EXPECT_EQ(whom(parts({{{"DC", "com,DC=example"}}, {{"CN", "Jane"}}})), nobody);
  EXPECT_EQ(whom(parts({{{"DC", "example,DC=com"}}, {{"CN", "Jane"}}})), nobody);
  EXPECT_EQ(whom("/DC=com/DC=example/CN=Jane"), "CN=Jane,DC=example,DC=com");
}

// UTF-16 is read as such. Some issuers end it with a NUL, which is not part of it.
TEST_P(TlsCraftedNames, AT_44_Utf16Names) {
  start_with({"CN=admin", "CN=J\xc3\xb6rg", "CN=admins", "CN=a", "CN=adm\xe5\xa4\xa7"});
  const auto named = [&](std::u16string_view text) {
    return whom(common_name(utf16(text), StringType::bmp));
  };
  EXPECT_EQ(named(u"admin"), "CN=admin");
  EXPECT_EQ(named(u"admin\0"s), "CN=admin");
  EXPECT_EQ(named(u"J\u00f6rg"), "CN=J\xc3\xb6rg");
  EXPECT_EQ(named(u"adm\u5927"), "CN=adm\xe5\xa4\xa7");
  // Bytes that would be the name in another encoding.
  EXPECT_EQ(whom(common_name("admins", StringType::bmp)), nobody);
  // Cut where a C library would.
  for (const std::u16string& text : {u"admin\0\0"s, u"admin\0x"s, u"\0admin"s, u"a\0dmin"s, u"a\0\0"s}) {
    EXPECT_THAT(named(text), refused_for_a_nul());
  }
  EXPECT_EQ(named(u"admin\u0100"), nobody);  // its last byte is one
}

TEST_P(TlsCraftedNames, AT_44_ANulInsideANameIsRefused) {
  start_with({"CN=admin", "CN=admin,O=Org", "admin@x.org", "one.example", "urn:x:one"});
  for (const StringType type : {StringType::utf8, StringType::printable, StringType::ia5}) {
    for (const std::string& value : {"admin\0"s, "admin\0.evil"s, "\0admin"s, "ad\0min"s})
      EXPECT_THAT(whom(common_name(value, type)), refused_for_a_nul());
  }
  EXPECT_THAT(whom(parts({{{"O", "Org\0.evil"s}}, {{"CN", "admin"}}})), refused_for_a_nul());
  for (const std::string& name :
       {"email:admin@x.org\0"s, "email:admin@x.org\0.evil.org"s, "DNS:one.example\0"s,
        "DNS:one.example\0.evil.org"s, "URI:urn:x:one\0"s, "URI:urn:x:one\0evil"s}) {
    SCOPED_TRACE(printable(name));
    EXPECT_THAT(whom("/CN=x", {name}), refused_for_a_nul());
    EXPECT_THAT(whom("/CN=x", {"DNS:other.example", name}), refused_for_a_nul());
  }
}

// As much or as little as a comparison of beginnings or ends would take.
TEST_P(TlsCraftedNames, AT_44_AlternativeNamesAreComparedWhole) {
  start_with({"admin@x.org", "one.example", "urn:x:one", "spiffe://x.org/one"});
  EXPECT_EQ(whom("/CN=x", {"email:admin@x.org"}), "admin@x.org");
  EXPECT_EQ(whom("/CN=x", {"DNS:one.example"}), "one.example");
  EXPECT_EQ(whom("/CN=x", {"URI:urn:x:one"}), "urn:x:one");
  EXPECT_EQ(whom("/CN=x", {"URI:spiffe://x.org/one"}), "spiffe://x.org/one");
  for (const char* name : {"email:admin@x.org.evil.org",
                           "email:admin@x.orgs",
                           "email:admin@x.or",
                           "email:admin@x.org.",
                           "email:admin",
                           "email:badmin@x.org",
                           "email:admin@x.org,admin@x.org",
                           "email:<admin@x.org>",
                           "email:admin+x@x.org",
                           "DNS:one.example.evil.org",
                           "DNS:one.examples",
                           "DNS:one.exampl",
                           "DNS:one.example.",
                           "DNS:someone.example",
                           "DNS:*.example",
                           "DNS:example",
                           "DNS:*",
                           "URI:urn:x:one:two",
                           "URI:urn:x:ones",
                           "URI:urn:x:on",
                           "URI:urn:x:one?a",
                           "URI:urn:x:one#a",
                           "URI:turn:x:one",
                           "URI:spiffe://x.org/one/",
                           "URI:spiffe://x.org/one/../one",
                           "URI:spiffe://x.org//one",
                           "URI:spiffe://x.org/on",
                           "URI:spiffe://x.org/one/two",
                           "URI:spiffe://x.org.evil.org/one",
                           "URI:spiffe://evil.org/x.org/one",
                           "URI:spiffe://a@x.org/one"}) {
    SCOPED_TRACE(name);
    EXPECT_EQ(whom("/CN=x", {name}), nobody);
  }
  // An address in the subject is none of the alternative names.
  EXPECT_EQ(whom("/CN=x/emailAddress=admin@x.org"), nobody);
  EXPECT_EQ(whom("/CN=admin@x.org"), nobody);
  EXPECT_EQ(whom("/CN=one.example"), nobody);
}

TEST_P(TlsCraftedNames, AT_44_CaseAndLookalikesAreOthers) {
  start_with({"CN=admin", "CN=admin,O=Org", "admin@x.org", "one.example", "urn:x:one", "CN=Zo\xc3\xab"});
  for (const char* subject : {"/CN=Admin", "/CN=ADMIN", "/O=org/CN=admin", "/O=ORG/CN=admin",
                              "/CN=\xd0\xb0"
                              "dmin",                                                              // Cyrillic
                              "/CN=\xef\xbd\x81\xef\xbd\x84\xef\xbd\x8d\xef\xbd\x89\xef\xbd\x8e",  // wide
                              "/CN=admin\xe2\x80\x8b",  // an invisible space
                              "/CN=Zoe\xcc\x88"}) {     // composed of two
    SCOPED_TRACE(subject);
    EXPECT_EQ(whom(subject), nobody);
  }
  for (const char* name :
       {"email:Admin@x.org", "email:admin@X.org", "email:ADMIN@X.ORG", "DNS:ONE.example", "DNS:one.Example",
        "URI:urn:X:one", "URI:urn:x:One", "URI:ADMIN@X.ORG", "URI:ONE.example", "URI:ONE.EXAMPLE"}) {
    SCOPED_TRACE(name);
    EXPECT_EQ(whom("/CN=x", {name}), nobody);
  }
  EXPECT_EQ(whom("/CN=Zo\xc3\xab"), "CN=Zo\xc3\xab");
}

}  // namespace
}  // namespace nuncio::test
