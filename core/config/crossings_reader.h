// What accounts give to each other (AU-59, AU-60): the arrays `exports` and `imports`, as they stand. Whether
// an export exists for an import is judged elsewhere. One thread.
#pragma once

#include <vector>

#include "core/config/field_reader.h"
#include "core/options.h"

namespace nuncio::config {

std::vector<ExportOptions> read_exports(FieldReader&, const Entry&);
std::vector<ImportOptions> read_imports(FieldReader&, const Entry&);

}  // namespace nuncio::config
