// What interest costs: matching with and without the cache's help, SUB and UNSUB beside many others, memory.
// Memory is what malloc counts, so nothing that the C++ library
// keeps is lost.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <malloc.h>

#include <random>
#include <string>
#include <vector>

#include "core/interest.h"
#include "core/subscription_table.h"

namespace nuncio {
namespace {

constexpr int many = 500'000;

size_t bytes_in_use() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// About 25 bytes each, in an order that has nothing to do with memory.
std::vector<std::string> subjects_of(int count) {
  std::vector<std::string> subjects;
  for (int i = 0; i < count; ++i) subjects.push_back(fmt::format("_INBOX.{:018}", uint64_t(i) * 2654435761u));
  return subjects;
}

// One worker, one connection with a subscription on each subject, as in the 500,000 row.
struct Loaded {
  explicit Loaded(int count) : subjects(subjects_of(count)) {
    epochs.online(0);
    const size_t before = bytes_in_use();
    for (int i = 0; i < count; ++i) {
      if (i % 64 == 0) epochs.online(0);
      table.insert(interest.add(0, &receiver, subjects[static_cast<size_t>(i)], "", std::to_string(i + 1)));
    }
    epochs.online(0);
    epochs.online(0);
    bytes_each = static_cast<double>(bytes_in_use() - before) / count;
  }
  ~Loaded() {
    for (int taken = 0; Subscription* s = table.take_any(); ++taken) {
      interest.remove(0, s);
      if (taken % 64 == 0) epochs.online(0);
    }
    epochs.offline(0);
  }

