// The client protocol's parser; see parser.h. One pass over one operation, no state: a partial operation is
// parsed again when more of it has come, which is cheap because a line is short and a payload is waited for
// by its announced size.
//
// What a 16-byte publish costs (`PUB foo 16` in a buffer of many, BM_ParsePubShort; EPYC, 2.6 GHz, gcc 12):
//
//   time          7.3 ns (portable parser: 34 ns); with a reply 8.9 ns, all lengths different 11.4 ns
//   instructions  125, with a reply 155 (callgrind, -O3)
//   cache lines   read: the line's and the payload end's, both just received; written: 2, the Operation
//   branches      13, all predictable while the number of arguments stays the same
//   copies        none
//   system calls  none
#include "core/parser.h"

#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace nuncio {
namespace {

#ifdef __SSE2__
uint32_t parse_pub(std::string_view input, const ParseLimits& limits, Operation& operation) noexcept;
uint32_t parse_hpub(std::string_view input, const ParseLimits& limits, Operation& operation) noexcept;

// The first bytes as one word. Bytes behind `input` may complete a verb by chance; then no line end is found
// in it.
template <typename Word>
inline Word load(const char* bytes) noexcept {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}
inline bool is_pub(const char* bytes) noexcept {
  return (load<uint32_t>(bytes) & 0xffdfdfdf) == ('P' | 'U' << 8 | 'B' << 16 | ' ' << 24);
}
inline bool is_hpub(const char* bytes) noexcept {
  return (load<uint32_t>(bytes) & 0xdfdfdfdf) == ('H' | 'P' << 8 | 'U' << 16 | 'B' << 24) && bytes[4] == ' ';
}
#endif

[[gnu::noinline]] ParseResult parse_rest(std::string_view input, const ParseLimits& limits,
                                         Operation& operation) noexcept;

}  // namespace

ParseResult parse(std::string_view input, const ParseLimits& limits, Operation& operation) noexcept {
#ifdef __SSE2__
  if (is_pub(input.data())) [[likely]] {
    if (const uint32_t consumed = parse_pub(input, limits, operation); consumed != 0) [[likely]]
      return {.status = ParseStatus::complete, .consumed = consumed};
  }
#endif
  return parse_rest(input, limits, operation);
}

namespace {

// What is not the common case; apart from parse() so that it takes none of its registers.
ParseResult parse_rest(std::string_view input, const ParseLimits& limits, Operation& operation) noexcept {
#ifdef __SSE2__
  if (is_hpub(input.data())) {
    if (const uint32_t consumed = parse_hpub(input, limits, operation); consumed != 0)
      return {.status = ParseStatus::complete, .consumed = consumed};
  }
#endif
  return parse_portable(input, limits, operation);
}

}  // namespace

#ifdef __SSE2__

// The fast path: a whole PUB or HPUB whose line is in its plainest form (one blank between arguments, CRLF)
// and lies within the first 64 bytes. Anything else, errors included, is left to parse_portable(): 0 is
// returned, and what was written to `operation` by then does not matter.
namespace {

// Bit i: byte i is at most a blank, so it ends an argument or makes the line unusual. Reads 32 bytes.
inline uint64_t marks_of(const char* bytes) noexcept {
  const __m128i blank = _mm_set1_epi8(' ');
  const auto marks_at = [&](int offset) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + offset));
    return static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(v, blank), v)));
  };
  return marks_at(0) | marks_at(16) << 16;
}

