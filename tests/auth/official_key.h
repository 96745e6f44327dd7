// A seed of the official tools and its public key.
#pragma once

#include <string_view>

namespace nuncio::auth {

inline constexpr std::string_view seed = "SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU";
inline constexpr std::string_view public_text = "UCK5N7N66OBOINFXAYC2ACJQYFSOD4VYNU6APEJTAVFZB2SVHLKGEW7L";

}  // namespace nuncio::auth
