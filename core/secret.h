// A secret text (password, token, hash). Its memory is wiped when it is destroyed or replaced, and it has no
// conversion to a printable type: whoever reads it has to say reveal(). Not synchronised.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace nuncio {

// Overwrites `text` in place, past the optimiser. Any thread.
void wipe(char* text, size_t size) noexcept;
void wipe(std::string& text) noexcept;  // wipes the whole capacity, then clears

// While one lives, what this thread deletes is wiped first: for a library that handles a secret in memory of
// its own. Not under a sanitizer, which has its own memory.
class WipeDeleted {
 public:
  WipeDeleted() noexcept;
  ~WipeDeleted();
  WipeDeleted(const WipeDeleted&) = delete;
  WipeDeleted& operator=(const WipeDeleted&) = delete;
};

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text) : text_(text) {}
  Secret(const Secret& other) = default;
  Secret(Secret&& other) noexcept : text_(other.text_) { other.clear(); }
  Secret& operator=(Secret other) noexcept {
    wipe(text_);
    text_.swap(other.text_);
    return *this;
  }
  ~Secret() { clear(); }

  std::string_view reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  void clear() noexcept { wipe(text_); }

 private:
  std::string text_;
};

}  // namespace nuncio
