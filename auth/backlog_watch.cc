#include "auth/backlog_watch.h"

namespace nuncio::auth {
namespace {

constexpr auto look_every = std::chrono::milliseconds(250);
constexpr auto stuck_after = std::chrono::milliseconds(500);  // without any result

}  // namespace

BacklogWatch::BacklogWatch(size_t threads, Time now, std::chrono::nanoseconds cpu_time)
    : threads_(threads), progress_at_(now), looked_at_(now), cpu_time_then_(cpu_time) {}

BacklogWatch::Time BacklogWatch::next_look() const {
  return looked_at_ + look_every;
}

void BacklogWatch::look(Time now, std::chrono::nanoseconds cpu_time) {
  const auto could_use = (now - looked_at_) * threads_;
  is_stuck_ = cpu_time - cpu_time_then_ < could_use / 2 || now - progress_at_ >= stuck_after;
  looked_at_ = now;
  cpu_time_then_ = cpu_time;
}

}  // namespace nuncio::auth
