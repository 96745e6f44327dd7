#include "rights.h"

#include <fmt/format.h>

namespace nuncio::test {

std::string publish_violation(std::string_view subject) {
  return fmt::format("-ERR 'Permissions Violation for Publish to \"{}\"'\r\n", subject);
}

std::string reply_violation(std::string_view reply) {
  return fmt::format("-ERR 'Permissions Violation for Publish with Reply of \"{}\"'\r\n", reply);
}

std::string subscribe_violation(std::string_view subject, std::string_view queue) {
  if (queue.empty()) {
    return fmt::format("-ERR 'Permissions Violation for Subscription to \"{}\"'\r\n", subject);
  }
  return fmt::format("-ERR 'Permissions Violation for Subscription to \"{}\" using queue \"{}\"'\r\n",
                     subject, queue);
}

std::string removed_violation(std::string_view subject, std::string_view sid) {
  return fmt::format("-ERR 'Permissions Violation for Subscription to \"{}\" (sid \"{}\")'\r\n", subject,
                     sid);
}

void publish(Client& one, std::string_view subject, std::string_view payload, Where where) {
  one.send(fmt::format("PUB {} {}\r\n{}\r\n", subject, payload.size(), payload));
  one.ping(where);
}

void expect_publish_refused(Client& one, std::string_view subject, Where where) {
  one.send(fmt::format("PUB {} 1\r\nx\r\n", subject));
  one.expect(publish_violation(subject), where);
  one.ping(where);
}

void subscribe(Client& one, std::string_view subject_and_queue, std::string_view sid, Where where) {
  one.send(fmt::format("SUB {} {}\r\n", subject_and_queue, sid));
  one.ping(where);
}

void expect_subscribe_refused(Client& one, std::string_view subject, std::string_view queue, Where where) {
  one.send(fmt::format("SUB {} {} 99\r\n", subject, queue));
  one.expect(subscribe_violation(subject, queue), where);
  one.ping(where);
}

}  // namespace nuncio::test
