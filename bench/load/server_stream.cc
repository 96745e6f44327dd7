#include "bench/load/server_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace nuncio::load {

bool StreamCounter::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    size_t used = 0;
    if (position_ > 0) {
      used = part_of_message(bytes);
    } else if (!line_.empty() || bytes[0] != 'M') {
      used = part_of_line(bytes);
    } else if (messages_ >= compared_in_full && bytes.size() >= message_.size()) {
      used = whole_messages(bytes);
    } else {
      used = part_of_message(bytes);
    }
    if (!control_.error.empty()) return false;
    bytes.remove_prefix(used);
  }
  return true;
}

// The common case: as many messages as are here whole, up to the first that is none.
size_t StreamCounter::whole_messages(std::string_view bytes) {
  const size_t length = message_.size();
  const char* at = bytes.data();
  const char* const last = at + bytes.size() - length;
  while (at <= last && *at == 'M') {
    if (at[length - 1] != '\n') [[unlikely]] {
      fail();
      break;
    }
    at += length;
  }
  const auto used = static_cast<size_t>(at - bytes.data());
  messages_ += used / length;
  return used;
}

size_t StreamCounter::part_of_message(std::string_view bytes) {
  const size_t used = std::min(bytes.size(), message_.size() - position_);
  const bool is_compared = messages_ < compared_in_full;
  if (is_compared && std::memcmp(bytes.data(), message_.data() + position_, used) != 0) fail();
  position_ += used;
  if (position_ < message_.size()) return used;
  if (bytes[used - 1] != '\n') fail();
  position_ = 0;
  ++messages_;
  return used;
}

size_t StreamCounter::part_of_line(std::string_view bytes) {
  const size_t end = bytes.find('\n');
  const size_t used = end == std::string_view::npos ? bytes.size() : end + 1;
  line_ += bytes.substr(0, used);
  if (!line_.ends_with("\r\n")) return used;
  note_control_line(std::string_view(line_).substr(0, line_.size() - 2), control_);
  line_.clear();
  return used;
}

void StreamCounter::fail() {
  control_.error = fmt::format("message {} is not the one expected", messages_ + 1);
}

void note_control_line(std::string_view line, ControlSeen& seen) {
  if (line == "PING") {
    ++seen.pings_unanswered;
  } else if (line == "PONG") {
    ++seen.pongs;
  } else if (line != "+OK" && !line.starts_with("INFO ") && seen.error.empty()) {
    seen.error = line.starts_with("-ERR") ? line : fmt::format("unexpected: {}", line.substr(0, 80));
  }
}

void MessageReader::feed(std::string_view bytes) {
  buffer_.erase(0, start_);
  start_ = 0;
  buffer_ += bytes;
}

std::optional<Message> MessageReader::next() {
  while (control_.error.empty()) {
    const std::string_view rest = std::string_view(buffer_).substr(start_);
    const size_t line_end = rest.find("\r\n");
    if (line_end == std::string_view::npos) return std::nullopt;
    const std::string_view line = rest.substr(0, line_end);
    if (line.starts_with("MSG ")) return message_after(line);
    note_control_line(line, control_);
    start_ += line_end + 2;
  }
  return std::nullopt;
}

// MSG subject sid [reply] size
std::optional<Message> MessageReader::message_after(std::string_view line) {
  std::array<std::string_view, 5> fields;
  size_t count = 0;
  for (std::string_view left = line; !left.empty() && count < fields.size(); ++count) {
    const size_t space = std::min(left.find(' '), left.size());
    fields[count] = left.substr(0, space);
    left.remove_prefix(std::min(space + 1, left.size()));
  }
  const std::string_view size = count < 4 ? std::string_view{} : fields[count - 1];
  size_t payload_bytes = 0;
  if (std::from_chars(size.data(), size.data() + size.size(), payload_bytes).ec != std::errc{}) {
    control_.error = fmt::format("unexpected: {}", line.substr(0, 80));
    return std::nullopt;
  }
  const size_t payload_start = start_ + line.size() + 2;
  if (buffer_.size() < payload_start + payload_bytes + 2) return std::nullopt;
  start_ = payload_start + payload_bytes + 2;
  const std::string_view payload = std::string_view(buffer_).substr(payload_start, payload_bytes);
  return Message{fields[1], count == 5 ? fields[3] : std::string_view{}, payload};
}

}  // namespace nuncio::load