// Lets the processor go on to the next operation before it knows where this one ends. That takes a chain of
// mask, position and digits, 31 cycles here; if this publish is as long as the one before, a predicted branch
// takes the chain's place (11.9 → 7.5 ns with BM_ParsePubShort, 11.9 → 11.6 ns when every length differs,
// BM_ParsePubMixed).
class LengthGuess {
 public:
  // `before`: what the last parse left, perhaps of another verb or buffer; then the guess is merely wrong.
  LengthGuess(const Operation& before, size_t start) noexcept
      : length_(reinterpret_cast<uintptr_t>(before.payload.data()) + before.payload.size() + 2 + start -
                reinterpret_cast<uintptr_t>(before.subject.data())),
        guess_(length_) {
    asm("" : "+r"(guess_));  // or the compiler would see that confirm() returns `total` in any case
  }
  size_t confirm(size_t total) noexcept {
    if (total != length_) return total;
    asm volatile("" : "+r"(guess_));  // or it would make a conditional move of the branch
    return guess_;
  }

 private:
  size_t length_;
  size_t guess_;
};

// Walks over the marks of the first 64 bytes. The second half is looked at only by lines that reach it.
class Marks {
 public:
  Marks(const char* line, size_t start) noexcept
      : line_(line), left_(marks_of(line) & ~uint64_t{0} << start) {}

  // Position of the next mark; 64, where nothing is known, when there is none.
  [[gnu::always_inline]] size_t next() noexcept {
    if (left_ == 0) [[unlikely]] {
      if (is_widened_) return 64;
      is_widened_ = true;
      left_ = marks_of(line_ + 32) << 32;
      if (left_ == 0) return 64;
    }
    const auto at = static_cast<unsigned>(__builtin_ctzll(left_));
    left_ &= left_ - 1;
    return at;
  }

 private:
  const char* line_;
  uint64_t left_;
  bool is_widened_ = false;
};

constexpr uint16_t crlf = '\r' | '\n' << 8;

// Value of 1…8 digits; false for anything else. Reads 8 bytes. All digits at once: no loop to mispredict.
inline bool parse_digits(const char* text, size_t length, uint32_t& value) noexcept {
  if (length - 1 < 4) {
    uint32_t v = (load<uint32_t>(text) ^ 0x30303030) << (32 - 8 * length);
    if (((v | (v + 0x06060606)) & 0xf0f0f0f0) != 0) return false;
    v = (v * 10 + (v >> 8)) & 0x00ff00ff;
    value = (v * 100 + (v >> 16)) & 0xffff;
    return true;
  }
  if (length - 1 > 7) return false;
  uint64_t v = (load<uint64_t>(text) ^ 0x3030303030303030) << (64 - 8 * length);
  if (((v | (v + 0x0606060606060606)) & 0xf0f0f0f0f0f0f0f0) != 0) return false;
  v = (v * 10 + (v >> 8)) & 0x00ff00ff00ff00ff;
  v = (v * 100 + (v >> 16)) & 0x0000ffff0000ffff;
  value = static_cast<uint32_t>(v * 10000 + (v >> 32));
  return true;
}

// The end of the line and of the payload. `start` is where the arguments begin, `token` where the last size
// does. Writes no field that can be wrong: returns 0 instead.
template <bool has_header>
inline uint32_t take_publish(std::string_view input, const ParseLimits& limits, size_t start, size_t token,
                             size_t line_end, std::string_view header_size_text, LengthGuess guess,
                             Operation& operation) noexcept {
  const char* const p = input.data();
  // From here on everything read so far is known to lie in `input`.
  if (line_end + 2 > input.size() || load<uint16_t>(p + line_end) != crlf) return 0;
  if (line_end - start > limits.control_line_max) return 0;
  uint32_t size;
  if (!parse_digits(p + token, line_end - token, size) || size > limits.payload_max) return 0;
  uint32_t header_size = 0;
  if constexpr (has_header) {
    if (!parse_digits(header_size_text.data(), header_size_text.size(), header_size)) return 0;
    if (header_size == 0 || header_size > size) return 0;
  }
  const size_t total = guess.confirm(line_end + 2 + size + 2);
  if (total > input.size() || load<uint16_t>(p + total - 2) != crlf) return 0;

  operation.verb = has_header ? Verb::hpub : Verb::pub;
  operation.is_canonical = true;
  operation.header_size = header_size;
  operation.size = size;
  operation.payload = {p + line_end + 2, size};
  const char* const tail = operation.subject.data() + operation.subject.size() + 1;
  operation.tail = {tail, static_cast<size_t>(p + total - tail)};
  return static_cast<uint32_t>(total);
}

