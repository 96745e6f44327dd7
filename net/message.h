// One message on its way from a publisher to its receivers. Views only: into a receive buffer, a ring record
// or a block, valid while it is delivered.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "net/block.h"

namespace nuncio::net {

// Payloads above it are shared by reference, smaller ones copied: copying 16 bytes costs 20 ns against 77 ns
// for the two parts of a reference; the two cross near 4 KiB.
inline constexpr uint32_t payload_copied_max = 4096;

struct Message {
  std::string_view subject;
  std::string_view reply;    // empty: none; part of `head`
  std::string_view head;     // "[reply ]sizes\r\n", as sent behind "MSG subject sid "
  std::string_view payload;  // header block, body and final CRLF; behind `head` in memory unless in `block`
  uint32_t header_size = 0;  // 0: a plain MSG
  BlockRef block;            // holds `payload`, when set

  bool is_plain_copy = false;  // small, in one piece and not traced: the common case of delivery

  // Sets is_plain_copy, once the rest is filled in.
  void judge(bool is_traced) {
    is_plain_copy = !is_traced && head.data() + head.size() == payload.data() &&
                    head.size() + payload.size() <= payload_copied_max;
  }
  // Puts the payload into a block, unless it is in one, so that receivers can share it.
  void move_to_block() {
    if (block) return;
    const auto bytes = static_cast<uint32_t>(payload.size());
    block = BlockRef(Block::make(bytes));
    std::memcpy(block->data(), payload.data(), bytes);
    payload = {block->data(), bytes};
  }
  uint32_t size() const { return static_cast<uint32_t>(payload.size() - 2); }
};

// Who published: to leave out its own subscriptions (echo off) and to slow it down. `slot` and `generation`
// say which connection of `worker`.
struct Publisher {
  uint32_t worker;
  uint32_t slot;
  uint32_t generation;
};

}  // namespace nuncio::net
