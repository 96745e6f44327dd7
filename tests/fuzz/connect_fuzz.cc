// The JSON of CONNECT from arbitrary bytes: never a crash, the same verdict each time, and of what is
// accepted the meaning of every text agrees with the library's own tree.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/assert.h"
#include "core/connect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  nuncio::ConnectOptions options;
  const nuncio::Reason reason = nuncio::parse_connect(text, options);
  if (reason == nuncio::Reason::parse_error) return 0;

  const auto json = nlohmann::json::parse(text, nullptr, false);
  NUNCIO_ASSERT(json.is_object() || json.is_null());
  NUNCIO_ASSERT(reason != nuncio::Reason::none || options.protocol == 0 || options.protocol == 1);
  NUNCIO_ASSERT(reason != nuncio::Reason::none || !options.no_responders || options.headers);
  NUNCIO_ASSERT(options.name.size() <= size && options.credentials.password.reveal().size() <= size);

  // What is merged once more changes nothing.
  nuncio::ConnectOptions again = options;
  NUNCIO_ASSERT(nuncio::parse_connect(text, again) == reason);
  NUNCIO_ASSERT(again.credentials.user == options.credentials.user && again.name == options.name);
  NUNCIO_ASSERT(again.verbose == options.verbose && again.protocol == options.protocol);
  return 0;
}
