// Every case runs through both parsers, and through parse() with different bytes behind the input: what lies
// there must never matter. The buffer is exactly as long as the contract asks for, so that AddressSanitizer
// sees a longer look.
#include "core/parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace nuncio {
namespace {

constexpr ParseLimits default_limits{.control_line_max = 4096, .payload_max = 1024 * 1024};

using Parse = std::function<ParseResult(std::string_view, const ParseLimits&, Operation&)>;

// The outcome of one parse in words, all of it that the contract defines.
std::string describe(const ParseResult& result, const Operation& o) {
  const auto text = [](std::string_view t) { return std::string(t); };
  const auto number = [](uint64_t n) { return std::to_string(n); };
  if (result.status == ParseStatus::error) return "error " + text(code(result.error));
  const bool is_publish = o.verb == Verb::pub || o.verb == Verb::hpub;
  std::string out;
  if (result.status == ParseStatus::incomplete) {
    if (result.needed == 0) return "incomplete";
    out = "needs " + number(result.needed) + ": ";
  }
  switch (o.verb) {
    case Verb::connect:
      out += "CONNECT <" + text(o.argument) + ">";
      break;
    case Verb::err:
      out += "-ERR <" + text(o.argument) + ">";
      break;
    case Verb::ping:
      out += "PING";
      break;
    case Verb::pong:
      out += "PONG";
      break;
    case Verb::info:
      out += "INFO";
      break;
    case Verb::ok:
      out += "+OK";
      break;
    case Verb::sub:
      out += "SUB <" + text(o.subject) + "> <" + text(o.queue) + "> <" + text(o.sid) + ">";
      break;
    case Verb::unsub:
      out += "UNSUB <" + text(o.sid) + "> " + number(o.max);
      break;
    case Verb::hpub:
      out += "H";
      [[fallthrough]];
    case Verb::pub:
      out += "PUB <" + text(o.subject) + "> <" + text(o.reply) + "> " + number(o.size);
      break;
  }
  if (o.verb == Verb::hpub) out += " header " + number(o.header_size);
  if (result.status == ParseStatus::incomplete) return out;
  if (is_publish) out += " <" + text(o.payload) + ">";
  if (is_publish && o.is_canonical) out += " tail <" + text(o.tail) + ">";
  return out + " of " + number(result.consumed);
}

void expect_inside(std::string_view input, std::string_view view) {
  if (view.empty()) return;
  EXPECT_GE(view.data(), input.data());
  EXPECT_LE(view.data() + view.size(), input.data() + input.size());
}

std::string outcome_with(const Parse& function, std::string_view text, std::string_view padding,
                         const ParseLimits& limits) {
  const auto buffer = std::make_unique<char[]>(text.size() + padding.size());
  std::copy(text.begin(), text.end(), buffer.get());
  std::copy(padding.begin(), padding.end(), buffer.get() + text.size());
  const std::string_view input{buffer.get(), text.size()};
  Operation operation;
  const ParseResult result = function(input, limits, operation);
  if (result.status == ParseStatus::complete) {
    EXPECT_GT(result.consumed, 0u);
    EXPECT_LE(result.consumed, input.size());
    for (const auto view : {operation.subject, operation.reply, operation.queue, operation.sid,
                            operation.payload, operation.tail, operation.argument})
      expect_inside(input, view);
  }
  return describe(result, operation);
}

std::string outcome(std::string_view text, const ParseLimits& limits = default_limits) {
  const std::string portable = outcome_with(parse_portable, text, "", limits);
  for (const std::string_view unit :
       {std::string_view("\0", 1), std::string_view("\r\n"), std::string_view(" 1\r\n"),
        std::string_view("0123456789"), std::string_view("b 5\r\nhello\r\n")}) {
    std::string padding;
    while (padding.size() < parser_padding) padding += unit;
    padding.resize(parser_padding);
    EXPECT_EQ(outcome_with(parse, text, padding, limits), portable)
        << "input <" << text << "> before " << unit;
  }
  return portable;
}

// What happens with bytes that come in pieces: operations until the input ends or one fails. A test-local
// model of a connection: unparsed bytes wait until the parser knows how many are needed, or until more come.
std::vector<std::string> outcomes(const std::vector<std::string_view>& pieces, const ParseLimits& limits) {
  std::vector<std::string> all;
  std::string pending;
  for (const auto piece : pieces) {
    pending += piece;
    while (!pending.empty()) {
      std::string padded = pending + std::string(parser_padding, '\n');
      Operation operation;
      const ParseResult result = parse({padded.data(), pending.size()}, limits, operation);
      if (result.status == ParseStatus::incomplete) {
        if (result.needed != 0) {
          EXPECT_GT(result.needed, pending.size());
        }
        break;
      }
      all.push_back(describe(result, operation));
      if (result.status == ParseStatus::error) return all;
      pending.erase(0, result.consumed);
    }
  }
  if (!pending.empty()) all.push_back("left " + pending);
  return all;
}

// Random operations, valid ones unless `flaws` asks for some bad bytes.
class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  size_t below(size_t end) { return random_() % end; }
  std::string stream(size_t operations) {
    std::string text;
    while (operations-- > 0) text += operation();
    return text;
  }
  std::string operation() {
    switch (below(12)) {
      case 0:
        return cased("PING") + line_end();
      case 1:
        return cased("PONG") + blanks() + line_end();
      case 2:
        return cased("CONNECT") + blanks() + "{\"verbose\":false}" + line_end();
      case 3:
        return cased("SUB") + blanks() + token() + blanks() + token() + trailing() + line_end();
      case 4:
        return cased("SUB") + blanks() + token() + blanks() + token() + blanks() + token() + trailing() +
               line_end();
      case 5:
        return cased("UNSUB") + blanks() + token() + line_end();
      case 6:
        return cased("UNSUB") + blanks() + token() + blanks() + std::to_string(below(1000)) + line_end();
      case 7:
        return "+OK" + line_end();
      case 8:
        return hpub();
      default:
        return pub();
    }
  }
  std::string flawed(std::string text) {
    if (text.empty()) return text;
    const size_t at = below(text.size());
    switch (below(4)) {
      case 0:
        text[at] = " \t\r\n0a\0>"[below(8)];
        break;
      case 1:
        text.erase(at, 1 + below(3));
        break;
      case 2:
        text.insert(at, 1, " \t\r\n0a\0>"[below(8)]);
        break;
      default:
        text.resize(at);
    }
    return text;
  }

