#include "bench/load/server_stream.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nuncio::load {
namespace {

const std::string message = "MSG bench 1 4\r\nxxxx\r\n";

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(StreamCounter, CountsTheSameInEverySplit) {
  const std::string stream =
      repeated(message, 70) + "PING\r\n" + repeated(message, 30) + "PONG\r\n" + message;
  for (size_t step = 1; step < 300; ++step) {
    StreamCounter counter(message);
    for (size_t at = 0; at < stream.size(); at += step) {
      ASSERT_TRUE(counter.feed(std::string_view(stream).substr(at, step))) << counter.control().error;
    }
    ASSERT_EQ(counter.messages(), 101U) << step;
    ASSERT_EQ(counter.control().pings_unanswered, 1U);
    ASSERT_EQ(counter.control().pongs, 1U);
  }
}

TEST(StreamCounter, AnErrorOfTheServerIsKept) {
  StreamCounter counter(message);
  EXPECT_FALSE(counter.feed(message + "-ERR 'Slow Consumer'\r\n"));
  EXPECT_EQ(counter.control().error, "-ERR 'Slow Consumer'");
  EXPECT_EQ(counter.messages(), 1U);
}

TEST(StreamCounter, TheFirstMessagesAreComparedInFull) {
  StreamCounter counter(message);
  std::string other = message;
  other[16] = 'y';
  EXPECT_FALSE(counter.feed(message + other));
  EXPECT_EQ(counter.control().error, "message 2 is not the one expected");
}

TEST(StreamCounter, LaterOnAMessageOfAnotherLengthIsNoticed) {
  StreamCounter counter(message);
  EXPECT_FALSE(counter.feed(repeated(message, 100) + "MSG bench 1 5\r\nxxxxx\r\n" + repeated(message, 2)));
  EXPECT_EQ(counter.messages(), 100U);
}

TEST(StreamCounter, PartsOfAMessageCountOnceItIsWhole) {
  StreamCounter counter(message);
  EXPECT_TRUE(counter.feed(repeated(message, 100) + message.substr(0, 5)));
  EXPECT_EQ(counter.messages(), 100U);
  EXPECT_TRUE(counter.feed(message.substr(5)));
  EXPECT_EQ(counter.messages(), 101U);
}

TEST(MessageReader, ReadsTheSameInEverySplit) {
  const std::string stream =
      "+OK\r\nMSG a.b 7 3\r\n\r\nx\r\nPING\r\nMSG c 12 _INBOX.1 0\r\n\r\nINFO {}\r\nMSG d 1 2\r\nhi\r\n";
  for (size_t step = 1; step <= stream.size(); ++step) {
    MessageReader reader;
    std::vector<std::string> seen;
    for (size_t at = 0; at < stream.size(); at += step) {
      reader.feed(std::string_view(stream).substr(at, step));
      while (const auto next = reader.next()) {
        seen.push_back(std::string(next->subject) + "|" + std::string(next->reply) + "|" +
                       std::string(next->payload));
      }
    }
    ASSERT_EQ(seen, (std::vector<std::string>{"a.b||\r\nx", "c|_INBOX.1|", "d||hi"})) << step;
    ASSERT_EQ(reader.control().pings_unanswered, 1U);
    ASSERT_EQ(reader.control().error, "");
  }
}

TEST(MessageReader, WhatIsNoProtocolLineIsAnError) {
  for (const char* line :
       {"HELLO\r\n", "MSG a 1\r\n", "MSG a 1 x\r\n\r\n", "-ERR 'Authorization Violation'\r\n"}) {
    MessageReader reader;
    reader.feed(line);
    EXPECT_FALSE(reader.next());
    EXPECT_NE(reader.control().error, "") << line;
  }
}

}  // namespace
}  // namespace nuncio::load
