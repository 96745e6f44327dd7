#include "core/config/permissions_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/config/scalar.h"
#include "core/log.h"
#include "core/subject.h"

namespace nuncio::config {
namespace {

using Kind = Value::Kind;
using Reader = FieldReader;

struct Permissions {
  PermissionOptions options;
  const Entry* publish = nullptr;
};

// One list of subjects on its way into SubjectRules.
struct Rules {
  SubjectRules rules;
  bool takes_queues = false;
};

struct QueueEntry {
  std::string_view subject, queue;
};

// "subject queue", with any white space between them. Empty: not two words.
std::optional<QueueEntry> split_queue_entry(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n\v\f";
  const size_t start = text.find_first_not_of(blanks);
  if (start == std::string_view::npos) return std::nullopt;
  text.remove_prefix(start);
  text = text.substr(0, text.find_last_not_of(blanks) + 1);
  const size_t end = text.find_first_of(blanks);
  if (end == std::string_view::npos) return std::nullopt;
  const size_t second = text.find_first_not_of(blanks, end);
  if (text.find_first_of(blanks, second) != std::string_view::npos) return std::nullopt;
  return QueueEntry{text.substr(0, end), text.substr(second)};
}

// The entry as the options hold it, or what is wrong with it.
tl::expected<std::string, std::string> subject_entry(const std::string& text, bool takes_queues) {
  const auto invalid = [](std::string_view subject) {
    return tl::unexpected(fmt::format("subject {} is not a valid subject", log::quoted(subject)));
  };
  if (is_valid_subject(text)) return text;
  const auto entry = split_queue_entry(text);
  if (!entry) return invalid(text);
  if (!is_valid_subject(entry->subject)) return invalid(entry->subject);
  if (!takes_queues) {
    return tl::unexpected(
        fmt::format("{} names a queue, which means nothing for publishing", log::quoted(text)));
  }
  if (!is_valid_subject(entry->queue)) {
    return tl::unexpected(fmt::format("queue {} is not a valid queue name", log::quoted(entry->queue)));
  }
  return fmt::format("{} {}", entry->subject, entry->queue);
}

std::optional<std::vector<std::string>> subjects(Reader& reader, const Entry& entry, bool takes_queues) {
  const auto texts = reader.texts(entry);
  if (!texts) return std::nullopt;
  std::vector<std::string> found;
  for (const Reader::PlacedText& text : *texts) {
    auto subject = subject_entry(text.text, takes_queues);
    if (subject) {
      found.push_back(std::move(*subject));
    } else {
      reader.findings().error(text.position, subject.error());
    }
  }
  return found;
}

void allow(Rules& rules, Reader& reader, const Entry& entry) {
  rules.rules.allow = subjects(reader, entry, rules.takes_queues);
  const bool is_empty = entry.value.is(Kind::array) && entry.value.items.empty();
  if (!is_empty) return;
  reader.error(
      entry, fmt::format("the list of {} is empty, which nats-server takes for everything: leave it out, or "
                         "deny \">\"",
                         to_lower(entry.key)));
}

void deny(Rules& rules, Reader& reader, const Entry& entry) {
  rules.rules.deny = subjects(reader, entry, rules.takes_queues).value_or(std::vector<std::string>());
}

// A subject and a list of subjects both mean `allow`.
SubjectRules subject_rules(Reader& reader, const Entry& entry, bool takes_queues) {
  static constexpr std::array<Field<Rules>, 2> fields = {{{"allow", "allow", allow}, {"deny", "deny", deny}}};
  const Reader::Section section(reader, takes_queues ? "subscribe" : "publish");
  Rules found;
  found.takes_queues = takes_queues;
  if (entry.value.is(Kind::map)) {
    read_fields<Rules>(entry.value, fields, {}, reader, found);
  } else if (entry.value.is(Kind::string) || entry.value.is(Kind::array)) {
    allow(found, reader, entry);
  } else {
    reader.error(entry,
                 fmt::format("Expected subject permissions to be a subject, or array of subjects, got {}",
                             describe(entry.value.kind)));
  }
  return std::move(found.rules);
}

void response_max(ResponseRules& rules, Reader& reader, const Entry& entry) {
  const auto found = reader.integer(entry, {std::numeric_limits<int64_t>::min()});
  if (found && *found != 0) rules.max = *found;
}

void response_expires(ResponseRules& rules, Reader& reader, const Entry& entry) {
  if (!entry.value.is(Kind::string))
    return reader.error(entry, "error parsing expires, not a duration string");
  const auto text = reader.text(entry);
  const auto found = parse_duration(*text);
  if (!found)
    return reader.error(entry,
                        fmt::format("error parsing {}: not a duration like \"2m\"", to_lower(entry.key)));
  if (*found != Nanoseconds(0)) rules.expires = *found;
}

void publish(Permissions& permissions, Reader& reader, const Entry& entry) {
  permissions.publish = &entry;
  permissions.options.publish = subject_rules(reader, entry, false);
}

void subscribe(Permissions& permissions, Reader& reader, const Entry& entry) {
  permissions.options.subscribe = subject_rules(reader, entry, true);
}

void allow_responses(Permissions& permissions, Reader& reader, const Entry& entry) {
  static constexpr std::array<Field<ResponseRules>, 7> fields = {{
      {"max", "max", response_max},
      {"max_msgs", "max", response_max},
      {"max_messages", "max", response_max},
      {"max_responses", "max", response_max},
      {"expires", "expires", response_expires},
      {"expiration", "expires", response_expires},
      {"ttl", "expires", response_expires},
  }};
  if (entry.value.is(Kind::boolean)) {
    if (*reader.boolean(entry)) permissions.options.responses.emplace();
    return;
  }
  if (!entry.value.is(Kind::map))
    return reader.error(entry, "error parsing response permissions, expected a boolean or a map");
  const Reader::Section section(reader, "allow_responses");
  ResponseRules rules;
  read_fields<ResponseRules>(entry.value, fields, {}, reader, rules);
  permissions.options.responses = rules;
}

constexpr std::array<Field<Permissions>, 8> permission_fields = {{
    {"publish", "publish", publish},
    {"pub", "publish", publish},
    {"import", "publish", publish},
    {"subscribe", "subscribe", subscribe},
    {"sub", "subscribe", subscribe},
    {"export", "subscribe", subscribe},
    {"allow_responses", "allow_responses", allow_responses},
    {"publish_allow_responses", "allow_responses", allow_responses},
}};

// Who may answer may publish nothing else, unless it is said what. With only a `deny`, nats-server closes or
// opens the rest by the chance of its map's order.
void close_publish(Permissions& permissions, Reader& reader) {
  if (!permissions.options.responses || permissions.options.publish.allow) return;
  permissions.options.publish.allow.emplace();
  if (permissions.options.publish.deny.empty()) return;
  reader.warning(
      *permissions.publish,
      "beside allow_responses, publish without allow admits nothing but answers; nats-server decides it by "
      "chance");
}

}  // namespace

std::optional<PermissionOptions> read_permissions(FieldReader& reader, const Entry& entry) {
  if (!entry.value.is(Kind::map)) {
    reader.error(entry,
                 fmt::format("Expected permissions to be a map/struct, got {}", describe(entry.value.kind)));
    return std::nullopt;
  }
  const Reader::Section section(reader, "permissions");
  Permissions found;
  read_fields<Permissions>(entry.value, permission_fields, {}, reader, found);
  close_publish(found, reader);
  return std::move(found.options);
}

uint8_t read_connection_types(FieldReader& reader, const Entry& entry) {
  struct Named {
    std::string_view name;
    ConnectionType type;
  };
  static constexpr std::array<Named, 7> names = {{
      {"standard", ConnectionType::standard},
      {"websocket", ConnectionType::websocket},
      {"leafnode", ConnectionType::leafnode},
      {"leafnode_ws", ConnectionType::leafnode_websocket},
      {"mqtt", ConnectionType::mqtt},
      {"mqtt_ws", ConnectionType::mqtt_websocket},
      {"in_process", ConnectionType::in_process},
  }};
  const auto texts = reader.texts(entry);
  if (!texts) return 0;
  if (texts->empty()) {
    reader.error(entry,
                 fmt::format("the list of {} is empty, which nats-server takes for all of them: leave it out",
                             to_lower(entry.key)));
  }
  uint8_t types = 0;
  for (const Reader::PlacedText& text : *texts) {
    const auto named = std::ranges::find(names, to_lower(text.text), &Named::name);
    if (named == names.end()) {
      reader.findings().error(text.position,
                              fmt::format("invalid connection types {}: known are STANDARD, WEBSOCKET, "
                                          "LEAFNODE, LEAFNODE_WS, MQTT, MQTT_WS and IN_PROCESS",
                                          log::quoted(text.text)));
    } else {
      types = static_cast<uint8_t>(types | static_cast<uint8_t>(named->type));
    }
  }
  return types;
}

}  // namespace nuncio::config
