// Deferred freeing for memory that other threads may still be reading (I3). Each participant (a worker) is
// online while it works and offline while it sleeps; what one of them retires is freed by it once every
// participant that was online then has been offline or come round since. Nobody ever waits for anybody.
// std::atomic only, no fences, so that ThreadSanitizer understands it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace nuncio {

class Epochs {
 public:
  explicit Epochs(unsigned participants);
  ~Epochs();  // all participants must be offline for good; frees everything
  Epochs(const Epochs&) = delete;
  Epochs& operator=(const Epochs&) = delete;

  // Thread of participant `p`: begins a turn. Pointers to shared memory read from here on stay valid until
  // the next online() or offline() of p. Also frees what p retired long enough ago, at most
  // `freed_per_turn_max` pieces.
  void online(unsigned p);
  void offline(unsigned p);

  // Thread of participant `p`, online: `memory`, already unreachable for new readers, is freed by `free_it`
  // later, on the thread of p. Allocates now and then; never waits.
  void retire(unsigned p, void* memory, void (*free_it)(void*));

  // Bytes are not known here; the number of retired pieces that still wait. Any thread.
  size_t retired_count() const;

  // So that a turn stays short however much was retired at once: 2,000 frees of memory no cache holds take up
  // to half a millisecond. It is twice what a connection with literal subjects retires in a turn of its
  // closing.
  static constexpr size_t freed_per_turn_max = 2048;

 private:
  struct Retired {
    void* memory;
    void (*free_it)(void*);
  };
  struct Participant;

  void collect(unsigned p);
  bool is_grace_over(const Participant& own, unsigned p) const;
  void begin_grace(Participant& own, unsigned p);

  unsigned participants_count_;
  std::unique_ptr<Participant[]> participants_;
};

}  // namespace nuncio
