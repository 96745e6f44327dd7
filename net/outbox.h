// What waits to be sent on one connection: small messages copied back to back into chunks, large payloads as
// references to blocks. Appending never fails and never blocks; the caller watches pending(). Owned by the
// connection's worker.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "net/block.h"

namespace nuncio::net {

// Memory of outboxes for one worker: three sizes of chunks, kept on free lists so that the chunk used last,
// still in the cache, is used next. Bounded: what exceeds `kept_max` a size goes back to the system.
class ChunkPool {
 public:
  ChunkPool() = default;
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  static constexpr unsigned sizes = 3;
  static constexpr uint32_t size_of[sizes] = {4 * 1024, 16 * 1024, 64 * 1024};
  static constexpr size_t kept_max[sizes] = {1024, 512, 256};  // 28 MiB

  char* take(unsigned size);
  void give(unsigned size, char* chunk);

 private:
  std::vector<char*> free_[sizes];
};

class Outbox {
 public:
  explicit Outbox(ChunkPool& pool) : pool_(pool) {}
  ~Outbox() { clear(); }
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // Bytes that may be written behind a reserved piece (whole-vector stores), and the largest piece.
  static constexpr uint32_t slack = 64;
  static constexpr uint32_t reserve_max = 16 * 1024 - slack;

  // Room for `size` contiguous bytes; what was written is then counted by commit(). size ≤ reserve_max.
  char* reserve(uint32_t size) {
    if (static_cast<uint32_t>(write_end_ - write_at_) >= size + slack) [[likely]]
      return write_at_;
    return reserve_in_new_chunk(size);
  }
  void commit(char* end) {
    pending_ += static_cast<uint64_t>(end - write_at_);
    write_at_ = end;
  }
  // Copies `text`, of any length.
  void append(std::string_view text);
  // Refers to `size` bytes at `data` inside `block`.
  void append_block(BlockRef block, const char* data, uint32_t size);

  // Bytes appended and not yet reported as sent.
  uint64_t pending() const { return pending_; }
  size_t parts_count() const { return segments_.size() - first_; }
  bool is_sending() const { return sending_bytes_ != 0; }

  // Fills `parts` with what is to be sent next, at most `bytes_max`; 0 when there is nothing or a send is
  // under way already.
  static constexpr unsigned parts_max = 64;
  static constexpr uint64_t send_max = 1024 * 1024 * 1024;  // sizes are 32 bits below here
  unsigned begin_send(iovec (&parts)[parts_max], uint64_t bytes_max = send_max);
  // The send that begin_send() described is over; `size` bytes of it went out.
  void end_send(uint64_t size);
  void clear();

 private:
  struct Segment {
    char* data;           // first byte not yet sent
    uint32_t size;        // of the last one up to date after seal() only
    uint32_t chunk_size;  // index into ChunkPool::size_of, or `of_block`
    char* chunk;          // start of the chunk
    Block* block;         // instead of a chunk
  };
  static constexpr uint32_t of_block = ChunkPool::sizes;

  char* reserve_in_new_chunk(uint32_t size);
  void seal();
  void release(Segment& segment);

  ChunkPool& pool_;
  char* write_at_ = nullptr;   // end of what is written in the chunk that is being filled
  char* write_end_ = nullptr;  // end of that chunk
  uint64_t pending_ = 0;
  uint64_t sending_bytes_ = 0;
  uint32_t first_ = 0;     // segments before it are gone
  uint8_t next_size_ = 0;  // chunk size to take next: grows while a connection does not drain
  std::vector<Segment> segments_;
};

}  // namespace nuncio::net
