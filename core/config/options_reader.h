// From the tree to Options: names, types, ranges and exclusions of every option, all findings in one run
// (CF-31). Checks that need the command line too are in load.h. One thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/config/field_reader.h"
#include "core/config/value.h"
#include "core/options.h"

namespace nuncio::config {

// What a file gives. Positions are kept of the values that later checks speak about.
struct FileOptions {
  Options options;
  std::map<std::string, Position, std::less<>> positions;  // by canonical name
  bool has_bad_users = false;                              // some entries were refused
  bool has_bad_accounts = false;                           // likewise
  bool has_bad_tls = false;                                // likewise the block `tls`
  std::string client_advertise;                            // host[:port], empty: none
  std::string tls_revocation_file;                         // for the block `tls`
  std::map<std::string, std::string> user_positions;       // of all users so far, by name or nkey
  std::optional<PermissionOptions> default_permissions;    // of the block `authorization`
  Position position(std::string_view name) const;          // of the command line when the file has none
};

FileOptions read_options(const Value& tree, FieldReader&);

// The block `authorization { … }` (CF-41 … CF-51).
void read_authorization(FileOptions&, FieldReader&, const Entry&);

// The block `accounts`, a map or a plain list of names, and the mappings of the default account (CF-53).
// Whether accounts fit each other is judged elsewhere.
void read_accounts(FileOptions&, FieldReader&, const Entry&);
void read_default_mappings(FileOptions&, FieldReader&, const Entry&);

// "host:port"; the port may be negative. Empty when malformed.
struct HostPort {
  std::string host;
  int64_t port = 0;
};
std::optional<HostPort> parse_host_port(std::string_view address);

std::optional<IoBackend> parse_io_backend(std::string_view name);

constexpr int port_default = 4222;
constexpr int port_max = 65535;

}  // namespace nuncio::config
