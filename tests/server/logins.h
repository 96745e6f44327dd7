// What clients say to log in, and what is stored of it.
#pragma once

#include <string>
#include <string_view>

#include "client.h"

namespace nuncio::test {

Json user(std::string_view name, std::string_view password);
Json token(std::string_view text);

// A bcrypt hash with a random salt; cheap unless a test is about its cost.
std::string bcrypt(const std::string& password, unsigned long cost = 4);

}  // namespace nuncio::test
