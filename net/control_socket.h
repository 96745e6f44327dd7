// How a program of the same user speaks to a running server: a Unix socket in the abstract namespace, named
// after the server's process. One request and one answer, both text, on the thread that handles signals.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace nuncio::net {

class ControlSocket {
 public:
  ControlSocket() = default;
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  // Listens under this process's name. Empty, or why it cannot.
  std::string open();
  int descriptor() const { return listener_; }  // readable when somebody asks; -1 when it is not open
  // Takes one connection and answers its request. Others than root and this process's user are turned away
  // unheard; nobody is waited for longer than a second.
  void serve(const std::function<std::string(std::string_view request)>& answer) const;

 private:
  int listener_ = -1;
};

// Asks the server of that process; an error names what went wrong.
tl::expected<std::string, std::string> ask_server(pid_t server, std::string_view request);

}  // namespace nuncio::net
