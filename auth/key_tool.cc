#include "auth/key_tool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <getopt.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/nkey.h"
#include "core/nkey_text.h"

namespace nuncio::auth {
namespace {

constexpr int exit_done = 0, exit_failed = 1, exit_usage = 2;
constexpr size_t key_file_bytes_max = 64 * 1024;
constexpr size_t signed_bytes_max = 64 * 1024 * 1024;

struct Kind {
  std::string_view name;
  uint8_t prefix;
};
constexpr std::array kinds{Kind{"user", nkey_prefix_user}, Kind{"account", nkey_prefix_account},
                           Kind{"server", nkey_prefix_server}, Kind{"cluster", nkey_prefix_cluster},
                           Kind{"operator", nkey_prefix_operator}};

constexpr std::string_view usage_text =
    "Usage: nuncio-nk -gen KIND [-out FILE] [-pubout]\n"
    "       nuncio-nk -inkey FILE -pubout\n"
    "       nuncio-nk -sign FILE -inkey FILE\n"
    "       nuncio-nk -verify FILE -sigfile FILE (-pubin FILE | -inkey FILE)\n"
    "\n"
    "Makes and uses nkeys, as the official tool nk does.\n"
    "\n"
    "  -gen KIND      make a key: user, account, server, cluster or operator; prints its\n"
    "                 seed, which is the secret\n"
    "  -out FILE      write the seed into a new file that only its owner can read\n"
    "                 (mode 0600) instead of printing it\n"
    "  -pubout        print the public key, for `nkey` in the server's configuration\n"
    "  -inkey FILE    a file with a seed\n"
    "  -pubin FILE    a file with a public key\n"
    "  -sign FILE     print the signature of the file in URL-safe base64\n"
    "  -verify FILE   say whether the signature in -sigfile is that of the file\n"
    "  -h, -help      this text\n"
    "  -v, -version\n"
    "\n"
    "Files may be /dev/stdin. Keys are never taken from the command line, where every user\n"
    "of the machine could read them.\n";

struct Request {
  std::string generated_kind, out, in_key, public_in, sign, verify, signature;
  bool wants_public = false;
};

// What to do, or the exit code when that is already decided.
tl::expected<Request, int> parse_arguments(int argc, char** argv);
int generate(const Request& request);
int show_public(const Request& request);
int sign_file(const Request& request);
int verify_file(const Request& request);

// The whole file; an error says of which option it was, not its name: that might be a key.
tl::expected<std::string, std::string> read_file(std::string_view option, const std::string& path,
                                                 size_t bytes_max);
tl::expected<Secret, std::string> read_seed(const std::string& path);
tl::expected<PublicKey, std::string> read_public_key(const Request& request);
// Empty, or why not.
std::string write_new_file(const std::string& path, const Secret& line);

int fail(int code, std::string_view text) {
  fmt::print(stderr, "nuncio-nk: {}\n", text);
  return code;
}

int say(std::string_view line) {
  fmt::print("{}\n", line);
  return std::fflush(stdout) == 0 ? exit_done : fail(exit_failed, "cannot write to standard output");
}

// Calls `use` with each line, without its white space, until it returns true.
template <typename Use>
bool find_line(std::string_view text, Use use) {
  constexpr std::string_view blank = " \t\r";
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    line.remove_prefix(std::min(line.find_first_not_of(blank), line.size()));
    line = line.substr(0, line.find_last_not_of(blank) + 1);
    if (use(line)) return true;
  }
  return false;
}

}  // namespace

int run_key_tool(int argc, char** argv) {
  const auto request = parse_arguments(argc, argv);
  if (!request) return request.error();
  if (sodium_init() < 0) return fail(exit_failed, "no random numbers");
  if (!request->generated_kind.empty()) return generate(*request);
  if (!request->sign.empty()) return sign_file(*request);
  if (!request->verify.empty()) return verify_file(*request);
  if (!request->in_key.empty() && request->wants_public) return show_public(*request);
  return fail(exit_usage, "nothing to do\nTry -help.");
}

