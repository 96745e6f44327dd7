// A block `tls { … }` (CF-58), whatever it is the block of. Reads no certificate and no key: whether they can
// be used is judged where the TLS library is. One thread.
#pragma once

#include <optional>

#include "core/config/field_reader.h"
#include "core/options.h"

namespace nuncio::config {

// Empty when it was refused; then what is wrong is in the findings. `pairs` may be empty, because flags can
// still give some, and `revocation_file` is not set, because it is not an option of this block.
std::optional<TlsOptions> read_tls(FieldReader&, const Entry&);

}  // namespace nuncio::config
