// Walks over the text of one NATS configuration file character by character and keeps the position. Knows
// strings, blocks, comments and white space; what they mean together is the parser's business. One thread.
#pragma once

#include <tl/expected.hpp>

#include <memory>
#include <string>
#include <string_view>

#include "core/config/value.h"
#include "core/secret.h"

namespace nuncio::config {

struct SyntaxError {
  Position position;
  std::string text;
};

// An unquoted word; it was written plainly when neither an escape nor a quote makes it text for certain.
struct Word {
  Secret text;
  bool is_plain = true;
};

class Scanner {
 public:
  // `text` must outlive the scanner. A byte-order mark at its start is skipped (CF-21).
  Scanner(std::string_view text, Position start);
  // For text that stands in no file (an environment variable): every position is `fixed`.
  static Scanner at_fixed_position(std::string_view text, Position fixed);

  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool at_space() const;    // blank or line end, also Unicode's U+0085 and U+00A0
  bool at_newline() const;  // \n or \r
  bool at_comment() const;  // # or //
  const Position& position() const { return position_; }
  char take();

  void skip_blanks();   // spaces and tabs
  void skip_spaces();   // line ends too
  void skip_comment();  // up to the line end

  // Each starts at the opening character and ends behind the closing one.
  tl::expected<Secret, SyntaxError> double_quoted();
  tl::expected<Secret, SyntaxError> single_quoted();
  tl::expected<Secret, SyntaxError> block();  // ( … ) with the bracket alone on its line
  tl::expected<Word, SyntaxError> word();
  tl::expected<std::string, SyntaxError> key();  // quoted or not

 private:
  tl::expected<char, SyntaxError> escape();  // starts at the backslash
  size_t space_length() const;

  std::string_view text_;
  size_t at_ = 0;
  Position position_;
  bool is_position_fixed_ = false;
};

}  // namespace nuncio::config
