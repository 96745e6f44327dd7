// What the server's side of TLS costs: handshakes on a verifier thread, records on a worker, memory of a
// session that is idle. The client is OpenSSL; its time is not counted in handshakes.
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <time.h>

#include <memory>
#include <string>
#include <vector>

#include "net/tls_session.h"
#include "tests/net/tls_client.h"
#include "tests/net/tls_files.h"

namespace nuncio::net {
namespace {

using test::KeyKind;

struct Server {
  explicit Server(KeyKind key = KeyKind::p256, bool is_verifying = false)
      : files(authority.issue({.usage = "serverAuth", .key = key})) {
    if (is_verifying) files.verify_by(authority.pem());
    context = files.context();
  }

  test::Authority authority;
  test::TlsFiles files;
  std::shared_ptr<const TlsContext> context;
};

// Of this thread: what others do meanwhile does not count.
double processor_time_s() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// The server's part of one handshake, in seconds of processor time.
double time_handshake(test::TlsClient& client, TlsSession& session) {
  double spent_s = 0;
  auto state = TlsSession::Handshake::wants_input;
  while (state == TlsSession::Handshake::wants_input) {
    client.handshake();
    const std::string sent = client.take_output();
    std::string_view left = sent;
    std::string answer;
    const double start_s = processor_time_s();
    state = session.handshake(left, answer);
    spent_s += processor_time_s() - start_s;
    client.put_input(answer);
  }
  client.handshake();
  client.read();
  return spent_s;
}

void handshake(benchmark::State& state, KeyKind key, const char* curve, bool is_verifying) {
  const Server server(key, is_verifying);
  const auto identity = server.authority.issue();
  for (auto _ : state) {
    TlsSession session(server.context);
    test::TlsClient client({.identity = is_verifying ? &identity : nullptr, .curves = curve});
    state.SetIterationTime(time_handshake(client, session));
    if (!session.problem().empty()) return state.SkipWithError(session.problem().c_str());
    state.SetLabel(std::string(session.version()) + " " + std::string(session.cipher_suite()));
  }
}
BENCHMARK_CAPTURE(handshake, ecdsa_p256, KeyKind::p256, "P-256", false)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(handshake, ecdsa_x25519, KeyKind::p256, "X25519:P-256", false)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(handshake, rsa2048_p256, KeyKind::rsa2048, "P-256", false)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(handshake, mutual_p256, KeyKind::p256, "P-256", true)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

void resumed(benchmark::State& state, bool is_verifying) {
  const Server server(KeyKind::p256, is_verifying);
  const auto identity = server.authority.issue();
  TlsSession first(server.context);
  test::TlsClient client({.identity = is_verifying ? &identity : nullptr, .curves = "P-256"});
  time_handshake(client, first);
  for (auto _ : state) {
    TlsSession session(server.context);
    test::TlsClient again({.curves = "P-256", .session = client.session()});
    state.SetIterationTime(time_handshake(again, session));
    if (!session.is_resumed()) return state.SkipWithError("not resumed");
  }
}
BENCHMARK_CAPTURE(resumed, plain, false)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(resumed, mutual, true)->UseManualTime()->Unit(benchmark::kMicrosecond);

// A connected pair with one cipher of TLS 1.2.
struct Pair {
  explicit Pair(const char* suite)
      : session(server.context), client({.suites = suite, .version_max = TLS1_2_VERSION}) {
    time_handshake(client, session);
  }

  Server server;
  TlsSession session;
  test::TlsClient client;
};

void encrypt(benchmark::State& state, const char* suite) {
  Pair pair(suite);
  const std::string plain(static_cast<size_t>(state.range(0)), 'x');
  std::string record(plain.size() + TlsSession::record_overhead_max, '\0');
  for (auto _ : state) benchmark::DoNotOptimize(pair.session.write(plain, record));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void decrypt(benchmark::State& state, const char* suite) {
  Pair pair(suite);
  const std::string text(static_cast<size_t>(state.range(0)), 'x');
  std::string plain(4 * TlsSession::record_max, '\0');
  std::string sent;
  std::string_view left;
  for (auto _ : state) {
    if (left.empty()) {
      state.PauseTiming();
      for (size_t size = 0; size < (1 << 20); size += text.size()) pair.client.write(text);
      sent = pair.client.take_output();
      left = sent;
      state.ResumeTiming();
    }
    // One record.
    std::string_view record = left.substr(
        0, 5 + static_cast<size_t>(static_cast<uint8_t>(left[3]) << 8 | static_cast<uint8_t>(left[4])));
    left.remove_prefix(record.size());
    benchmark::DoNotOptimize(pair.session.read(record, plain));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

#define NUNCIO_BENCHMARK_CIPHER(name, suite)                    \
  BENCHMARK_CAPTURE(encrypt, name, suite)->Arg(64)->Arg(16384); \
  BENCHMARK_CAPTURE(decrypt, name, suite)->Arg(64)->Arg(16384)
NUNCIO_BENCHMARK_CIPHER(aes_256_gcm, "ECDHE-ECDSA-AES256-GCM-SHA384");
NUNCIO_BENCHMARK_CIPHER(chacha20_poly1305, "ECDHE-ECDSA-CHACHA20-POLY1305");
NUNCIO_BENCHMARK_CIPHER(aes_128_gcm, "ECDHE-ECDSA-AES128-GCM-SHA256");

// Heap that a session holds: before the client's first record, in the middle of the handshake, after it.
void memory(benchmark::State& state, bool is_verifying) {
  const Server server(KeyKind::p256, is_verifying);
  const auto identity = server.authority.issue();
  const auto in_use = [] { return static_cast<double>(mallinfo2().uordblks); };
  constexpr int count = 100;
  for (auto _ : state) {
    std::vector<std::unique_ptr<test::TlsClient>> clients;
    std::vector<std::string> hellos;
    for (int i = 0; i < count; ++i) {
      clients.push_back(std::make_unique<test::TlsClient>(test::TlsClientSettings{.identity = &identity}));
      clients.back()->handshake();
      hellos.push_back(clients.back()->take_output());
    }
    std::vector<std::unique_ptr<TlsSession>> sessions(count);
    std::vector<std::string> answers(count);
    const double before = in_use();
    for (auto& session : sessions) session = std::make_unique<TlsSession>(server.context);
    state.counters["before_hello"] = (in_use() - before) / count;
    double answered = 0;
    for (int i = 0; i < count; ++i) {
      std::string_view left = hellos[i];
      sessions[i]->handshake(left, answers[i]);
      answered += static_cast<double>(answers[i].capacity() + 1);
    }
    state.counters["handshaking"] = (in_use() - before - answered) / count;
    // The clients keep bytes of their own; so their share is measured with one more client each.
    for (int i = 0; i < count; ++i) {
      clients[i]->put_input(answers[i]);
      time_handshake(*clients[i], *sessions[i]);
    }
    clients.clear();
    answers.clear();
    const double with_sessions = in_use();
    sessions.clear();
    state.counters["idle"] = (with_sessions - in_use()) / count;
  }
}
BENCHMARK_CAPTURE(memory, plain, false)->Iterations(1);
BENCHMARK_CAPTURE(memory, mutual, true)->Iterations(1);

}  // namespace
}  // namespace nuncio::net
