#include "core/command_line.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "core/info.h"
#include "core/tls_names.h"

namespace nuncio {
namespace {

struct Flag {
  enum class Kind : uint8_t {
    boolean,
    integer,
    text,
    secret,
    optional,  // takes a value only if one follows that is no flag
    unsupported,
    unsupported_boolean
  };

  std::string_view name;
  Kind kind = Kind::unsupported;
  std::optional<bool> CommandLine::*boolean = nullptr;
  std::optional<int64_t> CommandLine::*integer = nullptr;
  std::optional<std::string> CommandLine::*text = nullptr;
  std::optional<Secret> CommandLine::*secret = nullptr;
};

constexpr Flag boolean_flag(std::string_view name, std::optional<bool> CommandLine::*member) {
  return {name, Flag::Kind::boolean, member, nullptr, nullptr, nullptr};
}
constexpr Flag integer_flag(std::string_view name, std::optional<int64_t> CommandLine::*member) {
  return {name, Flag::Kind::integer, nullptr, member, nullptr, nullptr};
}
constexpr Flag text_flag(std::string_view name, std::optional<std::string> CommandLine::*member) {
  return {name, Flag::Kind::text, nullptr, nullptr, member, nullptr};
}
constexpr Flag secret_flag(std::string_view name, std::optional<Secret> CommandLine::*member) {
  return {name, Flag::Kind::secret, nullptr, nullptr, nullptr, member};
}
constexpr Flag special_flag(std::string_view name, Flag::Kind kind) {
  return {name, kind, nullptr, nullptr, nullptr, nullptr};
}

using Line = CommandLine;
using Kind = Flag::Kind;

constexpr std::array flags = {
    text_flag("a", &Line::host),
    text_flag("addr", &Line::host),
    text_flag("net", &Line::host),
    integer_flag("p", &Line::port),
    integer_flag("port", &Line::port),
    text_flag("n", &Line::server_name),
    text_flag("name", &Line::server_name),
    text_flag("server_name", &Line::server_name),
    text_flag("P", &Line::pid_file),
    text_flag("pid", &Line::pid_file),
    text_flag("client_advertise", &Line::client_advertise),
    text_flag("ports_file_dir", &Line::ports_file_dir),
    text_flag("l", &Line::log_file),
    text_flag("log", &Line::log_file),
    boolean_flag("T", &Line::log_time),
    boolean_flag("logtime", &Line::log_time),
    boolean_flag("logtime_utc", &Line::log_utc),
    boolean_flag("s", &Line::syslog),
    boolean_flag("syslog", &Line::syslog),
    boolean_flag("D", &Line::debug),
    boolean_flag("debug", &Line::debug),
    boolean_flag("V", &Line::trace),
    boolean_flag("trace", &Line::trace),
    integer_flag("max_traced_msg_len", &Line::traced_message_max),
    text_flag("user", &Line::user),
    secret_flag("pass", &Line::password),
    secret_flag("auth", &Line::token),
    boolean_flag("tls", &Line::tls),
    boolean_flag("tlsverify", &Line::tls_verify),
    text_flag("tlscert", &Line::tls_cert),
    text_flag("tlskey", &Line::tls_key),
    text_flag("tlscacert", &Line::tls_ca_cert),
    integer_flag("workers", &Line::workers),
    text_flag("io_backend", &Line::io_backend),
    // Those that set more than one thing, or ask for another action.
    special_flag("VV", Kind::boolean),
    special_flag("DV", Kind::boolean),
    special_flag("DVV", Kind::boolean),
    special_flag("t", Kind::boolean),
    special_flag("h", Kind::boolean),
    special_flag("help", Kind::boolean),
    special_flag("help_tls", Kind::boolean),
    special_flag("v", Kind::boolean),
    special_flag("version", Kind::boolean),
    special_flag("c", Kind::text),
    special_flag("config", Kind::text),
    special_flag("sl", Kind::text),
    special_flag("signal", Kind::text),
    special_flag("reload-plan", Kind::optional),
    special_flag("reload_plan", Kind::optional),
    // Known to nats-server, not yet to us.
    special_flag("m", Kind::unsupported),
    special_flag("http_port", Kind::unsupported),
    special_flag("ms", Kind::unsupported),
    special_flag("https_port", Kind::unsupported),
    special_flag("r", Kind::unsupported),
    special_flag("remote_syslog", Kind::unsupported),
    special_flag("log_size_limit", Kind::unsupported),
    special_flag("js", Kind::unsupported_boolean),
    special_flag("jetstream", Kind::unsupported_boolean),
    special_flag("sd", Kind::unsupported),
    special_flag("store_dir", Kind::unsupported),
    special_flag("profile", Kind::unsupported),
    special_flag("routes", Kind::unsupported),
    special_flag("cluster", Kind::unsupported),
    special_flag("cluster_listen", Kind::unsupported),
    special_flag("cluster_name", Kind::unsupported),
    special_flag("cluster_advertise", Kind::unsupported),
    special_flag("no_advertise", Kind::unsupported_boolean),
    special_flag("connect_retries", Kind::unsupported),
};

bool is_boolean(const Flag& flag) {
  return flag.kind == Kind::boolean || flag.kind == Kind::unsupported_boolean;
}

// Their values, or credentials inside of them, must not stay in the process list.
bool is_secret(const Flag& flag) {
  return flag.kind == Kind::secret || flag.name == "routes" || flag.name == "cluster" ||
         flag.name == "cluster_listen";
}

const Flag* find_flag(std::string_view name) {
  const auto found = std::ranges::find(flags, name, &Flag::name);
  return found == flags.end() ? nullptr : &*found;
}

// One argument cut into its parts. Go's rules: one dash or two, the value behind `=` or in the next argument.
struct Argument {
  bool is_flag = false;
  std::string_view name;
  bool has_value = false;
  std::string_view value;
};

Argument cut(std::string_view text) {
  Argument cut;
  if (text.size() < 2 || text[0] != '-') return cut;
  cut.is_flag = true;
  text.remove_prefix(text[1] == '-' ? 2 : 1);
  const size_t equals = text.find('=');
  cut.name = text.substr(0, equals);
  cut.has_value = equals != std::string_view::npos;
  if (cut.has_value) cut.value = text.substr(equals + 1);
  return cut;
}

std::optional<bool> parse_boolean(std::string_view text) {
  constexpr std::array<std::string_view, 6> yes = {"1", "t", "T", "true", "TRUE", "True"};
  constexpr std::array<std::string_view, 6> no = {"0", "f", "F", "false", "FALSE", "False"};
  if (std::ranges::find(yes, text) != yes.end()) return true;
  if (std::ranges::find(no, text) != no.end()) return false;
  return std::nullopt;
}

class Parser {
 public:
  Parser(int argc, const char* const* argv) : argc_(argc), argv_(argv) {
    const std::string_view path = argc > 0 ? argv[0] : "nuncio-server";
    line_.program = path.substr(path.rfind('/') + 1);
  }

