#include "core/config/scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace nuncio::config {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

size_t digits_at(std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  return end - at;
}

tl::unexpected<std::string> wrong(const char* text) {
  return tl::unexpected<std::string>(text);
}

std::optional<bool> boolean_word(std::string_view word) {
  if (word.size() > 5) return std::nullopt;
  const std::string lower = to_lower(word);
  if (lower == "true" || lower == "yes" || lower == "on") return true;
  if (lower == "false" || lower == "no" || lower == "off") return false;
  return std::nullopt;
}

// The factor that a size suffix stands for; 0: no suffix of ours.
int64_t suffix_factor(std::string_view suffix) {
  if (suffix.empty()) return 1;
  const std::string lower = to_lower(suffix);
  const size_t power = std::string_view("kmgtpe").find(lower[0]);
  if (power == std::string_view::npos) return 0;
  const std::string_view rest = std::string_view(lower).substr(1);
  if (!rest.empty() && rest != "b" && rest != "i" && rest != "ib") return 0;
  int64_t factor = 1;
  for (size_t i = 0; i <= power; ++i) factor *= rest.empty() ? 1000 : 1024;
  return factor;
}

tl::expected<Value, std::string> integer_value(std::string_view number, int64_t factor) {
  Value value;
  value.kind = Value::Kind::integer;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value.integer);
  if (error != std::errc() || end != number.data() + number.size() ||
      __builtin_mul_overflow(value.integer, factor, &value.integer)) {
    return wrong("integer is out of the range of 64 bits");
  }
  return value;
}

bool is_datetime(std::string_view word) {
  constexpr std::string_view shape = "dddd-dd-ddTdd:dd:ddZ";
  return word.size() == shape.size() &&
         std::equal(word.begin(), word.end(), shape.begin(),
                    [](char c, char s) { return s == 'd' ? is_digit(c) : c == s; });
}

Value text_value(Value::Kind kind, std::string_view text) {
  Value value;
  value.kind = kind;
  value.text = Secret(text);
  return value;
}

// A word of digits, a dot and more: a real number or an address.
tl::expected<Value, std::string> dotted_number(std::string_view word, size_t dot) {
  const size_t fraction = digits_at(word, dot + 1);
  if (fraction == 0) return wrong("a number needs a digit behind the dot; put text in quotes");
  if (dot + 1 + fraction == word.size()) {
    Value value;
    value.kind = Value::Kind::real;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value.real);
    if (error != std::errc() || end != word.data() + word.size()) return wrong("number is out of range");
    return value;
  }
  if (word[dot + 1 + fraction] != '.' || word.find_first_not_of("0123456789.:-") != std::string_view::npos) {
    return wrong("a number with a fraction is followed by other characters; put text in quotes");
  }
  return text_value(Value::Kind::string, word);
}

}  // namespace

tl::expected<Value, std::string> classify_word(std::string_view word) {
  if (const auto truth = boolean_word(word)) {
    Value value;
    value.kind = Value::Kind::boolean;
    value.boolean = *truth;
    return value;
  }
  if (word.starts_with('.')) return wrong("a number must start with a digit; put text in quotes");
  const size_t start = word.starts_with('-') ? 1 : 0;
  const size_t end = start + digits_at(word, start);
  if (end == start) {
    if (start == 1) return wrong("a digit must follow the minus sign; put text in quotes");
    return text_value(Value::Kind::string, word);
  }
  if (end < word.size() && word[end] == '.') return dotted_number(word, end);
  if (const int64_t factor = suffix_factor(word.substr(end)))
    return integer_value(word.substr(0, end), factor);
  if (start == 1) return wrong("a negative number is followed by other characters; put text in quotes");
  if (word[end] != '-') return text_value(Value::Kind::string, word);
  if (is_datetime(word)) return text_value(Value::Kind::datetime, word);
  return wrong("a date must have the form 2006-01-02T15:04:05Z; put text in quotes");
}

bool is_hash_literal(std::string_view word) {
  if (!word.starts_with('$')) return false;
  const size_t end = word.find('$', 1);
  if (end == std::string_view::npos) return false;
  const std::string_view method = word.substr(1, end - 1);
  // Weak methods are here too: the complaint shall be about them, not about a variable of that name.
  constexpr std::array<std::string_view, 14> methods = {"2", "2a", "2b", "2x", "2y",  "y",    "gy",
                                                        "7", "6",  "5",  "1",  "md5", "sha1", "scrypt"};
  return std::ranges::find(methods, method) != methods.end() || method.starts_with("argon2");
}

