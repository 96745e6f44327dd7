#include "auth/password_tool.h"

#include <fmt/format.h>
#include <getopt.h>
#include <sodium.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "auth/hash_run.h"
#include "auth/password_prompt.h"
#include "auth/stored_secret.h"

namespace nuncio::auth {
namespace {

constexpr int exit_done = 0, exit_failed = 1, exit_usage = 2;

struct Method {
  std::string_view name;
  const char* prefix;  // for crypt_gensalt
  unsigned cost_default;
  unsigned cost_min;
  unsigned cost_max;  // what the server accepts (auth/hash_format.cc)
  size_t bytes_max;   // what the method looks at
};
constexpr std::array methods{
    Method{"bcrypt", "$2b$", 11, 4, 20, 72},
    Method{"yescrypt", "$y$", 5, 1, 9, password_bytes_max},
};

constexpr std::string_view usage_text =
    "Usage: nuncio-passwd [-p] [-c COST] [-m METHOD]\n"
    "\n"
    "Makes a password hash for the server's configuration file. Without -p it generates\n"
    "a password and prints it with its hash.\n"
    "\n"
    "  -p            ask for the password twice, or read a line from standard input\n"
    "                when that is no terminal; prints only the hash\n"
    "  -c COST       bcrypt 4 to 20 (default 11), yescrypt 1 to 9 (default 5)\n"
    "  -m METHOD     bcrypt (default) or yescrypt, which nats-server does not know\n"
    "  -h, --help    this text\n"
    "  -v, --version\n"
    "\n"
    "The password is never taken from the command line, where every user of the machine\n"
    "could read it.\n";

struct Request {
  const Method* method = &methods[0];
  std::optional<unsigned> cost;
  bool wants_own_password = false;
};

// What to do, or the exit code when that is already decided.
tl::expected<Request, int> parse_arguments(int argc, char** argv);
// The password asked for or piped in, checked. An error text otherwise.
tl::expected<Secret, std::string> own_password(const Method& method);
Secret generated_password();
Secret hash_of(const Secret& password, const Method& method, unsigned cost);

int fail(int code, std::string_view text) {
  fmt::print(stderr, "nuncio-passwd: {}\n", text);
  return code;
}

}  // namespace

int run_password_tool(int argc, char** argv) {
  const auto request = parse_arguments(argc, argv);
  if (!request) return request.error();
  if (sodium_init() < 0) return fail(exit_failed, "no random numbers");
  const Method& method = *request->method;

  Secret password;
  if (request->wants_own_password) {
    auto own = own_password(method);
    if (!own) return fail(exit_failed, own.error());
    password = std::move(*own);
  } else {
    password = generated_password();
  }
  const Secret hash = hash_of(password, method, request->cost.value_or(method.cost_default));
  if (hash.empty()) return fail(exit_failed, fmt::format("this system cannot make {} hashes", method.name));

  if (request->wants_own_password) {
    fmt::print("{}\n", hash.reveal());
  } else {
    fmt::print("pass: {}\n{} hash: {}\n", password.reveal(), method.name, hash.reveal());
  }
  return std::fflush(stdout) == 0 ? exit_done : fail(exit_failed, "cannot write the hash");
}

namespace {

tl::expected<Request, int> parse_arguments(int argc, char** argv) {
  constexpr option long_options[] = {
      {"help", no_argument, nullptr, 'h'}, {"version", no_argument, nullptr, 'v'}, {nullptr, 0, nullptr, 0}};
  const auto wrong = [](std::string_view text) {
    return tl::unexpected(fail(exit_usage, fmt::format("{}\nTry --help.", text)));
  };
  Request request;
  std::optional<std::string_view> cost_text;
  opterr = 0;
  for (int letter; (letter = getopt_long(argc, argv, "+pc:m:hv", long_options, nullptr)) != -1;) {
    switch (letter) {
      case 'p':
        request.wants_own_password = true;
        break;
      case 'c':
        cost_text = optarg;
        break;
      case 'm': {
        request.method = nullptr;
        for (const Method& method : methods) {
          if (method.name == optarg) request.method = &method;
        }
        if (request.method == nullptr) return wrong("the method must be bcrypt or yescrypt");
        break;
      }
      case 'h':
        fmt::print("{}", usage_text);
        return tl::unexpected(exit_done);
      case 'v':
        fmt::print("nuncio-passwd: v{}\n", NUNCIO_VERSION);
        return tl::unexpected(exit_done);
      default:
        return wrong("unknown option or missing value");  // not echoed: it might be a password
    }
  }
  if (optind < argc) return wrong("a password is not taken from the command line; use -p");
  if (cost_text) {
    unsigned cost = 0;
    const auto [end, error] = std::from_chars(cost_text->data(), cost_text->data() + cost_text->size(), cost);
    const Method& method = *request.method;
    if (error != std::errc() || *end != '\0' || cost < method.cost_min || cost > method.cost_max) {
      return wrong(
          fmt::format("the cost of {} must be from {} to {}", method.name, method.cost_min, method.cost_max));
    }
    request.cost = cost;
  }
  return request;
}

tl::expected<Secret, std::string> own_password(const Method& method) {
  const bool is_interactive = isatty(STDIN_FILENO) == 1;
  auto password = is_interactive ? ask_on_terminal("Enter Password: ") : read_line(STDIN_FILENO);
  if (!password) return password;
  if (is_interactive) {
    const auto again = ask_on_terminal("Reenter Password: ");
    if (!again) return again;
    if (again->reveal() != password->reveal()) return tl::unexpected(std::string("passwords do not match"));
  }
  const std::string_view text = password->reveal();
  if (text.empty()) return tl::unexpected(std::string("the password is empty"));
  if (text.find('\0') != std::string_view::npos)
    return tl::unexpected(std::string("the password has a NUL byte"));
  if (text.size() > method.bytes_max) {
    return tl::unexpected(fmt::format("{} looks at the first {} bytes only; choose a shorter password",
                                      method.name, method.bytes_max));
  }
  return password;
}

// 22 letters and digits, 131 bits: nothing that a shell, a URL or a configuration file would take amiss.
Secret generated_password() {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::array<char, 22> text;
  for (char& c : text) c = letters[randombytes_uniform(letters.size())];
  Secret password(std::string_view(text.data(), text.size()));
  wipe(text.data(), text.size());
  return password;
}

Secret hash_of(const Secret& password, const Method& method, unsigned cost) {
  const Secret made = make_hash(method.prefix, cost, password.reveal());
  const std::string_view text = made.reveal();
  if (!text.starts_with("$2b$")) return made;
  // "$2a$" is the same algorithm to NATS servers, and the only one that nats-server's configuration takes
  // unquoted.
  return Secret("$2a$" + std::string(text.substr(4)));
}

}  // namespace
}  // namespace nuncio::auth
