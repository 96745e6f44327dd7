#include "bench/load/connection.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "bench/load/clock.h"
#include "bench/load/failure.h"

namespace nuncio::load {

Connection::Connection(const Target& target)
    : socket_(open_socket(target.endpoint, true)), timeout_ns_(target.timeout_ns) {
  const std::string info = read_line();
  if (!info.starts_with("INFO ")) throw Failure(fmt::format("expected INFO, got: {}", info));
  const auto fields = nlohmann::json::parse(info.substr(5), nullptr, false);
  const bool is_required = fields.is_object() && fields.value("tls_required", false);
  const bool is_available = fields.is_object() && fields.value("tls_available", false);
  if (is_required && !target.tls) throw Failure("the server wants TLS");
  if (target.tls && !is_required && !is_available) throw Failure("the server does not offer TLS");
  if (target.tls) secure(*target.tls);

  send(login_lines(target.credentials));
  for (std::string line = read_line(); line != "PONG"; line = read_line()) {
    if (line.starts_with("-ERR")) throw Failure(fmt::format("login refused: {}", line));
  }
}

void Connection::secure(TlsClient& client) {
  if (!received_.empty()) throw Failure("the server went on in plain text after its INFO");
  tls_ = client.open(fd());
  while (!tls_->handshake()) wait_for(POLLIN);
}

void Connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t n = send_some(bytes);
    bytes.remove_prefix(n);
    if (n == 0) wait_for(POLLOUT);
  }
  while (tls_ && !tls_->flush()) wait_for(POLLOUT);
}

size_t Connection::send_some(std::string_view bytes) {
  if (tls_) return tls_->write(bytes);
  const ssize_t n = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n >= 0) return static_cast<size_t>(n);
  if (errno == EAGAIN || errno == EINTR) return 0;
  throw Failure(fmt::format("send: {}", std::strerror(errno)));
}

void Connection::flush() {
  send("PING\r\n");
  for (std::string line = read_line(); line != "PONG"; line = read_line()) {
    if (line.starts_with("-ERR")) throw Failure(line);
  }
}

std::string Connection::read_line() {
  for (;;) {
    std::string line = take_line();
    if (line == "PING") {
      send("PONG\r\n");
      continue;
    }
    if (!line.empty()) return line;

    std::array<char, 16384> chunk;
    const std::string_view arrived = receive_from_socket(chunk);
    if (arrived.empty()) wait_for(POLLIN);
    received_ += arrived;
  }
}

std::string_view Connection::try_receive(std::span<char> buffer) {
  if (received_.empty()) return receive_from_socket(buffer);
  // Rare: bytes that came together with the login's PONG.
  const size_t n = received_.copy(buffer.data(), buffer.size());
  received_.erase(0, n);
  return {buffer.data(), n};
}

std::string_view Connection::receive_from_socket(std::span<char> buffer) {
  if (tls_) return tls_->read(buffer);
  const ssize_t n = recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n > 0) return {buffer.data(), static_cast<size_t>(n)};
  if (n == 0) throw Failure("the server closed the connection");
  if (errno != EAGAIN && errno != EINTR) throw Failure(fmt::format("recv: {}", std::strerror(errno)));
  return {};
}

bool Connection::wait_readable(int wait_ms) {
  if (has_unread()) return true;
  pollfd waiting{fd(), POLLIN, 0};
  return poll(&waiting, 1, wait_ms) > 0;
}

std::string Connection::take_line() {
  const size_t end = received_.find("\r\n");
  if (end == std::string::npos) return {};
  std::string line = received_.substr(0, end);
  received_.erase(0, end + 2);
  return line;
}

void Connection::wait_for(short events) {
  pollfd waiting{fd(), events, 0};
  if (poll(&waiting, 1, static_cast<int>(timeout_ns_ / ns_per_ms)) == 0)
    throw Failure("the server did not answer in time");
}

Endpoint resolve(const Url& url) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
  if (error != 0) throw Failure(fmt::format("{}: {}", url.host, gai_strerror(error)));
  Endpoint endpoint;
  std::memcpy(&endpoint.address, found->ai_addr, found->ai_addrlen);
  endpoint.address_bytes = found->ai_addrlen;
  freeaddrinfo(found);
  return endpoint;
}

Socket open_socket(const Endpoint& endpoint, bool is_blocking) {
  const int kind = SOCK_STREAM | SOCK_CLOEXEC | (is_blocking ? 0 : SOCK_NONBLOCK);
  Socket socket(::socket(endpoint.address.ss_family, kind, 0));
  if (!socket) throw Failure(fmt::format("socket: {}", std::strerror(errno)));
  const int on = 1;
  setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // Buffer sizes stay the kernel's: its own growth (tcp_rmem, tcp_wmem) goes beyond what SO_RCVBUF may ask
  // for.
  const auto* address = reinterpret_cast<const sockaddr*>(&endpoint.address);
  if (connect(socket.fd(), address, endpoint.address_bytes) != 0 && errno != EINPROGRESS) {
    throw Failure(fmt::format("connect: {}", std::strerror(errno)));
  }
  return socket;
}

std::string login_lines(const Credentials& credentials) {
  nlohmann::ordered_json fields = {{"verbose", false}, {"pedantic", false},  {"name", "nuncio-bench"},
                                   {"lang", "c++"},    {"version", "0.1.0"}, {"protocol", 1},
                                   {"echo", true}};
  if (!credentials.user.empty()) fields["user"] = credentials.user;
  if (!credentials.password.empty()) fields["pass"] = credentials.password;
  if (!credentials.token.empty()) fields["auth_token"] = credentials.token;
  return fmt::format("CONNECT {}\r\nPING\r\n", fields.dump());
}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

int Socket::release() noexcept {
  return std::exchange(fd_, -1);
}

}  // namespace nuncio::load
