// Storage of the sends under way: the copied array of parts and how far it has got. The kernel may look at it
// until the send is over, so addresses are stable; used-up ones are handed out again first, while they are in
// the cache. Grows to the greatest number of sends ever under way at once, then allocates nothing. Owned by
// one worker.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace nuncio::net {

struct Send {
  static constexpr unsigned parts_max = 64;

  uint32_t done = 0;   // bytes that went out
  uint32_t total = 0;  // bytes asked for
  unsigned first = 0;  // parts before this one are out
  unsigned count = 0;
  msghdr message{};
  iovec parts[parts_max];

  bool is_complete() const { return done == total; }
  bool is_single() const { return first + 1 == count; }

  // Notes that `size` more bytes went out.
  void advance(uint32_t size);

  // The header for sendmsg over what is left; valid until the next advance().
  msghdr* rest();
};

class SendPool {
 public:
  // A send of `count` parts (1 … parts_max). Release it when it is over.
  Send* acquire(const iovec* parts, unsigned count);
  void release(Send* send) { free_.push_back(send); }

 private:
  void grow();

  std::vector<std::unique_ptr<Send[]>> chunks_;
  std::vector<Send*> free_;
};

}  // namespace nuncio::net
