#include "auth/hash_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace nuncio::auth {
namespace {

using Result = tl::expected<std::optional<HashFormat>, std::string>;

// bcrypt 14, half a GiB filled by yescrypt and 3 million rounds of SHA-crypt all take about 0.8 s on a 2020s
// core; the upper limits are 64 times that (bench/verifier_bench.cc has the single steps).
constexpr int bcrypt_cost_warn = 14;
constexpr int bcrypt_cost_max = 20;
constexpr double memory_max_bytes = 256.0 * 1024 * 1024;
constexpr double filled_warn_bytes = 512.0 * 1024 * 1024;
constexpr double filled_max_bytes = 64 * filled_warn_bytes;
constexpr uint32_t rounds_default = 5000;
constexpr uint32_t rounds_min = 1000;
constexpr uint32_t rounds_warn = 3'000'000;
constexpr uint32_t rounds_max = 200'000'000;

constexpr std::string_view base64_digits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

Result parse_bcrypt(std::string_view text);
Result parse_yescrypt(std::string_view text, HashFamily family, std::string_view prefix);
Result parse_scrypt(std::string_view text);
Result parse_sha(std::string_view text, HashFamily family, size_t digest_size);
Result judge_unknown(std::string_view id, std::string_view rest);

bool is_base64(std::string_view text) {
  return text.find_first_not_of(base64_digits) == std::string_view::npos;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

Result malformed(std::string_view method) {
  return tl::unexpected(fmt::format("looks like a {} hash but is malformed", method));
}

Result too_costly(std::string_view what) {
  return tl::unexpected(fmt::format("is a hash that costs too much to check: {}", what));
}

}  // namespace

Result parse_hash(std::string_view text) {
  if (text.empty() || text[0] != '$') return std::nullopt;
  const size_t id_end = text.find('$', 1);
  if (id_end == std::string_view::npos) return std::nullopt;
  const std::string_view id = text.substr(1, id_end - 1);
  if (id.starts_with('2') && id.size() <= 2) return parse_bcrypt(text);
  if (id == "y") return parse_yescrypt(text, HashFamily::yescrypt, "$y$");
  if (id == "gy") return parse_yescrypt(text, HashFamily::gost_yescrypt, "$gy$");
  if (id == "7") return parse_scrypt(text);
  if (id == "6") return parse_sha(text, HashFamily::sha512, 86);
  if (id == "5") return parse_sha(text, HashFamily::sha256, 43);
  return judge_unknown(id, text.substr(id_end + 1));
}

bool looks_like_des(std::string_view text) noexcept {
  const bool is_traditional = text.size() == 13;
  const bool is_extended = text.size() == 20 && text[0] == '_';
  if (!is_traditional && !is_extended) return false;
  // 64 bits in eleven digits: the last digit's low two bits are clear.
  return is_base64(text.substr(is_extended ? 1 : 0)) && base64_digits.find(text.back()) % 4 == 0;
}

namespace {

Result parse_bcrypt(std::string_view text) {
  // nats-server takes any of the four letters for the same, correct algorithm, and so do we
  // (auth/hash_run.cc).
  constexpr size_t size = 60, setting_size = 29, cost_at = 4, salt_at = 7;
  if (text.size() != size || std::string_view("abxy").find(text[2]) == std::string_view::npos ||
      text[3] != '$' || !is_digit(text[cost_at]) || !is_digit(text[cost_at + 1]) ||
      text[salt_at - 1] != '$' || !is_base64(text.substr(salt_at))) {
    return malformed("bcrypt");
  }
  const int cost = (text[cost_at] - '0') * 10 + (text[cost_at + 1] - '0');
  if (cost < 4 || cost > 31) return malformed("bcrypt");
  if (cost > bcrypt_cost_max)
    return too_costly(fmt::format("bcrypt cost {} is above {}", cost, bcrypt_cost_max));
  return HashFormat{HashFamily::bcrypt, std::string(text.substr(0, salt_at - 1)), std::ldexp(1, cost),
                    std::ldexp(1, bcrypt_cost_warn), setting_size};
}

// What scrypt and its descendants cost: block size, blocks, lanes and passes.
struct Parameters {
  double blocks = 0;      // N
  double block_size = 0;  // r, in units of 128 bytes
  double lanes = 1;       // p
  double passes = 1;      // 1 + t

