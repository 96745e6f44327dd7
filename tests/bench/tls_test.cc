// The load tool over TLS against a scripted broker that has OpenSSL too: are messages whole however records
// and reads are cut, is a wrong server refused, is a session resumed?
#include "bench/load/tls.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "bench/load/connection.h"
#include "bench/load/failure.h"
#include "bench/load/runs.h"

namespace nuncio::load {
namespace {

using testing::HasSubstr;

// A key and a certificate that it has signed itself, for 127.0.0.1 and nobody else.
struct Identity {
  Identity() {
    X509_set_version(certificate, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("broker"), -1,
                               -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate, key, EVP_sha256());
  }
  ~Identity() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;

  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
};

// The certificate as a file that clients trust, removed in the end.
class CaFile {
 public:
  explicit CaFile(const Identity& identity) {
    std::string path = std::filesystem::temp_directory_path() / "nuncio-bench-ca-XXXXXX";
    FILE* file = fdopen(mkstemp(path.data()), "w");
    PEM_write_X509(file, identity.certificate);
    fclose(file);
    path_ = path;
  }
  ~CaFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Logs one client after the other in, then does with each what `serve` says.
class TlsBroker {
 public:
  using Serve = std::function<void(SSL*)>;
  explicit TlsBroker(Serve serve, int clients = 1,
                     std::string info = R"(INFO {"tls_required":true})"
                                        "\r\n")
      : serve_(std::move(serve)), info_(std::move(info)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    std::signal(SIGPIPE, SIG_IGN);  // of OpenSSL's writes to a client that has gone
    SSL_CTX_use_certificate(context_, identity.certificate);
    SSL_CTX_use_PrivateKey(context_, identity.key);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(bind(listener_.fd(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(listener_.fd(), 8), 0);
    getsockname(listener_.fd(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, clients] {
      for (int i = 0; i < clients; ++i) serve_one();
    });
  }
  ~TlsBroker() {
    thread_.join();
    SSL_CTX_free(context_);
  }
  uint16_t port() const { return port_; }

  const Identity identity;

 private:
  void serve_one() {
    const Socket socket(accept(listener_.fd(), nullptr, nullptr));
    (void)send(socket.fd(), info_.data(), info_.size(), MSG_NOSIGNAL);
    SSL* ssl = SSL_new(context_);
    SSL_set_fd(ssl, socket.fd());
    if (SSL_accept(ssl) == 1) {
      std::string received;
      std::array<char, 4096> buffer;
      while (received.find("PING\r\n") == std::string::npos) {
        const int n = SSL_read(ssl, buffer.data(), buffer.size());
        if (n <= 0) break;
        received.append(buffer.data(), static_cast<size_t>(n));
      }
      SSL_write(ssl, "PONG\r\n", 6);
      serve_(ssl);
    }
    SSL_free(ssl);
  }

  Serve serve_;
  std::string info_;
  Socket listener_;
  SSL_CTX* context_ = SSL_CTX_new(TLS_server_method());
  uint16_t port_ = 0;
  std::thread thread_;
};

Options options_for(const TlsBroker& broker, const std::string& ca_file) {
  Options options;
  options.url.host = "127.0.0.1";
  options.url.port = broker.port();
  options.tls.is_wanted = true;
  options.tls.ca_file = ca_file;
  return options;
}

Target target_for(const TlsBroker& broker, const std::string& ca_file) {
  const Options options = options_for(broker, ca_file);
  return {
      resolve(options.url), {}, 5'000'000'000, std::make_shared<TlsClient>(options.tls, options.url.host)};
}

std::string failure_of(const std::function<void()>& attempt) {
  try {
    attempt();
  } catch (const Failure& failure) {
    return failure.what();
  }
  return "";
}

std::string counting_bytes(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 256);
  return bytes;
}

void wait_for_close(SSL* ssl) {
  std::array<char, 4096> buffer;
  while (SSL_read(ssl, buffer.data(), buffer.size()) > 0) {
  }
}

TEST(Tls, ManyRecordsArriveThroughASmallBuffer) {
  const std::string sent = counting_bytes(200'000);
  TlsBroker broker([&](SSL* ssl) {
    SSL_write(ssl, sent.data(), static_cast<int>(sent.size()));
    wait_for_close(ssl);
  });
  const CaFile ca(broker.identity);
  Connection connection(target_for(broker, ca.path()));
  std::string received;
  std::array<char, 1000> buffer;
  while (received.size() < sent.size()) {
    ASSERT_TRUE(connection.wait_readable(5000)) << "after " << received.size() << " bytes";
    received += connection.try_receive(buffer);
  }
  EXPECT_EQ(received, sent);
}

TEST(Tls, ALargeWriteArrivesAsItWasSent) {
  const std::string sent = counting_bytes(8'000'000);  // more than the socket's buffers take at once
  std::string received;
  {
    TlsBroker broker([&](SSL* ssl) {
      std::array<char, 5000> buffer;
      for (int n = 0; (n = SSL_read(ssl, buffer.data(), buffer.size())) > 0;)
        received.append(buffer.data(), static_cast<size_t>(n));
    });
    const CaFile ca(broker.identity);
    Connection connection(target_for(broker, ca.path()));
    connection.send(sent);
  }
  EXPECT_EQ(received, sent);
}

TEST(Tls, WhatCameBeforeTheEndIsReadBeforeItsFailure) {
  TlsBroker broker([](SSL* ssl) { SSL_write(ssl, "-ERR 'bye'\r\n", 12); });
  const CaFile ca(broker.identity);
  Connection connection(target_for(broker, ca.path()));
  std::string received;
  const std::string failure = failure_of([&] {
    std::array<char, 100> buffer;
    while (connection.wait_readable(5000)) received += connection.try_receive(buffer);
  });
  EXPECT_EQ(received, "-ERR 'bye'\r\n");
  EXPECT_NE(failure, "");
}

TEST(Tls, AServerOfAnotherAuthorityIsRefused) {
  TlsBroker broker([](SSL*) {});
  const Identity stranger;
  const CaFile ca(stranger);
  EXPECT_THAT(failure_of([&] { Connection connection(target_for(broker, ca.path())); }),
              HasSubstr("the server's certificate"));
}

TEST(Tls, AServerOfAnotherNameIsRefused) {
  TlsBroker broker([](SSL*) {});
  const CaFile ca(broker.identity);
  Target target = target_for(broker, ca.path());
  target.tls = std::make_shared<TlsClient>(options_for(broker, ca.path()).tls, "127.0.0.2");
  EXPECT_THAT(failure_of([&] { Connection connection(target); }), HasSubstr("IP address mismatch"));
}

TEST(Tls, AServerThatDoesNotOfferItIsRefused) {
  TlsBroker broker([](SSL*) {}, 1, "INFO {}\r\n");
  const CaFile ca(broker.identity);
  EXPECT_EQ(failure_of([&] { Connection connection(target_for(broker, ca.path())); }),
            "the server does not offer TLS");
}

TEST(Tls, AServerThatWantsItIsNotTalkedToInPlainText) {
  TlsBroker broker([](SSL*) {});
  const CaFile ca(broker.identity);
  Target target = target_for(broker, ca.path());
  target.tls = nullptr;
  EXPECT_EQ(failure_of([&] { Connection connection(target); }), "the server wants TLS");
}

TEST(Tls, PlainTextAfterInfoIsNotTakenIntoTheEncryptedStream) {
  TlsBroker broker([](SSL*) {}, 1, "INFO {\"tls_required\":true}\r\nPONG\r\n");
  const CaFile ca(broker.identity);
  EXPECT_THAT(failure_of([&] { Connection connection(target_for(broker, ca.path())); }),
              HasSubstr("plain text after its INFO"));
}

TEST(Tls, LoginsOfAStormResumeTheSessionOfAnEarlierOne) {
  for (const char* version : {"1.2", "1.3"}) {
    TlsBroker broker(wait_for_close, 5);
    const CaFile ca(broker.identity);
    Options options = options_for(broker, ca.path());
    options.count = 5;
    options.tls.version = version;
    options.tls.is_resuming = true;
    Report report;
    run_connect(options, report);
    EXPECT_TRUE(report.problems().empty()) << report.problems();
    EXPECT_EQ(report.fields()["logins"], 5) << version;
    EXPECT_EQ(report.fields()["tls_resumed"], 4) << version;
    EXPECT_THAT(report.fields()["tls"].get<std::string>(), HasSubstr(std::string("TLSv") + version));
  }
}

TEST(Tls, LoginsOfAStormThatDoesNotAskForItResumeNothing) {
  TlsBroker broker(wait_for_close, 3);
  const CaFile ca(broker.identity);
  Options options = options_for(broker, ca.path());
  options.count = 3;
  Report report;
  run_connect(options, report);
  EXPECT_EQ(report.fields()["logins"], 3);
  EXPECT_EQ(report.fields()["tls_resumed"], 0);
}

}  // namespace
}  // namespace nuncio::load
