// What a mapping or an import makes of a subject. The partitions are those that nats-server 2.9.10 gave.
#include "core/subject_transform.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>

namespace nuncio {
namespace {

std::string error_of(const SubjectTransform::Made& made) {
  return made ? "none" : made.error();
}

std::string error_of(std::string_view source, std::string_view destination) {
  return error_of(SubjectTransform::make(source, destination));
}

// What becomes of the subject; "-" when it does not match.
std::string become(const SubjectTransform& transform, std::string_view subject) {
  std::string out;
  return transform.apply(subject, out) ? out : "-";
}

std::string become(std::string_view source, std::string_view destination, std::string_view subject) {
  const auto made = SubjectTransform::make(source, destination);
  return made ? become(*made, subject) : made.error();
}

TEST(SubjectTransform, AU_63_TextsAndWildcardsMakeTheSubject) {
  EXPECT_EQ(become("foo", "bar", "foo"), "bar");
  EXPECT_EQ(become("foo", "bar.baz", "foo"), "bar.baz");
  EXPECT_EQ(become("*", "foo.bar.$1", "foo"), "foo.bar.foo");
  EXPECT_EQ(become("foo.*.bar.*.baz", "req.$2.$1", "foo.A.bar.B.baz"), "req.B.A");
  EXPECT_EQ(become("foo.*.bar.*.baz", "req.{{wildcard(2)}}.{{ Wildcard ( 1 ) }}", "foo.A.bar.B.baz"),
            "req.B.A");
  EXPECT_EQ(become("*.*", "$1.x.$1", "a.b"), "a.x.a");
  EXPECT_EQ(become("a.*.*", "b.*.*", "a.1.2"), "b.1.2");
  EXPECT_EQ(become("baz.>", "my.pre.>", "baz.1.2.3"), "my.pre.1.2.3");
  EXPECT_EQ(become(">", "pre.>", "a.b"), "pre.a.b");
  EXPECT_EQ(become("a.*.>", "$1.>", "a.b.c.d"), "b.c.d");
}

TEST(SubjectTransform, AU_63_WhatDoesNotMatchTheSourceIsLeftAlone) {
  EXPECT_EQ(become("foo", "bar", "foo.a"), "-");
  EXPECT_EQ(become("foo", "bar", "fo"), "-");
  EXPECT_EQ(become("foo.*", "bar.$1", "foo"), "-");
  EXPECT_EQ(become("foo.*", "bar.$1", "foo."), "-");
  EXPECT_EQ(become("foo.*", "bar.$1", "foo.a.b"), "-");
  EXPECT_EQ(become("foo.*.x", "bar.$1", "foo.a.y"), "-");
  EXPECT_EQ(become("foo.*.x", "bar.$1", "foo.a.xy"), "-");
  EXPECT_EQ(become("foo.>", "bar.>", "foo"), "-");
  EXPECT_EQ(become("foo.>", "bar.>", "fooo.a"), "-");
  const auto transform = SubjectTransform::make("foo.*.x", "bar.$1");
  EXPECT_TRUE(transform->matches("foo.a.x"));
  EXPECT_FALSE(transform->matches("foo.a.b.x"));
}

TEST(SubjectTransform, AU_63_PartitionsAreThoseOfTheReference) {
  const auto one = [](std::string_view token) {
    return become("p.*", "q.{{partition(10,1)}}.$1", "p." + std::string(token));
  };
  EXPECT_EQ(one("a"), "q.0.a");
  EXPECT_EQ(one("b"), "q.7.b");
  EXPECT_EQ(one("hello"), "q.3.hello");
  EXPECT_EQ(one("customer-17"), "q.0.customer-17");
  EXPECT_EQ(one("x"), "q.5.x");
  EXPECT_EQ(one("0"), "q.3.0");
  EXPECT_EQ(one("1"), "q.4.1");
  EXPECT_EQ(one("2"), "q.1.2");
  const auto two = [](std::string_view subject) {
    return become("pp.*.*", "qq.{{partition(7,2,1)}}", subject);
  };
  EXPECT_EQ(two("pp.a.b"), "qq.6");
  EXPECT_EQ(two("pp.b.a"), "qq.2");
  EXPECT_EQ(two("pp.foo.bar"), "qq.6");
  EXPECT_EQ(two("pp.alice.7"), "qq.6");
  // Of the whole subject with its dots, as newer releases have it.
  EXPECT_EQ(become("foo.*", "p.{{partition(1000)}}", "foo.bar"), "p.196");
}

TEST(SubjectTransform, AU_63_TokensAreSplit) {
  EXPECT_EQ(become("*", "{{split(1,-)}}", "-abc-def--ghi-"), "abc.def.ghi");
  EXPECT_EQ(become("*", "{{split(1,-)}}", "--abc"), "abc");
  EXPECT_EQ(become("*", "{{split(1,ab)}}", "1ab2aab3"), "1.2a.3");
  EXPECT_EQ(become("*.*", "{{split(2,-)}}.{{splitfromleft(1,2)}}", "foo.-abc-def--ghij-"),
            "abc.def.ghij.fo.o");
  EXPECT_EQ(become("*", "{{splitfromleft(1,3)}}", "12345"), "123.45");
  EXPECT_EQ(become("*", "{{SplitFromRight(1,3)}}", "12345"), "12.345");
  // Too short to be split there.
  EXPECT_EQ(become("*", "{{splitfromleft(1,3)}}", "123"), "123");
  EXPECT_EQ(become("*", "{{splitfromright(1,9)}}", "123"), "123");
  EXPECT_EQ(become("*", "{{splitfromleft(1,-1)}}", "123"), "123");
}

TEST(SubjectTransform, AU_63_TokensAreSlicedAndCut) {
  EXPECT_EQ(become("*", "{{SliceFromLeft(1,3)}}", "1234567890"), "123.456.789.0");
  EXPECT_EQ(become("*", "{{SliceFromRight(1,3)}}", "1234567890"), "1.234.567.890");
  EXPECT_EQ(become("x.*.*", "xx.{{slicefromleft(1,2)}}.{{slicefromright(2,2)}}", "x.12345.12345"),
            "xx.12.34.5.1.23.45");
  EXPECT_EQ(become("x.*.*", "xx.{{slicefromleft(1,2)}}.{{slicefromright(2,2)}}", "x.1234.1234"),
            "xx.12.34.12.34");
  EXPECT_EQ(become("*", "{{slicefromright(1,3)}}", "12"), "12");
  EXPECT_EQ(become("*", "{{left(1,1)}}.{{right(1,1)}}", "1234"), "1.4");
  EXPECT_EQ(become("*", "{{left(1,9)}}", "1234"), "1234");
}

TEST(SubjectTransform, AT_30_CuttingATokenNeverMakesAWildcard) {
  EXPECT_EQ(become("in.*", "out.{{split(1,-)}}", "in.a-*-b"), "-");
  EXPECT_EQ(become("in.*", "out.{{split(1,-)}}", "in.a->"), "-");
  EXPECT_EQ(become("in.*", "{{left(1,1)}}", "in.>x"), "-");
  EXPECT_EQ(become("in.*", "{{right(1,1)}}", "in.x*"), "-");
  EXPECT_EQ(become("in.*", "{{splitfromleft(1,1)}}", "in.*x"), "-");
  EXPECT_EQ(become("in.*", "out.{{split(1,-)}}", "in.---"), "out.---");  // nor an empty token
}

TEST(SubjectTransform, AU_63_ADollarWithoutANumberIsAText) {
  EXPECT_EQ(become("*", "$SYS.$1.$x", "a"), "$SYS.a.$x");
  EXPECT_EQ(become("$SYS.*", "$1.$1a", "$SYS.a"), "a.$1a");
}

TEST(SubjectTransform, AU_63_ErrorsAreThoseOfTheReference) {
  const std::string start = "invalid mapping destination: ";
  EXPECT_EQ(error_of("a.*", "b.{{foo(1)}}"), start + "unknown function in {{foo(1)}}");
  EXPECT_EQ(error_of("a.*", "b.{{ wildcard5) }}"), start + "unknown function in {{ wildcard5) }}");
  EXPECT_EQ(error_of("a.*", "b.{{wildcard(2)}}"),
            start + "wildcard index out of range in {{wildcard(2)}}: [2]");
  EXPECT_EQ(error_of("a.*", "b.$2"), start + "wildcard index out of range in $2: [2]");
  EXPECT_EQ(error_of("a.*", "b.$0"), start + "wildcard index out of range in $0: [0]");
  EXPECT_EQ(error_of("a", "b.$1"), start + "wildcard index out of range in $1: [1]");
  EXPECT_EQ(error_of("a.*", "b.{{wildcard()}}"),
            start + "not enough arguments passed to the function in {{wildcard()}}");
  EXPECT_EQ(error_of("a.*", "b.{{wildcard(1,2)}}"),
            start + "too many arguments passed to the function in {{wildcard(1,2)}}");
  EXPECT_EQ(error_of("a.*", "b.{{wildcard(x)}}"),
            start + "function argument is invalid or in the wrong format in {{wildcard(x)}}");
  for (const char* destination :
       {"{{partition()}}", "{{partition(x,1)}}", "{{partition(0,1)}}", "{{partition(2147483648,1)}}",
        "{{split(1,)}}", "{{split(1,a b)}}", "{{splitfromleft(1,x)}}", "{{left(1,99999999999)}}"})
    EXPECT_EQ(error_of("*", destination),
              start + "function argument is invalid or in the wrong format in " + destination);
  EXPECT_EQ(error_of("*", "{{partition(3,2)}}"),
            start + "wildcard index out of range in {{partition(3,2)}}: [2]");
  EXPECT_EQ(error_of("a", "b..c"), start + "invalid subject in b..c");
  EXPECT_EQ(error_of("a", "b.>.c"), start + "invalid subject in b.>.c");
  EXPECT_EQ(error_of("a", ""), start + "invalid subject in ");
  EXPECT_EQ(error_of("a", "b c"), start + "invalid subject in b c");
  EXPECT_EQ(error_of("a..b", "b"), "invalid subject \"a..b\"");
  EXPECT_EQ(error_of("a.>", "b"), "invalid subject: only one of \"a.>\" and \"b\" ends with \">\"");
  EXPECT_EQ(error_of("a.*", "b.$1.>"), "invalid subject: only one of \"a.*\" and \"b.$1.>\" ends with \">\"");
}

TEST(SubjectTransform, AU_63_WildcardsOfASourceAreBounded) {
  std::string source = "*", destination = "$1", subject = "1", wanted = "1";
  for (uint32_t n = 2; n <= SubjectTransform::wildcards_max; ++n) {
    source += ".*";
    destination = "$" + std::to_string(n) + "." + destination;
    subject += "." + std::to_string(n);
    wanted = std::to_string(n) + "." + wanted;
  }
  EXPECT_EQ(become(source, destination, subject), wanted);
  EXPECT_NE(error_of(source + ".*", destination), "none");
}

TEST(SubjectTransform, AU_63_TheIdentityIsKnown) {
  EXPECT_TRUE(SubjectTransform::make("a.*.>", "a.$1.>")->is_identity());
  EXPECT_TRUE(SubjectTransform::make("a.$1", "a.$1")->is_identity());
  EXPECT_FALSE(SubjectTransform::make("a.*.*", "a.$2.$1")->is_identity());
  EXPECT_FALSE(SubjectTransform::make("a.*", "b.$1")->is_identity());
  EXPECT_EQ(become("a.*.>", "a.$1.>", "a.b.c"), "a.b.c");
}

TEST(SubjectTransform, AU_60_AnImportUsesEveryWildcardAndNothingElse) {
  const std::string start = "invalid mapping destination: ";
  EXPECT_EQ(error_of(SubjectTransform::make_for_import("a.*", "b")),
            start + "not using all of the token wildcard(s) in b");
  EXPECT_EQ(error_of(SubjectTransform::make_for_import("a.*.*", "b.$1.$1")),
            start + "not using all of the token wildcard(s) in b.$1.$1");
  EXPECT_EQ(error_of(SubjectTransform::make_for_import("a.*", "b.{{partition(3,1)}}.$1")),
            start +
                "the only mapping function allowed for import transforms is {{Wildcard()}} in "
                "b.{{partition(3,1)}}.$1");
  EXPECT_EQ(error_of(SubjectTransform::make_for_import("a.*", "b.$1.$1")), "none");
}

TEST(SubjectTransform, AU_60_ReversedGoesBack) {
  for (const auto& [source, destination, subject] :
       {std::tuple("foo.*.*", "bar.$2.{{Wildcard(1)}}", "foo.a.b"),
        std::tuple("a.*.*.*", "b.$2.$3.$1", "a.x.y.z"), std::tuple("a.*.x.>", "*.>", "a.1.x.2.3"),
        std::tuple("a.b", "c", "a.b"), std::tuple("a.$1.*", "b.$1", "a.$1.x")}) {
    const auto there = SubjectTransform::make(source, destination);
    ASSERT_TRUE(there) << source;
    const auto back = there->reversed();
    ASSERT_TRUE(back) << back.error();
    EXPECT_EQ(become(*back, become(*there, subject)), subject) << destination;
  }
  const auto reversed = SubjectTransform::make("a.*.*.>", "b.$2.$1.>")->reversed();
  EXPECT_EQ(reversed->source(), "b.*.*.>");
  EXPECT_EQ(reversed->destination(), "a.$2.$1.>");
  EXPECT_FALSE(SubjectTransform::make("a.*", "b")->reversed());
  EXPECT_FALSE(SubjectTransform::make("a.*", "b.$1.$1")->reversed());
  EXPECT_FALSE(SubjectTransform::make("a.*", "b.{{left(1,2)}}")->reversed());
}

TEST(SubjectTransform, AU_60_APatternWithinTheSourceBecomesAPattern) {
  EXPECT_EQ(become("a.*.>", "b.$1.>", "a.x.>"), "b.x.>");
  EXPECT_EQ(become("a.*.>", "b.$1.>", "a.*.y.*"), "b.*.y.*");
}

}  // namespace
}  // namespace nuncio
