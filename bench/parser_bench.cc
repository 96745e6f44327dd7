// What parsing costs: one operation out of a buffer of many, as after a receive under load.
#include "core/parser.h"

#include <benchmark/benchmark.h>

#include <string>
#include <string_view>

namespace nuncio {
namespace {

constexpr ParseLimits limits{.control_line_max = 4096, .payload_max = 1024 * 1024};
using Parse = ParseResult (*)(std::string_view, const ParseLimits&, Operation&) noexcept;

std::string publish(std::string_view arguments, size_t size) {
  return "PUB " + std::string(arguments) + " " + std::to_string(size) + "\r\n" + std::string(size, 'x') +
         "\r\n";
}

// Parses a buffer full of repetitions of `unit` again and again; one iteration is one operation.
template <Parse function>
void parse_many(benchmark::State& state, const std::string& unit) {
  std::string buffer;
  while (buffer.size() + unit.size() <= 64 * 1024 || buffer.empty()) buffer += unit;
  const size_t valid = buffer.size();
  buffer.append(parser_padding, '\0');
  size_t at = 0;
  Operation operation;
  for ([[maybe_unused]] auto _ : state) {
    const ParseResult result = function({buffer.data() + at, valid - at}, limits, operation);
    if (result.status != ParseStatus::complete) return state.SkipWithError("not parsed");
    benchmark::DoNotOptimize(operation);
    at += result.consumed;
    if (at == valid) at = 0;
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_ParsePubShort(benchmark::State& state) {
  parse_many<parse>(state, publish("foo", 16));
}
void BM_ParsePubShortPortable(benchmark::State& state) {
  parse_many<parse_portable>(state, publish("foo", 16));
}
void BM_ParsePubReply(benchmark::State& state) {
  parse_many<parse>(state, publish("orders.new _INBOX.4PYOZ7UgkYJ5yq3.1", 128));
}
void BM_ParsePubMixed(benchmark::State& state) {  // lengths change, so that branches on them are mispredicted
  std::string unit;
  for (unsigned i = 0, seed = 1; i < 500; ++i) {
    seed = seed * 1103515245 + 12345;
    unit += publish(std::string(3 + seed / 65536 % 20, 's'), seed / 1024 % 40);
  }
  parse_many<parse>(state, unit);
}
void BM_ParsePubLongLine(benchmark::State& state) {
  parse_many<parse>(state, publish(std::string(80, 's'), 16));
}
void BM_ParseHpub(benchmark::State& state) {
  parse_many<parse>(state, "HPUB foo 22 38\r\nNATS/1.0\r\nTrace: 1\r\n\r\n0123456789abcdef\r\n");
}
void BM_ParseSub(benchmark::State& state) {
  parse_many<parse>(state, "SUB _INBOX.4PYOZ7UgkYJ5yq3.* 12345\r\n");
}
void BM_ParseUnsub(benchmark::State& state) {
  parse_many<parse>(state, "UNSUB 12345\r\n");
}
void BM_ParsePing(benchmark::State& state) {
  parse_many<parse>(state, "PING\r\n");
}

BENCHMARK(BM_ParsePubShort);
BENCHMARK(BM_ParsePubShortPortable);
BENCHMARK(BM_ParsePubReply);
BENCHMARK(BM_ParsePubMixed);
BENCHMARK(BM_ParsePubLongLine);
BENCHMARK(BM_ParseHpub);
BENCHMARK(BM_ParseSub);
BENCHMARK(BM_ParseUnsub);
BENCHMARK(BM_ParsePing);

}  // namespace
}  // namespace nuncio