 private:
  std::string cased(std::string verb) {
    for (char& c : verb) {
      if (below(8) == 0) c = static_cast<char>(c + ('a' - 'A'));
    }
    return verb;
  }
  std::string blanks() { return below(6) != 0 ? " " : below(2) != 0 ? "\t" : "  \t"; }
  std::string trailing() { return below(8) != 0 ? "" : blanks(); }
  std::string line_end() { return below(6) != 0 ? "\r\n" : "\n"; }
  std::string token() {
    std::string text;
    for (size_t n = 1 + below(below(4) != 0 ? 12 : 60); n > 0; --n) text += "abcdefgh.*>\xff\x01_"[below(14)];
    return text;
  }
  std::string number(size_t n) { return std::string(below(8) != 0 ? 0 : below(5), '0') + std::to_string(n); }
  std::string payload(size_t size) {
    std::string text;
    while (text.size() < size) text += "x\r\n PUB"[below(7)];
    return text;
  }
  std::string pub() {
    const size_t size = below(below(4) != 0 ? 30 : 300);
    return cased("PUB") + blanks() + token() + blanks() + (below(2) != 0 ? "" : token() + blanks()) +
           number(size) + trailing() + line_end() + payload(size) + "\r\n";
  }
  std::string hpub() {
    const size_t size = below(100);
    return cased("HPUB") + blanks() + token() + blanks() + (below(2) != 0 ? "" : token() + blanks()) +
           number(below(size + 1)) + blanks() + number(size) + trailing() + line_end() + payload(size) +
           "\r\n";
  }

  std::mt19937_64 random_;
};

uint64_t seed() {
  const char* given = std::getenv("TEST_SEED");
  const uint64_t value = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("TEST_SEED=%llu\n", static_cast<unsigned long long>(value));
  return value;
}

}  // namespace

