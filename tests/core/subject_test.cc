#include "core/subject.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace nuncio {
namespace {

// Every subject of up to three tokens out of these.
std::vector<std::string> all_subjects(const std::vector<std::string>& tokens) {
  std::vector<std::string> all = tokens;
  for (size_t from = 0, round = 0; round < 2; ++round) {
    const size_t end = all.size();
    for (size_t i = from; i < end; ++i)
      for (const auto& token : tokens) all.push_back(all[i] + "." + token);
    from = end;
  }
  return all;
}

}  // namespace

TEST(Subject, CP_29_EmptyTokensAndMisplacedTailWildcardsAreInvalid) {
  for (const std::string_view subject :
       {"", ".", "a.", ".a", "a..b", ">.a", "a.>.b", ">.>", "..", "*.", "a b", "a\t", "\r", "a.\n", " "})
    EXPECT_FALSE(is_valid_subject(subject)) << subject;
  for (const std::string_view subject : {"a", "a.b", ">", "*", "a.>", "a.*", "*.>", "*.*.a", "$SYS.x"})
    EXPECT_TRUE(is_valid_subject(subject)) << subject;
}

TEST(Subject, CP_30_WildcardsOnlyAsWholeTokens) {
  for (const std::string_view subject :
       {"foo*", "f>o", "foo.*bar", "foo.>>", "**", "a.>b.c", "\xff", "a\x01"}) {
    EXPECT_TRUE(is_valid_subject(subject)) << subject;
    EXPECT_TRUE(is_valid_literal(subject)) << subject;
    EXPECT_FALSE(has_wildcards(subject)) << subject;
  }
  EXPECT_TRUE(is_valid_literal(std::string_view("a\0b", 3)));
  for (const std::string_view subject : {"*", ">", "a.*", "*.a", "a.*.b", "a.>"}) {
    EXPECT_FALSE(is_valid_literal(subject)) << subject;
    EXPECT_TRUE(has_wildcards(subject)) << subject;
  }
}

TEST(Subject, CP_35_TokenCount) {
  EXPECT_EQ(token_count(""), 0u);
  EXPECT_EQ(token_count("a"), 1u);
  EXPECT_EQ(token_count("a.b.>"), 3u);
}

TEST(Subject, CP_30_Matches) {
  const auto matches = [](std::string_view pattern, std::string_view subject) {
    return subject_matches(pattern, subject);
  };
  EXPECT_TRUE(matches("a.b", "a.b"));
  EXPECT_TRUE(matches("a.*", "a.b"));
  EXPECT_TRUE(matches("*.b", "a.b"));
  EXPECT_TRUE(matches("*", "abc"));
  EXPECT_TRUE(matches(">", "a"));
  EXPECT_TRUE(matches(">", "a.b.c"));
  EXPECT_TRUE(matches("a.>", "a.b.c"));
  EXPECT_TRUE(matches("a.*.c", "a.b.c"));
  EXPECT_TRUE(matches("foo*", "foo*"));
  EXPECT_TRUE(matches("a.*", "a.*"));  // CP-40: wildcards of a publish are ordinary characters
  EXPECT_TRUE(matches("a.>", "a.>"));
  EXPECT_FALSE(matches("a.>", "a"));
  EXPECT_FALSE(matches("a", "a.b"));
  EXPECT_FALSE(matches("a.b", "a"));
  EXPECT_FALSE(matches("a.*", "a"));
  EXPECT_FALSE(matches("a.*", "a.b.c"));
  EXPECT_FALSE(matches("foo*", "foobar"));
  EXPECT_FALSE(matches("f>o", "fxo"));
  EXPECT_FALSE(matches("ab", "a"));
  EXPECT_FALSE(matches("a", "ab"));
  EXPECT_FALSE(matches("a.b", "a.*"));
}

TEST(Subject, CP_40_SubjectsWithEmptyTokensMatchNothing) {
  for (const std::string_view subject : {"", ".", ".a", "a.", "a..b", "a.b."})
    for (const std::string_view pattern : {">", "*", "*.*", "a.>", "a.*", "*.>", "a", "a.b", "*.*.*"})
      EXPECT_FALSE(subject_matches(pattern, subject)) << pattern << " " << subject;
}

TEST(Subject, AU_50_Subset) {
  EXPECT_TRUE(is_subset("foo.bar", "foo.*"));
  EXPECT_TRUE(is_subset("foo.*", "foo.*"));
  EXPECT_TRUE(is_subset("foo.*", "foo.>"));
  EXPECT_TRUE(is_subset("foo.>", "foo.>"));
  EXPECT_TRUE(is_subset("foo.*.>", "foo.>"));
  EXPECT_TRUE(is_subset("foo", ">"));
  EXPECT_FALSE(is_subset("foo.>", "foo.*"));
  EXPECT_FALSE(is_subset("foo.*", "foo.bar"));
  EXPECT_FALSE(is_subset("foo", "foo.>"));
  EXPECT_FALSE(is_subset(">", "*.>"));
  EXPECT_FALSE(is_subset("*", "foo"));
  EXPECT_FALSE(is_subset("foo.bar.baz", "foo.*"));
}

TEST(Subject, AU_50_SubsetAgreesWithMatchingEverySubject) {
  // Over a space rich enough to tell patterns of three tokens apart: names beyond the patterns' own, and four
  // tokens.
  const std::vector<std::string> patterns = all_subjects({"a", "b", "*", ">"});
  std::vector<std::string> literals = all_subjects({"a", "b", "c"});
  for (size_t i = 0, end = literals.size(); i < end; ++i)
    if (token_count(literals[i]) == 3) literals.push_back(literals[i] + ".c");
  for (const auto& inner : patterns) {
    if (!is_valid_subject(inner)) continue;
    for (const auto& outer : patterns) {
      if (!is_valid_subject(outer)) continue;
      bool is_contained = true;
      for (const auto& subject : literals)
        is_contained &= !subject_matches(inner, subject) || subject_matches(outer, subject);
      EXPECT_EQ(is_subset(inner, outer), is_contained) << inner << " in " << outer;
    }
  }
}

TEST(Subject, AU_51_Overlap) {
  EXPECT_TRUE(subjects_overlap("foo.*", "*.bar"));
  EXPECT_TRUE(subjects_overlap("foo.>", "*.*.x"));
  EXPECT_TRUE(subjects_overlap("foo", "foo"));
  EXPECT_TRUE(subjects_overlap(">", "foo"));
  EXPECT_FALSE(subjects_overlap("foo.>", "foo"));
  EXPECT_FALSE(subjects_overlap("foo.*", "foo.bar.baz"));
  EXPECT_FALSE(subjects_overlap("foo.*.a", "*.bar.b"));
  EXPECT_FALSE(subjects_overlap("foo*", "foo"));
}

TEST(Subject, AU_51_OverlapAgreesWithMatchingEverySubject) {
  const std::vector<std::string> patterns = all_subjects({"a", "b", "*", ">"});
  std::vector<std::string> literals = all_subjects({"a", "b", "c"});
  for (size_t i = 0, end = literals.size(); i < end; ++i)
    if (token_count(literals[i]) == 3) literals.push_back(literals[i] + ".c");
  for (const auto& one : patterns) {
    if (!is_valid_subject(one)) continue;
    for (const auto& other : patterns) {
      if (!is_valid_subject(other)) continue;
      bool is_shared = false;
      for (const auto& subject : literals)
        is_shared |= subject_matches(one, subject) && subject_matches(other, subject);
      EXPECT_EQ(subjects_overlap(one, other), is_shared) << one << " and " << other;
    }
  }
}

}  // namespace nuncio
