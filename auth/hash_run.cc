#include "auth/hash_run.h"

#include <crypt.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "core/assert.h"

namespace nuncio::auth {
namespace {

constexpr size_t bcrypt_bytes_max = 72;

// libxcrypt's working memory of this thread (32 KiB; yescrypt and scrypt map more of their own for each
// check).
crypt_data& working_memory() {
  thread_local const auto memory = std::make_unique<crypt_data>();
  return *memory;
}

// Copies `text` with its terminating NUL; false when it does not fit or would be cut by a NUL of its own.
template <size_t Size>
bool put(char (&field)[Size], std::string_view text) {
  if (text.size() >= Size || text.find('\0') != std::string_view::npos) return false;
  std::memcpy(field, text.data(), text.size());
  field[text.size()] = '\0';
  return true;
}

// Wipes what libxcrypt leaves; it clears its internal part itself.
struct WipedAtExit {
  crypt_data& memory;
  ~WipedAtExit() {
    wipe(memory.output, sizeof memory.output);
    wipe(memory.setting, sizeof memory.setting);
    wipe(memory.input, sizeof memory.input);
  }
};

}  // namespace

bool hash_matches(std::string_view stored, const HashFormat& format, std::string_view candidate) noexcept {
  if (candidate.find('\0') != std::string_view::npos) return false;
  const bool is_bcrypt = format.family == HashFamily::bcrypt;
  if (is_bcrypt) candidate = candidate.substr(0, bcrypt_bytes_max);
  crypt_data& memory = working_memory();
  const WipedAtExit wiped{memory};
  if (!put(memory.input, candidate) || !put(memory.setting, stored)) return false;
  // Go's bcrypt, and so nats-server, runs the correct algorithm whatever the letter; libxcrypt would answer
  // the old bugs of $2x$ and guard against them in $2a$, which differ for passwords beyond ASCII.
  if (is_bcrypt) memory.setting[2] = 'b';
  const char* result = crypt_rn(memory.input, memory.setting, &memory, sizeof memory);
  if (result == nullptr) return false;
  // Only the digest is compared: bcrypt's writers differ in the unused bits of the salt's last character.
  const std::string_view digest = stored.substr(format.digest_at);
  if (std::strlen(result) != stored.size()) return false;
  return sodium_memcmp(result + format.digest_at, digest.data(), digest.size()) == 0;
}

Secret make_hash(const char* prefix, unsigned long cost, std::string_view password) {
  crypt_data& memory = working_memory();
  const WipedAtExit wiped{memory};
  if (!put(memory.input, password)) return Secret();
  if (crypt_gensalt_rn(prefix, cost, nullptr, 0, memory.setting, sizeof memory.setting) == nullptr)
    return Secret();
  const char* result = crypt_rn(memory.input, memory.setting, &memory, sizeof memory);
  return result == nullptr ? Secret() : Secret(std::string_view(result));
}

std::chrono::milliseconds estimated_check_time(const HashFormat& format) {
  struct Sample {
    HashFamily family;
    const char* setting;  // cheap: one to seven milliseconds
    double work;
  };
  constexpr double mib = 1024 * 1024;
  constexpr Sample samples[] = {
      {HashFamily::bcrypt, "$2b$06$abcdefghijklmnopqrstuu", 64},
      {HashFamily::yescrypt, "$y$j75$abcdefghijklmnopqrstu.", 1 * mib},
      {HashFamily::gost_yescrypt, "$gy$j75$abcdefghijklmnopqrstu.", 1 * mib},
      {HashFamily::scrypt, "$7$8U..../....abcdefghijklmnopqrstu.", 4 * mib},
      {HashFamily::sha512, "$6$rounds=10000$abcdefgh", 10000},
      {HashFamily::sha256, "$5$rounds=10000$abcdefgh", 10000},
  };
  const auto sample = std::find_if(std::begin(samples), std::end(samples),
                                   [&](const Sample& s) { return s.family == format.family; });
  NUNCIO_ASSERT(sample != std::end(samples));
  crypt_data& memory = working_memory();
  const WipedAtExit wiped{memory};
  // The faster of two runs: the first also pays for cold memory.
  auto best = std::chrono::duration<double, std::milli>::max();
  for (int i = 0; i < 2; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    NUNCIO_ASSERT(crypt_rn("password", sample->setting, &memory, sizeof memory) != nullptr);
    best = std::min<decltype(best)>(best, std::chrono::steady_clock::now() - begin);
  }
  return std::chrono::milliseconds(static_cast<int64_t>(best.count() * format.work / sample->work));
}

}  // namespace nuncio::auth
