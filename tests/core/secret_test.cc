// That a secret is gone from the memory it was in, seen through that memory itself.
#include "core/secret.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <new>

namespace nuncio {
namespace {

bool is_zero(const char* bytes, size_t size) {
  return std::all_of(bytes, bytes + size, [](char byte) { return byte == '\0'; });
}

bool holds(const std::byte* memory, size_t size, std::string_view text) {
  const auto* begin = reinterpret_cast<const char*>(memory);
  return std::string_view(begin, size).find(text) != std::string_view::npos;
}

const std::string long_text = "a secret that needs memory of its own";
constexpr std::string_view short_text = "s3cr3t";  // fits into the object itself

TEST(Secret, AU_46_ClearWipesTheMemory) {
  for (const std::string_view text : {std::string_view(long_text), short_text}) {
    Secret secret(text);
    const char* memory = secret.reveal().data();
    ASSERT_EQ(std::string_view(memory, text.size()), text);
    secret.clear();  // keeps its memory, so that it may still be looked at
    EXPECT_TRUE(secret.empty());
    EXPECT_TRUE(is_zero(memory, text.size()));
  }
}

TEST(Secret, AU_46_AMovedSecretStaysNowhereElse) {
  for (const std::string_view text : {std::string_view(long_text), short_text}) {
    Secret first(text);
    const char* memory = first.reveal().data();
    const Secret second(std::move(first));
    EXPECT_EQ(second.reveal(), text);
    EXPECT_TRUE(is_zero(memory, text.size()));
  }
}

TEST(Secret, AU_46_TheEndOfASecretWipesIt) {
  alignas(Secret) std::byte memory[sizeof(Secret)];
  auto* secret = new (memory) Secret(short_text);
  ASSERT_TRUE(holds(memory, sizeof(memory), short_text));
  secret->~Secret();
  EXPECT_FALSE(holds(memory, sizeof(memory), short_text));
}

TEST(Secret, AU_46_AReplacedSecretIsWiped) {
  alignas(Secret) std::byte memory[sizeof(Secret)];
  auto* secret = new (memory) Secret(short_text);
  *secret = Secret("x");
  EXPECT_EQ(secret->reveal(), "x");
  EXPECT_FALSE(holds(memory, sizeof(memory), short_text.substr(2)));
  secret->~Secret();
}

TEST(Secret, AU_46_WipingATextTakesWhatStoodBehindItsEndToo) {
  std::string text = long_text;
  text.resize(3);
  const char* memory = text.data();
  const size_t capacity = text.capacity();
  ASSERT_NE(memory[4], '\0');  // shortening alone left it
  wipe(text);
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(text.data(), memory);
  EXPECT_TRUE(is_zero(memory, capacity));
}

}  // namespace
}  // namespace nuncio
