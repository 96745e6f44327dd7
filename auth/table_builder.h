// Judges authorization options and makes an AuthTable of them. Used once at start and once for each reload;
// may take some milliseconds to estimate the time of costly hashes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "auth/auth_table.h"

namespace nuncio::auth {

class TableBuilder {
 public:
  // `now`: to tell which secrets have expired.
  TableBuilder(const AuthorizationOptions& options, AuthTable::Findings& findings, WallTime now);

  // Null when findings has errors. Call once.
  std::shared_ptr<const AuthTable> build();

 private:
  void find_contradictions();
  void add_token();
  void add_user(const UserOptions&);
  void add_nkey(const UserOptions&);
  void prepare_mapping(const std::shared_ptr<const User>&, const std::string& place);
  void choose_anonymous();
  void choose_dummies();
  // The secrets of one user or of the token; `kind` is what labels call them and `owner` whose they are in
  // messages. Those that cannot be used are errors.
  std::vector<Credential> credentials(const std::vector<SecretOptions>& options, std::string_view kind,
                                      const std::string& owner);
  std::shared_ptr<const StoredSecret> stored(const Secret& configured, const std::string& what);
  void judge_times(const Credential&, const std::string& what);
  // One object for all who have equal rights, so that each worker keeps their answers once.
  std::shared_ptr<const Permissions> permissions(const PermissionOptions& options);
  void error(std::string text);
  void warn(std::string text);

  const AuthorizationOptions& options_;
  AuthTable::Findings& findings_;
  const WallTime now_;
  std::shared_ptr<AuthTable> table_;
  std::map<Digest, std::shared_ptr<const Permissions>> permissions_;
  bool has_plain_ = false;
  size_t errors_before_;
};

}  // namespace nuncio::auth