  CommandLine parse() {
    int i = 1;
    for (; i < argc_; ++i) {
      const std::string_view text = argv_[i];
      if (text == "--") {
        ++i;
        break;
      }
      const Argument argument = cut(text);
      if (!argument.is_flag) break;
      if (!take_flag(argument, i)) return line_;
    }
    if (i < argc_) take_word(argv_[i]);
    if (line_.action == Line::Action::refuse) return line_;
    finish();
    return line_;
  }

 private:
  bool take_flag(const Argument& argument, int& i) {
    const Flag* flag = find_flag(argument.name);
    if (flag == nullptr)
      return refuse_usage(fmt::format("flag provided but not defined: -{}", argument.name));
    std::string_view value = argument.value;
    if (is_boolean(*flag)) {
      const auto truth = argument.has_value ? parse_boolean(value) : true;
      if (!truth)
        return refuse_usage(
            fmt::format("invalid boolean value \"{}\" for -{}: parse error", value, flag->name));
      return set_boolean(*flag, *truth);
    }
    if (flag->kind == Kind::optional) {
      const bool is_value_next = !argument.has_value && i + 1 < argc_ && argv_[i + 1][0] != '-';
      is_plan_ = true;
      line_.signal_target = is_value_next ? argv_[++i] : value;
      return true;
    }
    if (!argument.has_value) {
      if (++i == argc_) return refuse_usage(fmt::format("flag needs an argument: -{}", flag->name));
      value = argv_[i];
    }
    return set_value(*flag, value);
  }

