#include "client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <regex>
#include <stdexcept>
#include <thread>

#include "harness.h"

namespace nuncio::test {
namespace {

bool wait_readable(int fd) {
  pollfd one{fd, POLLIN, 0};
  const int limit_ms = static_cast<int>(std::chrono::milliseconds(wait_max).count());
  return ::poll(&one, 1, limit_ms) > 0;
}

size_t common_prefix(std::string_view one, std::string_view other) {
  const auto [end, unused] =
      std::mismatch(one.begin(), one.begin() + std::min(one.size(), other.size()), other.begin());
  return static_cast<size_t>(end - one.begin());
}

// Where the line of `text` begins that holds the byte at `position`.
size_t line_begin(std::string_view text, size_t position) {
  const size_t before = position == 0 ? std::string_view::npos : text.rfind('\n', position - 1);
  return before == std::string_view::npos ? 0 : before + 1;
}

}  // namespace

void fail(const std::string& what, const Where& where) {
  throw std::runtime_error(fmt::format("{}:{}: {}", where.file_name(), where.line(), what));
}

std::string printable(std::string_view bytes) {
  constexpr size_t shown_max = 600;
  std::string result;
  for (const char c : bytes.substr(0, shown_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\r')
      result += "\\r";
    else if (c == '\n')
      result += "\\n";
    else if (byte < 32 || byte > 126)
      result += fmt::format("\\x{:02x}", byte);
    else
      result += c;
  }
  if (bytes.size() > shown_max) result += fmt::format("… ({} bytes)", bytes.size());
  return result;
}

Client::Client(int port, int receive_buffer_size, Where where) {
  open(port, receive_buffer_size, "", where);
}

Client Client::from(const std::string& source, int port, Where where) {
  Client result;
  result.open(port, 0, source, where);
  return result;
}

void Client::open(int port, int receive_buffer_size, const std::string& source, const Where& where) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer_size > 0) {
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_size, sizeof receive_buffer_size);
  }
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (!source.empty()) {
    ::inet_pton(AF_INET, source.c_str(), &address.sin_addr);
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      fail("cannot bind " + source, where);
  }
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    close();
    fail(fmt::format("cannot connect to port {}: {}", port, std::strerror(error)), where);
  }
}

Client::~Client() {
  close();
}

Client::Client(Client&& other) noexcept {
  *this = std::move(other);
}

Client& Client::operator=(Client&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::exchange(other.fd_, -1);
  tls_ = std::move(other.tls_);
  unsent_ = std::move(other.unsent_);
  buffer_ = std::move(other.buffer_);
  taken_ = std::exchange(other.taken_, 0);
  info_ = std::move(other.info_);
  has_info_ = std::exchange(other.has_info_, false);
  pings_answered_ = other.pings_answered_;
  return *this;
}

Client::Read Client::receive(const Where& where) {
  if (taken_ == buffer_.size()) {
    buffer_.clear();
    taken_ = 0;
  }
  return tls_ ? receive_sealed(where) : receive_raw(buffer_, where);
}

Client::Read Client::receive_raw(std::string& bytes, const Where& where) {
  if (!wait_readable(fd_)) {
    fail(fmt::format("nothing arrived in time; unread so far: \"{}\"",
                     printable(std::string_view(buffer_).substr(taken_))),
         where);
  }
  char chunk[64 * 1024];
  const ssize_t size = ::recv(fd_, chunk, sizeof chunk, 0);
  if (size == 0) return Read::end;
  if (size < 0) return Read::reset;
  bytes.append(chunk, static_cast<size_t>(size));
  return Read::some;
}

// Tickets and the like are no bytes of the protocol; behind the end of the session only the end of the
// connection may come.
Client::Read Client::receive_sealed(const Where& where) {
  for (const size_t before = buffer_.size();;) {
    std::string bytes;
    if (const Read read = receive_raw(bytes, where); read != Read::some) return read;
    tls_->received(bytes);
    tls_->read(buffer_);
    flush_tls();
    if (buffer_.size() > before) return Read::some;
  }
}

