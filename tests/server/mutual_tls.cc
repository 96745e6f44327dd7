#include "mutual_tls.h"

#include <fmt/format.h>

namespace nuncio::test {

const std::vector<std::string> certificate_alerts{"bad certificate",     "unsupported certificate",
                                                  "certificate revoked", "certificate expired",
                                                  "certificate unknown", "unknown CA",
                                                  "access denied",       "handshake failure",
                                                  "decrypt error",       "certificate required"};

std::string config_text(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

std::string MutualTlsTest::outcome(const TlsSettings& settings, const Json& connect, Where where) {
  Client one = client(where);
  if (std::string refused = one.try_tls(settings, where); !refused.empty()) return refused;
  Json fields{{"verbose", false}, {"pedantic", false}};
  fields.update(connect);
  one.send("CONNECT " + fields.dump() + "\r\nPING\r\n");
  const std::optional<std::string> answer = one.line_or_end(where);
  if (!answer) return one.tls().alert().empty() ? "closed" : one.tls().alert();
  if (*answer == "PONG") return *answer;
  one.expect_closed(where);
  constexpr std::string_view error = "-ERR '";
  if (!answer->starts_with(error) || !answer->ends_with('\'')) fail("got " + printable(*answer), where);
  return answer->substr(error.size(), answer->size() - error.size() - 1);
}

std::string MutualTlsTest::users(const std::vector<std::string>& names) {
  std::string entries;
  for (size_t i = 0; i < names.size(); ++i)
    entries += fmt::format("{{user: {}, permissions: {{publish: \"is.{}\"}}}}\n", config_text(names[i]), i);
  return fmt::format("authorization {{ users = [ {} ] }}\n", entries);
}

size_t MutualTlsTest::who(Client& one) {
  for (size_t i = 0; i < 100; ++i) {
    one.send(fmt::format("PUB is.{} 0\r\n\r\n", i));
    if (one.until_pong().empty()) return i;
  }
  return 100;
}

}  // namespace nuncio::test