TEST(Parser, CP_10_ConnectGivesItsArgumentBlankOrNot) {
  EXPECT_EQ(outcome("CONNECT {\"a\": 1}\r\n"), "CONNECT <{\"a\": 1}> of 18");
  EXPECT_EQ(outcome("CONNECT{}\r\n"), "CONNECT <{}> of 11");
  EXPECT_EQ(outcome("connect \t {} \r\nPING"), "CONNECT <{} > of 15");
  EXPECT_EQ(outcome("CONNECT {}\n"), "CONNECT <{}> of 11");
}

TEST(Parser, CP_13_ConnectWithNothingBehindItHasAnEmptyArgument) {
  EXPECT_EQ(outcome("CONNECT\r\n"), "CONNECT <> of 9");
  EXPECT_EQ(outcome("CONNECT \r\n"), "CONNECT <> of 10");
}

TEST(Parser, CP_20_PingAndPong) {
  EXPECT_EQ(outcome("PING\r\n"), "PING of 6");
  EXPECT_EQ(outcome("PONG\r\nPING\r\n"), "PONG of 6");
  EXPECT_EQ(outcome("PING\n"), "PING of 5");
}

TEST(Parser, CP_21_BytesBehindPingAreIgnoredUpToTheLimit) {
  EXPECT_EQ(outcome("PINGx yz\r\n"), "PING of 10");
  EXPECT_EQ(outcome("PONG \r \r\n"), "PONG of 9");
  EXPECT_EQ(outcome("ping\rPING\r\n"), "PING of 11");
  const ParseLimits limits{.control_line_max = 8, .payload_max = 10};
  EXPECT_EQ(outcome("PING 12345678\r\n", limits), "PING of 15");
  EXPECT_EQ(outcome("PING 123456789", limits), "error control_line_exceeded");
}

TEST(Parser, CP_26_VerbsInAnyCaseBlanksAndTabsTrailingBlanksBareLineFeed) {
  EXPECT_EQ(outcome("sUb a 1\r\n"), "SUB <a> <> <1> of 9");
  EXPECT_EQ(outcome("SUB \t a\t\t1 \t\r\n"), "SUB <a> <> <1> of 14");
  EXPECT_EQ(outcome("uNsub 1\n"), "UNSUB <1> 0 of 8");
  EXPECT_EQ(outcome("pub\tfoo\t 5 \t\nhello\r\n"), "PUB <foo> <> 5 <hello> of 20");
  EXPECT_EQ(outcome("PuB foo 5\r\nhello\r\n"), "PUB <foo> <> 5 <hello> tail <5\r\nhello\r\n> of 18");
}

TEST(Parser, CP_27_SubWithAndWithoutQueue) {
  EXPECT_EQ(outcome("SUB foo.* 1\r\n"), "SUB <foo.*> <> <1> of 13");
  EXPECT_EQ(outcome("SUB foo workers abc-1\r\n"), "SUB <foo> <workers> <abc-1> of 23");
}

TEST(Parser, CP_28_WrongArgumentCountOfSubIsAParseError) {
  EXPECT_EQ(outcome("SUB a\r\n"), "error parse_error");
  EXPECT_EQ(outcome("SUB a b c d\r\n"), "error parse_error");
  EXPECT_EQ(outcome("SUB a b c d e f g\r\n"), "error parse_error");
  EXPECT_EQ(outcome("SUB \r\n"), "error parse_error");
}

TEST(Parser, CP_28_VerbWithoutBlankIsAnUnknownOperation) {
  for (const std::string verb : {"SUB", "UNSUB", "PUB", "HPUB", "-ERR"}) {
    EXPECT_EQ(outcome(verb), "incomplete") << verb;
    EXPECT_EQ(outcome(verb + "\r"), "error unknown_operation") << verb;
    EXPECT_EQ(outcome(verb + "\n"), "error unknown_operation") << verb;
    EXPECT_EQ(outcome(verb + "x"), "error unknown_operation") << verb;
    EXPECT_EQ(outcome(verb + " "), "incomplete") << verb;
  }
}

TEST(Parser, CP_30_AnyByteButWhiteSpaceMayAppearInASubject) {
  const std::string subject("a\xff.\0.\x01\x0b\x0c\"'", 10);
  EXPECT_EQ(outcome("SUB " + subject + " 1\r\n"), "SUB <" + subject + "> <> <1> of 18");
  EXPECT_EQ(outcome("PUB " + subject + " 0\r\n\r\n"), "PUB <" + subject + "> <> 0 <> tail <0\r\n\r\n> of 20");
}