void Client::compact() {
  constexpr size_t consumed_max = 1024 * 1024;
  if (taken_ < consumed_max) return;
  buffer_.erase(0, taken_);
  taken_ = 0;
}

void Client::read_info(const Where& where) {
  if (has_info_) return;
  has_info_ = true;
  const std::string first = line(where);
  if (!first.starts_with("INFO {") || !first.ends_with("} ")) {
    fail("the first line is no INFO: " + printable(first), where);
  }
  info_ = Json::parse(first.substr(5), nullptr, false);
  if (info_.is_discarded()) fail("INFO is no JSON: " + printable(first), where);
}

const Json& Client::info(Where where) {
  read_info(where);
  return info_;
}

void Client::send(std::string_view bytes) {
  if (!tls_) return send_raw(bytes);
  tls_->write(bytes);
  flush_tls();
}

void Client::send_raw(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0) return;
    bytes.remove_prefix(static_cast<size_t>(size));
  }
}

void Client::flush_tls() {
  send_raw(std::exchange(unsent_, {}) + tls_->take_output());
}

size_t Client::send_some(std::string_view bytes) {
  constexpr size_t record_max = 16 * 1024;
  size_t taken = 0;
  if (tls_ && unsent_.empty()) {
    taken = std::min(bytes.size(), record_max);
    unsent_ = sealed(bytes.substr(0, taken));
  }
  const std::string_view out = tls_ ? unsent_ : bytes;
  const ssize_t size = ::send(fd_, out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  const size_t sent = size < 0 ? 0 : static_cast<size_t>(size);
  if (!tls_) return sent;
  unsent_.erase(0, sent);
  return taken;
}

void Client::expect(std::string_view wanted, Where where) {
  read_info(where);
  compact();
  for (;;) {
    const std::string_view unread = std::string_view(buffer_).substr(taken_);
    const size_t common = common_prefix(unread, wanted);
    if (common == wanted.size()) break;
    if (common < unread.size()) {  // different: say so now, not at the deadline
      if (answer_ping_at(taken_ + line_begin(wanted, common))) continue;
      const bool may_become_ping =
          std::string_view("PING\r\n").starts_with(unread.substr(line_begin(wanted, common)));
      if (!may_become_ping)
        fail(fmt::format("expected \"{}\", got \"{}\"", printable(wanted), printable(unread)), where);
    }
    if (const Read read = receive(where); read != Read::some) {
      fail(fmt::format("expected \"{}\", got \"{}\" and the connection {}", printable(wanted),
                       printable(std::string_view(buffer_).substr(taken_)),
                       read == Read::end ? "closed" : "was reset"),
           where);
    }
  }
  taken_ += wanted.size();
}

bool Client::answer_ping_at(size_t position) {
  constexpr std::string_view ping = "PING\r\n";
  if (!std::string_view(buffer_).substr(position).starts_with(ping)) return false;
  buffer_.erase(position, ping.size());
  send("PONG\r\n");
  ++pings_answered_;
  return true;
}

std::string Client::line(Where where) {
  std::optional<std::string> result = line_or_end(where);
  if (!result) {
    fail(fmt::format("expected a line, got \"{}\" and the end",
                     printable(std::string_view(buffer_).substr(taken_))),
         where);
  }
  return *std::move(result);
}

std::optional<std::string> Client::line_or_end(Where where) {
  read_info(where);
  compact();
  size_t searched = taken_;
  for (;;) {
    if (answer_ping_at(taken_)) searched = taken_;
    const size_t end = buffer_.find("\r\n", std::min(searched, buffer_.size()));
    if (end != std::string::npos) {
      std::string result = buffer_.substr(taken_, end - taken_);
      taken_ = end + 2;
      return result;
    }
    const std::string_view unread = std::string_view(buffer_).substr(taken_);
    searched = unread.empty() ? 0 : buffer_.size() - 1;  // receive() starts an empty buffer anew
    if (receive(where) != Read::some) return std::nullopt;
  }
}

std::vector<std::string> Client::expect_line(const std::string& expression, Where where) {
  const std::string got = line(where);
  std::smatch match;
  if (!std::regex_match(got, match, std::regex(expression))) {
    fail(fmt::format("expected a line like /{}/, got \"{}\"", expression, printable(got)), where);
  }
  return {match.begin(), match.end()};
}

std::string Client::bytes(size_t count, Where where) {
  std::string result = bytes_or_end(count, where);
  if (result.size() < count)
    fail(fmt::format("expected {} bytes, got {} and the end", count, result.size()), where);
  return result;
}

std::string Client::bytes_or_end(size_t count, Where where) {
  read_info(where);
  while (buffer_.size() - taken_ < count) {
    if (receive(where) != Read::some) break;
  }
  std::string result = buffer_.substr(taken_, count);
  taken_ += result.size();
  return result;
}

Client& Client::connect_ok(const Json& fields, Where where) {
  Json connect{{"verbose", false}, {"pedantic", false}, {"protocol", 1}, {"headers", true}};
  connect.update(fields);
  send("CONNECT " + connect.dump() + "\r\nPING\r\n");
  if (connect["verbose"] == true) expect("+OK\r\n", where);
  expect("PONG\r\n", where);
  return *this;
}

void Client::connect_refused(const Json& fields, Where where) {
  Json connect{{"verbose", false}, {"pedantic", false}};
  connect.update(fields);
  send("CONNECT " + connect.dump() + "\r\nPING\r\n");
  expect_error_and_close("Authorization Violation", where);
}

void Client::ping(Where where) {
  send("PING\r\n");
  expect("PONG\r\n", where);
}

std::string Client::until_pong(Where where) {
  send("PING\r\n");
  std::string result;
  for (;;) {
    const std::string next = line(where);
    if (next == "PONG") return result;
    result += next + "\r\n";
  }
}

Message Client::message(Where where) {
  return message_behind(line(where), where);
}

std::vector<Message> Client::messages_until_pong(Where where) {
  send("PING\r\n");
  std::vector<Message> result;
  for (;;) {
    const std::string next = line(where);
    if (next == "PONG") return result;
    result.push_back(message_behind(next, where));
  }
}

Message Client::message_behind(const std::string& line, const Where& where) {
  std::vector<std::string> words;
  for (size_t at = 0; at < line.size();) {
    const size_t end = std::min(line.find(' ', at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  const bool has_header = !words.empty() && words[0] == "HMSG";
  const size_t sizes = has_header ? 2 : 1;
  if ((!has_header && (words.empty() || words[0] != "MSG")) || words.size() < 3 + sizes) {
    fail(fmt::format("expected a message, got \"{}\"", printable(line)), where);
  }
  Message result{words[1], words[2], words.size() > 3 + sizes ? words[3] : "", "", ""};
  const auto total = static_cast<size_t>(std::atoll(words.back().c_str()));
  const size_t header = has_header ? static_cast<size_t>(std::atoll(words[words.size() - 2].c_str())) : 0;
  result.payload = bytes(total + 2, where);
  if (!result.payload.ends_with("\r\n")) fail("a payload of the wrong size", where);
  result.payload.resize(total);
  result.header = result.payload.substr(0, header);
  result.payload.erase(0, header);
  return result;
}

void Client::expect_closed(Where where) {
  read_info(where);
  while (answer_ping_at(taken_)) {
  }
  const Read read = taken_ < buffer_.size() ? Read::some : receive(where);
  if (read == Read::some) {
    fail(fmt::format("expected the end, got \"{}\"", printable(std::string_view(buffer_).substr(taken_))),
         where);
  }
  if (is_oracle()) return;
  if (read == Read::reset) fail("expected an orderly end, the connection was reset", where);
  if (tls_ && !tls_->has_ended_well())
    fail("expected a close_notify before the end, found: " + tls_->problem(), where);
}

void Client::expect_error_and_close(std::string_view text, Where where) {
  expect(fmt::format("-ERR '{}'\r\n", text), where);
  expect_closed(where);
}

std::string Client::read_to_end(Where where) {
  read_info(where);
  std::string all = buffer_.substr(taken_);
  taken_ = buffer_.size();
  while (receive(where) == Read::some) {
    all += buffer_.substr(taken_);
    taken_ = buffer_.size();
  }
  return all;
}

bool Client::is_open_and_silent() {
  for (;;) {
    if (taken_ < buffer_.size()) return false;
    char chunk[16 * 1024];
    const ssize_t size = ::recv(fd_, chunk, sizeof chunk, (tls_ ? 0 : MSG_PEEK) | MSG_DONTWAIT);
    if (size < 0) return errno == EAGAIN;
    if (size == 0 || !tls_) return false;
    tls_->received({chunk, static_cast<size_t>(size)});
    if (!tls_->read(buffer_)) return false;
  }
}

void Client::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Client::reset() {
  const linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

void Client::shutdown_send() {
  ::shutdown(fd_, SHUT_WR);
}

Client& Client::start_tls(const TlsSettings& settings, Where where) {
  send_raw(client_hello(settings, where));
  return finish_tls({}, where);
}

std::string Client::client_hello(const TlsSettings& settings, Where where) {
  if (!settings.is_handshake_first) read_info(where);
  if (taken_ < buffer_.size()) {
    fail("more than INFO before the handshake: " + printable(std::string_view(buffer_).substr(taken_)),
         where);
  }
  tls_ = std::make_unique<TlsTransport>(settings);
  tls_->handshake();
  return tls_->take_output();
}

Client& Client::finish_tls(std::string_view bytes, Where where) {
  if (const std::string refused = shake_hands(bytes, where); !refused.empty()) {
    fail(fmt::format("the TLS handshake failed: {} ({})", refused, tls_->problem()), where);
  }
  return *this;
}

std::string Client::expect_handshake_refused(const TlsSettings& settings, Where where) {
  send_raw(client_hello(settings, where));
  if (std::string refused = shake_hands({}, where); !refused.empty()) return refused;
  // With TLS 1.3 the server judges a certificate when the client is already done.
  const Read read = receive(where);
  if (read == Read::some) fail("the handshake was expected to be refused; got: " + printable(buffer_), where);
  return refusal(read);
}

std::string Client::try_tls(const TlsSettings& settings, Where where) {
  send_raw(client_hello(settings, where));
  return try_finish_tls({}, where);
}

std::string Client::try_finish_tls(std::string_view bytes, Where where) {
  return shake_hands(bytes, where);
}

std::string Client::shake_hands(std::string_view bytes_behind, const Where& where) {
  for (;;) {
    const TlsTransport::Handshake state = tls_->handshake();
    if (state == TlsTransport::Handshake::done) tls_->write(bytes_behind);
    flush_tls();
    if (state == TlsTransport::Handshake::done) break;
    std::string bytes;
    const Read read = receive_raw(bytes, where);
    if (read != Read::some) return refusal(read);
    tls_->received(bytes);  // when it failed, to the end of the connection
  }
  tls_->read(buffer_);  // what came behind the handshake
  return {};
}

std::string Client::refusal(Read end) const {
  if (!tls_->alert().empty()) return tls_->alert();
  return end == Read::end ? "closed" : "reset";
}

std::string Client::sealed(std::string_view plain) {
  tls_->write(plain);
  return tls_->take_output();
}

std::string Client::wire_to_end(Where where) {
  std::string all;
  while (receive_raw(all, where) == Read::some) {
  }
  return all;
}

void Client::close_tls() {
  tls_->close();
  flush_tls();
}

void Client::renegotiate() {
  tls_->renegotiate();
  flush_tls();
}

void Client::renew_keys() {
  tls_->renew_keys();
  flush_tls();
}

std::string Client::address() const {
  sockaddr_in own{};
  socklen_t size = sizeof own;
  ::getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &size);
  char text[INET_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET, &own.sin_addr, text, sizeof text);
  return fmt::format("{}:{}", text, ntohs(own.sin_port));
}

void together(const std::vector<std::function<void()>>& functions) {
  std::mutex mutex;
  std::exception_ptr first;
  std::vector<std::thread> threads;
  for (const auto& function : functions) {
    threads.emplace_back([&] {
      try {
        function();
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!first) first = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
}

}  // namespace nuncio::test
