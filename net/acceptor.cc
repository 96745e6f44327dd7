#include "net/acceptor.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "core/log.h"
#include "net/server.h"
#include "net/worker.h"

namespace nuncio::net {
namespace {

constexpr int accepts_per_turn = 64;    // OP-39: an accept storm comes in pieces
constexpr int pause_ms = 100;           // without descriptors, until the next try
constexpr uint32_t refused_max = 1000;  // connections beyond the limit that are still told so

}  // namespace

Acceptor::Acceptor(Server& server) : server_(server), state_(server.state) {}

Acceptor::~Acceptor() {
  stop();
}

std::string Acceptor::listen(const std::string& host, int port) {
  const std::string where = fmt::format("{}:{}", host, port);
  const std::string service = std::to_string(port < 0 ? 0 : port);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), service.c_str(), &hints, &found); error != 0) {
    return fmt::format("cannot listen on {}: {}", where, gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> address(found, freeaddrinfo);
  const int on = 1;
  listener_ = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener_ >= 0) setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (listener_ < 0 || bind(listener_, address->ai_addr, address->ai_addrlen) != 0 ||
      ::listen(listener_, 4096) != 0) {
    return fmt::format("cannot listen on {}: {}", where, std::strerror(errno));
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&bound), &size);
  port_ = ntohs(bound.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(bound).sin_port
                                           : reinterpret_cast<sockaddr_in6&>(bound).sin6_port);
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  stop_event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll_ < 0 || stop_event_ < 0)
    return fmt::format("cannot listen on {}: {}", where, std::strerror(errno));
  for (const int descriptor : {listener_, stop_event_}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  }
  return {};
}

void Acceptor::start() {
  thread_ = std::thread([this] { run(); });
}

void Acceptor::stop() {
  if (thread_.joinable()) {
    eventfd_write(stop_event_, 1);
    thread_.join();
  }
  for (int* descriptor : {&listener_, &epoll_, &stop_event_}) {
    if (*descriptor >= 0) close(*descriptor);
    *descriptor = -1;
  }
}

void Acceptor::run() {
  pthread_setname_np(pthread_self(), "acceptor");
  for (;;) {
    epoll_event events[2];
    const int count = epoll_wait(epoll_, events, 2, -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == stop_event_) return;
    }
    if (accept_some()) continue;
    // Out of descriptors: the listener stays readable, so wait for the stop event alone, for a while.
    epoll_event off{};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, listener_, &off);
    if (epoll_wait(epoll_, events, 1, pause_ms) > 0) return;
    off.events = EPOLLIN;
    off.data.fd = listener_;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, listener_, &off);
  }
}

// False when accepting has to pause.
bool Acceptor::accept_some() {
  for (int i = 0; i < accepts_per_turn; ++i) {
    sockaddr_storage from{};
    socklen_t size = sizeof(from);
    const int socket =
        accept4(listener_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket >= 0) {
      is_out_of_descriptors_ = false;
      hand_over(socket, from);
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      if (!is_out_of_descriptors_) log::error("Accepting clients pauses: {}", std::strerror(errno));
      is_out_of_descriptors_ = true;
      return false;
    }
    if (errno == EAGAIN) return true;  // other errors belong to one connection that is gone already
  }
  return true;
}

void Acceptor::hand_over(int socket, const sockaddr_storage& from) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  state_.refresh();
  const Reason refusal = admit();
  const bool is_refused = refusal != Reason::none;
  if (is_refused && server_.refused.load(std::memory_order_relaxed) >= refused_max) {
    close(socket);
    return;
  }
  // Only this thread counts up.
  (is_refused ? server_.refused : server_.connections).fetch_add(1, std::memory_order_relaxed);
  Worker& worker = least_loaded();
  worker.load.fetch_add(1, std::memory_order_relaxed);
  worker.post(NewSocket{socket, Address(from), ++last_id_, refusal});
}

// Why the next connection cannot stay, or none. Where plain text is allowed, its first byte says whether it
// counts as a handshake at all: ConnectionTls counts it then.
Reason Acceptor::admit() {
  const Options& options = state_->options;
  if (server_.connections.load(std::memory_order_relaxed) >= options.connections_max)
    return Reason::connections_exceeded;
  if (!options.tls || options.allow_non_tls) return Reason::none;
  return server_.handshake_rate.admits(options.tls->handshakes_per_second) ? Reason::none
                                                                           : Reason::connections_throttled;
}

Worker& Acceptor::least_loaded() const {
  Worker* best = &server_.worker(0);
  for (unsigned id = 1; id < server_.workers_count; ++id) {
    Worker& worker = server_.worker(id);
    if (worker.load.load(std::memory_order_relaxed) < best->load.load(std::memory_order_relaxed))
      best = &worker;
  }
  return *best;
}

}  // namespace nuncio::net
