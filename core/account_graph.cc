#include "core/account_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

namespace nuncio {
namespace {

// Beyond so many different ways from one import we refuse rather than search on.
constexpr size_t steps_max = 10'000;

// One crossing reached on the way from the first one, and the subjects of its account that come here.
struct Step {
  uint32_t crossing;
  uint32_t before;  // place in the list of steps; its own for the first
  std::string subjects;
};

class CycleSearch {
 public:
  explicit CycleSearch(std::span<const ImportedCrossing> crossings) : crossings_(crossings) {
    for (uint32_t place = 0; place < crossings.size(); ++place)
      starts_[key(crossings[place].from, crossings[place].crossing.is_service)].push_back(place);
  }

  void run(std::vector<std::string>& errors);

 private:
  static uint64_t key(uint32_t account, bool is_service) { return uint64_t{account} << 1 | is_service; }
  // The text of what is wrong with the ways from `first`, or empty. The crossings of a cycle are marked.
  std::string search_from(uint32_t first);
  std::string describe(const std::vector<Step>& steps, const Step& last);

  std::span<const ImportedCrossing> crossings_;
  std::unordered_map<uint64_t, std::vector<uint32_t>> starts_;  // crossings of an account and kind
  std::vector<bool> is_reported_;
};

}  // namespace

void check_cycles(std::span<const ImportedCrossing> crossings, std::vector<std::string>& errors) {
  CycleSearch(crossings).run(errors);
}

std::optional<std::string> intersection(std::string_view a, std::string_view b) {
  std::string both;
  for (;;) {
    const size_t dot_a = a.find('.'), dot_b = b.find('.');
    const std::string_view token_a = a.substr(0, dot_a), token_b = b.substr(0, dot_b);
    if (token_a == ">") return both.append(b);
    if (token_b == ">") return both.append(a);
    if (token_a != token_b && token_a != "*" && token_b != "*") return std::nullopt;
    both += token_a == "*" ? token_b : token_a;
    const bool a_ends = dot_a == std::string_view::npos, b_ends = dot_b == std::string_view::npos;
    if (a_ends || b_ends) return a_ends && b_ends ? std::optional(both) : std::nullopt;
    both += '.';
    a.remove_prefix(dot_a + 1);
    b.remove_prefix(dot_b + 1);
  }
}

namespace {

void CycleSearch::run(std::vector<std::string>& errors) {
  is_reported_.assign(crossings_.size(), false);
  for (uint32_t first = 0; first < crossings_.size(); ++first) {
    if (is_reported_[first]) continue;
    const std::string why = search_from(first);
    const ImportedCrossing& crossing = crossings_[first];
    if (!why.empty()) errors.push_back(import_error(*crossing.import, crossing.importer, why));
  }
}

std::string CycleSearch::search_from(uint32_t first) {
  std::vector<Step> steps{{first, 0, std::string(crossings_[first].crossing.subject.source())}};
  std::set<std::pair<uint32_t, std::string>> seen;
  std::string there;
  for (size_t at = 0; at < steps.size(); ++at) {
    const Crossing& crossing = crossings_[steps[at].crossing].crossing;
    const auto next = starts_.find(key(crossing.into, crossing.is_service));
    if (next == starts_.end() || !crossing.subject.apply(steps[at].subjects, there)) continue;
    for (const uint32_t place : next->second) {
      auto both = intersection(there, crossings_[place].crossing.subject.source());
      if (!both) continue;
      Step step{place, static_cast<uint32_t>(at), std::move(*both)};
      if (place == first) return "import forms a cycle: " + describe(steps, step);
      if (!seen.emplace(place, step.subjects).second) continue;
      // A cycle elsewhere could make subjects longer and longer; it is reported from there.
      if (steps.size() == steps_max) return "search cycle depth exhausted";
      steps.push_back(std::move(step));
    }
  }
  return {};
}

std::string CycleSearch::describe(const std::vector<Step>& steps, const Step& last) {
  std::vector<const Step*> way{&last};
  for (uint32_t at = last.before;; at = steps[at].before) {
    way.push_back(&steps[at]);
    is_reported_[steps[at].crossing] = true;
    if (at == 0) break;
  }
  std::string text;
  for (auto step = way.rbegin(); step != way.rend(); ++step) {
    // The account that a crossing starts in is the importer's for a service, else the exporter's.
    const ImportedCrossing& crossing = crossings_[(*step)->crossing];
    text += fmt::format("{}account \"{}\" \"{}\"", text.empty() ? "" : ", ",
                        crossing.crossing.is_service ? crossing.importer : crossing.import->account,
                        (*step)->subjects);
  }
  return text;
}

}  // namespace
}  // namespace nuncio
