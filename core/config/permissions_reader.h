// What a user may do, in all forms that nats-server takes (CF-49, CF-50, CF-52). One thread.
#pragma once

#include <cstdint>
#include <optional>

#include "core/config/field_reader.h"
#include "core/options.h"

namespace nuncio::config {

// The map `permissions`. Empty when it is none; other mistakes are in the findings of the reader.
std::optional<PermissionOptions> read_permissions(FieldReader&, const Entry&);

// `allowed_connection_types`: bits of ConnectionType.
uint8_t read_connection_types(FieldReader&, const Entry&);

}  // namespace nuncio::config
