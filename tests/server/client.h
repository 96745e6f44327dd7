// A client of the tests: bytes over a TCP socket, every read with a deadline. It knows just enough of the
// protocol to log in and to fence with PING/PONG. A failed expectation throws, with the caller's line and
// what came instead; GoogleTest reports that as the failure of the test. One client belongs to one thread.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "tls_client.h"

namespace nuncio::test {

using Json = nlohmann::json;
using Where = std::source_location;

// Thrown by expectations. The text starts with the line of the test that expected.
[[noreturn]] void fail(const std::string& what, const Where& where);

// Control bytes readable, at most about 600 characters.
std::string printable(std::string_view bytes);

// A MSG or HMSG as it came.
struct Message {
  std::string subject;
  std::string sid;
  std::string reply;
  std::string header;
  std::string payload;
};

class Client {
 public:
  // Connects to 127.0.0.1:port. receive_buffer_size > 0 sets SO_RCVBUF, for clients that read slowly.
  explicit Client(int port, int receive_buffer_size = 0, Where = Where::current());
  // Connects from another address of this machine, 127.0.0.2 and so on: to the server another source.
  static Client from(const std::string& source, int port, Where = Where::current());
  ~Client();
  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;

  // The first line of the server, read at the first call.
  const Json& info(Where = Where::current());

  // Sends all bytes. Silently cut short when the server has closed: what follows shows that.
  void send(std::string_view bytes);
  // Sends without waiting for room in the socket; how many bytes went out.
  size_t send_some(std::string_view bytes);

  // The next bytes must be exactly these (INFO is read before, if it was not yet).
  void expect(std::string_view bytes, Where = Where::current());
  // The next line, without its CRLF.
  std::string line(Where = Where::current());
  // The same, or nothing when the server ends the connection, in whatever way.
  std::optional<std::string> line_or_end(Where = Where::current());
  // The next line must match the whole expression; its groups.
  std::vector<std::string> expect_line(const std::string& expression, Where = Where::current());
  std::string bytes(size_t count, Where = Where::current());
  // As many as come before the server ends the connection, in whatever way.
  std::string bytes_or_end(size_t count, Where = Where::current());

  // CONNECT with verbose and pedantic off unless `fields` say otherwise, then PING; must answer PONG (after
  // +OK when verbose).
  Client& connect_ok(const Json& fields = Json::object(), Where = Where::current());
  // CONNECT and PING are answered by 'Authorization Violation' and the end of the connection.
  void connect_refused(const Json& fields, Where = Where::current());
  // Nothing is waiting before the PONG: the fence that all silence is shown with.
  void ping(Where = Where::current());
  // Sends PING and hands over everything in front of its PONG (messages that hold a line PONG are not for
  // this).
  std::string until_pong(Where = Where::current());

  // The next thing must be a message.
  Message message(Where = Where::current());
  // Sends PING and hands over the messages in front of its PONG; anything else there is a failure.
  std::vector<Message> messages_until_pong(Where = Where::current());

  // The server ends the connection now: no byte is left to read. A reset, and over TLS an end without
  // close_notify, is a failure for Nuncio (CP-64) and tolerated for the reference server, which resets when
  // it closes with unread input.
  void expect_closed(Where = Where::current());
  // -ERR 'text' and the end.
  void expect_error_and_close(std::string_view text, Where = Where::current());
  // The server ends the connection, after whatever bytes, in whatever way; those bytes.
  std::string read_to_end(Where = Where::current());
  // True when no byte is waiting and the server has not closed, right now.
  bool is_open_and_silent();

  void close();
  void reset();          // closes with RST
  void shutdown_send();  // sends FIN, goes on reading

  // From here on everything goes through TLS. Reads INFO first unless `is_handshake_first`.
  Client& start_tls(const TlsSettings& = {}, Where = Where::current());
  // The server must refuse the handshake, or with TLS 1.3 what the client took for its end: the name of its
  // alert, else "closed" or "reset". Our server's refusals come with an alert and an orderly end.
  std::string expect_handshake_refused(const TlsSettings& = {}, Where = Where::current());
  // For tests that take it either way: empty when the handshake is done, else as above. With TLS 1.3 a
  // refusal may come later, as the end.
  std::string try_tls(const TlsSettings& = {}, Where = Where::current());
  std::string try_finish_tls(std::string_view bytes = {}, Where = Where::current());
  // The steps of start_tls() one by one: the ClientHello, which is not sent; and the rest, with bytes of the
  // protocol right behind the last of the handshake.
  std::string client_hello(const TlsSettings& = {}, Where = Where::current());
  Client& finish_tls(std::string_view bytes = {}, Where = Where::current());
  // What send(plain) would put on the wire.
  std::string sealed(std::string_view plain);
  void send_raw(std::string_view bytes);              // past TLS
  std::string wire_to_end(Where = Where::current());  // what else comes, as it is on the wire, to the end
  void close_tls();                                   // sends close_notify, goes on reading
  void renegotiate();                                 // TLS 1.2
  void renew_keys();                                  // TLS 1.3; asks the server to do the same
  const TlsTransport& tls() const { return *tls_; }

  std::string address() const;  // HOST:PORT of this end, as the server's log has it
  int descriptor() const { return fd_; }
  // PINGs of the server that came where something else was expected: they are answered, as any client does.
  int pings_answered() const { return pings_answered_; }

 private:
  Client() = default;
  void open(int port, int receive_buffer_size, const std::string& source, const Where& where);
  enum class Read { some, end, reset };
  Read receive(const Where& where);
  Read receive_raw(std::string& bytes, const Where& where);
  Read receive_sealed(const Where& where);
  // Empty: done. Else how the server refused.
  std::string shake_hands(std::string_view bytes_behind, const Where& where);
  std::string refusal(Read end) const;
  void flush_tls();
  Message message_behind(const std::string& line, const Where& where);
  void compact();
  bool answer_ping_at(size_t position);
  void read_info(const Where& where);

  int fd_ = -1;
  std::unique_ptr<TlsTransport> tls_;
  std::string unsent_;  // of TLS records, for send_some()
  std::string buffer_;  // received, from taken_ on not yet consumed
  size_t taken_ = 0;
  Json info_;
  bool has_info_ = false;
  int pings_answered_ = 0;
};

// Runs the functions at once, each in its thread; throws the first failure when all have ended.
void together(const std::vector<std::function<void()>>& functions);

}  // namespace nuncio::test
