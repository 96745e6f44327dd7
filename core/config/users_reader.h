// The `users` arrays of `authorization` and of accounts (CF-43 … CF-48). One thread.
#pragma once

#include <optional>
#include <string>

#include "core/config/options_reader.h"

namespace nuncio::config {

// Adds the users of the array to those of the options. `defaults` are for users without permissions of their
// own, as a whole (CF-51).
void read_users(FileOptions&, FieldReader&, const Entry& list, const std::string& account,
                const std::optional<PermissionOptions>& defaults);

}  // namespace nuncio::config
