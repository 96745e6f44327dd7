#include "net/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <cstring>

namespace nuncio::net {

Address::Address(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    std::memcpy(bytes_, &v4.sin_addr, 4);
    port_ = ntohs(v4.sin_port);
    return;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
  port_ = ntohs(v6.sin6_port);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    std::memcpy(bytes_, v6.sin6_addr.s6_addr + 12, 4);
  } else {
    is_v4_ = false;
    std::memcpy(bytes_, &v6.sin6_addr, 16);
  }
}

std::string Address::ip() const {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(is_v4_ ? AF_INET : AF_INET6, bytes_, text, sizeof(text));
  return text;
}

std::string Address::host_and_port() const {
  return is_v4_ ? fmt::format("{}:{}", ip(), port_) : fmt::format("[{}]:{}", ip(), port_);
}

bool Address::is_loopback() const {
  static constexpr uint8_t v6_loopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return is_v4_ ? bytes_[0] == 127 : std::memcmp(bytes_, v6_loopback, 16) == 0;
}

}  // namespace nuncio::net
