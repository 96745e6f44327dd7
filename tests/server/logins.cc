#include "logins.h"

#include <crypt.h>

namespace nuncio::test {

Json user(std::string_view name, std::string_view password) {
  return {{"user", name}, {"pass", password}};
}

Json token(std::string_view text) {
  return {{"auth_token", text}};
}

std::string bcrypt(const std::string& password, unsigned long cost) {
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  if (crypt_gensalt_rn("$2b$", cost, nullptr, 0, setting, sizeof setting) == nullptr) return "*0";
  crypt_data data{};
  return crypt_rn(password.c_str(), setting, &data, sizeof data);
}

}  // namespace nuncio::test
