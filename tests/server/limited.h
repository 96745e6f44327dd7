// A user with permissions and one without, as suites about rights need them.
#pragma once

#include <fmt/format.h>

#include <string_view>

#include "harness.h"
#include "logins.h"
#include "rights.h"

namespace nuncio::test {

class LimitedTest : public ServerTest {
 protected:
  // Two users of one account: `lim` has these permissions, `free` has none and so may do everything.
  void start_limited(std::string_view permissions, std::string_view more = "") {
    start_config(fmt::format(
        "authorization {{ users = [ {{user: lim, password: p, permissions: {{ {} }} }}, {{user: free, "
        "password: p}} ] }}\n{}\n",
        permissions, more));
  }
  Client lim(Where where = Where::current()) { return connected(user("lim", "p"), where); }
  Client free(Where where = Where::current()) { return connected(user("free", "p"), where); }
  // `free` with a subscription of sid 1.
  Client listener(std::string_view subject, Where where = Where::current()) {
    Client one = free(where);
    one.send(fmt::format("SUB {} 1\r\n", subject));
    one.ping(where);
    return one;
  }
};

}  // namespace nuncio::test
