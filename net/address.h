// A peer's address, kept small: family, IP, port.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

namespace nuncio::net {

class Address {
 public:
  Address() = default;
  explicit Address(const sockaddr_storage&);

  std::string ip() const;             // textual, no brackets, no port; IPv4 also when mapped into IPv6
  std::string host_and_port() const;  // "127.0.0.1:4222", "[::1]:4222"
  bool is_loopback() const;

 private:
  bool is_v4_ = true;
  uint16_t port_ = 0;
  uint8_t bytes_[16] = {};
};

}  // namespace nuncio::net
