#include "core/assert.h"

#include <cstdio>
#include <cstdlib>

namespace nuncio {

void assertion_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "nuncio: %s:%d: assertion failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace nuncio
