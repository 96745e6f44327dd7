// A client's connection as the load runs use it: connect and log in with a deadline, then either blocking
// calls (set-up and flush) or the bare descriptor for a run's own loop. One owner at a time, any thread.
// Errors throw Failure.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "bench/load/tls.h"
#include "bench/load/url.h"

namespace nuncio::load {

// A server's resolved address, so that a storm of logins does not resolve it each time.
struct Endpoint {
  sockaddr_storage address{};
  socklen_t address_bytes = 0;
};
Endpoint resolve(const Url& url);

// A descriptor that closes itself.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) noexcept : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(other.release()) {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();

  int fd() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int release() noexcept;
  int fd_ = -1;
};

// A new TCP socket to `endpoint` with TCP_NODELAY; a non-blocking one may still be connecting. Throws when
// refused.
Socket open_socket(const Endpoint& endpoint, bool is_blocking);
// The line that logs in, with the PING whose PONG says that it worked.
std::string login_lines(const Credentials& credentials);

struct Target {
  Endpoint endpoint;
  Credentials credentials;
  uint64_t timeout_ns = 0;         // longest wait for any one answer
  std::shared_ptr<TlsClient> tls;  // null: plain text
};

class Connection {
 public:
  // Returns when the server has accepted the login; Failure carries its -ERR text otherwise.
  explicit Connection(const Target& target);

  int fd() const noexcept { return socket_.fd(); }
  // Sends all of `bytes`, waiting as long as the server takes some within the timeout.
  void send(std::string_view bytes);
  // Sends what the server takes now and says how much that was.
  size_t send_some(std::string_view bytes);
  // PING and wait for its PONG: everything sent before has been dealt with. Only while no messages can
  // arrive.
  void flush();
  // What has arrived, at most a buffer full; empty when nothing is there now. Failure once the server has
  // closed.
  std::string_view try_receive(std::span<char> buffer);
  // try_receive may have some although the descriptor is not readable: who waits for that asks this first.
  bool has_unread() const noexcept { return !received_.empty() || (tls_ && tls_->has_unread()); }
  // Waits for bytes at most `wait_ms`; true when try_receive may have some.
  bool wait_readable(int wait_ms);
  // Null for plain text.
  const TlsStream* tls() const noexcept { return tls_.get(); }

 private:
  void secure(TlsClient& client);
  // The next protocol line without its end; answers the server's PINGs on the way.
  std::string read_line();
  std::string take_line();
  std::string_view receive_from_socket(std::span<char> buffer);
  void wait_for(short events);

  Socket socket_;
  uint64_t timeout_ns_;
  std::string received_;
  std::unique_ptr<TlsStream> tls_;
};

}  // namespace nuncio::load
