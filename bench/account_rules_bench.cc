// What mappings and crossings add to a publish: nothing to map, one mapping, many, and the look for crossings
// that do not match.
#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>

#include "core/account_rules.h"

namespace nuncio {
namespace {

// `count` mappings or stream imports of "p<n>.*", of which the first one has our subject.
std::shared_ptr<const AccountTable> table_of(int64_t mappings, int64_t imports) {
  AccountOptions exporter, importer;
  exporter.name = "E";
  importer.name = "I";
  ExportOptions offer;
  offer.subject = ">";
  exporter.exports.push_back(offer);
  for (int64_t n = 0; n < mappings; ++n) {
    MappingOptions mapping;
    mapping.source = "p" + std::to_string(n) + ".*";
    mapping.destinations.push_back({"q." + std::to_string(n) + ".{{partition(16,1)}}.$1", 100, ""});
    exporter.mappings.push_back(mapping);
  }
  for (int64_t n = 0; n < imports; ++n) {
    ImportOptions import;
    import.account = "E";
    import.subject = "p" + std::to_string(n) + ".*";
    importer.imports.push_back(import);
  }
  AccountTable::Findings findings;
  return AccountTable::make({exporter, importer}, {}, {}, findings);
}

void map(benchmark::State& state, std::string_view subject) {
  const auto table = table_of(state.range(0), 0);
  const AccountRules& rules = table->accounts()[table->find("E").value()];
  std::string scratch;
  std::minstd_rand random(1);
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(subject);
    benchmark::DoNotOptimize(rules.map(subject, scratch, random));
  }
}

void BM_MapMatches(benchmark::State& state) {
  map(state, "p0.customer-17");
}

void BM_MapMatchesNone(benchmark::State& state) {
  map(state, "orders.customer-17");
}

void BM_CrossesNone(benchmark::State& state) {
  const auto table = table_of(0, state.range(0));
  const AccountRules& rules = table->accounts()[table->find("E").value()];
  std::string_view subject = "orders.customer-17";
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(subject);
    benchmark::DoNotOptimize(rules.crosses(subject));
  }
}

BENCHMARK(BM_MapMatches)->Arg(1)->Arg(16)->Arg(1000);
BENCHMARK(BM_MapMatchesNone)->Arg(0)->Arg(1)->Arg(16)->Arg(1000);
BENCHMARK(BM_CrossesNone)->Arg(0)->Arg(1)->Arg(16)->Arg(1000);

}  // namespace
}  // namespace nuncio
