// Files and directories that live as long as a test: configuration files, pid files, logs.
#pragma once

#include <string>
#include <string_view>

namespace nuncio::test {

// A file of mode 0600 with the given text; removed by the destructor.
class TempFile {
 public:
  explicit TempFile(std::string_view text, std::string_view suffix = ".conf");
  ~TempFile();
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  const std::string& path() const { return path_; }
  void write(std::string_view text);  // replaces the content

 private:
  std::string path_;
};

// An empty directory of mode 0700; removed with everything in it by the destructor.
class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The content of a file, empty when there is none.
std::string read_file(const std::string& path);

}  // namespace nuncio::test
