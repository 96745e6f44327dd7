#include "net/send_pool.h"

#include <algorithm>
#include <limits>

#include "core/assert.h"

namespace nuncio::net {

Send* SendPool::acquire(const iovec* parts, unsigned count) {
  NUNCIO_ASSERT(count >= 1 && count <= Send::parts_max);
  if (free_.empty()) grow();
  Send* send = free_.back();
  free_.pop_back();
  send->done = 0;
  send->first = 0;
  send->count = count;
  std::copy_n(parts, count, send->parts);
  uint64_t total = 0;
  for (unsigned i = 0; i < count; ++i) total += parts[i].iov_len;
  NUNCIO_DEBUG_ASSERT(total > 0 && total <= std::numeric_limits<uint32_t>::max());
  send->total = static_cast<uint32_t>(total);
  return send;
}

void SendPool::grow() {
  constexpr size_t chunk = 16;
  chunks_.push_back(std::make_unique<Send[]>(chunk));
  free_.reserve(chunks_.size() * chunk);  // release() never allocates
  for (size_t i = chunk; i-- > 0;) free_.push_back(&chunks_.back()[i]);
}

void Send::advance(uint32_t size) {
  done += size;
  while (first < count && size >= parts[first].iov_len) {
    size -= static_cast<uint32_t>(parts[first].iov_len);
    ++first;
  }
  if (size == 0) return;
  parts[first].iov_base = static_cast<char*>(parts[first].iov_base) + size;
  parts[first].iov_len -= size;
}

msghdr* Send::rest() {
  message = msghdr{};
  message.msg_iov = parts + first;
  message.msg_iovlen = count - first;
  return &message;
}

}  // namespace nuncio::net
