#include "auth/distinguished_name.h"

#include <algorithm>
#include <array>

namespace nuncio::auth {
namespace {

using Attribute = DistinguishedName::Attribute;
using Relative = DistinguishedName::Relative;

// In the order of nats-server's text; "DC" is only compared.
constexpr std::array usual_types = {"SERIALNUMBER", "CN", "OU", "O", "POSTALCODE", "STREET", "L", "ST", "C"};

std::optional<Attribute> read_attribute(std::string_view& rest);
std::optional<std::string> read_value(std::string_view& rest);
std::optional<char> read_escaped(std::string_view& rest);
bool is_type(std::string_view text);
bool is_compared(std::string_view type);
std::string key_of(const Relative&);
std::string join(const std::vector<std::string>& parts, char separator);
void append_usual(std::string& text, std::string_view type, const std::vector<std::string_view>& values);
std::string escaped(std::string_view value);

void skip_spaces(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
}

std::string_view without_spaces_around(std::string_view text) {
  skip_spaces(text);
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

std::string upper(std::string_view type) {
  std::string text(type);
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

}  // namespace

std::optional<DistinguishedName> DistinguishedName::parse(std::string_view text) {
  DistinguishedName name;
  name.relatives.emplace_back();
  while (true) {
    auto attribute = read_attribute(text);
    if (!attribute) return std::nullopt;
    name.relatives.back().push_back(std::move(*attribute));
    if (text.empty()) break;
    const char separator = text.front();
    text.remove_prefix(1);
    if (separator == '+') continue;
    skip_spaces(text);
    if (text.empty()) break;  // a comma at the end is taken, as nats-server does
    name.relatives.emplace_back();
  }
  std::reverse(name.relatives.begin(), name.relatives.end());
  return name;
}

bool DistinguishedName::looks_like_one(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string type = upper(without_spaces_around(text.substr(0, equals)));
  return is_compared(type) || type == "UID" || type == "EMAILADDRESS";
}

bool DistinguishedName::is_comparable() const {
  return std::all_of(relatives.begin(), relatives.end(), [](const Relative& relative) {
    return std::all_of(relative.begin(), relative.end(),
                       [](const Attribute& attribute) { return is_compared(upper(attribute.type)); });
  });
}

std::string DistinguishedName::ordered_key() const {
  std::vector<std::string> keys;
  for (const Relative& relative : relatives)
    if (!relative.empty()) keys.push_back(key_of(relative));
  return join(keys, ',');
}

std::string DistinguishedName::unordered_key() const {
  std::vector<std::string> keys;
  for (const Relative& relative : relatives)
    if (!relative.empty()) keys.push_back(key_of(relative));
  std::sort(keys.begin(), keys.end());
  return join(keys, ',');
}

std::string DistinguishedName::usual_text() const {
  std::string text;
  for (const std::string_view type : usual_types) {
    std::vector<std::string_view> values;
    for (const Relative& relative : relatives)
      for (const Attribute& attribute : relative)
        if (attribute.type == type) values.push_back(attribute.value);
    append_usual(text, type, values);
  }
  return text;
}

std::string DistinguishedName::domain_components_text() const {
  std::vector<std::string> components;
  for (const Relative& relative : relatives)
    for (const Attribute& attribute : relative)
      if (attribute.type == "DC") components.push_back("DC=" + escaped(attribute.value));
  return join(components, ',');
}

namespace {

// Up to the separator or the end. Spaces around type and value do not count.
std::optional<Attribute> read_attribute(std::string_view& rest) {
  const size_t equals = rest.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  const std::string_view type = without_spaces_around(rest.substr(0, equals));
  rest.remove_prefix(equals + 1);
  if (!is_type(type) || rest.starts_with('#')) return std::nullopt;
  auto value = read_value(rest);
  if (!value) return std::nullopt;
  return Attribute{std::string(type), std::move(*value)};
}

std::optional<std::string> read_value(std::string_view& rest) {
  skip_spaces(rest);
  std::string value;
  size_t size = 0;  // without unescaped spaces at the end
  while (!rest.empty() && rest.front() != ',' && rest.front() != '+') {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c == '\\') {
      const auto meant = read_escaped(rest);
      if (!meant) return std::nullopt;
      value += *meant;
    } else {
      value += c;
    }
    if (c != ' ') size = value.size();
  }
  value.resize(size);
  return value;
}

// What follows a backslash: the character itself, or a byte as two hex digits.
std::optional<char> read_escaped(std::string_view& rest) {
  constexpr std::string_view special = " \"#+,;<=>\\", digits = "0123456789ABCDEF";
  if (!rest.empty() && special.find(rest.front()) != std::string_view::npos) {
    const char c = rest.front();
    rest.remove_prefix(1);
    return c;
  }
  const std::string pair = upper(rest.substr(0, 2));
  rest.remove_prefix(pair.size());
  const size_t high = pair.size() == 2 ? digits.find(pair[0]) : std::string_view::npos;
  const size_t low = pair.size() == 2 ? digits.find(pair[1]) : std::string_view::npos;
  if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
  return static_cast<char>(high << 4 | low);
}

// A name or a dotted OID.
bool is_type(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
  });
}

bool is_compared(std::string_view type) {
  return type == "DC" || std::find(usual_types.begin(), usual_types.end(), type) != usual_types.end();
}

// With the size of each value, so that none can pass for two.
std::string key_of(const Relative& relative) {
  std::vector<std::string> keys;
  for (const Attribute& attribute : relative)
    keys.push_back(upper(attribute.type) + '=' + std::to_string(attribute.value.size()) + ':' +
                   attribute.value);
  std::sort(keys.begin(), keys.end());
  return join(keys, '+');
}

std::string join(const std::vector<std::string>& parts, char separator) {
  std::string text;
  for (const std::string& part : parts) {
    if (&part != &parts.front()) text += separator;
    text += part;
  }
  return text;
}

void append_usual(std::string& text, std::string_view type, const std::vector<std::string_view>& values) {
  if (values.empty()) return;
  const bool is_last_only = type == "CN" || type == "SERIALNUMBER";
  if (is_last_only && values.back().empty()) return;
  char separator = ',';
  for (size_t i = is_last_only ? values.size() - 1 : 0; i < values.size(); ++i) {
    if (!text.empty()) text += separator;
    text.append(type).append("=").append(escaped(values[i]));
    separator = '+';
  }
}

std::string escaped(std::string_view value) {
  std::string text;
  for (size_t i = 0; i < value.size(); ++i) {
    const bool is_at_edge = i == 0 || i + 1 == value.size();
    const bool is_special = std::string_view(",+\"\\<>;").find(value[i]) != std::string_view::npos ||
                            (value[i] == ' ' && is_at_edge) || (value[i] == '#' && i == 0);
    if (is_special) text += '\\';
    text += value[i];
  }
  return text;
}

}  // namespace
}  // namespace nuncio::auth