inline uint32_t parse_pub(std::string_view input, const ParseLimits& limits, Operation& operation) noexcept {
  constexpr size_t start = 4;  // behind "PUB "
  const char* const p = input.data();
  Marks marks(p, start);
  const LengthGuess guess(operation, start);
  const size_t subject_end = marks.next();
  if (subject_end == start || p[subject_end] != ' ') return 0;
  operation.subject = {p + start, subject_end - start};
  operation.reply = {};
  size_t token = subject_end + 1;
  size_t line_end = marks.next();
  if (p[line_end] == ' ') {
    operation.reply = {p + token, line_end - token};
    if (operation.reply.size() - 1 > 63) return 0;  // empty, or no second mark
    token = line_end + 1;
    line_end = marks.next();
  }
  return take_publish<false>(input, limits, start, token, line_end, {}, guess, operation);
}

uint32_t parse_hpub(std::string_view input, const ParseLimits& limits, Operation& operation) noexcept {
  constexpr size_t start = 5;  // behind "HPUB "
  const char* const p = input.data();
  Marks marks(p, start);
  const LengthGuess guess(operation, start);
  const size_t subject_end = marks.next();
  if (subject_end == start || p[subject_end] != ' ') return 0;
  operation.subject = {p + start, subject_end - start};
  operation.reply = {};
  const size_t second = subject_end + 1;
  const size_t second_end = marks.next();
  if (p[second_end] != ' ') return 0;
  std::string_view header_size{p + second, second_end - second};
  size_t token = second_end + 1;
  size_t line_end = marks.next();
  if (p[line_end] == ' ') {
    if (header_size.size() - 1 > 63) return 0;
    operation.reply = header_size;
    header_size = {p + token, line_end - token};
    token = line_end + 1;
    line_end = marks.next();
  }
  return take_publish<true>(input, limits, start, token, line_end, header_size, guess, operation);
}

}  // namespace

#endif  // __SSE2__

namespace {

constexpr ParseResult incomplete{.status = ParseStatus::incomplete};
constexpr ParseResult error(Reason reason) {
  return {.status = ParseStatus::error, .error = reason};
}

// What a verb is called and what may follow it directly.
struct VerbName {
  std::string_view name;
  Verb verb;
  bool needs_blank;  // a byte other than blank or tab behind it is an unknown operation (CP-28)
};

// A line's arguments (without the blanks in front) and its size in bytes with verb and line end.
struct Line {
  std::string_view arguments;
  size_t size;
  bool ends_in_crlf;
};

// Arguments separated by runs of blanks and tabs; `count` is right up to one more than fit.
struct Arguments {
  static constexpr unsigned count_max = 4;
  std::string_view at[count_max];
  unsigned count = 0;
  bool is_plain = true;  // exactly one blank between two, none behind the last
};

const VerbName* candidate_verb(std::string_view input) noexcept;
bool is_prefix(std::string_view input, std::string_view name) noexcept;
bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t';
}
ParseResult find_line(std::string_view input, size_t verb_size, const ParseLimits& limits,
                      Line& line) noexcept;
bool split(std::string_view text, Arguments& arguments) noexcept;
bool parse_size(std::string_view text, uint32_t& size) noexcept;
ParseResult parse_publish_arguments(std::string_view input, const Line& line, const Arguments& arguments,
                                    const ParseLimits& limits, Operation& operation) noexcept;
ParseResult take_payload(std::string_view input, const Line& line, Operation& operation) noexcept;

}  // namespace

