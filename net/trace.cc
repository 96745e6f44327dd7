#include "net/trace.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/log.h"

namespace nuncio::net {
namespace {

constexpr size_t text_max = 4096;

// quoted() without the quotes: safe for a log line.
std::string escaped(std::string_view text) {
  const std::string in_quotes = log::quoted(text, text_max);
  return in_quotes.substr(1, in_quotes.size() - 2);
}

// The JSON of a CONNECT with every secret replaced. Text that does not parse is not shown at all.
std::string without_secrets(std::string_view argument) {
  nlohmann::json json = nlohmann::json::parse(argument, nullptr, false);
  if (!json.is_object()) return "[not shown]";
  for (auto& [key, value] : json.items()) {
    std::string lower = key;
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (lower == "pass" || lower == "auth_token" || lower == "jwt" || lower == "sig") value = "[REDACTED]";
  }
  return escaped(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::string line_of(const Operation& operation) {
  const auto with_reply = [&](std::string_view verb) {
    return fmt::format("{} {}{}{}", verb, escaped(operation.subject), operation.reply.empty() ? "" : " ",
                       escaped(operation.reply));
  };
  switch (operation.verb) {
    case Verb::connect:
      return "CONNECT " + without_secrets(operation.argument);
    case Verb::pub:
      return fmt::format("{} {}", with_reply("PUB"), operation.size);
    case Verb::hpub:
      return fmt::format("{} {} {}", with_reply("HPUB"), operation.header_size, operation.size);
    case Verb::sub:
      return fmt::format("SUB {}{}{} {}", escaped(operation.subject), operation.queue.empty() ? "" : " ",
                         escaped(operation.queue), escaped(operation.sid));
    case Verb::unsub:
      return operation.max == 0 ? fmt::format("UNSUB {}", escaped(operation.sid))
                                : fmt::format("UNSUB {} {}", escaped(operation.sid), operation.max);
    case Verb::ping:
      return "PING";
    case Verb::pong:
      return "PONG";
    case Verb::info:
      return "INFO";
    case Verb::ok:
      return "+OK";
    case Verb::err:
      return "-ERR " + escaped(operation.argument);
  }
  return {};
}

}  // namespace

void trace_received(const Connection& connection, const Operation& operation, uint32_t payload_max) {
  log::trace("{} - <<- [{}]", connection.label(), line_of(operation));
  if (operation.verb != Verb::pub && operation.verb != Verb::hpub) return;
  const size_t shown = payload_max == 0 ? operation.payload.size() : payload_max;
  log::trace("{} - <<- MSG_PAYLOAD: [{}]", connection.label(), log::quoted(operation.payload, shown));
}

void trace_sent(const Connection& connection, std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  log::trace("{} - ->> [{}]", connection.label(), escaped(line));
}

}  // namespace nuncio::net