std::optional<Nanoseconds> parse_duration(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 8> units = {{{"ns", 1},
                                                                         {"us", 1e3},
                                                                         {"\xc2\xb5s", 1e3},
                                                                         {"\xce\xbcs", 1e3},
                                                                         {"ms", 1e6},
                                                                         {"s", 1e9},
                                                                         {"m", 60e9},
                                                                         {"h", 3600e9}}};
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return Nanoseconds(0);
  if (text.empty()) return std::nullopt;
  // Long double carries 64 bits: a whole number of nanoseconds stays exact.
  long double sum = 0;
  while (!text.empty()) {
    const size_t whole = digits_at(text, 0);
    size_t length = whole;
    if (length < text.size() && text[length] == '.') length += 1 + digits_at(text, length + 1);
    if (length == 0 || (whole == 0 && length == 1)) return std::nullopt;
    long double number = 0;
    if (length > 40) return std::nullopt;
    for (size_t i = 0; i < whole; ++i) number = number * 10 + (text[i] - '0');
    long double digit_worth = 1;
    for (size_t i = whole + 1; i < length; ++i) number += (digit_worth /= 10) * (text[i] - '0');
    text.remove_prefix(length);
    size_t unit_length = 0;
    while (unit_length < text.size() && text[unit_length] != '.' && !is_digit(text[unit_length]))
      ++unit_length;
    const auto unit =
        std::ranges::find(units, text.substr(0, unit_length), &std::pair<std::string_view, double>::first);
    if (unit == units.end()) return std::nullopt;
    sum += number * static_cast<long double>(unit->second);
    text.remove_prefix(unit_length);
  }
  if (sum > 9.2e18L) return std::nullopt;
  const auto count = static_cast<int64_t>(std::floor(sum + 1e-6L));
  return Nanoseconds(is_negative ? -count : count);
}

std::optional<std::chrono::system_clock::time_point> parse_time(std::string_view text) {
  using namespace std::chrono;
  bool is_good = true;
  const auto number = [&](size_t size) {
    const std::string_view digits = text.substr(0, size);
    is_good &= digits.size() == size && digits_at(digits, 0) == size;
    int value = 0;
    if (is_good) std::from_chars(digits.data(), digits.data() + size, value);
    text.remove_prefix(digits.size());
    return value;
  };
  const auto mark = [&](std::string_view either) {
    is_good &= !text.empty() && either.find(text.front()) != std::string_view::npos;
    if (!text.empty()) text.remove_prefix(1);
  };
  const int years = number(4);
  mark("-");
  const int months = number(2);
  mark("-");
  const int days = number(2);
  mark("Tt");
  const int hour = number(2);
  mark(":");
  const int minute = number(2);
  mark(":");
  const int second = number(2);
  nanoseconds fraction{0};
  if (is_good && text.starts_with('.')) {
    text.remove_prefix(1);
    const size_t size = digits_at(text, 0);
    is_good &= size >= 1 && size <= 9;
    int64_t worth = 1'000'000'000;
    for (size_t i = 0; i < size && is_good; ++i) fraction += nanoseconds((worth /= 10) * (text[i] - '0'));
    text.remove_prefix(size);
  }
  seconds offset{0};
  if (text == "Z" || text == "z") {
    text = {};
  } else {
    const bool is_west = text.starts_with('-');
    mark("+-");
    const int offset_hours = number(2);
    mark(":");
    const int offset_minutes = number(2);
    is_good &= offset_hours < 24 && offset_minutes < 60;
    offset = hours(offset_hours) + minutes(offset_minutes);
    if (is_west) offset = -offset;
  }
  const year_month_day date{year(years), month(static_cast<unsigned>(months)),
                            day(static_cast<unsigned>(days))};
  constexpr int year_max = 2261;  // the last whole one in 64 bit nanoseconds
  is_good &= text.empty() && date.ok() && years >= 1970 && years <= year_max && hour < 24 && minute < 60 &&
             second < 60;
  if (!is_good) return std::nullopt;
  return system_clock::time_point(sys_days(date)) + hours(hour) + minutes(minute) + seconds(second) +
         fraction - offset;
}

}  // namespace nuncio::config
