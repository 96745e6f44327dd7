// A counting semaphore. Not std::counting_semaphore: libstdc++'s can sleep for ever (gcc bug 104928, in
// Debian 12's gcc 12). post() takes no lock, so a thread of any priority may call it.
#pragma once

#include <semaphore.h>

#include <cerrno>
#include <chrono>

namespace nuncio::auth {

class Semaphore {
 public:
  Semaphore() { sem_init(&semaphore_, 0, 0); }
  ~Semaphore() { sem_destroy(&semaphore_); }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  void post() noexcept { sem_post(&semaphore_); }
  void wait() noexcept {
    while (sem_wait(&semaphore_) != 0 && errno == EINTR) {
    }
  }
  // False when `deadline` passed first.
  bool wait_until(std::chrono::steady_clock::time_point deadline) noexcept {
    const auto since_start = deadline.time_since_epoch();  // steady_clock is CLOCK_MONOTONIC
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_start);
    const timespec until{seconds.count(), std::chrono::nanoseconds(since_start - seconds).count()};
    int result;
    do {
      result = sem_clockwait(&semaphore_, CLOCK_MONOTONIC, &until);
    } while (result != 0 && errno == EINTR);
    return result == 0;
  }

 private:
  sem_t semaphore_;
};

}  // namespace nuncio::auth
