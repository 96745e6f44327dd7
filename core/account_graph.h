// Whether messages could go round among accounts for ever (AU-60). Used while an AccountTable is built.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/account_imports.h"

namespace nuncio {

// The pattern of the subjects that both patterns want, if there are any.
std::optional<std::string> intersection(std::string_view a, std::string_view b);

// Adds to `errors` each way on which a message would come back to a crossing that it took. Ways are followed
// with the subjects that really take them, so that accounts that import from each other are fine as long as
// no subject comes back. Services and streams do not mix: see Crossing.
void check_cycles(std::span<const ImportedCrossing> crossings, std::vector<std::string>& errors);

}  // namespace nuncio
