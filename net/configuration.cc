#include "net/configuration.h"

#include <iterator>

namespace nuncio::net {
namespace {

void append(std::vector<std::string>& all, std::vector<std::string>& some) {
  all.insert(all.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
}

}  // namespace

Configuration load_configuration(const CommandLine& command_line) {
  Configuration made{config::load_options(command_line), nullptr, nullptr, nullptr};
  const Options& options = made.loaded.options;
  auth::AuthTable::Findings login;
  made.table = auth::AuthTable::make(options.authorization, login);
  AccountTable::Findings accounts;
  made.accounts = AccountTable::make(options.accounts, options.system_account, "", accounts);
  append(made.loaded.errors, login.errors);
  append(made.loaded.warnings, login.warnings);
  append(made.loaded.errors, accounts.errors);
  append(made.loaded.warnings, accounts.warnings);
  if (options.tls) {
    TlsContext::Findings tls;
    made.tls = TlsContext::make(*options.tls, tls);
    append(made.loaded.errors, tls.errors);
    append(made.loaded.warnings, tls.warnings);
  }
  return made;
}

}  // namespace nuncio::net
