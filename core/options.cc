#include "core/options.h"

namespace nuncio {

void AuthorizationOptions::clear_secrets() {
  for (SecretOptions& token : tokens) token.text.clear();
  const auto clear = [](UserOptions& user) {
    for (SecretOptions& password : user.passwords) password.text.clear();
  };
  if (single_user) clear(*single_user);
  for (UserOptions& user : users) clear(user);
}

}  // namespace nuncio
