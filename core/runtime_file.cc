#include "core/runtime_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace nuncio {

RuntimeFile::~RuntimeFile() {
  if (!path_.empty()) unlink(path_.c_str());
}

std::string RuntimeFile::write(const std::string& path, std::string_view text) {
  const std::string next = fmt::format("{}.{}", path, getpid());
  const auto problem = [&] { return fmt::format("cannot write {}: {}", path, std::strerror(errno)); };
  std::FILE* file = std::fopen(next.c_str(), "we");
  if (file == nullptr) return problem();
  const bool is_written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !is_written || std::rename(next.c_str(), path.c_str()) != 0) {
    const std::string text_of_problem = problem();
    unlink(next.c_str());
    return text_of_problem;
  }
  path_ = path;
  return {};
}

}  // namespace nuncio
