#include "auth/subject_set.h"

#include "core/subject.h"

namespace nuncio::auth {
namespace {

std::string_view first_token(std::string_view rest) {
  return rest.substr(0, rest.find('.'));
}

bool has_empty_token(std::string_view subject) {
  return subject.empty() || subject.front() == '.' || subject.back() == '.' ||
         subject.find("..") != std::string_view::npos;
}

}  // namespace

SubjectSet::SubjectSet() : nodes_(1) {}

void SubjectSet::add(std::string_view subject, std::string_view queue) {
  uint32_t& slot = entry_slot(subject);
  if (slot == none) {
    slot = static_cast<uint32_t>(entries_.size());
    entries_.emplace_back();
  }
  if (queue.empty()) {
    entries_[slot].is_plain = true;
  } else {
    entries_[slot].queues.emplace_back(queue);
  }
}

bool SubjectSet::matches(std::string_view subject) const {
  return visit_found(subject, Asking::subject, [](const Entry& entry) { return entry.is_plain; });
}

bool SubjectSet::contains(std::string_view pattern) const {
  return visit_found(pattern, Asking::pattern, [](const Entry& entry) { return entry.is_plain; });
}

SubjectSet::Found SubjectSet::find(std::string_view pattern, std::string_view queue) const {
  Found found;
  visit_found(pattern, Asking::pattern, [&](const Entry& entry) {
    found.has_plain |= entry.is_plain;
    found.has_queues |= !entry.queues.empty();
    for (const std::string& each : entry.queues)
      found.has_queue |= each == queue || subject_matches(each, queue);
    return false;
  });
  return found;
}

// Where the index of the entry of `subject` belongs.
uint32_t& SubjectSet::entry_slot(std::string_view subject) {
  if (!has_wildcards(subject)) return literals_.try_emplace(std::string(subject), none).first->second;
  uint32_t node = 0;
  for (std::string_view rest = subject;;) {
    const std::string_view token = first_token(rest);
    const bool is_last = token.size() == rest.size();
    if (is_last && token == ">") return nodes_[node].tail_entry;
    node = child(node, token);
    if (is_last) return nodes_[node].entry;
    rest.remove_prefix(token.size() + 1);
  }
}

uint32_t SubjectSet::child(uint32_t node, std::string_view token) {
  Node& parent = nodes_[node];
  uint32_t& index =
      token == "*" ? parent.any : parent.by_token.try_emplace(std::string(token), none).first->second;
  if (index != none) return index;
  const auto made = static_cast<uint32_t>(nodes_.size());
  index = made;
  nodes_.emplace_back();  // moves the parent, and its index with it
  return made;
}

// Shows `visit` each entry that has all of `subject`, until it answers true; then true.
template <typename Visit>
bool SubjectSet::visit_found(std::string_view subject, Asking asking, const Visit& visit) const {
  if (!literals_.empty()) {
    const auto found = literals_.find(subject);
    if (found != literals_.end() && visit(entries_[found->second])) return true;
  }
  const bool has_trie = nodes_.size() > 1 || nodes_[0].tail_entry != none;
  return has_trie && !has_empty_token(subject) && visit_below(nodes_[0], subject, asking, visit);
}

// No deeper than the longest entry, however long the subject is.
template <typename Visit>
bool SubjectSet::visit_below(const Node& node, std::string_view rest, Asking asking,
                             const Visit& visit) const {
  if (node.tail_entry != none && visit(entries_[node.tail_entry])) return true;
  const std::string_view token = first_token(rest);
  const bool is_last = token.size() == rest.size();
  // All that follows is contained in '>' alone; as ordinary characters it is a token like others.
  if (asking == Asking::pattern && is_last && token == ">") return false;
  const auto descend = [&](uint32_t index) {
    const Node& next = nodes_[index];
    if (is_last) return next.entry != none && visit(entries_[next.entry]);
    return visit_below(next, rest.substr(token.size() + 1), asking, visit);
  };
  if (node.any != none && descend(node.any)) return true;
  if (node.by_token.empty()) return false;
  const auto found = node.by_token.find(token);
  return found != node.by_token.end() && descend(found->second);
}

}  // namespace nuncio::auth