// Where we differ from the reference, which hands it on to receivers that take it for white space.
TEST(Parser, CP_30_LoneCarriageReturnAmongArgumentsIsAParseError) {
  EXPECT_EQ(outcome("PUB fo\ro 5\r\nhello\r\n"), "error parse_error");
  EXPECT_EQ(outcome("PUB foo 5\r\r\nhello\r\n"), "error parse_error");
  EXPECT_EQ(outcome("PUB foo 5\r \r\nhello\r\n"), "error parse_error");
  EXPECT_EQ(outcome("SUB a\r1 2\r\n"), "error parse_error");
  EXPECT_EQ(outcome("UNSUB \r1\r\n"), "error parse_error");
  EXPECT_EQ(outcome("HPUB a \r1 2\r\nab\r\n"), "error parse_error");
}

TEST(Parser, CP_33_UnsubMaxThatIsNoNumberIsZero) {
  EXPECT_EQ(outcome("UNSUB 1\r\n"), "UNSUB <1> 0 of 9");
  EXPECT_EQ(outcome("UNSUB 1 0\r\n"), "UNSUB <1> 0 of 11");
  EXPECT_EQ(outcome("UNSUB 1 999999999\r\n"), "UNSUB <1> 999999999 of 19");
  for (const std::string max : {"x", "-5", "+5", "5x", "1.5", "9999999999"}) {
    const std::string text = "UNSUB 1 " + max + "\r\n";
    EXPECT_EQ(outcome(text), "UNSUB <1> 0 of " + std::to_string(text.size()));
  }
}

TEST(Parser, CP_34_WrongArgumentCountOfUnsubIsAParseError) {
  EXPECT_EQ(outcome("UNSUB \r\n"), "error parse_error");
  EXPECT_EQ(outcome("UNSUB 1 2 3\r\n"), "error parse_error");
}

TEST(Parser, CP_37_PubWithAndWithoutReplyAndPayload) {
  EXPECT_EQ(outcome("PUB s 5\r\nhello\r\n"), "PUB <s> <> 5 <hello> tail <5\r\nhello\r\n> of 16");
  EXPECT_EQ(outcome("PUB s r 5\r\nhello\r\n"), "PUB <s> <r> 5 <hello> tail <r 5\r\nhello\r\n> of 18");
  EXPECT_EQ(outcome("PUB s 0\r\n\r\nPING\r\n"), "PUB <s> <> 0 <> tail <0\r\n\r\n> of 11");
  EXPECT_EQ(outcome("PUB s 4\r\n\r\n\r\n\r\n"), "PUB <s> <> 4 <\r\n\r\n> tail <4\r\n\r\n\r\n\r\n> of 15");
}

TEST(Parser, CP_37_PayloadMustEndInCrlfAndIsRefusedAtTheFirstWrongByte) {
  for (const std::string end : {"x", "\n", "\rx", "\r\r", "xx\r\n"}) {
    EXPECT_EQ(outcome("PUB foo 5\r\nhello" + end), "error unknown_operation");
    EXPECT_EQ(outcome("PUB foo 5 \nhello" + end), "error unknown_operation");
    EXPECT_EQ(outcome("HPUB foo 1 5\r\nhello" + end), "error unknown_operation");
  }
}

TEST(Parser, CP_37_ReportsHowMuchIsNeeded) {
  const std::string text = "PUB foo bar 5\r\nhello\r\n";
  for (size_t size = 1; size < text.size(); ++size) {
    const std::string_view part = std::string_view(text).substr(0, size);
    EXPECT_EQ(outcome(part), size < 15 ? "incomplete" : "needs 22: PUB <foo> <bar> 5") << part;
  }
  EXPECT_EQ(outcome("HPUB a 2 1048576\n"), "needs 1048595: HPUB <a> <> 1048576 header 2");
}

