// The TOML configuration reader: any bytes give a tree or findings, and a tree gives options or findings.
#include <cstdint>
#include <string_view>

#include "core/config/field_reader.h"
#include "core/config/findings.h"
#include "core/config/options_reader.h"
#include "core/config/sources.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace nuncio::config;
  Findings findings;
  // The name has no folder that exists, so that includes stay without effect.
  const auto tree =
      Sources(findings).read_toml({reinterpret_cast<const char*>(data), size}, "/nonexistent/fuzz.toml");
  if (!tree) {
    if (findings.errors.empty()) __builtin_trap();  // a refusal without a reason
    return 0;
  }
  FieldReader reader(findings);
  read_options(*tree, reader);
  reader.digest();
  return 0;
}
