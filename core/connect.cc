// The JSON of a CONNECT, read as a stream of events: nothing is built, nesting costs a bit each, and the
// texts that the reader handles wipe their memory when they give it up, as secrets are among them.
#include "core/connect.h"

#include <array>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

namespace nuncio {

void Credentials::wipe_secrets() {
  password.clear();
  token.clear();
  jwt.clear();
  signature.clear();
}

bool Credentials::empty() const {
  return user.empty() && password.empty() && token.empty() && nkey.empty();
}

namespace {

template <typename T>
struct WipingAllocator {
  using value_type = T;
  WipingAllocator() = default;
  template <typename U>
  WipingAllocator(const WipingAllocator<U>&) noexcept {}
  T* allocate(size_t count) { return std::allocator<T>().allocate(count); }
  void deallocate(T* memory, size_t count) noexcept {
    wipe(reinterpret_cast<char*>(memory), count * sizeof(T));
    std::allocator<T>().deallocate(memory, count);
  }
  bool operator==(const WipingAllocator&) const { return true; }
};

using Text = std::basic_string<char, std::char_traits<char>, WipingAllocator<char>>;
using Json = nlohmann::basic_json<std::map, std::vector, Text>;

enum class Key : uint8_t {
  unknown,
  verbose,
  pedantic,
  echo,
  headers,
  no_responders,
  tls_required,
  new_account,
  user,
  pass,
  auth_token,
  nkey,
  sig,
  jwt,
  name,
  lang,
  version,
  account,
  protocol
};

Key key_of(std::string_view text) noexcept;

// Takes the events of the reader; every handler returns false to stop it.
class ConnectReader {
 public:
  explicit ConnectReader(ConnectOptions& options) : options_(options) {}

  bool wants_account() const { return wants_account_ || wants_new_account_; }

  bool null() { return true; }  // absent, whatever the key; alone it stands for {}
  bool boolean(bool value) {
    if (depth_ != 1) return depth_ > 1;
    switch (key_) {
      case Key::verbose:
        options_.verbose = value;
        return true;
      case Key::pedantic:
        options_.pedantic = value;
        return true;
      case Key::echo:
        options_.echo = value;
        return true;
      case Key::headers:
        options_.headers = value;
        return true;
      case Key::no_responders:
        options_.no_responders = value;
        return true;
      case Key::tls_required:
        options_.tls_required = value;
        return true;
      case Key::new_account:
        wants_new_account_ = value;
        return true;
      default:
        return key_ == Key::unknown;
    }
  }
  bool number_integer(int64_t value) {
    if (depth_ != 1) return depth_ > 1;
    if (key_ == Key::protocol) options_.protocol = value;
    return key_ == Key::protocol || key_ == Key::unknown;
  }
  bool number_unsigned(uint64_t value) {
    if (value <= uint64_t{std::numeric_limits<int64_t>::max()})
      return number_integer(static_cast<int64_t>(value));
    return is_ignored();
  }
  template <typename String>
  bool number_float(double, const String&) {
    return is_ignored();
  }
  bool string(Text& value) {
    const bool is_right = take_string(value);
    wipe(value.data(), value.size());
    return is_right;
  }
  bool binary(Json::binary_t&) { return false; }  // not part of JSON text
  bool start_object(size_t) { return start(depth_ == 0 || is_ignored()); }
  bool start_array(size_t) { return start(is_ignored()); }
  bool end_object() { return --depth_, true; }
  bool end_array() { return --depth_, true; }
  bool key(Text& text) {
    if (depth_ == 1) key_ = key_of(text);
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) { return false; }

 private:
  // A value here has no meaning to us: any type will do.
  bool is_ignored() const { return depth_ > 1 || (depth_ == 1 && key_ == Key::unknown); }
  bool start(bool is_right) { return ++depth_, is_right; }
  bool take_string(const Text& value);

  ConnectOptions& options_;
  Key key_ = Key::unknown;  // of the value to come, at depth 1
  size_t depth_ = 0;
  bool wants_account_ = false;
  bool wants_new_account_ = false;
};

}  // namespace

Reason parse_connect(std::string_view json, ConnectOptions& options) {
  // What the library accepts and JSON does not have: a byte order mark, and a NUL as the end of the text.
  if (json.starts_with('\xef') || json.find('\0') != std::string_view::npos) return Reason::parse_error;
  const WipeDeleted wiped;  // the library's lexer keeps the text of each token to name it in an error
  ConnectReader reader(options);
  if (!Json::sax_parse(json.begin(), json.end(), &reader)) return Reason::parse_error;
  options.wants_account = reader.wants_account();
  if (options.wants_account) return Reason::account_requested;
  if (options.protocol != 0 && options.protocol != 1) return Reason::invalid_protocol;
  if (options.no_responders && !options.headers) return Reason::no_responders_without_headers;
  return Reason::none;
}

namespace {

bool ConnectReader::take_string(const Text& value) {
  if (depth_ != 1) return depth_ > 1;
  Credentials& credentials = options_.credentials;
  switch (key_) {
    case Key::user:
      credentials.user = value;
      return true;
    case Key::pass:
      credentials.password = Secret(value);
      return true;
    case Key::auth_token:
      credentials.token = Secret(value);
      return true;
    case Key::nkey:
      credentials.nkey = value;
      return true;
    case Key::sig:
      credentials.signature = value;
      return true;
    case Key::jwt:
      credentials.jwt = Secret(value);
      return true;
    case Key::name:
      options_.name = value;
      return true;
    case Key::lang:
      options_.lang = value;
      return true;
    case Key::version:
      options_.version = value;
      return true;
    case Key::account:
      wants_account_ = !value.empty();
      return true;
    default:
      return key_ == Key::unknown;
  }
}

Key key_of(std::string_view text) noexcept {
  struct Name {
    std::string_view text;
    Key key;
  };
  static constexpr std::array names{Name{"verbose", Key::verbose},
                                    Name{"pedantic", Key::pedantic},
                                    Name{"echo", Key::echo},
                                    Name{"headers", Key::headers},
                                    Name{"no_responders", Key::no_responders},
                                    Name{"tls_required", Key::tls_required},
                                    Name{"new_account", Key::new_account},
                                    Name{"user", Key::user},
                                    Name{"pass", Key::pass},
                                    Name{"auth_token", Key::auth_token},
                                    Name{"nkey", Key::nkey},
                                    Name{"sig", Key::sig},
                                    Name{"jwt", Key::jwt},
                                    Name{"name", Key::name},
                                    Name{"lang", Key::lang},
                                    Name{"version", Key::version},
                                    Name{"account", Key::account},
                                    Name{"protocol", Key::protocol}};
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  for (const Name& name : names) {
    if (name.text.size() != text.size()) continue;
    size_t i = 0;
    while (i < text.size() && lower(text[i]) == name.text[i]) ++i;
    if (i == text.size()) return name.key;
  }
  return Key::unknown;
}

}  // namespace
}  // namespace nuncio
