#include "net/input.h"

#include <algorithm>
#include <cstring>

#include "core/secret.h"

namespace nuncio::net {

void Input::append(std::string_view bytes, uint64_t expected) {
  const auto total = static_cast<uint32_t>(std::max<uint64_t>(size_ + bytes.size(), expected));
  const uint32_t room = block_ ? block_->capacity() - begin_ : 0;
  if (total > room) {
    // Doubling keeps the copying of a trickled operation linear.
    BlockRef larger(Block::make(std::max({total, 2 * size_, 256u})));
    if (size_ != 0) {
      std::memcpy(larger->data(), block_->data() + begin_, size_);
      wipe(block_->data() + begin_, size_);  // it may be the start of a CONNECT, with a password
    }
    block_ = std::move(larger);
    begin_ = 0;
  }
  std::memcpy(block_->data() + begin_ + size_, bytes.data(), bytes.size());
  size_ += static_cast<uint32_t>(bytes.size());
}

// A CONNECT that was executed has wiped itself; what is dropped here may hold one that was not.
void Input::clear() {
  if (size_ != 0 && !block_->is_shared()) wipe(block_->data() + begin_, size_);
  block_.reset();
  begin_ = size_ = 0;
}

void Input::consume(size_t size) {
  begin_ += static_cast<uint32_t>(size);
  size_ -= static_cast<uint32_t>(size);
  if (size_ == 0) clear();
}

}  // namespace nuncio::net
