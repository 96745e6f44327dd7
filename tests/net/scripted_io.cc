#include "tests/net/scripted_io.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "core/assert.h"

namespace nuncio::net {

std::span<const IoEvent> ScriptedIo::wait(int64_t timeout_ns) {
  std::unique_lock lock(mutex_);
  ++waits_;
  last_timeout_ns_ = timeout_ns;
  events_.clear();
  chunks_.clear();
  const auto has_something = [this] {
    collect();
    return !events_.empty() || is_woken_;
  };
  if (!is_sleeping_allowed_ || timeout_ns == 0) {
    has_something();
  } else if (timeout_ns < 0) {
    changed_.wait(lock, has_something);
  } else {
    changed_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), has_something);
  }
  is_woken_ = false;
  return events_;
}

void ScriptedIo::collect() {
  size_t received = 0;
  for (auto& [slot, s] : slots_) {
    if (s.is_open) collect_send(slot, s);
  }
  auto at = slots_.lower_bound(first_);
  for (size_t i = 0; i < slots_.size(); ++i, ++at) {
    if (at == slots_.end()) at = slots_.begin();
    if (received == received_max_) break;
    if (at->second.is_open) collect_received(at->first, at->second, received);
    first_ = at->first + 1;
  }
  for (auto& [slot, s] : slots_) {
    if (s.is_open) collect_close(slot, s);
  }
}

void ScriptedIo::collect_send(Slot slot, State& s) {
  if (s.is_sending) {
    go_out(s);
    if (s.parts.empty()) {
      end_send(slot, s, 0);
    } else if (s.send_error != 0) {
      end_send(slot, s, s.send_error);
      if (!s.is_dead) s.send_error = 0;
    }
  }
  if (s.is_fin_wanted && !s.is_sending) s.has_fin = true;
}

void ScriptedIo::go_out(State& s) {
  if (s.send_error != 0) return;
  uint64_t room = s.are_sends_held ? s.let_out : UINT64_MAX;
  while (room > 0 && !s.parts.empty()) {
    iovec& part = s.parts.front();
    const auto size = static_cast<size_t>(std::min<uint64_t>(room, part.iov_len));
    s.sent.append(static_cast<const char*>(part.iov_base), size);
    s.done += static_cast<uint32_t>(size);
    room -= size;
    if (s.are_sends_held) s.let_out -= size;
    part.iov_base = static_cast<char*>(part.iov_base) + size;
    part.iov_len -= size;
    if (part.iov_len == 0) s.parts.erase(s.parts.begin());
  }
}

void ScriptedIo::end_send(Slot slot, State& s, int error) {
  events_.push_back({IoEvent::Kind::sent, slot, error, s.done, nullptr});
  s.is_sending = false;
  s.parts.clear();
}

void ScriptedIo::collect_received(Slot slot, State& s, size_t& received) {
  while (!s.incoming.empty() && !s.is_paused && !s.is_close_wanted && !s.has_ended &&
         received < received_max_) {
    const Incoming incoming = std::move(s.incoming.front());
    s.incoming.pop_front();
    IoEvent event{incoming.kind, slot, incoming.error, static_cast<uint32_t>(incoming.bytes.size()), nullptr};
    if (incoming.kind == IoEvent::Kind::received) {
      ++received;
      chunks_.push_back(std::make_unique<char[]>(incoming.bytes.size() + io_padding));
      event.data = chunks_.back().get();
      std::memcpy(event.data, incoming.bytes.data(), incoming.bytes.size());
    } else {
      s.has_ended = true;
    }
    events_.push_back(event);
  }
}

void ScriptedIo::collect_close(Slot slot, State& s) {
  if (!s.is_close_wanted || s.is_close_held) return;
  if (s.is_sending) end_send(slot, s, ECANCELED);
  if (s.socket >= 0) ::close(s.socket);
  s.socket = -1;
  s.is_open = false;
  events_.push_back({IoEvent::Kind::closed, slot, 0, 0, nullptr});
}

void ScriptedIo::open(Slot slot, int socket) {
  const std::lock_guard lock(mutex_);
  State& s = slots_[slot];
  NUNCIO_ASSERT(!s.is_open);
  // What the test prepared for the slot before it was opened counts; the past of a closed one does not.
  const bool was_used = s.is_close_wanted;
  if (was_used) s = State{};
  s.is_open = true;
  s.socket = socket;
}

void ScriptedIo::send(Slot slot, const iovec* parts, unsigned count) {
  const std::lock_guard lock(mutex_);
  State& s = open_state(slot);
  NUNCIO_ASSERT(!s.is_sending && !s.is_fin_wanted && count >= 1 && count <= 64);
  s.is_sending = true;
  s.done = 0;
  s.parts.assign(parts, parts + count);
  std::erase_if(s.parts, [](const iovec& part) { return part.iov_len == 0; });
  NUNCIO_ASSERT(!s.parts.empty());
  s.parts_of_sends.push_back(count);
}

void ScriptedIo::pause_receive(Slot slot) {
  const std::lock_guard lock(mutex_);
  open_state(slot).is_paused = true;
}

void ScriptedIo::resume_receive(Slot slot) {
  const std::lock_guard lock(mutex_);
  open_state(slot).is_paused = false;
}