TEST(Parser, CP_38_BadSizeOrArgumentCountIsAParseError) {
  for (const std::string size : {"-1", "+1", "x", "1x", "x1", "1234567890", "0000000001", "0x1", "1.0",
                                 "12345678a", "\xb0", "1\xff", "/", ":", "1234/", "1234:678"}) {
    EXPECT_EQ(outcome("PUB foo " + size + "\r\n"), "error parse_error") << size;
    EXPECT_EQ(outcome("PUB foo bar " + size + "\r\n"), "error parse_error") << size;
    EXPECT_EQ(outcome("HPUB foo " + size + " 12\r\n"), "error parse_error") << size;
    EXPECT_EQ(outcome("HPUB foo 12 " + size + "\r\n"), "error parse_error") << size;
  }
  EXPECT_EQ(outcome("PUB \r\n"), "error parse_error");
  EXPECT_EQ(outcome("PUB foo\r\n"), "error parse_error");
  EXPECT_EQ(outcome("PUB 5\r\n"), "error parse_error");
  EXPECT_EQ(outcome("PUB foo 2 3 4\r\n"), "error parse_error");
  EXPECT_EQ(outcome("PUB a b c d e f\r\n"), "error parse_error");
}

TEST(Parser, CP_38_SizesOfOneToNineDigits) {
  const ParseLimits limits{.control_line_max = 100, .payload_max = 999'999'999};
  std::string digits;
  std::string value;
  for (const char c : std::string("123456789")) {
    digits += c;
    const std::string needed = std::to_string(std::stoull(digits) + 4 + 2 + digits.size() + 2 + 2);
    EXPECT_EQ(outcome("PUB a " + digits + "\r\n", limits), "needs " + needed + ": PUB <a> <> " + digits);
  }
  for (size_t zeros = 0; zeros < 8; ++zeros) {
    const std::string size = std::string(zeros, '0') + "7";
    const std::string text = "PUB a " + size + "\r\nseven77\r\n";
    EXPECT_EQ(outcome(text),
              "PUB <a> <> 7 <seven77> tail <" + size + "\r\nseven77\r\n> of " + std::to_string(text.size()));
  }
}

TEST(Parser, CP_39_PayloadLimitIsJudgedByTheLineAlone) {
  const ParseLimits limits{.control_line_max = 100, .payload_max = 5};
  EXPECT_EQ(outcome("PUB foo 6\r\n", limits), "error payload_exceeded");
  EXPECT_EQ(outcome("PUB foo 6\r\nhello!\r\n", limits), "error payload_exceeded");
  EXPECT_EQ(outcome("PUB foo 5\r\nhello\r\n", limits), "PUB <foo> <> 5 <hello> tail <5\r\nhello\r\n> of 18");
  EXPECT_EQ(outcome("HPUB foo 1 6\r\n", limits), "error payload_exceeded");
  EXPECT_EQ(outcome("HPUB foo 1 5\r\n", limits), "needs 21: HPUB <foo> <> 5 header 1");
  EXPECT_EQ(outcome("PUB foo 999999999\r\n"), "error payload_exceeded");
  EXPECT_EQ(outcome("PUB foo 6", limits), "incomplete");
}

TEST(Parser, CP_40_SubjectsOfPublishesAreNotJudged) {
  EXPECT_EQ(outcome("PUB .foo..*.> 0\r\n\r\n"), "PUB <.foo..*.>> <> 0 <> tail <0\r\n\r\n> of 19");
}

TEST(Parser, CP_42_HpubWithAndWithoutReply) {
  EXPECT_EQ(outcome("HPUB f 12 13\r\nNATS/1.0\r\n\r\nx\r\n"),
            "HPUB <f> <> 13 header 12 <NATS/1.0\r\n\r\nx> tail <12 13\r\nNATS/1.0\r\n\r\nx\r\n> of 29");
  EXPECT_EQ(outcome("hpub f r 0012 12\r\nNATS/1.0\r\n\r\n\r\n"),
            "HPUB <f> <r> 12 header 12 <NATS/1.0\r\n\r\n> tail <r 0012 12\r\nNATS/1.0\r\n\r\n\r\n> of 32");
  EXPECT_EQ(outcome("HPUB f  r  2 2 \nxx\r\n"), "HPUB <f> <r> 2 header 2 <xx> of 20");
}