  bool set_boolean(const Flag& flag, bool truth) {
    if (flag.kind == Kind::unsupported_boolean) return !truth || refuse_unsupported(flag);
    if (flag.boolean != nullptr) line_.*flag.boolean = truth;
    if (flag.name == "VV" || flag.name == "DV" || flag.name == "DVV") {
      line_.trace = truth;
      if (flag.name[0] == 'D') line_.debug = truth;
    }
    if (flag.name == "t") is_check_ = truth;
    if (flag.name == "h" || flag.name == "help") is_help_ = truth;
    if (flag.name == "help_tls") is_tls_help_ = truth;
    if (flag.name == "v" || flag.name == "version") is_version_ = truth;
    return true;
  }

  bool set_value(const Flag& flag, std::string_view value) {
    if (flag.kind == Kind::unsupported) return refuse_unsupported(flag);
    if (flag.secret != nullptr) line_.*flag.secret = Secret(value);
    if (flag.text != nullptr) line_.*flag.text = std::string(value);
    if (flag.integer != nullptr) {
      int64_t number = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
      if (value.empty() || error != std::errc() || end != value.data() + value.size()) {
        return refuse_usage(fmt::format("invalid value \"{}\" for flag -{}: parse error", value, flag.name));
      }
      line_.*flag.integer = number;
    }
    if (flag.name == "c" || flag.name == "config") line_.config_file = value;
    if (flag.name == "sl" || flag.name == "signal") signal_ = value;
    return true;
  }