ParseResult parse_portable(std::string_view input, const ParseLimits& limits, Operation& operation) noexcept {
  const VerbName* const verb = candidate_verb(input);
  if (verb == nullptr)
    return input.size() == 1 && (input[0] | 0x20) == 'p' ? incomplete : error(Reason::unknown_operation);
  if (!is_prefix(input, verb->name)) return error(Reason::unknown_operation);
  const size_t verb_size = verb->name.size();
  if (input.size() <= verb_size) return incomplete;
  if (verb->needs_blank && !is_blank(input[verb_size])) return error(Reason::unknown_operation);

  Line line;
  if (const ParseResult found = find_line(input, verb_size, limits, line);
      found.status != ParseStatus::complete)
    return found;
  operation = {};
  operation.verb = verb->verb;
  const ParseResult whole{.status = ParseStatus::complete, .consumed = static_cast<uint32_t>(line.size)};
  Arguments arguments;
  switch (verb->verb) {
    case Verb::connect:
    case Verb::err:
      operation.argument = line.arguments;
      return whole;
    case Verb::ping:
    case Verb::pong:
    case Verb::info:
    case Verb::ok:
      return whole;
    case Verb::sub:
      if (!split(line.arguments, arguments)) return error(Reason::parse_error);
      if (arguments.count != 2 && arguments.count != 3) return error(Reason::parse_error);
      operation.subject = arguments.at[0];
      if (arguments.count == 3) operation.queue = arguments.at[1];
      operation.sid = arguments.at[arguments.count - 1];
      return whole;
    case Verb::unsub: {
      if (!split(line.arguments, arguments)) return error(Reason::parse_error);
      if (arguments.count != 1 && arguments.count != 2) return error(Reason::parse_error);
      operation.sid = arguments.at[0];
      uint32_t max = 0;
      if (arguments.count == 2 && parse_size(arguments.at[1], max)) operation.max = max;
      return whole;
    }
    case Verb::pub:
    case Verb::hpub:
      if (!split(line.arguments, arguments)) return error(Reason::parse_error);
      return parse_publish_arguments(input, line, arguments, limits, operation);
  }
  return error(Reason::unknown_operation);
}

namespace {

// The only verb that `input` may begin with, going by its first bytes; null: none, or not clear yet ("P").
const VerbName* candidate_verb(std::string_view input) noexcept {
  static constexpr VerbName connect{"CONNECT", Verb::connect, false};
  static constexpr VerbName pub{"PUB", Verb::pub, true};
  static constexpr VerbName hpub{"HPUB", Verb::hpub, true};
  static constexpr VerbName sub{"SUB", Verb::sub, true};
  static constexpr VerbName unsub{"UNSUB", Verb::unsub, true};
  static constexpr VerbName ping{"PING", Verb::ping, false};
  static constexpr VerbName pong{"PONG", Verb::pong, false};
  static constexpr VerbName info{"INFO", Verb::info, false};
  static constexpr VerbName ok{"+OK", Verb::ok, false};
  static constexpr VerbName err{"-ERR", Verb::err, true};
  switch (input[0]) {
    case 'C':
    case 'c':
      return &connect;
    case 'H':
    case 'h':
      return &hpub;
    case 'S':
    case 's':
      return &sub;
    case 'U':
    case 'u':
      return &unsub;
    case 'I':
    case 'i':
      return &info;
    case '+':
      return &ok;
    case '-':
      return &err;
    case 'P':
    case 'p':
      break;
    default:
      return nullptr;
  }
  if (input.size() < 2) return nullptr;
  switch (input[1]) {
    case 'U':
    case 'u':
      return &pub;
    case 'I':
    case 'i':
      return &ping;
    case 'O':
    case 'o':
      return &pong;
    default:
      return nullptr;
  }
}

// True when `input` and `name` (upper case) agree as far as both go, in any case.
bool is_prefix(std::string_view input, std::string_view name) noexcept {
  for (size_t i = 0; i < name.size() && i < input.size(); ++i) {
    const char c = input[i];
    const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    if (upper != name[i]) return false;
  }
  return true;
}

// Status complete: `line` is set. The limit counts the same bytes whether the line feed has come or not, so
// that every split gives one result: blanks in front on their own, then the arguments without a CR that may
// belong to the line end.
ParseResult find_line(std::string_view input, size_t verb_size, const ParseLimits& limits,
                      Line& line) noexcept {
  size_t start = verb_size;
  while (start < input.size() && is_blank(input[start])) ++start;
  if (start - verb_size > limits.control_line_max) return error(Reason::control_line_exceeded);

  std::string_view rest = input.substr(start, size_t{limits.control_line_max} + 2);
  const size_t line_feed = rest.find('\n');
  const bool has_end = line_feed != std::string_view::npos;
  if (has_end) rest = rest.substr(0, line_feed);
  line.ends_in_crlf = rest.ends_with('\r');
  if (line.ends_in_crlf) rest.remove_suffix(1);
  if (rest.size() > limits.control_line_max) return error(Reason::control_line_exceeded);
  if (!has_end) return incomplete;
  line.arguments = rest;
  line.size = start + line_feed + 1;
  return {.status = ParseStatus::complete};
}

// False when a CR is among the arguments.
bool split(std::string_view text, Arguments& arguments) noexcept {
  size_t start = 0;  // of the argument being read
  for (size_t i = 0; i <= text.size(); ++i) {
    const bool at_end = i == text.size();
    if (!at_end && text[i] == '\r') return false;
    if (!at_end && !is_blank(text[i])) continue;
    if (i == start) {
      arguments.is_plain = false;
    } else {
      if (arguments.count < Arguments::count_max)
        arguments.at[arguments.count] = text.substr(start, i - start);
      ++arguments.count;
      if (!at_end && text[i] != ' ') arguments.is_plain = false;
    }
    start = i + 1;
  }
  return true;
}

// Exactly 1…9 digits (CP-38).
bool parse_size(std::string_view text, uint32_t& size) noexcept {
  if (text.empty() || text.size() > 9) return false;
  uint32_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<uint32_t>(c - '0');
  }
  size = value;
  return true;
}

