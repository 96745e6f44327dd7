// Assertions. NUNCIO_ASSERT guards memory and stays in release builds; NUNCIO_DEBUG_ASSERT documents preconditions
// and costs nothing there. A failed one ends the process at once: a broker that may be corrupt must not go on.
#pragma once

namespace nuncio {

// Prints where and what to standard error and aborts. Any thread.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace nuncio

#define NUNCIO_ASSERT(condition) \
  (__builtin_expect(static_cast<bool>(condition), 1) ? void() : ::nuncio::assertion_failed(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define NUNCIO_DEBUG_ASSERT(condition) static_cast<void>(0)
#else
#define NUNCIO_DEBUG_ASSERT(condition) NUNCIO_ASSERT(condition)
#endif