  void take_word(std::string_view word) {
    std::string lower(word);
    std::ranges::transform(lower, lower.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (lower == "help") {
      is_help_ = true;
    } else if (lower == "version") {
      is_version_ = true;
    } else {
      refuse(fmt::format("{}: unrecognized command: \"{}\"", line_.program, word), 1);
    }
  }

  void finish() {
    if (is_help_) {
      line_.action = Line::Action::help;
    } else if (is_version_) {
      line_.action = Line::Action::version;
    } else if (is_tls_help_) {
      line_.action = Line::Action::help_tls;
    } else if (!signal_.empty()) {
      take_signal();
    } else if (is_plan_) {
      line_.action = Line::Action::reload_plan;
    } else if (is_check_ && line_.config_file.empty()) {
      refuse(fmt::format("{}: must specify [-c, --config] option to check configuration file syntax",
                         line_.program),
             1);
    } else if (is_check_) {
      line_.action = Line::Action::check;
    }
  }

  void take_signal() {
    const size_t equals = signal_.find('=');
    const std::string name = signal_.substr(0, equals);
    line_.signal_target = equals == std::string::npos ? "" : signal_.substr(equals + 1);
    line_.action = Line::Action::signal;
    if (name == "stop") {
      line_.signal_number = SIGKILL;
    } else if (name == "quit") {
      line_.signal_number = SIGINT;
    } else if (name == "term") {
      line_.signal_number = SIGTERM;
    } else if (name == "reopen") {
      line_.signal_number = SIGUSR1;
    } else if (name == "reload") {
      line_.signal_number = SIGHUP;
    } else if (name == "ldm") {
      refuse(fmt::format("{}: signal \"{}\" is not supported by this version of nuncio", line_.program, name),
             1);
    } else {
      refuse(fmt::format("{}: unknown signal \"{}\"", line_.program, name), 1);
    }
  }

  bool refuse(std::string text, int exit_code) {
    line_.action = Line::Action::refuse;
    line_.error = std::move(text);
    line_.exit_code = exit_code;
    return false;
  }

  bool refuse_usage(std::string text) {
    line_.is_usage_shown = true;
    return refuse(std::move(text), 2);
  }

  bool refuse_unsupported(const Flag& flag) {
    return refuse(
        fmt::format("{}: flag --{} is not supported by this version of nuncio", line_.program, flag.name), 1);
  }

  int argc_;
  const char* const* argv_;
  CommandLine line_;
  std::string signal_;
  bool is_check_ = false;
  bool is_plan_ = false;
  bool is_help_ = false;
  bool is_tls_help_ = false;
  bool is_version_ = false;
};

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
  return Parser(argc, argv).parse();
}

void scrub_secrets(int argc, char** argv) {
  // A star and then nothing, so that not even the length stays.
  const auto scrub = [](char* value) {
    const size_t length = std::strlen(value);
    if (length == 0) return;
    wipe(value, length);
    value[0] = '*';
  };
  for (int i = 1; i < argc; ++i) {
    const Argument argument = cut(argv[i]);
    const Flag* flag = argument.is_flag ? find_flag(argument.name) : nullptr;
    if (flag == nullptr || is_boolean(*flag)) continue;
    if (argument.has_value && is_secret(*flag)) scrub(argv[i] + (argument.value.data() - argv[i]));
    if (argument.has_value) continue;
    if (flag->kind == Kind::optional) continue;
    if (++i < argc && is_secret(*flag)) scrub(argv[i]);
  }
}

std::string version_line() {
  return fmt::format("nuncio-server: v{} (follows nats-server {})", NUNCIO_VERSION, followed_version);
}

std::string usage(std::string_view program) {
  return fmt::format(R"(
Usage: {} [options]

Every flag may be written with one dash or two, and its value behind '=' or as the next argument.

Server:
    -a, --addr, --net HOST           address to listen on (default 0.0.0.0)
    -p, --port PORT                  port for clients (default 4222; -1: a free one)
    -n, --name, --server_name NAME   name of this server (default: its id)
    -P, --pid FILE                   write the process id there
    -c, --config FILE                configuration file, TOML if it ends in .toml
    -t                               check the configuration file and exit
    -sl, --signal COMMAND[=PID]      send stop, quit, term, reopen or reload to a running server;
                                     PID is a process id or the path of a pid file
        --reload-plan [PID]          print what a reload would change in a running server
        --client_advertise ADDRESS   host[:port] that clients are told to connect to
        --ports_file_dir DIRECTORY   write the ports in use to a file there
        --workers N                  threads that serve connections (default: one per core)
        --io_backend NAME            auto, io_uring or epoll

Log:
    -l, --log FILE                   log to a file
    -T, --logtime                    show the time (default true)
        --logtime_utc                show the time in UTC
    -s, --syslog                     log to the local syslog
    -D, --debug                      debugging output
    -V, --trace                      show the protocol
    -VV                              the same as -V: there are no internal subjects
    -DV, -DVV                        -D together with -V
        --max_traced_msg_len LENGTH  bytes of a payload shown (default: all)

Authorization:
        --user USER                  user that clients must give
        --pass PASSWORD              its password, or the hash of it
        --auth TOKEN                 token that clients must give, or the hash of it

TLS:
        --tls                        TLS for clients; false: none, whatever the file says
        --tlscert FILE               certificate of the server, with its chain
        --tlskey FILE                its private key
        --tlsverify                  clients must give a certificate
        --tlscacert FILE             authorities that clients' certificates are verified by

    -h, --help                       show this text
    -v, --version                    show the version
        --help_tls                   show what a tls block may hold
)",
                     program);
}

std::string tls_usage() {
  std::string text = R"(
TLS is configured by a block in the configuration file, for example:

    tls {
        cert_file: "server-cert.pem"
        key_file:  "server-key.pem"

        # clients must give a certificate, which says which of the configured users they are
        ca_file:        "ca.pem"
        verify_and_map: true

        # only where the defaults will not do
        cipher_suites:     [ "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" ]
        curve_preferences: [ "X25519", "CurveP256" ]
    }

Available cipher suites include:
)";
  const auto suites = tls_cipher_suites();
  for (const TlsCipherSuite& suite : suites) {
    if (suite.is_default) text += fmt::format("    {}\n", suite.name);
  }
  text += "\nWithout forward secrecy or authenticated encryption, known to nats-server but refused here:\n";
  for (const TlsCipherSuite& suite : suites) {
    if (!suite.is_default) text += fmt::format("    {}\n", suite.name);
  }
  text += "\nAvailable curve preferences include, as far as the TLS library has them:\n";
  for (const TlsCurve& curve : tls_curves()) text += fmt::format("    {}\n", curve.name);
  return text;
}

}  // namespace nuncio