ParseResult parse_publish_arguments(std::string_view input, const Line& line, const Arguments& arguments,
                                    const ParseLimits& limits, Operation& operation) noexcept {
  const bool has_header = operation.verb == Verb::hpub;
  const unsigned without_reply = has_header ? 3 : 2;
  if (arguments.count != without_reply && arguments.count != without_reply + 1)
    return error(Reason::parse_error);
  if (!parse_size(arguments.at[arguments.count - 1], operation.size)) return error(Reason::parse_error);
  if (has_header) {
    if (!parse_size(arguments.at[arguments.count - 2], operation.header_size))
      return error(Reason::parse_error);
    if (operation.header_size > operation.size) return error(Reason::parse_error);
  }
  if (operation.size > limits.payload_max) return error(Reason::payload_exceeded);
  operation.subject = arguments.at[0];
  if (arguments.count > without_reply) operation.reply = arguments.at[1];
  operation.is_canonical =
      arguments.is_plain && line.ends_in_crlf && (!has_header || operation.header_size > 0);
  return take_payload(input, line, operation);
}

ParseResult take_payload(std::string_view input, const Line& line, Operation& operation) noexcept {
  const size_t end = line.size + operation.size;
  const size_t total = end + 2;
  if (input.size() > end && input[end] != '\r') return error(Reason::unknown_operation);
  if (input.size() > end + 1 && input[end + 1] != '\n') return error(Reason::unknown_operation);
  if (input.size() < total) return {.status = ParseStatus::incomplete, .needed = total};
  operation.payload = input.substr(line.size, operation.size);
  if (operation.is_canonical) {
    const auto tail_start =
        static_cast<size_t>(operation.subject.data() + operation.subject.size() + 1 - input.data());
    operation.tail = input.substr(tail_start, total - tail_start);
  }
  return {.status = ParseStatus::complete, .consumed = static_cast<uint32_t>(total)};
}

}  // namespace
}  // namespace nuncio
