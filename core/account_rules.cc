// map() is on the way of every publish of an account with mappings: one or two of them cost a compare each,
// more cost two hashes (10 ns); then one draw, unless there is nothing to draw, and the transform (40 ns with
// a partition). Nothing is allocated once `scratch` is large enough. See bench/account_rules_bench.cc.
#include "core/account_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/subject.h"

namespace nuncio {
namespace {

using Destination = MappingOptions::Destination;

// What decides among mappings that match the same subject: at the first token in which they differ in kind, a
// text goes before '*', and '*' before '>'. So a source that is a subset of another comes first.
std::string specificity(std::string_view source);
// The error of all destinations together, or empty.
std::string check_weights(const MappingOptions& mapping);
tl::expected<SubjectTransform, std::string> read_destination(std::string_view source,
                                                             std::string_view destination);

}  // namespace

std::string_view AccountRules::map(std::string_view subject, std::string& scratch,
                                   std::minstd_rand& random) const {
  const Mapping* mapping = nullptr;
  mapping_index_.any_of(subject, [&](uint32_t place) {
    if (!subject_matches(mappings_[place].source, subject)) return false;
    mapping = &mappings_[place];
    return true;
  });
  if (mapping == nullptr) return subject;

  const std::vector<Target>& targets = mapping->targets;
  const Target* target = targets.data();
  if (targets.empty() || targets.front().weight_end < 100) {
    const uint32_t draw = static_cast<uint32_t>(random()) % 100;
    const Target* const end = targets.data() + targets.size();
    while (target != end && target->weight_end <= draw) ++target;
    if (target == end) return mapping->loses_rest ? std::string_view() : subject;
  }
  return target->transform.apply(subject, scratch) ? std::string_view(scratch) : subject;
}

void AccountRules::set_mappings(const std::vector<MappingOptions>& mappings, std::string_view cluster,
                                std::vector<std::string>& errors) {
  for (const MappingOptions& options : mappings) {
    auto mapping = read_mapping(options, cluster, name, errors);
    if (mapping) mappings_.push_back(std::move(*mapping));
  }
  std::stable_sort(mappings_.begin(), mappings_.end(), [](const Mapping& a, const Mapping& b) {
    return std::pair(specificity(a.source), std::string_view(a.source)) <
           std::pair(specificity(b.source), std::string_view(b.source));
  });
  // Of several for one source the last one holds.
  const auto first_kept =
      std::unique(mappings_.rbegin(), mappings_.rend(),
                  [](const Mapping& a, const Mapping& b) { return a.source == b.source; });
  mappings_.erase(mappings_.begin(), first_kept.base());
  std::vector<std::string_view> sources;
  for (const Mapping& mapping : mappings_) sources.push_back(mapping.source);
  mapping_index_ = PatternIndex(sources);
}

std::optional<AccountRules::Mapping> AccountRules::read_mapping(const MappingOptions& mapping,
                                                                std::string_view cluster,
                                                                std::string_view account,
                                                                std::vector<std::string>& errors) {
  const auto refuse = [&](std::string_view what) {
    errors.push_back(fmt::format("{}{}{} (account \"{}\")", mapping.position,
                                 mapping.position.empty() ? "" : ": ", what, account));
    return std::nullopt;
  };
  if (!is_valid_subject(mapping.source))
    return refuse(fmt::format("Subject \"{}\" is not a valid subject", mapping.source));
  if (const std::string what = check_weights(mapping); !what.empty())
    return refuse(fmt::format("Error adding mapping for \"{}\" : {}", mapping.source, what));

  const auto is_ours = [&](const Destination& destination) {
    return !cluster.empty() && destination.cluster == cluster;
  };
  const bool has_ours = std::any_of(mapping.destinations.begin(), mapping.destinations.end(), is_ours);
  Mapping read{mapping.source, {}, false};
  uint32_t weight_end = 0;
  bool is_own_destination = false;
  for (const Destination& destination : mapping.destinations) {
    auto transform = read_destination(mapping.source, destination.subject);
    if (!transform)
      return refuse(fmt::format("Error adding mapping for \"{}\" to \"{}\" : {}", mapping.source,
                                destination.subject, transform.error()));
    is_own_destination |= destination.subject == mapping.source;
    if (has_ours ? !is_ours(destination) : !destination.cluster.empty()) continue;
    weight_end += destination.weight;
    if (destination.weight > 0) read.targets.push_back({std::move(*transform), weight_end});
  }
  read.loses_rest = is_own_destination && weight_end < 100;
  return read;
}

void AccountRules::index_crossings() {
  std::vector<std::string_view> sources;
  for (const Crossing& crossing : crossings) sources.push_back(crossing.subject.source());
  crossing_index_ = PatternIndex(sources);
}

std::string AccountRules::mappings_text() const {
  std::string text;
  for (const Mapping& mapping : mappings_) {
    text += fmt::format("mapping {} loses {}\n", mapping.source, mapping.loses_rest);
    for (const Target& target : mapping.targets)
      text += fmt::format("  below {} to {}\n", target.weight_end, target.transform.destination());
  }
  return text;
}

namespace {

std::string specificity(std::string_view source) {
  std::string kinds;
  for (;;) {
    const size_t dot = source.find('.');
    const std::string_view token = source.substr(0, dot);
    kinds += token == ">" ? '2' : token == "*" ? '1' : '0';
    if (dot == std::string_view::npos) return kinds;
    source.remove_prefix(dot + 1);
  }
}

std::string check_weights(const MappingOptions& mapping) {
  std::map<std::string_view, uint32_t> sums;                            // by cluster
  std::vector<std::pair<std::string_view, std::string_view>> subjects;  // with the cluster
  for (const Destination& destination : mapping.destinations) {
    if (destination.weight > 100) return "individual weights need to be <= 100";
    if ((sums[destination.cluster] += destination.weight) > 100) return "total weight needs to be <= 100";
    const std::pair<std::string_view, std::string_view> subject{destination.subject, destination.cluster};
    if (std::find(subjects.begin(), subjects.end(), subject) != subjects.end())
      return fmt::format("duplicate entry for \"{}\"", destination.subject);
    subjects.push_back(subject);
  }
  return {};
}

tl::expected<SubjectTransform, std::string> read_destination(std::string_view source,
                                                             std::string_view destination) {
  auto transform = SubjectTransform::make(source, destination);
  // A '*' in the destination of a mapping is more likely a mistake than the wildcard of the same place.
  if (fmt::format(".{}.", destination).find(".*.") != std::string::npos)
    return tl::unexpected(std::string("invalid subject"));
  return transform;
}

}  // namespace
}  // namespace nuncio
