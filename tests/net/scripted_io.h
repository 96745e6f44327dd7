// The third back end: an Io that a test drives by hand. Nothing happens by itself but what the test has not
// held back: sends go out whole in the next wait(), closes are reported in the next wait(). The test injects
// what peers do (bytes, their end, resets), holds sends and closes back and releases them later in any
// portion and order, and limits how much one wait() may report, as a ring that runs out of buffers does.
//
// Received bytes lie in memory of their own size (plus io_padding) that the next wait() frees, so that
// AddressSanitizer sees a read too far or too late. Misuse of the contract in io.h ends the test program.
// Any thread may call; wait() sleeps only after sleep_in_wait().
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "net/io.h"

namespace nuncio::net {

class ScriptedIo final : public Io {
 public:
  ScriptedIo() = default;
  ~ScriptedIo() override;

  // --- what peers do: reported by wait(), in this order, once the slot is open and not paused ---
  void receive(Slot slot, std::string_view bytes);
  void end_of_stream(Slot slot);
  void fail_receive(Slot slot, int error);
  // Both directions die: a send under way and all later ones fail with `error`, and so does the receive.
  void reset(Slot slot, int error = ECONNRESET);

  // --- what the kernel does ---
  void hold_sends(Slot slot);  // from now on sends of the slot go out only as far as let_out() says
  void let_out(Slot slot, uint32_t size);       // `size` more bytes may go out: short writes, slow peers
  void fail_send(Slot slot, int error);         // ends the send under way, or the next one
  void release_sends(Slot slot);                // no longer held
  void hold_close(Slot slot);                   // the last completion comes late:
  void release_close(Slot slot);                // `closed` only after this
  void limit_received(size_t events_per_wait);  // the rest stays for the next wait(): out of buffers

  // --- what was asked for; sizes and bytes are what the peer has got so far ---
  bool is_open(Slot slot) const;
  bool is_paused(Slot slot) const;
  bool is_close_wanted(Slot slot) const;
  bool is_send_under_way(Slot slot) const;
  bool has_fin(Slot slot) const;  // shutdown_send() was carried out
  std::string sent(Slot slot) const;
  std::string take_sent(Slot slot);  // and forgets it
  uint32_t sends(Slot slot) const;   // how many send() calls there were
  std::vector<size_t> parts_of_sends(Slot slot) const;
  uint64_t waits() const;
  uint64_t wakes() const;
  int64_t last_timeout_ns() const;  // of the latest wait()

  // wait() sleeps until there is something to report, wake() or its timeout, for a worker on a thread of its
  // own.
  void sleep_in_wait();

  // --- Io ---
  void open(Slot slot, int socket) override;  // a negative socket is allowed: there need not be one
  void send(Slot slot, const iovec* parts, unsigned count) override;
  void pause_receive(Slot slot) override;
  void resume_receive(Slot slot) override;
  void shutdown_send(Slot slot) override;
  void close(Slot slot) override;
  std::span<const IoEvent> wait(int64_t timeout_ns) override;
  void wake() override;
  std::string_view name() const override { return "scripted"; }

 private:
  struct Incoming {
    IoEvent::Kind kind;
    std::string bytes;
    int error = 0;
  };
  struct State {
    int socket = -1;
    bool is_open = false, is_paused = false, is_close_wanted = false, is_fin_wanted = false, has_fin = false;
    bool has_ended = false, is_sending = false, are_sends_held = false, is_close_held = false;
    int send_error = 0;        // of the send under way or the next one
    bool is_dead = false;      // after a reset: send_error stays
    std::vector<iovec> parts;  // what is left of the send under way
    uint32_t done = 0;         // bytes of it that went out
    uint64_t let_out = 0;
    std::string sent;
    std::vector<size_t> parts_of_sends;
    std::deque<Incoming> incoming;
  };

  State& open_state(Slot slot);
  const State& state(Slot slot) const;
  void collect();
  void collect_send(Slot slot, State& s);
  void collect_received(Slot slot, State& s, size_t& received);
  void collect_close(Slot slot, State& s);
  void go_out(State& s);
  void end_send(Slot slot, State& s, int error);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Slot, State> slots_;
  Slot first_ = 0;  // who is served first: goes round, so that a limit starves nobody
  std::vector<IoEvent> events_;
  std::vector<std::unique_ptr<char[]>> chunks_;  // behind the events of the latest wait()
  size_t received_max_ = SIZE_MAX;
  bool is_sleeping_allowed_ = false;
  bool is_woken_ = false;
  uint64_t waits_ = 0, wakes_ = 0;
  int64_t last_timeout_ns_ = 0;
};

}  // namespace nuncio::net
