// Received bytes that must outlive their turn: a partial operation (the carry), or the rest of a connection
// that is paused (the backlog). Owned by the connection's worker; holds no memory while it is empty.
#pragma once

#include <cstdint>
#include <string_view>

#include "net/block.h"

namespace nuncio::net {

class Input {
 public:
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {block_ ? block_->data() + begin_ : nullptr, size_}; }
  // Keeps a copy of `bytes` behind what is held. `expected`: bytes the whole will have when that is known, so
  // that a large payload is allocated once.
  void append(std::string_view bytes, uint64_t expected = 0);
  // Drops the first `size` bytes.
  void consume(size_t size);
  void clear();
  // It begins with a CONNECT, of which a password may be a part (I8).
  bool is_confidential() const { return size_ != 0 && (block_->data()[begin_] | 0x20) == 'c'; }
  // The block that view() points into.
  const BlockRef& block() const { return block_; }

 private:
  BlockRef block_;
  uint32_t begin_ = 0;
  uint32_t size_ = 0;
};

}  // namespace nuncio::net
