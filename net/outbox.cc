// Cost of a 16-byte message here (the hot part, reserve() and commit(), is inline in the header): two cache
// lines touched (the outbox, the chunk), two branches, one copy, no system call; net/worker.cc sends once a
// turn.
#include "net/outbox.h"

#include <algorithm>
#include <cstdlib>

#include "core/assert.h"

namespace nuncio::net {

ChunkPool::~ChunkPool() {
  for (auto& chunks : free_) {
    for (char* chunk : chunks) std::free(chunk);
  }
}

char* ChunkPool::take(unsigned size) {
  auto& chunks = free_[size];
  if (chunks.empty()) {
    auto* chunk = static_cast<char*>(std::malloc(size_of[size]));
    NUNCIO_ASSERT(chunk != nullptr);
    return chunk;
  }
  char* chunk = chunks.back();
  chunks.pop_back();
  return chunk;
}

void ChunkPool::give(unsigned size, char* chunk) {
  if (free_[size].size() >= kept_max[size]) return std::free(chunk);
  free_[size].push_back(chunk);
}

char* Outbox::reserve_in_new_chunk(uint32_t size) {
  NUNCIO_DEBUG_ASSERT(size <= reserve_max);
  unsigned which = next_size_;
  while (ChunkPool::size_of[which] < size + slack) ++which;
  next_size_ = static_cast<uint8_t>(std::min(which + 1, ChunkPool::sizes - 1));
  char* chunk = pool_.take(which);
  seal();
  segments_.push_back({chunk, 0, which, chunk, nullptr});
  write_at_ = chunk;
  write_end_ = chunk + ChunkPool::size_of[which];
  return chunk;
}

// Counts what was written into the chunk being filled, which is always the last segment's.
void Outbox::seal() {
  if (write_at_ != nullptr) segments_.back().size = static_cast<uint32_t>(write_at_ - segments_.back().data);
}

void Outbox::append(std::string_view text) {
  while (!text.empty()) {
    const auto size = static_cast<uint32_t>(std::min<size_t>(text.size(), reserve_max));
    char* to = reserve(size);
    std::memcpy(to, text.data(), size);
    commit(to + size);
    text.remove_prefix(size);
  }
}

void Outbox::append_block(BlockRef block, const char* data, uint32_t size) {
  Block* const held = block.detach();
  seal();
  segments_.push_back({const_cast<char*>(data), size, of_block, nullptr, held});
  pending_ += size;
  // What is appended next goes behind the block: into the same chunk, as a segment of its own.
  if (write_at_ == nullptr) return;
  const auto owner = std::find_if(segments_.rbegin() + 1, segments_.rend(),
                                  [](const Segment& s) { return s.chunk != nullptr; });
  NUNCIO_DEBUG_ASSERT(owner != segments_.rend());
  const Segment continuation{write_at_, 0, owner->chunk_size, owner->chunk, nullptr};
  owner->chunk = nullptr;  // the chunk is released with its last segment
  segments_.push_back(continuation);
}

unsigned Outbox::begin_send(iovec (&parts)[parts_max], uint64_t bytes_max) {
  if (sending_bytes_ != 0 || pending_ == 0) return 0;
  seal();
  unsigned count = 0;
  for (size_t i = first_; i < segments_.size() && count < parts_max && sending_bytes_ < bytes_max; ++i) {
    const Segment& segment = segments_[i];
    if (segment.size == 0) continue;
    const uint64_t size = std::min<uint64_t>(segment.size, bytes_max - sending_bytes_);
    parts[count++] = {segment.data, size};
    sending_bytes_ += size;
  }
  return count;
}

void Outbox::end_send(uint64_t size) {
  NUNCIO_ASSERT(size <= sending_bytes_);
  seal();
  sending_bytes_ = 0;
  pending_ -= size;
  while (first_ < segments_.size()) {
    Segment& segment = segments_[first_];
    const auto gone = static_cast<uint32_t>(std::min<uint64_t>(size, segment.size));
    segment.data += gone;
    segment.size -= gone;
    size -= gone;
    if (segment.size != 0) break;
    release(segment);
    ++first_;
  }
  if (first_ == segments_.size()) {
    segments_.clear();
    first_ = 0;
    write_at_ = write_end_ = nullptr;
    next_size_ = next_size_ > 1 ? static_cast<uint8_t>(next_size_ - 1) : 0;
  } else if (first_ > 64 && first_ * 2 > segments_.size()) {
    segments_.erase(segments_.begin(), segments_.begin() + first_);
    first_ = 0;
  }
}

void Outbox::clear() {
  for (size_t i = first_; i < segments_.size(); ++i) release(segments_[i]);
  segments_.clear();
  first_ = 0;
  write_at_ = write_end_ = nullptr;
  pending_ = sending_bytes_ = 0;
}

void Outbox::release(Segment& segment) {
  if (segment.block != nullptr) segment.block->release();
  if (segment.chunk != nullptr) pool_.give(segment.chunk_size, segment.chunk);
  segment = {};
}

}  // namespace nuncio::net
