// A published immutable value: one writer swaps it, each worker keeps its own reference and notices a swap by
// one atomic load a turn. Reading takes no lock; only picking up a new value does, briefly.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

namespace nuncio::auth {

template <typename T>
class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const T> first) : current_(std::move(first)) {}

  // Any thread. Readers see it at their next refresh().
  void publish(std::shared_ptr<const T> next) {
    const std::lock_guard lock(mutex_);
    current_ = std::move(next);
    version_.fetch_add(1, std::memory_order_release);
  }

  // One reader's reference; belongs to one thread.
  class Reader {
   public:
    explicit Reader(const Snapshot& source) : source_(source) { refresh(); }
    // Picks up what was published last; true when it is another value than before.
    bool refresh() {
      const uint64_t version = source_.version_.load(std::memory_order_acquire);
      if (version == version_) [[likely]]
        return false;
      const std::lock_guard lock(source_.mutex_);
      value_ = source_.current_;
      version_ = source_.version_.load(std::memory_order_relaxed);
      return true;
    }
    const T& operator*() const { return *value_; }
    const T* operator->() const { return value_.get(); }
    std::shared_ptr<const T> share() const { return value_; }

   private:
    const Snapshot& source_;
    std::shared_ptr<const T> value_;
    uint64_t version_ = 0;
  };

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> current_;
  std::atomic<uint64_t> version_{1};
};

}  // namespace nuncio::auth
