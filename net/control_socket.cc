#include "net/control_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace nuncio::net {
namespace {

constexpr size_t request_max = 256;
constexpr time_t answer_wait_s = 60;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }

 private:
  int number_;
};

struct Name {
  sockaddr_un address{};
  socklen_t size;
};

Name name_of(pid_t server) {
  Name name;
  name.address.sun_family = AF_UNIX;
  const std::string text = fmt::format("nuncio-server.{}", server);
  std::memcpy(name.address.sun_path + 1, text.data(), text.size());  // a leading NUL: no file
  name.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  return name;
}

// Neither a request nor an answer goes to another user, whoever has taken the name first.
bool is_trusted(int socket) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == geteuid();
}

void limit_waits(int socket, time_t seconds) {
  const timeval limit{seconds, 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

void send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    text.remove_prefix(static_cast<size_t>(sent));
  }
}

// Up to the end of the stream, or as much as `size_max`; false when it does not come in time.
bool receive_all(int socket, size_t size_max, std::string& text) {
  char buffer[4096];
  while (text.size() < size_max) {
    const ssize_t size = recv(socket, buffer, sizeof(buffer), 0);
    if (size < 0) return false;
    if (size == 0) return true;
    text.append(buffer, static_cast<size_t>(size));
  }
  return true;
}

}  // namespace

ControlSocket::~ControlSocket() {
  if (listener_ >= 0) close(listener_);
}

std::string ControlSocket::open() {
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const Name name = name_of(getpid());
  const auto* address = reinterpret_cast<const sockaddr*>(&name.address);
  if (listener_ >= 0 && bind(listener_, address, name.size) == 0 && listen(listener_, 4) == 0) return {};
  const std::string problem = std::strerror(errno);
  if (listener_ >= 0) close(listener_);
  listener_ = -1;
  return problem;
}

void ControlSocket::serve(const std::function<std::string(std::string_view)>& answer) const {
  const Descriptor asker(accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
  if (asker.get() < 0 || !is_trusted(asker.get())) return;
  limit_waits(asker.get(), 1);
  std::string request;
  if (receive_all(asker.get(), request_max, request)) send_all(asker.get(), answer(request));
}

tl::expected<std::string, std::string> ask_server(pid_t server, std::string_view request) {
  const Descriptor own(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Name name = name_of(server);
  if (own.get() < 0 || connect(own.get(), reinterpret_cast<const sockaddr*>(&name.address), name.size) != 0)
    return tl::unexpected(fmt::format("cannot ask process {}: {}", server, std::strerror(errno)));
  if (!is_trusted(own.get())) return tl::unexpected(fmt::format("process {} is not the user's own", server));
  limit_waits(own.get(), answer_wait_s);
  send_all(own.get(), request);
  shutdown(own.get(), SHUT_WR);
  std::string answer;
  if (!receive_all(own.get(), SIZE_MAX, answer) || answer.empty())
    return tl::unexpected(fmt::format("process {} does not answer", server));
  return answer;
}

}  // namespace nuncio::net