  double memory_bytes() const { return 128 * block_size * std::max(blocks, lanes); }
  double filled_bytes() const { return 128 * block_size * blocks * lanes * passes; }
};

// Yescrypt's numbers of variable length: the first digit tells how many follow.
std::optional<uint64_t> take_number(std::string_view& text, uint64_t min) {
  uint64_t start = 0, end = 47, value = min;
  unsigned digits = 1, bits = 0;
  if (text.empty()) return std::nullopt;
  const uint64_t first = base64_digits.find(text[0]);
  if (first > 63) return std::nullopt;
  while (first > end) {
    value += (end + 1 - start) << bits;
    start = end + 1;
    end = start + (62 - end) / 2;
    ++digits;
    bits += 6;
  }
  value += (first - start) << bits;
  if (text.size() < digits) return std::nullopt;
  for (unsigned i = 1; i < digits; ++i) {
    const uint64_t digit = base64_digits.find(text[i]);
    if (digit > 63) return std::nullopt;
    bits -= 6;
    value += digit << bits;
  }
  text.remove_prefix(digits);
  return value;
}

// Flavour, log2 N, r and the optional p and t, up to the end of `text`.
std::optional<Parameters> parse_yescrypt_parameters(std::string_view text) {
  const auto flavour = take_number(text, 0);
  const auto blocks_log2 = take_number(text, 1);
  const auto block_size = take_number(text, 1);
  if (!flavour || !blocks_log2 || !block_size || *blocks_log2 > 63) return std::nullopt;
  Parameters found{std::ldexp(1, static_cast<int>(*blocks_log2)), static_cast<double>(*block_size)};
  if (text.empty()) return found;
  const auto more = take_number(text, 1);
  if (!more || *more > 3) return std::nullopt;  // hash upgrades and a ROM: libxcrypt has neither
  if (*more & 1) {
    const auto lanes = take_number(text, 2);
    if (!lanes) return std::nullopt;
    found.lanes = static_cast<double>(*lanes);
  }
  if (*more & 2) {
    const auto passes = take_number(text, 1);
    if (!passes) return std::nullopt;
    found.passes = 1 + static_cast<double>(*passes);
  }
  if (!text.empty()) return std::nullopt;
  return found;
}

Result with_memory_cost(HashFormat format, const Parameters& parameters) {
  constexpr double mib = 1024 * 1024;
  if (parameters.memory_bytes() > memory_max_bytes) {
    return too_costly(fmt::format("{} wants {:.0f} MiB of memory, more than {:.0f}", format.method,
                                  parameters.memory_bytes() / mib, memory_max_bytes / mib));
  }
  if (parameters.filled_bytes() > filled_max_bytes) {
    return too_costly(fmt::format("{} asks for too many passes", format.method));
  }
  format.work = parameters.filled_bytes();
  format.work_warn = filled_warn_bytes;
  return format;
}

Result parse_yescrypt(std::string_view text, HashFamily family, std::string_view prefix) {
  const std::string_view name = family == HashFamily::yescrypt ? "yescrypt" : "gost-yescrypt";
  if (!text.starts_with(prefix)) return malformed(name);
  const size_t parameters_end = text.find('$', prefix.size());
  if (parameters_end == std::string_view::npos) return malformed(name);
  const size_t salt_end = text.find('$', parameters_end + 1);
  if (salt_end == std::string_view::npos) return malformed(name);
  const std::string_view salt = text.substr(parameters_end + 1, salt_end - parameters_end - 1);
  const std::string_view digest = text.substr(salt_end + 1);
  const auto parameters =
      parse_yescrypt_parameters(text.substr(prefix.size(), parameters_end - prefix.size()));
  if (!parameters || salt.size() > 86 || !is_base64(salt) || digest.size() != 43 || !is_base64(digest)) {
    return malformed(name);
  }
  return with_memory_cost({family, std::string(text.substr(0, parameters_end)), 0, 0, salt_end + 1},
                          *parameters);
}

// Five digits, the least significant first.
double fixed_number(std::string_view digits) {
  double value = 0;
  for (size_t i = digits.size(); i-- > 0;)
    value = value * 64 + static_cast<double>(base64_digits.find(digits[i]));
  return value;
}

Result parse_scrypt(std::string_view text) {
  constexpr std::string_view prefix = "$7$";
  constexpr size_t parameters_size = 11;  // log2 N, r in five digits, p in five
  if (!text.starts_with(prefix)) return malformed("scrypt");
  const size_t salt_end = text.find('$', prefix.size());
  if (salt_end == std::string_view::npos) return malformed("scrypt");
  const std::string_view setting = text.substr(prefix.size(), salt_end - prefix.size());
  const std::string_view digest = text.substr(salt_end + 1);
  if (setting.size() < parameters_size || setting.size() > 97 || !is_base64(setting) || digest.size() != 43 ||
      !is_base64(digest)) {
    return malformed("scrypt");
  }
  const Parameters parameters{std::ldexp(1, static_cast<int>(base64_digits.find(setting[0]))),
                              fixed_number(setting.substr(1, 5)), fixed_number(setting.substr(6, 5))};
  if (parameters.block_size < 1 || parameters.lanes < 1) return malformed("scrypt");
  const size_t method_size = prefix.size() + parameters_size;
  return with_memory_cost({HashFamily::scrypt, std::string(text.substr(0, method_size)), 0, 0, salt_end + 1},
                          parameters);
}

Result parse_sha(std::string_view text, HashFamily family, size_t digest_size) {
  const std::string_view name = family == HashFamily::sha512 ? "SHA-512-crypt" : "SHA-256-crypt";
  constexpr std::string_view rounds_key = "rounds=";
  size_t salt_at = 3;
  uint64_t rounds = rounds_default;
  if (text.substr(salt_at).starts_with(rounds_key)) {
    size_t at = salt_at + rounds_key.size();
    if (at >= text.size() || text[at] == '0') return malformed(name);
    for (rounds = 0; at < text.size() && is_digit(text[at]) && rounds <= rounds_max; ++at) {
      rounds = rounds * 10 + static_cast<uint64_t>(text[at] - '0');
    }
    if (rounds > rounds_max) return too_costly(fmt::format("{} with more than {} rounds", name, rounds_max));
    if (at >= text.size() || text[at] != '$' || rounds < rounds_min) return malformed(name);
    salt_at = at + 1;
  }
  const size_t salt_end = text.find('$', salt_at);
  if (salt_end == std::string_view::npos) return malformed(name);
  const std::string_view salt = text.substr(salt_at, salt_end - salt_at);
  const std::string_view digest = text.substr(salt_end + 1);
  const bool is_printable = std::all_of(salt.begin(), salt.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (salt.empty() || salt.size() > 16 || !is_printable ||
      salt.find_first_of(":;*!\\") != std::string_view::npos || digest.size() != digest_size ||
      !is_base64(digest)) {
    return malformed(name);
  }
  return HashFormat{family, fmt::format("{}rounds={}", text.substr(0, 3), rounds),
                    static_cast<double>(rounds), static_cast<double>(rounds_warn), salt_end + 1};
}

Result judge_unknown(std::string_view id, std::string_view rest) {
  constexpr std::array weak{"1", "3", "md5", "sha1", "apr1"};
  constexpr std::array unsupported{"argon2i",       "argon2d",       "argon2id", "scrypt", "pbkdf2",
                                   "pbkdf2-sha256", "pbkdf2-sha512", "sm3",      "sm3y"};
  if (std::find(weak.begin(), weak.end(), id) != weak.end() || id.starts_with("md5,")) {
    return tl::unexpected(
        fmt::format("is a hash of the weak method ${}$; use bcrypt or yescrypt", id.substr(0, id.find(','))));
  }
  if (std::find(unsupported.begin(), unsupported.end(), id) != unsupported.end()) {
    return tl::unexpected(
        fmt::format("is a hash of the unsupported method ${}$; use bcrypt or yescrypt", id));
  }
  // A short name and a long tail of hash characters: nobody's password, but somebody's hash.
  constexpr size_t id_size_max = 16, tail_size_min = 20;
  const auto is_id = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-'; };
  const auto is_tail = [](char c) { return std::string_view("$=,+-_").find(c) != std::string_view::npos; };
  const bool looks_like_hash = !id.empty() && id.size() <= id_size_max &&
                               std::all_of(id.begin(), id.end(), is_id) && rest.size() >= tail_size_min &&
                               std::all_of(rest.begin(), rest.end(), [&](char c) {
                                 return is_tail(c) || base64_digits.find(c) != std::string_view::npos;
                               });
  if (!looks_like_hash) return std::nullopt;
  return tl::unexpected(std::string("looks like a hash of an unknown method; use bcrypt or yescrypt"));
}

}  // namespace
}  // namespace nuncio::auth
