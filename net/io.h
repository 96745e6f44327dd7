// What a worker needs of the operating system: sockets that receive and send, a wake-up from other threads, a
// wait with a time limit. io_uring and epoll implement it (and a scripted one for tests); nothing above knows
// which is there. All calls but wake() belong to the worker's thread; they only note what to do, wait()
// carries it out, in the order given, and reports completions.
//
// A slot is the worker's index of a connection. Between open() and its `closed` event a slot is never reused.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace nuncio::net {

using Slot = uint32_t;

struct IoEvent {
  enum class Kind : uint8_t {
    received,  // `data`, `size` > 0: valid, and `io_padding` bytes behind it readable, until the next wait()
    end_of_stream,   // the peer has finished sending; nothing is received any more
    receive_failed,  // `error`: errno of the receive (ECONNRESET …); nothing is received any more
    sent,   // the send of this slot is over: `size` bytes went out, `error` is 0 or the errno that ended it
    closed  // the descriptor is closed and the slot may be reused; always the last event of a slot
  };
  Kind kind;
  Slot slot;
  int error = 0;
  uint32_t size = 0;
  char* data = nullptr;
};

inline constexpr size_t io_padding = 64;

struct IoSettings {
  Slot slots_max = 65536;         // slots are below this
  uint32_t receive_buffers = 32;  // shared by all connections of this worker
  uint32_t receive_buffer_size = 64 * 1024;
};

class Io {
 public:
  virtual ~Io() = default;

  // Takes over a connected, non-blocking socket and starts to receive from it. The descriptor is closed by
  // close().
  virtual void open(Slot slot, int socket) = 0;

  // Starts to send all bytes of `parts` (count ≥ 1, at most 64; the array is copied, the bytes must stay
  // until the `sent` event). At most one send per slot may be under way. A send goes on until everything is
  // out or it fails: short writes are continued inside.
  virtual void send(Slot slot, const iovec* parts, unsigned count) = 0;

  // Stops and restarts receiving (backpressure). What was received already may still be reported after
  // pause().
  virtual void pause_receive(Slot slot) = 0;
  virtual void resume_receive(Slot slot) = 0;

  // Sends FIN; receiving goes on. For closing without losing what was sent to a peer that still talks
  // (CP-64).
  virtual void shutdown_send(Slot slot) = 0;

  // Ends the connection. A send under way is cut and reported (`sent` with an error or what went out) before
  // `closed`. Nothing is `received` for the slot after close() was called, apart from events of the current
  // batch.
  virtual void close(Slot slot) = 0;

  // Carries out what was asked for and returns completions, waiting up to `timeout_ns` (0: do not wait;
  // negative: no limit) when there are none. Returns early, perhaps with no events, after wake(). The span
  // and the received bytes are valid until the next call. At most about receive_buffers `received` events a
  // call.
  virtual std::span<const IoEvent> wait(int64_t timeout_ns) = 0;

  // Ends the current or the next wait(). Any thread; costs a system call, so wake only who sleeps.
  virtual void wake() = 0;

  virtual std::string_view name() const = 0;  // "io_uring" or "epoll"
};

// Creates a back end for the calling thread, which becomes its owner and also destroys it (open sockets are
// closed). make_io_uring returns null with `why_not` set when this kernel or sandbox does not offer what it
// needs (found by trying, not by version).
std::unique_ptr<Io> make_io_uring(const IoSettings&, std::string& why_not);
std::unique_ptr<Io> make_epoll(const IoSettings&, std::string& why_not);  // null when descriptors are out

}  // namespace nuncio::net
