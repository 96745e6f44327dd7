#include "slow_reader.h"

namespace nuncio::test {

Client stuck_reader(int port, const std::function<void(Client&)>& prepare) {
  Client stuck(port, 4096);
  if (prepare) prepare(stuck);
  stuck.connect_ok();
  stuck.send("SUB flood 1\r\n");
  stuck.ping();
  return stuck;
}

void flood(Server& server, Client& publisher, const std::function<bool()>& condition) {
  // Messages so large that the step from three quarters of max_pending, where the reference slows publishers
  // down to a crawl, to above it is a single one.
  const std::string message = "PUB flood 700000\r\n" + std::string(700000, 'x') + "\r\n";
  std::string rest;
  server.wait_until(
      [&] {
        for (int i = 0; i < 8; ++i) {
          if (rest.empty()) rest = message;
          const size_t sent = publisher.send_some(rest);
          rest.erase(0, sent);
          if (sent == 0) break;
        }
        return condition();
      },
      "the end of a slow consumer");
  publisher.send(rest);
}

}  // namespace nuncio::test