void ScriptedIo::shutdown_send(Slot slot) {
  const std::lock_guard lock(mutex_);
  open_state(slot).is_fin_wanted = true;
}

void ScriptedIo::close(Slot slot) {
  const std::lock_guard lock(mutex_);
  open_state(slot).is_close_wanted = true;
}

void ScriptedIo::wake() {
  const std::lock_guard lock(mutex_);
  ++wakes_;
  is_woken_ = true;
  changed_.notify_all();
}

void ScriptedIo::receive(Slot slot, std::string_view bytes) {
  NUNCIO_ASSERT(!bytes.empty());
  const std::lock_guard lock(mutex_);
  slots_[slot].incoming.push_back({IoEvent::Kind::received, std::string(bytes)});
  changed_.notify_all();
}

void ScriptedIo::end_of_stream(Slot slot) {
  const std::lock_guard lock(mutex_);
  slots_[slot].incoming.push_back({IoEvent::Kind::end_of_stream, {}});
  changed_.notify_all();
}

void ScriptedIo::fail_receive(Slot slot, int error) {
  const std::lock_guard lock(mutex_);
  slots_[slot].incoming.push_back({IoEvent::Kind::receive_failed, {}, error});
  changed_.notify_all();
}

void ScriptedIo::reset(Slot slot, int error) {
  fail_receive(slot, error);
  const std::lock_guard lock(mutex_);
  slots_[slot].send_error = error;
  slots_[slot].is_dead = true;
  changed_.notify_all();
}

void ScriptedIo::hold_sends(Slot slot) {
  const std::lock_guard lock(mutex_);
  slots_[slot].are_sends_held = true;
  slots_[slot].let_out = 0;
}

void ScriptedIo::let_out(Slot slot, uint32_t size) {
  const std::lock_guard lock(mutex_);
  slots_[slot].let_out += size;
  changed_.notify_all();
}

void ScriptedIo::fail_send(Slot slot, int error) {
  const std::lock_guard lock(mutex_);
  slots_[slot].send_error = error;
  changed_.notify_all();
}

void ScriptedIo::release_sends(Slot slot) {
  const std::lock_guard lock(mutex_);
  slots_[slot].are_sends_held = false;
  changed_.notify_all();
}

void ScriptedIo::hold_close(Slot slot) {
  const std::lock_guard lock(mutex_);
  slots_[slot].is_close_held = true;
}

void ScriptedIo::release_close(Slot slot) {
  const std::lock_guard lock(mutex_);
  slots_[slot].is_close_held = false;
  changed_.notify_all();
}

void ScriptedIo::limit_received(size_t events_per_wait) {
  const std::lock_guard lock(mutex_);
  received_max_ = events_per_wait;
}

void ScriptedIo::sleep_in_wait() {
  const std::lock_guard lock(mutex_);
  is_sleeping_allowed_ = true;
}

bool ScriptedIo::is_open(Slot slot) const {
  const std::lock_guard lock(mutex_);
  return state(slot).is_open;
}

bool ScriptedIo::is_paused(Slot slot) const {
  const std::lock_guard lock(mutex_);
  return state(slot).is_paused;
}

bool ScriptedIo::is_close_wanted(Slot slot) const {
  const std::lock_guard lock(mutex_);
  return state(slot).is_close_wanted;
}

bool ScriptedIo::is_send_under_way(Slot slot) const {
  const std::lock_guard lock(mutex_);
  return state(slot).is_sending;
}

bool ScriptedIo::has_fin(Slot slot) const {
  const std::lock_guard lock(mutex_);
  return state(slot).has_fin;
}

std::string ScriptedIo::sent(Slot slot) const {
  const std::lock_guard lock(mutex_);
  return state(slot).sent;
}

std::string ScriptedIo::take_sent(Slot slot) {
  const std::lock_guard lock(mutex_);
  return std::exchange(slots_[slot].sent, {});
}

uint32_t ScriptedIo::sends(Slot slot) const {
  const std::lock_guard lock(mutex_);
  return static_cast<uint32_t>(state(slot).parts_of_sends.size());
}

std::vector<size_t> ScriptedIo::parts_of_sends(Slot slot) const {
  const std::lock_guard lock(mutex_);
  return state(slot).parts_of_sends;
}

uint64_t ScriptedIo::waits() const {
  const std::lock_guard lock(mutex_);
  return waits_;
}

uint64_t ScriptedIo::wakes() const {
  const std::lock_guard lock(mutex_);
  return wakes_;
}

int64_t ScriptedIo::last_timeout_ns() const {
  const std::lock_guard lock(mutex_);
  return last_timeout_ns_;
}

ScriptedIo::State& ScriptedIo::open_state(Slot slot) {
  State& s = slots_[slot];
  NUNCIO_ASSERT(s.is_open && !s.is_close_wanted);
  return s;
}

const ScriptedIo::State& ScriptedIo::state(Slot slot) const {
  static const State never_used;
  const auto found = slots_.find(slot);
  return found == slots_.end() ? never_used : found->second;
}

ScriptedIo::~ScriptedIo() {
  for (const auto& [slot, s] : slots_) {
    if (s.socket >= 0) ::close(s.socket);
  }
}

}  // namespace nuncio::net