TEST(Parser, CP_43_BadHpubArgumentsAreParseErrors) {
  EXPECT_EQ(outcome("HPUB f 6 5\r\n"), "error parse_error");
  EXPECT_EQ(outcome("HPUB f 12\r\n"), "error parse_error");
  EXPECT_EQ(outcome("HPUB f 1 2 3 4\r\n"), "error parse_error");
  EXPECT_EQ(outcome("HPUB f r 1 x\r\n"), "error parse_error");
  EXPECT_EQ(outcome("HPUB f -1 2\r\n"), "error parse_error");
  EXPECT_EQ(outcome("HPUB f 1048579 1048578\r\n"), "error parse_error");  // before the payload limit
}

TEST(Parser, CP_43_HpubWithoutHeaderIsNeverCanonical) {
  EXPECT_EQ(outcome("HPUB f 0 5\r\nhello\r\n"), "HPUB <f> <> 5 header 0 <hello> of 19");
}

TEST(Parser, CP_48_TailOnlyWhereReceiversMayGetTheBytesAsTheyStand) {
  for (const std::string line :
       {"PUB s  5\r\n", "PUB s 5 \r\n", "PUB s 5\n", "PUB s\t5\r\n", "PUB s r  5\r\n", "PUB s\tr 5\r\n",
        "PUB s r\t5\r\n", "PUB s  r 5\r\n", "PUB s r 5\t\r\n", "PUB s r 5\n"})
    EXPECT_EQ(outcome(line + "hello\r\n").find("tail"), std::string::npos) << line;
  // What stands before the subject is not passed on.
  EXPECT_EQ(outcome("PUB  \ts 5\r\nhello\r\n"), "PUB <s> <> 5 <hello> tail <5\r\nhello\r\n> of 18");
  EXPECT_EQ(outcome("HPUB\ts r 1 5\r\nhello\r\n"),
            "HPUB <s> <r> 5 header 1 <hello> tail <r 1 5\r\nhello\r\n> of 21");
}

TEST(Parser, CP_48_TailIsRightForEveryLengthOfLine) {
  for (size_t subject_size = 1; subject_size < 80; ++subject_size) {
    for (const size_t reply_size : {size_t{0}, size_t{1}, size_t{20}, size_t{64}, size_t{70}}) {
      const std::string subject(subject_size, 's');
      const std::string reply(reply_size, 'r');
      const std::string tail = (reply.empty() ? "" : reply + " ") + "5\r\nhello\r\n";
      const std::string text = "PUB " + subject + " " + tail;
      EXPECT_EQ(outcome(text), "PUB <" + subject + "> <" + reply + "> 5 <hello> tail <" + tail + "> of " +
                                   std::to_string(text.size()));
    }
  }
}

TEST(Parser, CP_58_ControlLineLimitCountsTheArguments) {
  const ParseLimits limits{.control_line_max = 16, .payload_max = 100};
  const std::string equal = "SUB abcdefghijklmn 1";  // 16 bytes of arguments
  EXPECT_EQ(outcome(equal + "\r\n", limits), "SUB <abcdefghijklmn> <> <1> of 22");
  EXPECT_EQ(outcome(equal + "\n", limits), "SUB <abcdefghijklmn> <> <1> of 21");
  EXPECT_EQ(outcome(equal, limits), "incomplete");
  EXPECT_EQ(outcome(equal + "\r", limits), "incomplete");
  EXPECT_EQ(outcome(equal + "1", limits), "error control_line_exceeded");
  EXPECT_EQ(outcome(equal + "1\r\n", limits), "error control_line_exceeded");
  EXPECT_EQ(outcome(equal + " \r\n", limits), "error control_line_exceeded");
  EXPECT_EQ(outcome(equal + "\r\r\n", limits), "error control_line_exceeded");
  EXPECT_EQ(outcome("PUB abcdefghijklmn 1\r\nx\r\n", limits),
            "PUB <abcdefghijklmn> <> 1 <x> tail <1\r\nx\r\n> of 25");
  EXPECT_EQ(outcome("PUB abcdefghijklmno 1\r\nx\r\n", limits), "error control_line_exceeded");
  for (const std::string verb : {"CONNECT ", "INFO ", "-ERR ", "PING ", "PONG", "+OK", "HPUB ", "UNSUB "}) {
    EXPECT_EQ(outcome(verb + std::string(16, 'a'), limits), "incomplete") << verb;
    EXPECT_EQ(outcome(verb + std::string(17, 'a'), limits), "error control_line_exceeded") << verb;
  }
}

