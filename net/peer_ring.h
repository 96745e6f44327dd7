// Messages from one worker to another: a bounded single-producer single-consumer ring of variable-length
// records. Records are written in place and become visible together when the producer publishes, once a turn;
// the consumer reads them in place too. What does not fit waits in the producer's spill (I6), behind which
// later records queue.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

namespace nuncio::net {

class PeerRing {
 public:
  explicit PeerRing(uint32_t capacity);  // bytes, a power of two; memory is touched only as it is used

  // Producer: room for a record of `size` bytes, 8-byte aligned, null when it does not fit now. `weight`:
  // bytes the record refers to outside of the ring, which are bounded in sum too. commit() follows, in order.
  char* reserve(uint32_t size, uint32_t weight);
  void commit();
  // Producer: makes all committed records visible. True when there was something new.
  bool publish();
  // Producer: keeps a record until there is room; arguments as for reserve(). Always succeeds, and commits.
  char* spill(uint32_t size, uint32_t weight);
  bool has_spill() const { return !spilled_.empty(); }
  size_t spill_size() const { return spilled_.size(); }
  // Producer: once half of the ring is free, moves spilled records into it as far as they fit; true when none
  // is left. Not before, or a producer that is faster would stop and go for every record.
  bool retry_spill();

  // Consumer: marks what is readable now; next() then returns those records one by one, null at the end of
  // them. They stay valid until finish_read() releases all that were returned.
  void begin_read();
  const char* next();
  void finish_read();
  // Consumer: published records are waiting.
  bool is_empty() const { return tail_published_.load(std::memory_order_seq_cst) == head_; }

  // When both threads have ended: shows `visit` each record that was never read.
  void discard(const std::function<void(const char*)>& visit);

 private:
  struct Header {
    uint32_t size;    // of the record with this header, a multiple of 8
    uint32_t weight;  // or `pad`: nothing in it, skip to the start of the ring
  };
  struct Spilled {
    std::string record;
    uint32_t weight;
  };
  static constexpr uint32_t pad = UINT32_MAX;
  static constexpr uint64_t weight_max = 512 * 1024;  // one record of any weight fits into an empty ring

  uint32_t capacity_;
  std::unique_ptr<char[]> memory_;
  // Producer's side.
  alignas(128) uint64_t tail_ = 0;  // written so far
  uint64_t tail_reserved_ = 0;
  uint64_t head_seen_ = 0;
  uint64_t weight_written_ = 0;
  uint64_t weight_reserved_ = 0;
  std::deque<Spilled> spilled_;
  // Consumer's side.
  alignas(128) uint64_t head_ = 0;  // released so far
  uint64_t read_at_ = 0;
  uint64_t read_end_ = 0;
  uint64_t weight_read_ = 0;
  alignas(128) std::atomic<uint64_t> tail_published_{0};
  alignas(128) std::atomic<uint64_t> head_published_{0};
  std::atomic<uint64_t> weight_released_{0};
};

}  // namespace nuncio::net
