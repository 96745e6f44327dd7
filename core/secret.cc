#include "core/secret.h"

#include <malloc.h>

#include <cstdlib>
#include <cstring>

#include "core/assert.h"

namespace nuncio {
namespace {

thread_local bool wipes_deleted = false;

}  // namespace

WipeDeleted::WipeDeleted() noexcept {
  NUNCIO_DEBUG_ASSERT(!wipes_deleted);
  wipes_deleted = true;
}

WipeDeleted::~WipeDeleted() {
  wipes_deleted = false;
}

void wipe(char* text, size_t size) noexcept {
  explicit_bzero(text, size);
}

void wipe(std::string& text) noexcept {
  text.resize(text.capacity());
  wipe(text.data(), text.size());
  text.clear();
}

}  // namespace nuncio

#if defined(__has_feature)
#define NUNCIO_HAS_FEATURE(name) __has_feature(name)
#else
#define NUNCIO_HAS_FEATURE(name) 0
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !NUNCIO_HAS_FEATURE(address_sanitizer) && !NUNCIO_HAS_FEATURE(thread_sanitizer)

// In place of the library's, whose new is malloc().
void operator delete(void* memory) noexcept {
  if (nuncio::wipes_deleted && memory != nullptr)
    nuncio::wipe(static_cast<char*>(memory), malloc_usable_size(memory));
  std::free(memory);
}

void operator delete(void* memory, size_t) noexcept {
  operator delete(memory);
}

#endif
