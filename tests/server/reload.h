// What the tests of reloads have in common: users anna and bob, and what anna may do.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "harness.h"
#include "logins.h"
#include "rights.h"

namespace nuncio::test {

class ReloadTest : public ServerTest {
 protected:
  Client as(std::string_view name, std::string_view password = "p", Where where = Where::current()) {
    return connected(user(name, password), where);
  }
  Client as_listener(std::string_view name, std::string_view subject, Where where = Where::current()) {
    Client one = as(name, "p", where);
    subscribe(one, subject, "1", where);
    return one;
  }
};

// The end of who may stay no longer. 2.9.10 takes some of them for clients that move to another account.
inline void expect_revoked(Client& one, Where where = Where::current()) {
  if (!is_oracle()) return one.expect_error_and_close("Authorization Violation", where);
  const std::string end = one.read_to_end(where);
  if (!end.empty() && end != "-ERR 'Authorization Violation'\r\n") fail("got " + end, where);
}

inline std::string users(std::string_view entries) {
  return fmt::format("authorization {{ users = [ {} ] }}\n", entries);
}

inline constexpr std::string_view both = "{user: anna, password: p}, {user: bob, password: p}";

inline std::string anna_may(std::string_view permissions) {
  return users(fmt::format("{{user: anna, password: p, permissions: {{ {} }} }}, {{user: bob, password: p}}",
                           permissions));
}

}  // namespace nuncio::test
