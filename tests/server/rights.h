// Publishing and subscribing as tests of rights say it: fenced, and refused by the exact text (CP-66).
#pragma once

#include <string>
#include <string_view>

#include "client.h"

namespace nuncio::test {

std::string publish_violation(std::string_view subject);
std::string reply_violation(std::string_view reply);
std::string subscribe_violation(std::string_view subject, std::string_view queue = "");
// What a reload says when it takes a subscription away (AU-67).
std::string removed_violation(std::string_view subject, std::string_view sid);

// Nothing comes back; the message is where it belongs when this returns.
void publish(Client&, std::string_view subject, std::string_view payload = "x", Where = Where::current());
void subscribe(Client&, std::string_view subject_and_queue, std::string_view sid = "1",
               Where = Where::current());
void expect_publish_refused(Client&, std::string_view subject, Where = Where::current());
void expect_subscribe_refused(Client&, std::string_view subject, std::string_view queue = "",
                              Where = Where::current());

}  // namespace nuncio::test
