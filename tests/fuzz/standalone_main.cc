// Runs one fuzz target without libFuzzer: every file of the corpus folder given, then seeded random mutations of
// those files. `TARGET CORPUS [SECONDS [SEED]]`; prints the seed so that a failure can be repeated.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

std::string mutate(std::string text, std::mt19937_64& random) {
  const unsigned edits = 1 + static_cast<unsigned>(random() % 6);
  for (unsigned i = 0; i < edits; ++i) {
    const size_t at = text.empty() ? 0 : random() % text.size();
    switch (random() % 5) {
      case 0: if (!text.empty()) text[at] = static_cast<char>(random()); break;
      case 1: text.insert(at, 1, static_cast<char>(random())); break;
      case 2: if (!text.empty()) text.erase(at, 1 + random() % 8); break;
      case 3: text.insert(at, text.substr(at, random() % 64)); break;
      default: text.resize(at); break;
    }
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> corpus{""};
  if (argc > 1 && std::filesystem::is_directory(argv[1])) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
      std::ifstream file(entry.path(), std::ios::binary);
      corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
  }
  const double seconds = argc > 2 ? std::atof(argv[2]) : 3;
  const uint64_t seed = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : std::random_device{}();
  std::printf("%zu corpus files, seed %llu\n", corpus.size() - 1, static_cast<unsigned long long>(seed));
  std::fflush(stdout);

  for (const auto& text : corpus) run(text);
  std::mt19937_64 random(seed);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  unsigned long runs = 0;
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 100; ++i, ++runs) run(mutate(corpus[random() % corpus.size()], random));
  }
  std::printf("%lu mutated inputs\n", runs);
}
