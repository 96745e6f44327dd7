#include "bench/load/options.h"

#include <fmt/format.h>
#include <getopt.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>

namespace nuncio::load {
namespace {

constexpr std::string_view help =
    R"(nuncio-bench [-s URL] [OPTION...] COMMAND: load for a server that speaks the NATS protocol

Commands
  pub        publish with nobody listening            (--clients publishers, 1)
  pubsub     one publisher, one subscriber
  fanout     one publisher, all subscribers get all   (--clients subscribers, 100)
  pairs      publisher i to subscriber i              (--clients pairs, 2)
  queue      one publisher, one queue group           (--clients members, 4)
  request    request and reply, closed loop           (--concurrency requests in flight, 1)
  latency    messages at a fixed --rate, open loop: latency counts from the scheduled time of sending
  connect    logins: TCP, INFO, CONNECT, PING, PONG   (--count logins, --concurrency at a time)
  idle       hold idle connections with one subscription each   (--clients connections, 1000)
  subs       one connection makes --subscriptions distinct ones; then --count pairs of SUB and UNSUB
             beside them; then --count publishes to random ones of them

Server
  -s, --server URL         (nats|tls)://[user:pass@|token@]host[:port]   (nats://127.0.0.1:4222)
      --user U --pass P    log in as a user;  --token T  with a token
      --users N            connect: be U0 ... U(N-1) in turn
      --pid PID            the server's process: report its CPU time and resident memory

TLS, after the server's INFO; each of these options asks for it
      --tls                    verify the server by the system's authorities
      --tlscacert FILE         by those of a PEM file
      --tlscert F --tlskey F   show a certificate of ours
      --tls-version 1.2|1.3    no other version
      --tls-cipher NAME        no other cipher suite, by OpenSSL's name
      --tls-resume             connect: resume the session of an earlier login

Amount
      --count N            messages of each publisher, requests, logins or pairs
      --seconds S          run for S seconds instead (idle: hold for S)
      --size BYTES         payload (16; latency: at least 8)
      --rate N             latency: messages a second (1000)
      --subscriptions N    subs (500000)
      --subject NAME       (bench)

Placement
      --order pub-first|sub-first   who connects first (pub-first); the requester counts as publisher
      --pad-connections K           open K more connections between the two

