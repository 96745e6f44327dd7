// For tests of the back ends: sockets to drive them with, and a driver that runs the turns, keeps what each
// slot reported and checks what io.h promises of every event (`closed` once and last, no `received` after
// close(), at most one `sent` per send, readable padding).
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "net/io.h"

namespace nuncio::net {

// Two connected ends; `ours` is non-blocking and goes to an Io, `peer` is the test's. Closes `peer`, if still
// open.
struct SocketPair {
  int ours = -1;
  int peer = -1;

  SocketPair(int ours_fd, int peer_fd) : ours(ours_fd), peer(peer_fd) {}
  SocketPair(SocketPair&& other) noexcept : ours(other.ours), peer(std::exchange(other.peer, -1)) {}
  SocketPair& operator=(SocketPair&&) = delete;
  ~SocketPair() { close_peer(); }
  void close_peer();
  void reset_peer();                         // close with RST
  void write(std::string_view bytes) const;  // all of it, blocking
  std::string read(size_t size) const;       // exactly that many, blocking; fewer at the end of the stream
  bool peer_sees_end() const;                // blocking read gives 0
};

SocketPair tcp_pair();
// With the smallest buffers the kernel grants, so that sends of a few KiB block.
SocketPair tcp_pair_with_small_buffers();
SocketPair unix_pair();

int open_descriptors();

class IoDriver {
 public:
  struct SlotLog {
    std::string received;
    uint32_t received_events = 0;
    uint32_t opened = 0, closed = 0;
    uint32_t sends = 0, sent_events = 0;
    uint64_t sent_bytes = 0;
    int send_error = 0;
    bool has_ended = false;  // end_of_stream or receive_failed
    int receive_error = 0;
    bool is_open = false, is_closing = false;
  };

  explicit IoDriver(Io& io) : io_(io) {}

  void open(Slot slot, int socket);
  void send(Slot slot, std::string_view bytes);  // the bytes must stay
  void send(Slot slot, const iovec* parts, unsigned count);
  void close(Slot slot);

  // Called for every event after it was noted; may ask the driver for more.
  std::function<void(const IoEvent&)> on_event;

  size_t turn(int64_t timeout_ns);                       // one wait(); returns the number of events
  bool run_until(const std::function<bool()>& reached);  // turns until then; false after 20 s
  SlotLog& operator[](Slot slot) { return slots_[slot]; }

 private:
  void note(const IoEvent& event);

  Io& io_;
  std::map<Slot, SlotLog> slots_;
};

}  // namespace nuncio::net