TEST(Parser, CP_65_UnknownOperationsAreFoundAtTheirFirstWrongByte) {
  for (const std::string text :
       {"X",       "PX", "PIX",  "PUX",      "PI NG\r\n", "UNS U", "U\r",     "SX",
        "CONNECX", "HM", "INX",  "+X",       "+OX",       "-X",    "-ERX",    "-ERRx",
        "MSG",     "@",  "\x10", "\x50\x15", "\r",        "\x0b",  "\x0dERR "})
    EXPECT_EQ(outcome(text), "error unknown_operation") << text;
  for (const std::string text :
       {"P", "p",       "PU", "PI",   "PO", "PING", "H",   "HPU", "S",   "U",   "UNSU",
        "C", "CONNECT", "I",  "INFO", "+",  "+O",   "+OK", "-",   "-ER", "-ERR"})
    EXPECT_EQ(outcome(text), "incomplete") << text;
}

TEST(Parser, CP_67_OkAndInfoAreOperationsWithoutArguments) {
  EXPECT_EQ(outcome("+OK\r\n"), "+OK of 5");
  EXPECT_EQ(outcome("+okxyz\r\n"), "+OK of 8");
  EXPECT_EQ(outcome("INFO {\"server_id\":\"x\"}\r\n"), "INFO of 24");
  EXPECT_EQ(outcome("info\n"), "INFO of 5");
  EXPECT_EQ(outcome("-ERR 'what'\r\n"), "-ERR <'what'> of 13");
  EXPECT_EQ(outcome("-err \r\n"), "-ERR <> of 7");
}

TEST(Parser, CP_69_EverySplitOfEveryStreamGivesTheSameResult) {
  Generator random(seed());
  for (int round = 0; round < 150; ++round) {
    std::string stream = random.stream(1 + random.below(12));
    if (round % 3 == 0) stream = random.flawed(stream);
    const ParseLimits limits{.control_line_max = round % 5 == 0 ? 40u : 4096u,
                             .payload_max = round % 7 == 0 ? 90u : 1000u};
    const std::vector<std::string> whole = outcomes({stream}, limits);
    const auto is_same = [&](const std::vector<std::string_view>& pieces) {
      std::vector<std::string> split = outcomes(pieces, limits);
      // An error may be seen before all bytes are there, never another one.
      EXPECT_EQ(split, whole) << "stream <" << stream << ">";
      return split == whole;
    };
    const std::string_view text = stream;
    for (size_t at = 1; at < text.size(); ++at)
      ASSERT_TRUE(is_same({text.substr(0, at), text.substr(at)})) << at;
    std::vector<std::string_view> bytes;
    for (size_t at = 0; at < text.size(); ++at) bytes.push_back(text.substr(at, 1));
    ASSERT_TRUE(is_same(bytes));
    for (int i = 0; i < 10; ++i) {
      std::vector<std::string_view> pieces;
      for (size_t at = 0; at < text.size();) {
        pieces.push_back(text.substr(at, 1 + random.below(40)));
        at += pieces.back().size();
      }
      ASSERT_TRUE(is_same(pieces));
    }
  }
}

TEST(Parser, CP_69_BothParsersAgreeOnRandomInput) {
  Generator random(seed());
  for (int i = 0; i < 20000; ++i) {
    std::string text = random.operation();
    for (size_t flaws = random.below(3); flaws > 0; --flaws) text = random.flawed(text);
    if (text.empty()) continue;
    const ParseLimits limits{.control_line_max = i % 5 == 0 ? 30u : 4096u,
                             .payload_max = i % 7 == 0 ? 20u : 1000u};
    outcome(text, limits);
    ASSERT_FALSE(HasFailure()) << text;
  }
}

TEST(Parser, CP_70_BlanksBeforeTheArgumentsAreBoundedToo) {
  const ParseLimits limits{.control_line_max = 16, .payload_max = 100};
  const std::string blanks(17, ' ');
  EXPECT_EQ(outcome("PUB" + blanks.substr(1), limits), "incomplete");
  EXPECT_EQ(outcome("PUB" + blanks, limits), "error control_line_exceeded");
  EXPECT_EQ(outcome("PUB" + blanks + "a 1\r\nx\r\n", limits), "error control_line_exceeded");
  EXPECT_EQ(outcome("PING" + blanks + "\r\n", limits), "error control_line_exceeded");
}

