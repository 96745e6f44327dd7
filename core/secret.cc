#include "core/secret.h"

#include <cstring>

namespace nuncio {

void wipe(char* text, size_t size) noexcept { explicit_bzero(text, size); }

void wipe(std::string& text) noexcept {
  text.resize(text.capacity());
  wipe(text.data(), text.size());
  text.clear();
}

}  // namespace nuncio
