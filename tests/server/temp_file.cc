#include "temp_file.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace nuncio::test {
namespace {

std::string pattern(std::string_view suffix) {
  return (std::filesystem::temp_directory_path() / "nuncio-test-XXXXXX").string() + std::string(suffix);
}

}  // namespace

TempFile::TempFile(std::string_view text, std::string_view suffix) : path_(pattern(suffix)) {
  const int fd = ::mkstemps(path_.data(), static_cast<int>(suffix.size()));
  if (fd < 0) throw std::runtime_error("cannot create " + path_);
  ::close(fd);
  write(text);
}

TempFile::~TempFile() {
  ::unlink(path_.c_str());
}

void TempFile::write(std::string_view text) {
  std::ofstream(path_, std::ios::trunc | std::ios::binary).write(text.data(), static_cast<long>(text.size()));
}

TempDirectory::TempDirectory() : path_(pattern("")) {
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("cannot create " + path_);
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace nuncio::test
