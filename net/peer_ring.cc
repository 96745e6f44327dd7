#include "net/peer_ring.h"

#include <cstring>

#include "core/assert.h"

namespace nuncio::net {
namespace {

// Lines of the ring come from the other core: asked for this far ahead they are there in time.
constexpr uint64_t prefetch_bytes = 512;

constexpr uint64_t aligned(uint64_t size) {
  return (size + 7) & ~uint64_t{7};
}

}  // namespace

PeerRing::PeerRing(uint32_t capacity) : capacity_(capacity), memory_(new char[capacity]) {
  NUNCIO_ASSERT(capacity >= 4096 && (capacity & (capacity - 1)) == 0);
}

char* PeerRing::reserve(uint32_t size, uint32_t weight) {
  const uint64_t need = aligned(sizeof(Header) + size);
  const uint64_t offset = tail_ & (capacity_ - 1);
  const uint64_t padding = offset + need > capacity_ ? capacity_ - offset : 0;
  if (tail_ + padding + need - head_seen_ > capacity_) {
    head_seen_ = head_published_.load(std::memory_order_acquire);
    if (tail_ + padding + need - head_seen_ > capacity_) return nullptr;
  }
  if (weight != 0) {
    const uint64_t held = weight_written_ - weight_released_.load(std::memory_order_acquire);
    if (held != 0 && held + weight > weight_max) return nullptr;
  }
  if (padding != 0) {
    const Header skip{static_cast<uint32_t>(padding), pad};
    std::memcpy(memory_.get() + offset, &skip, sizeof(skip));
  }
  char* record = memory_.get() + ((tail_ + padding) & (capacity_ - 1));
  __builtin_prefetch(memory_.get() + ((tail_ + prefetch_bytes) & (capacity_ - 1)), 1);
  const Header header{static_cast<uint32_t>(need), weight};
  std::memcpy(record, &header, sizeof(header));
  tail_reserved_ = tail_ + padding + need;
  weight_reserved_ = weight_written_ + weight;
  return record + sizeof(Header);
}

void PeerRing::commit() {
  tail_ = tail_reserved_;
  weight_written_ = weight_reserved_;
}

bool PeerRing::publish() {
  if (tail_published_.load(std::memory_order_relaxed) == tail_) return false;
  // Sequentially consistent against the sleeper's flag: see Worker::sleep.
  tail_published_.store(tail_, std::memory_order_seq_cst);
  return true;
}

char* PeerRing::spill(uint32_t size, uint32_t weight) {
  spilled_.push_back({std::string(size, '\0'), weight});
  return spilled_.back().record.data();
}

bool PeerRing::retry_spill() {
  head_seen_ = head_published_.load(std::memory_order_acquire);
  if (tail_ - head_seen_ > capacity_ / 2) return spilled_.empty();
  while (!spilled_.empty()) {
    const std::string& record = spilled_.front().record;
    char* to = reserve(static_cast<uint32_t>(record.size()), spilled_.front().weight);
    if (to == nullptr) return false;
    std::memcpy(to, record.data(), record.size());
    commit();
    spilled_.pop_front();
  }
  return true;
}

void PeerRing::begin_read() {
  read_at_ = head_;
  read_end_ = tail_published_.load(std::memory_order_acquire);
}

const char* PeerRing::next() {
  while (read_at_ != read_end_) {
    const char* record = memory_.get() + (read_at_ & (capacity_ - 1));
    __builtin_prefetch(memory_.get() + ((read_at_ + prefetch_bytes) & (capacity_ - 1)));
    Header header;
    std::memcpy(&header, record, sizeof(header));
    read_at_ += header.size;
    if (header.weight == pad) continue;
    weight_read_ += header.weight;
    return record + sizeof(Header);
  }
  return nullptr;
}

void PeerRing::discard(const std::function<void(const char*)>& visit) {
  publish();
  begin_read();
  while (const char* record = next()) visit(record);
  finish_read();
  for (const Spilled& each : spilled_) visit(each.record.data());
  spilled_.clear();
}

void PeerRing::finish_read() {
  if (head_ == read_at_) return;
  head_ = read_at_;
  head_published_.store(head_, std::memory_order_release);
  weight_released_.store(weight_read_, std::memory_order_release);
}

}  // namespace nuncio::net
