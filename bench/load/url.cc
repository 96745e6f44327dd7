#include "bench/load/url.h"

#include <charconv>

namespace nuncio::load {
namespace {

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned byte = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const char* end = text.data() + i + 3;
    if (std::from_chars(text.data() + i + 1, end, byte, 16).ptr != end) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

std::optional<uint16_t> parsed_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

// A colon makes it user and password; without one it is a token.
std::optional<Credentials> parsed_credentials(std::string_view text) {
  Credentials found;
  const size_t colon = text.find(':');
  const auto first = percent_decoded(text.substr(0, colon));
  if (!first) return std::nullopt;
  if (colon == std::string_view::npos) {
    found.token = *first;
    return found;
  }
  const auto second = percent_decoded(text.substr(colon + 1));
  if (!second) return std::nullopt;
  found.user = *first;
  found.password = *second;
  return found;
}

}  // namespace

std::optional<Url> parse_url(std::string_view text) {
  Url url;
  if (const size_t scheme = text.find("://"); scheme != std::string_view::npos) {
    url.is_tls = text.substr(0, scheme) == "tls";
    if (!url.is_tls && text.substr(0, scheme) != "nats") return std::nullopt;
    text.remove_prefix(scheme + 3);
  }
  if (const size_t at = text.rfind('@'); at != std::string_view::npos) {
    const auto credentials = parsed_credentials(text.substr(0, at));
    if (!credentials) return std::nullopt;
    url.credentials = *credentials;
    text.remove_prefix(at + 1);
  }
  if (text.ends_with('/')) text.remove_suffix(1);

  size_t host_end = text.find(':');
  if (text.starts_with('[')) {
    const size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return std::nullopt;
    url.host = text.substr(1, bracket - 1);
    host_end = bracket + 1;
  } else {
    url.host = text.substr(0, host_end);
  }
  if (url.host.empty()) return std::nullopt;
  if (host_end >= text.size()) return url;
  if (text[host_end] != ':') return std::nullopt;
  const auto port = parsed_port(text.substr(host_end + 1));
  if (!port) return std::nullopt;
  url.port = *port;
  return url;
}

}  // namespace nuncio::load
