#include "core/config/scanner.h"

namespace nuncio::config {
namespace {

tl::unexpected<SyntaxError> failure(const Position& position, std::string text) {
  return tl::unexpected<SyntaxError>(SyntaxError{position, std::move(text)});
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Builds a secret of unknown length without leaving copies behind when the buffer grows.
class SecretText {
 public:
  SecretText() = default;
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  ~SecretText() { wipe(text_); }
  void push(char c) {
    if (text_.size() == text_.capacity()) {
      std::string larger;
      larger.reserve(text_.capacity() * 2 + 32);
      larger = text_;
      wipe(text_);
      text_.swap(larger);
    }
    text_.push_back(c);
  }
  Secret secret() const { return Secret(text_); }

 private:
  std::string text_;
};

}  // namespace

Scanner::Scanner(std::string_view text, Position start) : text_(text), position_(std::move(start)) {
  if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
}

Scanner Scanner::at_fixed_position(std::string_view text, Position fixed) {
  Scanner scanner(text, std::move(fixed));
  scanner.is_position_fixed_ = true;
  return scanner;
}

size_t Scanner::space_length() const {
  const std::string_view rest = text_.substr(at_, 2);
  if (rest.empty()) return 0;
  if (rest[0] == ' ' || (rest[0] >= '\t' && rest[0] <= '\r')) return 1;
  return rest == "\xc2\x85" || rest == "\xc2\xa0" ? 2 : 0;
}

bool Scanner::at_space() const {
  return space_length() > 0;
}

bool Scanner::at_newline() const {
  return peek() == '\n' || peek() == '\r';
}

bool Scanner::at_comment() const {
  return peek() == '#' || text_.substr(at_, 2) == "//";
}

char Scanner::take() {
  const char c = text_[at_++];
  if (is_position_fixed_) return c;
  const bool ends_line = c == '\n' || (c == '\r' && peek() != '\n');
  if (ends_line) {
    ++position_.line;
    position_.column = 1;
  } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {  // not the rest of a character
    ++position_.column;
  }
  return c;
}

void Scanner::skip_blanks() {
  while (peek() == ' ' || peek() == '\t') take();
}

void Scanner::skip_spaces() {
  while (const size_t length = space_length()) {
    for (size_t i = 0; i < length; ++i) take();
  }
}

void Scanner::skip_comment() {
  while (!at_end() && !at_newline()) take();
}

tl::expected<char, SyntaxError> Scanner::escape() {
  const Position start = position_;
  take();
  const char c = at_end() ? '\0' : take();
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case '"':
      return '"';
    case '\\':
      return '\\';
    case 'x': {
      const int high = at_end() ? -1 : hex_digit(take());
      const int low = at_end() ? -1 : hex_digit(take());
      if (high < 0 || low < 0) return failure(start, "\\x must be followed by two hexadecimal digits");
      return static_cast<char>(high * 16 + low);
    }
    default:
      break;
  }
  return failure(start, R"(invalid escape: only \xXX, \t, \n, \r, \" and \\ are allowed)");
}

tl::expected<Secret, SyntaxError> Scanner::double_quoted() {
  const Position opened = position_;
  take();
  SecretText text;
  while (!at_end()) {
    if (peek() == '"') {
      take();
      return text.secret();
    }
    if (peek() != '\\') {
      text.push(take());
      continue;
    }
    const auto c = escape();
    if (!c) return tl::unexpected<SyntaxError>(c.error());
    text.push(*c);
  }
  return failure(opened, "the string opened here is not closed");
}

tl::expected<Secret, SyntaxError> Scanner::single_quoted() {
  const Position opened = position_;
  take();
  const size_t end = text_.find('\'', at_);
  if (end == std::string_view::npos) return failure(opened, "the string opened here is not closed");
  Secret text(text_.substr(at_, end - at_));
  while (at_ <= end) take();
  return text;
}

tl::expected<Secret, SyntaxError> Scanner::block() {
  const Position opened = position_;
  take();
  const size_t start = at_;
  size_t end = start;
  for (;; ++end) {
    end = text_.find(')', end);
    if (end == std::string_view::npos)
      return failure(opened, "the block opened here is not closed by a line with only \")\"");
    const bool starts_line = end > 0 && text_[end - 1] == '\n';
    const bool ends_line = end + 1 == text_.size() || text_[end + 1] == '\n' || text_[end + 1] == '\r';
    if (starts_line && ends_line) break;
  }
  Secret text(text_.substr(start, end - start));
  while (at_ <= end) take();
  return text;
}

tl::expected<Word, SyntaxError> Scanner::word() {
  // An argon2 hash holds commas in its parameters; cut there it would be another, wrong secret.
  const bool is_argon2 = text_.substr(at_).starts_with("$argon2");
  SecretText text;
  bool is_plain = true;
  while (!at_end() && !at_newline()) {
    const char c = peek();
    if (c == ' ' || c == '\t' || c == ';' || c == ']' || c == '}' || (c == ',' && !is_argon2)) break;
    if (c == '\'') {
      take();
      is_plain = false;
      break;
    }
    if (c != '\\') {
      text.push(take());
      continue;
    }
    const auto escaped = escape();
    if (!escaped) return tl::unexpected<SyntaxError>(escaped.error());
    text.push(*escaped);
    is_plain = false;
  }
  return Word{text.secret(), is_plain};
}

tl::expected<std::string, SyntaxError> Scanner::key() {
  const Position start = position_;
  const char quote = peek();
  std::string key;
  if (quote == '"' || quote == '\'') {
    take();
    while (!at_end() && !at_newline() && peek() != quote) key.push_back(take());
    if (peek() != quote || at_end()) return failure(start, "the quoted key opened here is not closed");
    take();
    return key;
  }
  while (!at_end() && !at_space() && peek() != ':' && peek() != '=') key.push_back(take());
  if (key.empty()) return failure(start, "a key is missing before the separator");
  if (key.back() == '{' || key.back() == '[') {
    return failure(start, std::string("a blank, ':' or '=' is missing before '") + key.back() + "'");
  }
  return key;
}

}  // namespace nuncio::config
