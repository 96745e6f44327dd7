#include "auth/permissions.h"

#include <algorithm>

#include "auth/subject_set.h"
#include "core/subject.h"

namespace nuncio::auth {

struct Permissions::Rules {
  std::optional<SubjectSet> publish_allow;
  SubjectSet publish_deny;
  std::optional<SubjectSet> subscribe_allow;
  SubjectSet subscribe_deny;
  std::vector<std::string> withheld;  // the denied subjects that no queue limits
  std::optional<ResponseRules> responses;
  Digest identity;
};

namespace {

struct QueueRule {
  std::string_view subject, queue;
};

// AU-52: "subject queue".
QueueRule split(std::string_view rule) {
  const size_t space = rule.find_first_of(" \t");
  if (space == std::string_view::npos) return {rule, {}};
  const size_t queue = rule.find_first_not_of(" \t", space);
  if (queue == std::string_view::npos) return {rule.substr(0, space), {}};
  return {rule.substr(0, space), rule.substr(queue, rule.find_last_not_of(" \t") + 1 - queue)};
}

SubjectSet compiled_for_publish(const std::vector<std::string>& rules) {
  SubjectSet set;
  for (const std::string& rule : rules) set.add(rule, {});
  return set;
}

SubjectSet compiled_for_subscribe(const std::vector<std::string>& rules) {
  SubjectSet set;
  for (const std::string& rule : rules) {
    const auto [subject, queue] = split(rule);
    set.add(subject, queue);
  }
  return set;
}

// Lists that differ in order or by repeated entries say the same.
void append_list(std::string& text, std::vector<std::string> rules) {
  std::sort(rules.begin(), rules.end());
  rules.erase(std::unique(rules.begin(), rules.end()), rules.end());
  text += std::to_string(rules.size()) + ':';
  for (const std::string& rule : rules) text += std::to_string(rule.size()) + ':' + rule;
}

void append_rules(std::string& text, const SubjectRules& rules) {
  text += rules.allow ? 'a' : '-';
  append_list(text, rules.allow.value_or(std::vector<std::string>{}));
  append_list(text, rules.deny);
}

}  // namespace

std::shared_ptr<const Permissions> Permissions::make(const PermissionOptions& options) {
  auto rules = std::make_unique<Rules>();
  if (options.publish.allow) rules->publish_allow = compiled_for_publish(*options.publish.allow);
  rules->publish_deny = compiled_for_publish(options.publish.deny);
  if (options.subscribe.allow) rules->subscribe_allow = compiled_for_subscribe(*options.subscribe.allow);
  rules->subscribe_deny = compiled_for_subscribe(options.subscribe.deny);
  for (const std::string& rule : options.subscribe.deny) {
    const auto [subject, queue] = split(rule);
    if (queue.empty()) rules->withheld.emplace_back(subject);
  }
  rules->responses = options.responses;
  rules->identity = identity_of(options);
  return std::shared_ptr<const Permissions>(new Permissions(std::move(rules)));
}

Digest Permissions::identity_of(const PermissionOptions& options) {
  std::string text;
  append_rules(text, options.publish);
  append_rules(text, options.subscribe);
  if (options.responses) {
    text += std::to_string(options.responses->max) + ':' + std::to_string(options.responses->expires.count());
  }
  return keyed_digest({"permissions", text});
}

Permissions::Permissions(std::unique_ptr<const Rules> rules) : rules_(std::move(rules)) {}
Permissions::~Permissions() = default;

// An allowed subject is asked for as a pattern too: what is let through `foo.*` as the name `foo.>` today
// would be a wildcard to whatever takes the subject up from a message.
bool Permissions::may_publish(std::string_view subject) const {
  const Rules& rules = *rules_;
  if (rules.publish_allow && !rules.publish_allow->contains(subject)) return false;
  return !rules.publish_deny.matches(subject);
}

// Where entries with queues apply, they alone decide which queues are allowed; a deny of either kind is one.
Permissions::Subscribing Permissions::may_subscribe(std::string_view subject, std::string_view queue) const {
  const Rules& rules = *rules_;
  if (rules.subscribe_allow) {
    const SubjectSet::Found allow = rules.subscribe_allow->find(subject, queue);
    const bool is_allowed = !queue.empty() && allow.has_queues ? allow.has_queue : allow.has_plain;
    if (!is_allowed) return Subscribing::refused;
  }
  if (rules.subscribe_deny.empty()) return Subscribing::allowed;
  const SubjectSet::Found deny = rules.subscribe_deny.find(subject, queue);
  if (deny.has_plain || (!queue.empty() && deny.has_queue)) return Subscribing::refused;
  if (!has_wildcards(subject)) return Subscribing::allowed;
  const bool is_filtered =
      std::any_of(rules.withheld.begin(), rules.withheld.end(),
                  [&](const std::string& each) { return subjects_overlap(each, subject); });
  return is_filtered ? Subscribing::filtered : Subscribing::allowed;
}

bool Permissions::may_receive(std::string_view subject) const {
  return !rules_->subscribe_deny.matches(subject);
}

bool Permissions::restricts_publish() const {
  return rules_->publish_allow || !rules_->publish_deny.empty();
}
bool Permissions::withholds() const {
  return !rules_->withheld.empty();
}
const std::optional<ResponseRules>& Permissions::responses() const {
  return rules_->responses;
}
const Digest& Permissions::identity() const {
  return rules_->identity;
}

}  // namespace nuncio::auth