TEST(Parser, CP_71_CompleteLinesBeforeABadOneAreGivenAndNothingAfterIt) {
  EXPECT_EQ(outcomes({"SUB a 1\r\nPING\r\nSUB\r\nPING\r\n"}, default_limits),
            (std::vector<std::string>{"SUB <a> <> <1> of 9", "PING of 6", "error unknown_operation"}));
}

TEST(Parser, CP_72_EmptyLinesAndBlanksBeforeAVerbAreUnknownOperations) {
  EXPECT_EQ(outcome("\r\n"), "error unknown_operation");
  EXPECT_EQ(outcome("\n"), "error unknown_operation");
  EXPECT_EQ(outcome(" PING\r\n"), "error unknown_operation");
  EXPECT_EQ(outcome("\tPING\r\n"), "error unknown_operation");
}

TEST(Parser, CP_73_TlsAndHttpOnThePlainPortAreUnknownOperations) {
  EXPECT_EQ(outcome("\x16\x03\x01\x02"), "error unknown_operation");
  EXPECT_EQ(outcome("GET / HTTP/1.1\r\n"), "error unknown_operation");
  EXPECT_EQ(outcome("POST / HTTP/1.1\r\n"), "error unknown_operation");
  EXPECT_EQ(outcome("PUT / HTTP/1.1\r\n"), "error unknown_operation");
  EXPECT_EQ(outcome("HEAD / HTTP/1.1\r\n"), "error unknown_operation");
}

TEST(Parser, AT_33_HpubSizesThatLie) {
  const ParseLimits limits{.control_line_max = 4096, .payload_max = 999'999'999};
  EXPECT_EQ(outcome("HPUB f 999999999 1\r\nx\r\n", limits), "error parse_error");
  EXPECT_EQ(outcome("HPUB f 999999999 999999999\r\nx\r\n", limits),
            "needs 1000000029: HPUB <f> <> 999999999 header 999999999");
  EXPECT_EQ(outcome("HPUB f 999999999 999999999\r\nx\r\n"), "error payload_exceeded");
  EXPECT_EQ(outcome("HPUB f 4294967297 1\r\nx\r\n", limits), "error parse_error");
  EXPECT_EQ(outcome("HPUB f +1 1\r\nx\r\n", limits), "error parse_error");
  EXPECT_EQ(outcome("HPUB f 1 -1\r\nx\r\n", limits), "error parse_error");
  EXPECT_EQ(outcome("HPUB f -0 0\r\n\r\n", limits), "error parse_error");
}

TEST(Parser, AT_34_PayloadThatLooksLikeProtocolIsNotExecuted) {
  EXPECT_EQ(outcomes({"PUB a 1\r\nx\r\nPUB b 1\r\ny\r\n"}, default_limits).size(), 2u);
  EXPECT_EQ(outcomes({"PUB a 15\r\nx\r\nPUB b 1\r\ny\r\n\r\n"}, default_limits),
            (std::vector<std::string>{
                "PUB <a> <> 15 <x\r\nPUB b 1\r\ny\r\n> tail <15\r\nx\r\nPUB b 1\r\ny\r\n\r\n> of 27"}));
  EXPECT_EQ(outcomes({"PUB a 2\r\nx\r\nPUB b 1\r\ny\r\n"}, default_limits),
            (std::vector<std::string>{"error unknown_operation"}));
}

TEST(Parser, AT_36_OperationsOfServersAreNeverTakenFromAClient) {
  for (const std::string text :
       {"MSG a 1 0\r\n\r\n", "HMSG a 1 0 0\r\n\r\n", "RS+ $G a\r\n", "RS- $G a\r\n", "RMSG $G a 0\r\n\r\n",
        "LS+ a\r\n", "LMSG a 0\r\n\r\n", "A+ acc\r\n", "A- acc\r\n"})
    EXPECT_EQ(outcome(text), "error unknown_operation") << text;
  EXPECT_EQ(outcome("+OK\r\n"), "+OK of 5");
  EXPECT_EQ(outcome("INFO {\"proto\":1}\r\n"), "INFO of 18");
}

}  // namespace nuncio
