// What the configuration tests have in common: files in a folder of their own, and loading them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "core/command_line.h"
#include "core/config/load.h"

namespace nuncio::config {

// What tests ask of the configured users; empty texts for what there is not.
inline std::string text_of(const std::vector<SecretOptions>& secrets) {
  return secrets.empty() ? "" : std::string(secrets[0].text.reveal());
}
inline std::string user_of(const AuthorizationOptions& authorization) {
  return authorization.single_user ? authorization.single_user->name : "";
}
inline std::string password_of(const AuthorizationOptions& authorization) {
  return authorization.single_user ? text_of(authorization.single_user->passwords) : "";
}

class ConfigFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "nuncio-config-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    std::filesystem::remove_all(folder_);
    for (const std::string& name : variables_) ::unsetenv(name.c_str());
  }

  // Readable by the owner only, so that no warning is about that.
  std::string write(const std::string& name, std::string_view text) {
    const std::string path = (folder_ / name).string();
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
    ::chmod(path.c_str(), 0600);
    return path;
  }
  void set_variable(const std::string& name, const std::string& value) {
    ::setenv(name.c_str(), value.c_str(), 1);
    variables_.push_back(name);
  }
  static CommandLine arguments(std::vector<const char*> flags) {
    flags.insert(flags.begin(), "nats-server");
    return parse_command_line(static_cast<int>(flags.size()), flags.data());
  }

  // Loads `text` as the file t.conf; findings come back with "t.conf" for its path.
  LoadedOptions load(std::string_view text, std::vector<const char*> flags = {}) {
    return load_file(write("t.conf", text), std::move(flags));
  }
  LoadedOptions load_file(const std::string& path, std::vector<const char*> flags = {}) {
    flags.push_back("-c");
    flags.push_back(path.c_str());
    LoadedOptions loaded = load_options(arguments(std::move(flags)));
    for (auto* list : {&loaded.errors, &loaded.warnings}) {
      for (std::string& line : *list) {
        for (size_t at; (at = line.find(folder_.string() + "/")) != std::string::npos;) {
          line.erase(at, folder_.string().size() + 1);
        }
      }
    }
    return loaded;
  }
  // Everything found, one a line, for messages and for searching in.
  static std::string all(const LoadedOptions& loaded) {
    std::string text;
    for (const auto& line : loaded.errors) text += "error: " + line + "\n";
    for (const auto& line : loaded.warnings) text += "warning: " + line + "\n";
    return text;
  }

  std::filesystem::path folder_;

 private:
  std::vector<std::string> variables_;
};

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

}  // namespace nuncio::config
