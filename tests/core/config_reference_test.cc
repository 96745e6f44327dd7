// A folder of small files, each of which says in its first line whether it is accepted and whether that is
// what `nats-server -t` of version 2.9.10 does too. The second half was established with that program.
#include <algorithm>
#include <cstdlib>
#include <optional>

#include "tests/core/config_files.h"

namespace nuncio::config {
namespace {

struct Case {
  std::string path;
  bool is_accepted = false;
  std::optional<bool> is_accepted_by_reference;  // none: it decides by chance
};

std::vector<Case> cases() {
  std::vector<Case> found;
  for (const auto& entry : std::filesystem::directory_iterator(TEST_SOURCE_DIR "/core/config_cases")) {
    std::ifstream file(entry.path());
    std::string first;
    std::getline(file, first);
    const bool is_accepted = first.starts_with("# accepted");
    EXPECT_TRUE(is_accepted || first.starts_with("# refused")) << entry.path();
    const bool is_other = first.find(is_accepted ? "refused by" : "accepted by") != std::string::npos;
    Case one{entry.path().string(), is_accepted, is_accepted != is_other};
    if (first.find("by chance") != std::string::npos) one.is_accepted_by_reference.reset();
    found.push_back(std::move(one));
  }
  std::ranges::sort(found, {}, &Case::path);
  return found;
}

class ConfigReference : public ConfigFiles {};

TEST_F(ConfigReference, CF_31_FilesAreAcceptedAndRefusedAsTheirFirstLineSays) {
  const auto all_cases = cases();
  EXPECT_GT(all_cases.size(), 100u);
  for (const Case& one : all_cases) {
    const CommandLine line = arguments({"-t", "-c", one.path.c_str()});
    ASSERT_EQ(line.action, CommandLine::Action::check);
    const LoadedOptions loaded = load_options(line);
    EXPECT_EQ(check_report(line, loaded).exit_code, one.is_accepted ? 0 : 1) << one.path << "\n"
                                                                             << all(loaded);
    for (const auto& error : loaded.errors) EXPECT_THAT(error, HasSubstr(one.path + ":")) << "no position";
  }
}

// The other half of the first line, where that version is installed.
TEST_F(ConfigReference, CF_31_NatsServerAcceptsAndRefusesAsTheirFirstLineSays) {
  if (std::system("nats-server -v 2>/dev/null | grep -q 'v2\\.9\\.10$'") != 0)
    GTEST_SKIP() << "needs nats-server 2.9.10";
  for (const Case& one : cases()) {
    if (!one.is_accepted_by_reference) continue;
    const std::string command = "nats-server -t -c '" + one.path + "' >/dev/null 2>&1";
    EXPECT_EQ(std::system(command.c_str()) == 0, *one.is_accepted_by_reference) << one.path;
  }
}

}  // namespace
}  // namespace nuncio::config
