// What rights cost the publish path (AU-57). Arguments: rules (0: a user without Permissions) and subjects in
// use, published in turn. Three of four rules allow, one denies; two of three have wildcards. Figures:
// bench/README.md.
#include "auth/permissions.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nuncio::auth {
namespace {

std::string rule(int i) {
  switch (i % 3) {
    case 0:
      return fmt::format("orders.region{}.created", i);
    case 1:
      return fmt::format("orders.region{}.*", i);
    default:
      return fmt::format("metrics.host{}.>", i);
  }
}

std::shared_ptr<const Permissions> permissions_of(int rules) {
  if (rules == 0) return nullptr;
  PermissionOptions options;
  options.publish.allow.emplace();
  for (int i = 0; i < rules; ++i) {
    if (i % 4 == 3) {
      options.publish.deny.push_back(fmt::format("secret.{}", rule(i)));
    } else {
      options.publish.allow->push_back(rule(i));
    }
  }
  return Permissions::make(options);
}

// Spread over the rules that allow by a wildcard; every other one has a token too many and is refused.
std::vector<std::string> subjects_of(int rules, int count) {
  std::vector<std::string> subjects;
  for (int i = 0; i < count; ++i) {
    const int allowing = i % (rules / 12 + 1) * 12 + 1;
    subjects.push_back(fmt::format("orders.region{}.{}{}", allowing, i % 2 == 0 ? "n" : "n.", i));
  }
  return subjects;
}

// As the publish path asks: null means everything.
void BM_PermissionsPublish(benchmark::State& state) {
  const auto rules = static_cast<int>(state.range(0));
  const auto subjects = subjects_of(rules, static_cast<int>(state.range(1)));
  std::unique_ptr<SubjectVerdicts> verdicts;
  if (auto permissions = permissions_of(rules))
    verdicts = std::make_unique<SubjectVerdicts>(std::move(permissions));
  size_t next = 0, allowed = 0;
  for ([[maybe_unused]] auto _ : state) {
    SubjectVerdicts* given = verdicts.get();
    benchmark::DoNotOptimize(given);
    const bool is_allowed = given == nullptr || given->may_publish(subjects[next]);
    allowed += is_allowed;
    benchmark::DoNotOptimize(allowed);
    if (++next == subjects.size()) next = 0;
  }
}

// A subject that no memory holds: the rules themselves.
void BM_PermissionsPublishUnknown(benchmark::State& state) {
  const auto rules = static_cast<int>(state.range(0));
  const auto permissions = permissions_of(rules);
  const auto subjects = subjects_of(rules, static_cast<int>(state.range(1)));
  size_t next = 0;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(permissions->may_publish(subjects[next]));
    if (++next == subjects.size()) next = 0;
  }
}

void BM_PermissionsSubscribe(benchmark::State& state) {
  const auto rules = static_cast<int>(state.range(0));
  PermissionOptions options;
  options.subscribe.allow.emplace();
  for (int i = 0; i < rules; ++i)
    (i % 4 == 3 ? options.subscribe.deny : *options.subscribe.allow).push_back(rule(i));
  const auto permissions = Permissions::make(options);
  std::string_view subject = state.range(1) != 0 ? "orders.region1.*" : "orders.region1.n";
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(subject);
    benchmark::DoNotOptimize(permissions->may_subscribe(subject, {}));
  }
}

// A responder at work with this many deliveries unanswered.
void BM_ResponsePermits(benchmark::State& state) {
  const auto open = static_cast<size_t>(state.range(0));
  std::vector<std::string> replies;
  for (size_t i = 0; i < open * 2; ++i) replies.push_back(fmt::format("_INBOX.4PYOZ7UgkYJ5yq3.{}", i));
  ResponsePermits permits(ResponseRules{});
  for (size_t i = 0; i < open; ++i) permits.add(replies[i], 0);
  size_t next = 0;
  for ([[maybe_unused]] auto _ : state) {
    permits.add(replies[(next + open) % replies.size()], 0);
    benchmark::DoNotOptimize(permits.take(replies[next], 0));
    if (++next == replies.size()) next = 0;
  }
}

BENCHMARK(BM_PermissionsPublish)
    ->ArgNames({"rules", "subjects"})
    ->ArgsProduct({{0, 10, 1000}, {1, 100}})
    ->Args({1000, 100'000});
BENCHMARK(BM_PermissionsPublishUnknown)->ArgNames({"rules", "subjects"})->ArgsProduct({{10, 1000}, {1, 100}});
BENCHMARK(BM_PermissionsSubscribe)->ArgNames({"rules", "wildcard"})->ArgsProduct({{10, 1000}, {0, 1}});
BENCHMARK(BM_ResponsePermits)->ArgName("open")->Arg(1)->Arg(1000);

}  // namespace
}  // namespace nuncio::auth
