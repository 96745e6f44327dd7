// Reads what a server sends to a client, in any split: counts and checks messages, answers nothing itself but
// says what wants an answer. Two readers: StreamCounter for runs whose messages are all the same bytes,
// MessageReader for the rest. Pure; one owner.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace nuncio::load {

// What control lines said so far.
struct ControlSeen {
  uint64_t pings_unanswered = 0;  // the owner sends as many PONGs and sets it to 0
  uint64_t pongs = 0;
  std::string error;  // the first -ERR line, or what was wrong with the stream
};

// Takes one control line without its end into account; anything that is none is an error.
void note_control_line(std::string_view line, ControlSeen& seen);

// Costs two byte comparisons a message, so that at 20 million messages/s the server is what is measured. The
// first messages are compared in full.
class StreamCounter {
 public:
  // `message` is one whole MSG as this subscriber gets it.
  explicit StreamCounter(std::string message) : message_(std::move(message)) {}

  // False once the stream is wrong or the server has sent -ERR; control().error says why.
  bool feed(std::string_view bytes);
  uint64_t messages() const noexcept { return messages_; }
  ControlSeen& control() noexcept { return control_; }

 private:
  static constexpr uint64_t compared_in_full = 64;

  size_t whole_messages(std::string_view bytes);
  size_t part_of_message(std::string_view bytes);
  size_t part_of_line(std::string_view bytes);
  void fail();

  std::string message_;
  size_t position_ = 0;  // bytes of the present message already seen
  std::string line_;     // the present control line as far as it has come
  uint64_t messages_ = 0;
  ControlSeen control_;
};

struct Message {
  std::string_view subject;
  std::string_view reply;
  std::string_view payload;
};

// Feed bytes, then take messages until there is none; views live until the next feed.
class MessageReader {
 public:
  void feed(std::string_view bytes);
  std::optional<Message> next();
  ControlSeen& control() noexcept { return control_; }

 private:
  std::optional<Message> message_after(std::string_view line);

  std::string buffer_;
  size_t start_ = 0;
  ControlSeen control_;
};

}  // namespace nuncio::load