  std::vector<std::string> subjects;
  Epochs epochs{2};
  Interest interest{2, epochs};
  Receiver receiver;
  SubscriptionTable table;
  double bytes_each = 0;
};

Loaded& half_a_million() {
  static Loaded loaded(many);
  return loaded;
}

void MatchHotSubject(benchmark::State& state) {
  Loaded loaded(static_cast<int>(state.range(0)));
  Matcher matcher(loaded.interest, 0);
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(&matcher.match(loaded.subjects[i]));
    i = i + 1 == loaded.subjects.size() ? 0 : i + 1;
  }
}
BENCHMARK(MatchHotSubject)->Arg(1)->Arg(100)->Arg(5000);

void MatchHotSubjectNobodyWants(benchmark::State& state) {
  Loaded loaded(100);
  Matcher matcher(loaded.interest, 0);
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(&matcher.match("orders.new.nobody.cares"));
}
BENCHMARK(MatchHotSubjectNobodyWants);

// The cache is no help: each subject is another one. `own`: the caller's worker has the receiver, so its list
// and the subscription are touched as a delivery would.
void match_random(benchmark::State& state, WorkerId w) {
  Loaded& loaded = half_a_million();
  Matcher matcher(loaded.interest, w);
  std::minstd_rand random(7);
  std::vector<const std::string*> order;
  for (int i = 0; i < 1 << 16; ++i) order.push_back(&loaded.subjects[random() % many]);
  std::vector<char> text;
  std::vector<std::pair<size_t, size_t>>
      packed;  // as in a receive buffer, not one cache miss each of the bench's own
  for (const std::string* s : order) {
    packed.emplace_back(text.size(), s->size());
    text.insert(text.end(), s->begin(), s->end());
  }
  size_t i = 0;
  uint64_t delivered = 0;
  for (auto _ : state) {
    const auto [at, size] = packed[i];
    const Match& found = matcher.match({text.data() + at, size});
    if (!found.plain.empty()) delivered += ++(*found.plain[0])[0]->delivered;
    delivered += found.workers;
    i = (i + 1) % packed.size();
  }
  benchmark::DoNotOptimize(delivered);
}
void MatchRandomOf500kOwn(benchmark::State& state) {
  match_random(state, 0);
}
void MatchRandomOf500kOtherWorkers(benchmark::State& state) {
  match_random(state, 1);
}
BENCHMARK(MatchRandomOf500kOwn);
BENCHMARK(MatchRandomOf500kOtherWorkers);

void AddDistinct500k(benchmark::State& state) {
  const std::vector<std::string> subjects = subjects_of(many);
  double bytes_each = 0;
  for (auto _ : state) {
    state.PauseTiming();
    {
      auto epochs = std::make_unique<Epochs>(1);
      auto interest = std::make_unique<Interest>(1, *epochs);
      SubscriptionTable table;
      const size_t before = bytes_in_use();
      epochs->online(0);
      state.ResumeTiming();
      for (int i = 0; i < many; ++i) {
        if (i % 64 == 0) epochs->online(0);
        char sid[16];
        const auto end = fmt::format_to(sid, "{}", i + 1);
        const std::string_view text(sid, static_cast<size_t>(end - sid));
        if (table.find(text) == nullptr) {
          table.insert(interest->add(0, nullptr, subjects[static_cast<size_t>(i)], "", text));
        }
      }
      state.PauseTiming();
      epochs->online(0);
      epochs->online(0);
      bytes_each = static_cast<double>(bytes_in_use() - before) / many;
      while (table.take_any() != nullptr) continue;
      epochs->offline(0);
      interest.reset();
    }
    state.ResumeTiming();
  }
  state.counters["ns_each"] =
      benchmark::Counter(static_cast<double>(many) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["bytes_each"] = bytes_each;
}
BENCHMARK(AddDistinct500k)->Unit(benchmark::kMillisecond);

// SUB + UNSUB of a new subject; a turn is 64 of them.
void AddRemoveBeside500k(benchmark::State& state) {
  Loaded& loaded = half_a_million();
  const bool is_wildcard = state.range(0) != 0;
  uint64_t i = 0;
  std::string subject;
  for (auto _ : state) {
    subject.clear();
    fmt::format_to(std::back_inserter(subject), "inbox.{:016}{}", i * 40503, is_wildcard ? ".*" : "");
    Subscription* s = loaded.interest.add(0, &loaded.receiver, subject, "", "x1");
    loaded.table.insert(s);
    loaded.table.erase(loaded.table.find("x1"));
    loaded.interest.remove(0, s);
    if (++i % 64 == 0) loaded.epochs.online(0);
  }
}
BENCHMARK(AddRemoveBeside500k)->ArgName("wildcard")->Arg(0)->Arg(1);

void AddRemoveWildcardBeside500kWildcards(benchmark::State& state) {
  Epochs epochs(1);
  epochs.online(0);
  {
    Interest interest(1, epochs);
    for (int i = 0; i < many; ++i) {
      interest.add(0, nullptr, fmt::format("_INBOX.{:018}.*", uint64_t(i) * 2654435761u), "", "1");
    }
    epochs.online(0);
    uint64_t i = 0;
    for (auto _ : state) {
      interest.remove(0, interest.add(0, nullptr, fmt::format("_INBOX.x{}.*", i), "", "1"));
      if (++i % 64 == 0) epochs.online(0);
    }
  }
  epochs.offline(0);
}
BENCHMARK(AddRemoveWildcardBeside500kWildcards);

// A subject with a literal, two wildcards and a queue group whose entry is built anew each time.
void RebuildAfterWildcardChange(benchmark::State& state) {
  Epochs epochs(1);
  epochs.online(0);
  {
    Interest interest(1, epochs);
    Matcher matcher(interest, 0);
    interest.add(0, nullptr, "orders.new.eu", "", "1");
    interest.add(0, nullptr, "orders.*.eu", "", "2");
    interest.add(0, nullptr, "orders.>", "", "3");
    interest.add(0, nullptr, "orders.new.*", "q", "4");
    uint64_t i = 0;
    for (auto _ : state) {
      interest.remove(0, interest.add(0, nullptr, "*.x", "", "5"));
      benchmark::DoNotOptimize(&matcher.match("orders.new.eu"));
      if (++i % 64 == 0) epochs.online(0);
    }
  }
  epochs.offline(0);
}
BENCHMARK(RebuildAfterWildcardChange);

void OnlineAndBack(benchmark::State& state) {
  Epochs epochs(static_cast<unsigned>(state.range(0)));
  for (auto _ : state) epochs.online(0);
  epochs.offline(0);
}
BENCHMARK(OnlineAndBack)->Arg(2)->Arg(64);

}  // namespace
}  // namespace nuncio
