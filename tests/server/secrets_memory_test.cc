// What a login leaves in the memory of the server: nothing of a password that is configured as a hash
// (AT-41). One that is configured in plain text stays among the options, of course. And what a reload leaves
// of the private key that it replaces. Only root may look.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <sstream>

#include "harness.h"
#include "logins.h"
#include "tls_server.h"

namespace nuncio::test {
namespace {

class LoginsInMemory : public ServerTest {
 protected:
  void SetUp() override {
    NUNCIO_OURS_ONLY();
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer keeps terabytes of its own mapped";
#endif
    if (::geteuid() != 0) GTEST_SKIP() << "only root may read the memory of another process";
    ServerTest::SetUp();
  }

  // Each is on some worker; with all their PONGs here every worker has read what came before.
  void start_with_witnesses(std::string_view authorization) {
    start_config(
        fmt::format("authorization {{ {}, timeout: 60 }}\nnuncio {{ login_backoff: false }}", authorization));
    others_.clear();
    for (int i = 0; i < 4; ++i) others_.push_back(client());
  }
  void until_all_was_read(const Json& fields) {
    for (Client& one : others_) one.connect_ok(fields);
  }

  // Parts of `text` that the server's memory holds, each with what stands around it.
  std::vector<std::string> found(const std::string& text) {
    constexpr size_t part = 12;
    const std::vector<std::string> parts{text.substr(0, part), text.substr(text.size() / 2 - part / 2, part),
                                         text.substr(text.size() - part)};
    std::vector<std::string> result;
    std::istringstream maps(read_file(fmt::format("/proc/{}/maps", server().pid())));
    const int memory = ::open(fmt::format("/proc/{}/mem", server().pid()).c_str(), O_RDONLY | O_CLOEXEC);
    if (memory < 0) fail("the memory cannot be read", Where::current());
    for (std::string line; std::getline(maps, line);) {
      uint64_t begin = 0;
      uint64_t end = 0;
      char rights[5] = "";
      std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s", &begin, &end, rights);
      if (rights[0] != 'r' || rights[1] != 'w') continue;
      std::string bytes(end - begin, '\0');
      const ssize_t size = ::pread(memory, bytes.data(), bytes.size(), static_cast<off_t>(begin));
      bytes.resize(size < 0 ? 0 : static_cast<size_t>(size));
      for (const std::string& each : parts) {
        if (const size_t at = bytes.find(each); at != std::string::npos)
          result.push_back(fmt::format("{} at {:x}: {}", each, begin + at,
                                       printable(bytes.substr(at - std::min<size_t>(at, 40), 120))));
      }
    }
    ::close(memory);
    return result;
  }
  void expect_gone(const std::string& text, Where where = Where::current()) {
    try {
      server().wait_until([&] { return found(text).empty(); }, "the end of a password", where);
    } catch (const std::exception&) {
      fail(testing::PrintToString(found(text)), where);
    }
  }

 private:
  std::vector<Client> others_;
};
NUNCIO_ON_EVERY_BACKEND(LoginsInMemory);

std::string connect_line(const Json& fields) {
  Json all{{"verbose", false}, {"name", "the-name-of-a-client"}};
  all.update(fields);
  return "CONNECT " + all.dump() + "\r\nPING\r\n";
}

// The secret number of a key, the lowest byte first, as the server's library has it.
std::string number_of(const Certificate& own) {
  const std::string text = read_file(own.key_file);
  BIO* file = BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(file, nullptr, nullptr, nullptr);
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &number);
  std::string bytes(32, '\0');
  BN_bn2lebinpad(number, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  BN_free(number);
  EVP_PKEY_free(key);
  BIO_free(file);
  return bytes;
}

TEST_P(LoginsInMemory, AT_41_NothingOfAPasswordStaysAfterItsLogin) {
  const std::string brief = "qF7w-brief-Needle";
  const std::string lengthy = "mZ2x-lengthy-Needle-" + std::string(30, 'w') + "-of-a-password";
  for (const std::string& right : {brief, lengthy}) {
    SCOPED_TRACE(right);
    start_with_witnesses(fmt::format("users = [ {{user: anna, password: \"{}\"}} ]", bcrypt(right)));
    const Json anna = user("anna", right);
    until_all_was_read(anna);
    Client one = client();
    one.send(connect_line(anna));
    one.expect("PONG\r\n");
    EXPECT_FALSE(found("the-name-of-a-client").empty()) << "the search finds nothing at all";
    expect_gone(right);

    const std::string wrong = "kW9v-wrong-Needle" + right;
    Client two = client();
    two.send(connect_line(user("anna", wrong)));
    two.expect_error_and_close("Authorization Violation");
    expect_gone(wrong);
  }
}

TEST_P(LoginsInMemory, AT_41_NothingStaysOfAConnectInPieces) {
  const std::string right = "qF7w-Needle-in-several-pieces";
  start_with_witnesses(fmt::format("token: \"{}\"", bcrypt(right)));
  const std::string line = connect_line(token(right));
  const size_t middle = line.find("in-several");
  Client whole = client();
  whole.send(line.substr(0, middle));
  Client never = client();  // the rest of this one never comes
  never.send(line.substr(0, middle));
  Client late = client();  // and this one goes on while its first CONNECT is judged
  late.send(connect_line(token("first")) + line);
  until_all_was_read(token(right));
  whole.send(line.substr(middle));
  whole.expect("PONG\r\n");
  never.close();
  late.expect_error_and_close("Authorization Violation");
  expect_gone(right);
}

TEST_P(LoginsInMemory, AT_41_NothingStaysOfAClientTooMany) {
  start_config("max_connections: 1");
  Client one = connected();
  Client two = client();
  two.send(connect_line(user("anna", "qF7w-Needle-of-one-too-many")));
  two.expect_error_and_close("maximum connections exceeded");
  one.ping();
  expect_gone("qF7w-Needle-of-one-too-many");
}

// Although somebody is connected since before.
TEST_P(LoginsInMemory, OP_37_NothingOfAPrivateKeyStaysAfterItsReplacement) {
  const Certificate before = authority().server();
  const Certificate after = authority().server();
  start_config(tls_block("", before));
  const auto connected_by_tls = [&] {
    Client one = client();
    one.start_tls().connect_ok();
    return one;
  };
  Client one = connected_by_tls();
  EXPECT_FALSE(found(number_of(before)).empty()) << "the search finds nothing at all";
  server().reload_config(tls_block("", after));
  Client two = connected_by_tls();  // also makes the acceptor look at what is new
  expect_gone(number_of(before));
  EXPECT_FALSE(found(number_of(after)).empty());
  one.ping();
  two.ping();
}

}  // namespace
}  // namespace nuncio::test
