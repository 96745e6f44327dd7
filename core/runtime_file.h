// A small file that says something about the running process (pid file, ports file) and goes with it.
#pragma once

#include <string>
#include <string_view>

namespace nuncio {

class RuntimeFile {
 public:
  RuntimeFile() = default;
  ~RuntimeFile();  // removes what write() made
  RuntimeFile(const RuntimeFile&) = delete;
  RuntimeFile& operator=(const RuntimeFile&) = delete;

  // Writes `text` in one step (a new file renamed into place). Empty, or what went wrong, naming the path.
  std::string write(const std::string& path, std::string_view text);
  void swap(RuntimeFile& other) noexcept { path_.swap(other.path_); }

 private:
  std::string path_;
};

}  // namespace nuncio