namespace {

tl::expected<Request, int> parse_arguments(int argc, char** argv) {
  Request request;
  struct Value {
    const char* name;
    std::string* target;
  };
  const std::array values{Value{"gen", &request.generated_kind}, Value{"out", &request.out},
                          Value{"inkey", &request.in_key},       Value{"pubin", &request.public_in},
                          Value{"sign", &request.sign},          Value{"verify", &request.verify},
                          Value{"sigfile", &request.signature}};
  std::vector<option> options;
  for (const Value& value : values) options.push_back({value.name, required_argument, nullptr, 0});
  for (const auto& [name, letter] :
       {std::pair{"pubout", 'p'}, {"help", 'h'}, {"h", 'h'}, {"version", 'v'}, {"v", 'v'}})
    options.push_back({name, no_argument, nullptr, letter});
  options.push_back({nullptr, 0, nullptr, 0});
  const auto wrong = [](std::string_view text) {
    return tl::unexpected(fail(exit_usage, fmt::format("{}\nTry -help.", text)));
  };
  opterr = 0;
  int place = 0;
  for (int letter; (letter = getopt_long_only(argc, argv, "+", options.data(), &place)) != -1;) {
    switch (letter) {
      case 0:
        if (*optarg == '\0') return wrong(fmt::format("-{} needs a value", options[place].name));
        *values[place].target = optarg;
        break;
      case 'p':
        request.wants_public = true;
        break;
      case 'h':
        fmt::print("{}", usage_text);
        return tl::unexpected(exit_done);
      case 'v':
        fmt::print("nuncio-nk: v{}\n", NUNCIO_VERSION);
        return tl::unexpected(exit_done);
      default:
        return wrong("unknown option or missing value");  // not echoed: it might be a key
    }
  }
  if (optind < argc) return wrong("unknown argument; keys are read from files");
  if (!request.out.empty() && request.generated_kind.empty()) return wrong("-out goes with -gen");
  return request;
}

int generate(const Request& request) {
  const Kind* kind = nullptr;
  for (const Kind& each : kinds) {
    if (each.name == request.generated_kind) kind = &each;
  }
  if (kind == nullptr)
    return fail(exit_usage, "-gen makes keys of kind user, account, server, cluster or operator");
  const KeyPair pair = make_key_pair(kind->prefix);
  if (request.out.empty()) {
    if (const int code = say(pair.seed.reveal()); code != exit_done) return code;
  } else if (const std::string problem = write_new_file(request.out, pair.seed); !problem.empty()) {
    return fail(exit_failed, problem);
  }
  return request.wants_public ? say(pair.public_key) : exit_done;
}

int show_public(const Request& request) {
  const auto seed = read_seed(request.in_key);
  if (!seed) return fail(exit_failed, seed.error());
  return say(*public_key_of(*seed));
}

int sign_file(const Request& request) {
  if (request.in_key.empty()) return fail(exit_usage, "-sign needs -inkey");
  const auto seed = read_seed(request.in_key);
  if (!seed) return fail(exit_failed, seed.error());
  const auto message = read_file("sign", request.sign, signed_bytes_max);
  if (!message) return fail(exit_failed, message.error());
  return say(encode_signature(*sign(*seed, *message)));
}

int verify_file(const Request& request) {
  if (request.signature.empty()) return fail(exit_usage, "-verify needs -sigfile");
  if (request.in_key.empty() == request.public_in.empty())
    return fail(exit_usage, "-verify needs either -pubin or -inkey");
  const auto key = read_public_key(request);
  if (!key) return fail(exit_failed, key.error());
  const auto text = read_file("sigfile", request.signature, key_file_bytes_max);
  if (!text) return fail(exit_failed, text.error());
  std::optional<Signature> signature;
  find_line(*text, [&](std::string_view line) { return (signature = parse_signature(line)).has_value(); });
  if (!signature) return fail(exit_failed, "there is no signature in the file of -sigfile");
  const auto message = read_file("verify", request.verify, signed_bytes_max);
  if (!message) return fail(exit_failed, message.error());
  if (!is_signed_by(*key, *signature, *message)) return fail(exit_failed, "the signature does not hold");
  return say("Verified OK");
}

tl::expected<PublicKey, std::string> read_public_key(const Request& request) {
  std::string text;
  if (request.public_in.empty()) {
    const auto seed = read_seed(request.in_key);
    if (!seed) return tl::unexpected(seed.error());
    text = *public_key_of(*seed);
  } else {
    auto read = read_file("pubin", request.public_in, key_file_bytes_max);
    if (!read) return tl::unexpected(std::move(read.error()));
    text = std::move(*read);
  }
  std::optional<NkeyText> key;
  find_line(text, [&](std::string_view line) { return (key = decode_nkey(line)).has_value(); });
  if (!key) return tl::unexpected(std::string("there is no public key in the file of -pubin"));
  return key->key;
}

// The first line that is one: the files of `nsc` have the seed between two lines of dashes.
tl::expected<Secret, std::string> read_seed(const std::string& path) {
  auto text = read_file("inkey", path, key_file_bytes_max);
  if (!text) return tl::unexpected(std::move(text.error()));
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 077) != 0)
    fmt::print(stderr, "nuncio-nk: warning: others may read the file of -inkey; chmod 600 is due\n");
  Secret seed;
  const bool is_found = find_line(*text, [&](std::string_view line) {
    Secret candidate(line);
    if (!public_key_of(candidate)) return false;
    seed = std::move(candidate);
    return true;
  });
  wipe(*text);
  if (!is_found) return tl::unexpected(std::string("there is no seed in the file of -inkey"));
  return seed;
}

tl::expected<std::string, std::string> read_file(std::string_view option, const std::string& path,
                                                 size_t bytes_max) {
  const auto problem = [&](std::string_view what) {
    return tl::unexpected(fmt::format("cannot read the file of -{}: {}", option, what));
  };
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return problem(std::strerror(errno));
  std::string text;
  text.reserve(bytes_max + 1);  // never moved, so that one wipe() reaches all of it
  ssize_t got = 0;
  do {
    std::array<char, 4096> piece;
    got = read(file, piece.data(), std::min(piece.size(), bytes_max + 1 - text.size()));
    if (got > 0) text.append(piece.data(), static_cast<size_t>(got));
    wipe(piece.data(), piece.size());
  } while (got > 0 || (got < 0 && errno == EINTR));
  const int error = errno;
  close(file);
  if (got < 0) return problem(std::strerror(error));
  if (text.size() > bytes_max) {
    wipe(text);
    return problem("it is too big");
  }
  return text;
}

std::string write_new_file(const std::string& path, const Secret& line) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return fmt::format("cannot make the file of -out: {}", std::strerror(errno));
  const std::string_view bytes = line.reveal();
  const bool is_written = write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
                          write(file, "\n", 1) == 1 && fsync(file) == 0;
  const int error = errno;
  close(file);
  if (is_written) return {};
  unlink(path.c_str());
  return fmt::format("cannot write the file of -out: {}", std::strerror(error));
}

}  // namespace
}  // namespace nuncio::auth
