// What it costs to judge and compare subjects (SUB, pedantic publishes, permissions).
#include <benchmark/benchmark.h>

#include <string_view>

#include "core/subject.h"

namespace nuncio {
namespace {

constexpr std::string_view inbox = "_INBOX.4PYOZ7UgkYJ5yq3.1234";

void BM_SubjectIsValid(benchmark::State& state) {
  std::string_view subject = inbox;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(subject);
    benchmark::DoNotOptimize(is_valid_subject(subject));
  }
}

void BM_SubjectHasWildcards(benchmark::State& state) {
  std::string_view subject = inbox;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(subject);
    benchmark::DoNotOptimize(has_wildcards(subject));
  }
}

void BM_SubjectMatches(benchmark::State& state) {
  std::string_view pattern = "_INBOX.4PYOZ7UgkYJ5yq3.*";
  std::string_view subject = inbox;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(pattern);
    benchmark::DoNotOptimize(subject);
    benchmark::DoNotOptimize(subject_matches(pattern, subject));
  }
}

void BM_SubjectIsSubset(benchmark::State& state) {
  std::string_view outer = "_INBOX.>";
  std::string_view inner = inbox;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(outer);
    benchmark::DoNotOptimize(inner);
    benchmark::DoNotOptimize(is_subset(inner, outer));
  }
}

BENCHMARK(BM_SubjectIsValid);
BENCHMARK(BM_SubjectHasWildcards);
BENCHMARK(BM_SubjectMatches);
BENCHMARK(BM_SubjectIsSubset);

}  // namespace
}  // namespace nuncio
