// What a turn, a message and a byte cost on each back end, over loopback TCP. The peers' calls run in the
// same thread and are part of the figure (BM_PeerOnly gives their share), so that nothing depends on how
// threads are placed.
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "core/assert.h"
#include "net/io.h"

namespace nuncio::net {

namespace {

enum BackEnd : int64_t { epoll, io_uring };

std::unique_ptr<Io> make(benchmark::State& state, const IoSettings& settings = {}) {
  std::string why_not;
  auto io = state.range(0) == epoll ? make_epoll(settings, why_not) : make_io_uring(settings, why_not);
  if (io == nullptr) {
    state.SkipWithError(why_not.c_str());
  } else {
    state.SetLabel(std::string(io->name()));
  }
  return io;
}

struct Ends {
  int ours;
  int peer;
};

Ends tcp_ends() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool is_connected = bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                            listen(listener, 1) == 0 &&
                            getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0 &&
                            connect(peer, reinterpret_cast<sockaddr*>(&address), length) == 0;
  NUNCIO_ASSERT(is_connected);
  const int ours = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  close(listener);
  const int on = 1;
  setsockopt(ours, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return {ours, peer};
}

void write_all(int fd, const char* data, size_t size) {
  const bool is_written = ::send(fd, data, size, 0) == static_cast<ssize_t>(size);
  NUNCIO_ASSERT(is_written);
}

void read_all(int fd, char* data, size_t size) {
  const bool is_read = ::recv(fd, data, size, MSG_WAITALL) == static_cast<ssize_t>(size);
  NUNCIO_ASSERT(is_read);
}

// An empty turn that does not wait.
void BM_IdleTurn(benchmark::State& state) {
  const auto io = make(state);
  if (io == nullptr) return;
  for (auto _ : state) benchmark::DoNotOptimize(io->wait(0).size());
}
BENCHMARK(BM_IdleTurn)->Arg(epoll)->Arg(io_uring);

// What the peers alone cost in BM_Echo: one end sends, the other receives, and back.
void BM_PeerOnly(benchmark::State& state) {
  const Ends ends = tcp_ends();
  char bytes[64] = {};
  for (auto _ : state) {
    write_all(ends.peer, bytes, sizeof bytes);
    read_all(ends.ours, bytes, sizeof bytes);
    write_all(ends.ours, bytes, sizeof bytes);
    read_all(ends.peer, bytes, sizeof bytes);
  }
  state.SetItemsProcessed(state.iterations());
  close(ends.ours);
  close(ends.peer);
}
BENCHMARK(BM_PeerOnly);

// 64 bytes from each of `connections` peers, echoed. Items are messages.
void BM_Echo(benchmark::State& state) {
  const auto io = make(state);
  if (io == nullptr) return;
  const auto connections = static_cast<Slot>(state.range(1));
  constexpr size_t size = 64;
  std::vector<Ends> ends;
  std::vector<std::string> outboxes(connections, std::string(size, '\0'));
  for (Slot slot = 0; slot < connections; ++slot) {
    ends.push_back(tcp_ends());
    io->open(slot, ends[slot].ours);
  }
  io->wait(0);
  int64_t turns = 0;
  char bytes[size] = {};
  for (auto _ : state) {
    for (const Ends& end : ends) write_all(end.peer, bytes, size);
    for (Slot sent = 0; sent < connections; ++turns) {
      for (const IoEvent& event : io->wait(-1)) {
        if (event.kind == IoEvent::Kind::sent) ++sent;
        if (event.kind != IoEvent::Kind::received) continue;
        std::string& outbox = outboxes[event.slot];
        if (outbox.size() == size) outbox.clear();
        outbox.append(event.data, event.size);
        if (outbox.size() < size) continue;  // split by the end of a receive buffer
        const iovec part{outbox.data(), outbox.size()};
        io->send(event.slot, &part, 1);
      }
    }
    for (const Ends& end : ends) read_all(end.peer, bytes, size);
  }
  state.SetItemsProcessed(state.iterations() * connections);
  state.counters["turns"] =
      benchmark::Counter(static_cast<double>(turns), benchmark::Counter::kAvgIterations);
  for (const Ends& end : ends) close(end.peer);
}
BENCHMARK(BM_Echo)->ArgsProduct({{epoll, io_uring}, {1, 16, 64, 256, 1000}});

// Chunks of 32 KiB from each of `connections` peers, received and read once, with `receive_buffers` buffers.
void BM_ReceiveBulk(benchmark::State& state) {
  const auto connections = static_cast<Slot>(state.range(1));
  const auto io = make(state, {.receive_buffers = static_cast<uint32_t>(state.range(2))});
  if (io == nullptr) return;
  const std::string chunk(32 * 1024, 'x');
  std::vector<Ends> ends;
  for (Slot slot = 0; slot < connections; ++slot) {
    ends.push_back(tcp_ends());
    io->open(slot, ends[slot].ours);
  }
  io->wait(0);
  for (auto _ : state) {
    for (const Ends& end : ends) write_all(end.peer, chunk.data(), chunk.size());
    for (size_t left = connections * chunk.size(); left > 0;) {
      for (const IoEvent& event : io->wait(-1)) {
        left -= event.size;
        benchmark::DoNotOptimize(std::accumulate(event.data, event.data + event.size, 0u));
      }
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(connections * chunk.size()));
  for (const Ends& end : ends) close(end.peer);
}
BENCHMARK(BM_ReceiveBulk)->ArgsProduct({{epoll, io_uring}, {1, 16}, {8, 32}});

// A wake-up by the thread itself and the turn it ends.
void BM_Wake(benchmark::State& state) {
  const auto io = make(state);
  if (io == nullptr) return;
  for (auto _ : state) {
    io->wake();
    benchmark::DoNotOptimize(io->wait(-1).size());
  }
}
BENCHMARK(BM_Wake)->Arg(epoll)->Arg(io_uring);

// Opening and closing a connection whose peer says nothing.
void BM_OpenClose(benchmark::State& state) {
  const auto io = make(state);
  if (io == nullptr) return;
  for (auto _ : state) {
    state.PauseTiming();
    const Ends ends = tcp_ends();
    state.ResumeTiming();
    io->open(0, ends.ours);
    io->wait(0);
    io->close(0);
    while (io->wait(-1).empty()) {
    }
    state.PauseTiming();
    close(ends.peer);
    state.ResumeTiming();
  }
}
BENCHMARK(BM_OpenClose)->Arg(epoll)->Arg(io_uring)->Iterations(5000);

}  // namespace

}  // namespace nuncio::net
