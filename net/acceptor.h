// Takes connections from the listening socket and hands each to the worker with the fewest. One thread,
// epoll. When descriptors run out it pauses and tries again (OP-38); nobody who is connected notices.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <thread>

#include "auth/snapshot.h"
#include "core/reason.h"

namespace nuncio::net {

class Server;
class Worker;
struct State;

class Acceptor {
 public:
  explicit Acceptor(Server& server);
  ~Acceptor();

  // Binds and listens. Empty, or what went wrong, naming the address.
  std::string listen(const std::string& host, int port);
  int port() const { return port_; }  // the real one
  void start();
  // Closes the listening socket and ends the thread.
  void stop();

 private:
  void run();
  bool accept_some();
  void hand_over(int socket, const sockaddr_storage& from);
  Reason admit();
  Worker& least_loaded() const;

  Server& server_;
  auth::Snapshot<State>::Reader state_;
  std::thread thread_;
  int listener_ = -1;
  int epoll_ = -1;
  int stop_event_ = -1;
  int port_ = 0;
  uint64_t last_id_ = 0;
  bool is_out_of_descriptors_ = false;
};

}  // namespace nuncio::net