      --timeout S          give up when nothing moves for S seconds (20)
      --json               one JSON object instead of lines
      --help

Figures carry their unit in their name: _ns nanoseconds, _bytes, _per_s. Exit: 0 every message expected arrived,
1 something was lost or refused, 2 wrong usage.
)";

enum Long : int {
  user = 256,
  pass,
  token,
  users,
  pid,
  count,
  seconds,
  size,
  rate,
  subscriptions,
  subject,
  order,
  pad_connections,
  timeout,
  json,
  clients,
  concurrency,
  tls,
  tls_ca,
  tls_cert,
  tls_key,
  tls_version,
  tls_cipher,
  tls_resume,
  help_wanted
};

constexpr std::array<option, 27> long_options = {
    {{"server", required_argument, nullptr, 's'},
     {"user", required_argument, nullptr, user},
     {"pass", required_argument, nullptr, pass},
     {"token", required_argument, nullptr, token},
     {"users", required_argument, nullptr, users},
     {"pid", required_argument, nullptr, pid},
     {"count", required_argument, nullptr, count},
     {"seconds", required_argument, nullptr, seconds},
     {"size", required_argument, nullptr, size},
     {"rate", required_argument, nullptr, rate},
     {"subscriptions", required_argument, nullptr, subscriptions},
     {"subject", required_argument, nullptr, subject},
     {"order", required_argument, nullptr, order},
     {"pad-connections", required_argument, nullptr, pad_connections},
     {"timeout", required_argument, nullptr, timeout},
     {"json", no_argument, nullptr, json},
     {"clients", required_argument, nullptr, clients},
     {"concurrency", required_argument, nullptr, concurrency},
     {"tls", no_argument, nullptr, tls},
     {"tlscacert", required_argument, nullptr, tls_ca},
     {"tlscert", required_argument, nullptr, tls_cert},
     {"tlskey", required_argument, nullptr, tls_key},
     {"tls-version", required_argument, nullptr, tls_version},
     {"tls-cipher", required_argument, nullptr, tls_cipher},
     {"tls-resume", no_argument, nullptr, tls_resume},
     {"help", no_argument, nullptr, help_wanted},
     {nullptr, 0, nullptr, 0}}};

template <typename Number>
bool read_number(std::string_view text, Number& into) {
  const char* end = text.data() + text.size();
  Number value{};
  const auto [used, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || used != end || value < Number{}) return false;
  into = value;
  return true;
}

bool read_order(std::string_view text, Order& into) {
  if (text != "pub-first" && text != "sub-first") return false;
  into = text == "pub-first" ? Order::publisher_first : Order::subscriber_first;
  return true;
}

bool take_tls(int option, const char* text, TlsSettings& into) {
  into.is_wanted = true;
  switch (option) {
    case tls:
      return true;
    case tls_ca:
      into.ca_file = text;
      return true;
    case tls_cert:
      into.cert_file = text;
      return true;
    case tls_key:
      into.key_file = text;
      return true;
    case tls_version:
      into.version = text;
      return into.version == "1.2" || into.version == "1.3";
    case tls_cipher:
      into.cipher = text;
      return true;
    case tls_resume:
      into.is_resuming = true;
      return true;
    default:
      return false;
  }
}

// One option's value into its place; false when it is none.
bool take(int option, const char* text, Options& into, Credentials& credentials) {
  switch (option) {
    case 's': {
      const auto url = parse_url(text);
      if (url) into.url = *url;
      return url.has_value();
    }
    case user:
      credentials.user = text;
      return true;
    case pass:
      credentials.password = text;
      return true;
    case token:
      credentials.token = text;
      return true;
    case subject:
      into.subject = text;
      return true;
    case json:
      into.is_json = true;
      return true;
    case users:
      return read_number(text, into.users);
    case pid:
      return read_number(text, into.pid);
    case count:
      return read_number(text, into.count);
    case seconds:
      return read_number(text, into.seconds);
    case size:
      return read_number(text, into.size_bytes);
    case rate:
      return read_number(text, into.rate_per_s) && into.rate_per_s > 0;
    case subscriptions:
      return read_number(text, into.subscriptions) && into.subscriptions > 0;
    case pad_connections:
      return read_number(text, into.pad_connections);
    case timeout:
      return read_number(text, into.timeout_s) && into.timeout_s > 0.0;
    case clients:
      return read_number(text, into.clients);
    case concurrency:
      return read_number(text, into.concurrency) && into.concurrency > 0;
    case order:
      return read_order(text, into.order);
    default:
      return take_tls(option, text, into.tls);
  }
}

ParsedOptions usage_error(std::string_view text) {
  fmt::print(stderr, "nuncio-bench: {} (--help lists the options)\n", text);
  return {std::nullopt, 2};
}

}  // namespace

ParsedOptions parse_options(int argc, char** argv) {
  Options options;
  options.url.host = "127.0.0.1";
  Credentials given;
  optind = 0;  // start afresh, also when called twice
  opterr = 0;
  for (;;) {
    const int option = getopt_long(argc, argv, "s:h", long_options.data(), nullptr);
    if (option == -1) break;
    if (option == 'h' || option == help_wanted) {
      fmt::print("{}", help);
      return {std::nullopt, 0};
    }
    if (option == '?') return usage_error(fmt::format("wrong option {}", argv[optind - 1]));
    if (!take(option, optarg, options, given)) return usage_error(fmt::format("wrong value {}", optarg));
  }
  if (optind + 1 != argc) return usage_error("exactly one command is wanted");
  options.command = argv[optind];
  options.tls.is_wanted |= options.url.is_tls;
  if (options.tls.cert_file.empty() != options.tls.key_file.empty()) {
    return usage_error("--tlscert and --tlskey go together");
  }
  // Options win over what the URL carries.
  if (!given.user.empty() || !given.password.empty() || !given.token.empty()) options.url.credentials = given;
  return {options, 0};
}

}  // namespace nuncio::load
