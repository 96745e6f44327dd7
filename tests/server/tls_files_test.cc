// Files of certificates and keys that cannot be used, the flags that name them, and what of it is shown.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "tls_server.h"

namespace nuncio::test {
namespace {

using testing::HasSubstr;

class TlsFiles : public TlsTest {
 protected:
  // Starts and `-t` fail alike, and say which file. The reference leaves out some names.
  void expect_named(const std::string& config, const std::string& name, Where where = Where::current()) {
    SCOPED_TRACE(where.line());
    for (const std::vector<std::string>& flags : {std::vector<std::string>{"-p", "-1"}, {"-t"}}) {
      const Finished end = run_server({.flags = flags, .config = config});
      EXPECT_EQ(end.exit_status, 1);
      EXPECT_THAT(end.err, HasSubstr(is_oracle() ? "" : name));
    }
  }
  Finished run_flags(const std::vector<std::string>& flags) {
    std::vector<std::string> all{"-a", "127.0.0.1", "-p", "-1"};
    all.insert(all.end(), flags.begin(), flags.end());
    return run_server({.flags = all});
  }
};
NUNCIO_ON_EVERY_BACKEND(TlsFiles);

std::string block(const std::string& certificate, const std::string& key, const std::string& ca) {
  return fmt::format("tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}\n",
                     certificate, key, ca);
}

// One error for a section that this version does not have, at its name, and none for the TLS inside it.
TEST_P(TlsFiles, CF_63_SectionsThatAreNotSupportedAreOneErrorEach) {
  NUNCIO_OURS_ONLY();
  constexpr std::string_view tls = "tls { cert_file: \"/nonexistent/cert.pem\", verify: 7, nonsense: [ 1 ] }";
  std::string config;
  std::vector<std::string> wanted;
  TempFile file("");
  const auto add = [&](std::string_view name, const std::string& value) {
    config += fmt::format("  {} {{ {} }}\n", name, value);
    wanted.push_back(fmt::format("{}:{}:3: \"{}\" is not supported by this version of nuncio", file.path(),
                                 wanted.size() + 1, name));
  };
  for (const char* name : {"cluster", "gateway", "leaf", "websocket", "ws", "mqtt", "jetstream", "resolver",
                           "resolver_tls", "account_resolver_tls"})
    add(name, fmt::format("port: x, {}", tls));
  add("leafnodes", fmt::format("remotes: [ {{ url: \"tls://x\", {} }} ]", tls));
  file.write(config);
  for (const char* flag : {"-t", "-D"}) {
    const Finished end = run_server({.flags = {"-c", file.path(), flag}});
    EXPECT_EQ(end.exit_status, 1);
    std::vector<std::string> said;
    std::istringstream lines(end.err);
    // A start puts the program's name in front.
    for (std::string line; std::getline(lines, line);)
      said.push_back(line.substr(std::min(line.find(file.path()), line.size())));
    EXPECT_EQ(said, wanted);
  }
}

TEST_P(TlsFiles, CF_58_FilesThatAreNotThereAreNamed) {
  const Certificate& own = server_certificate();
  const std::string& ca = authority().file();
  const TempDirectory directory;
  for (const std::string& bad :
       {directory / "missing.pem", directory.path(), pem_file("nonsense\n"), pem_file("")}) {
    SCOPED_TRACE(bad);
    expect_named(block(bad, own.key_file, ca), bad);
    expect_named(block(own.file, bad, ca), bad);
    expect_named(block(own.file, own.key_file, bad), bad);
  }
}

TEST_P(TlsFiles, CF_58_AFileThatMayNotBeReadIsNamed) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs to become another user";
  const ProgramCopy program;
  const TempFile config(tls_block());  // of a directory that only root may enter
  std::filesystem::permissions(config.path(), std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  const Finished end = run(program.path(), {"-c", config.path()}, {.without_root = true});
  EXPECT_EQ(end.exit_status, 1);
  EXPECT_THAT(end.err, HasSubstr(server_certificate().file));
  EXPECT_THAT(end.err, testing::ContainsRegex("[Pp]ermission denied"));
}

TEST_P(TlsFiles, CF_58_KeyAndCertificateThatDoNotMatchAreNamed) {
  const Certificate other = authority().server();
  expect_named(block(server_certificate().file, other.key_file, authority().file()), other.key_file);
  // A certificate where the key belongs, and the other way round.
  expect_named(block(other.file, other.file, authority().file()), other.file);
  expect_named(block(other.key_file, other.key_file, authority().file()), other.key_file);
}

TEST_P(TlsFiles, CF_58_HalfAPairIsAnError) {
  const Certificate& own = server_certificate();
  expect_named(fmt::format("tls {{ cert_file: \"{}\" }}\n", own.file), "key_file");
  expect_named(fmt::format("tls {{ key_file: \"{}\" }}\n", own.key_file), "cert_file");
}

// Without `verify` nobody is judged by it, and a name that is wrong is a mistake all the same.
TEST_P(TlsFiles, CF_58_AnAuthorityThatIsNotThereIsNamedInAnyCase) {
  const Certificate& own = server_certificate();
  const TempDirectory directory;
  const std::string bad = directory / "missing.pem";
  expect_named(fmt::format("tls {{ {} }}\n", tls_files(own, bad)), bad);
}

// The reference starts and then refuses every handshake.
TEST_P(TlsFiles, CF_58_ABlockWithoutCertificatesIsAnError) {
  NUNCIO_OURS_ONLY();
  expect_named("tls { }\n", "cert_file");
  expect_named("tls { verify: true }\n", "cert_file");
}

TEST_P(TlsFiles, CF_58_AChainIsSentWhole) {
  const Authority below = authority().intermediate("/CN=Below");
  const Certificate own = below.intermediate("/CN=Further below").server();
  start_config(tls_block("", own));
  tls_connected().ping();  // the client knows only the root
}

TEST_P(TlsFiles, CF_58_ExpiredCertificatesOfTheServerAreServed) {
  const Certificate own =
      authority().issue({.subject = "/CN=localhost", .names = {"DNS:localhost"}, .validity = expired});
  start_config(tls_block("", own));
  if (!is_oracle()) server().wait_for_log("expired");
  client().expect_handshake_refused();  // by the client
}

TEST_P(TlsFiles, CF_58_CheckingAConfigurationWithTls) {
  for (const char* more : {"", "verify: true", "timeout: 3, curve_preferences: [ X25519, CurveP256 ]"}) {
    const Finished end = run_server({.flags = {"-t"}, .config = tls_block(more)});
    EXPECT_EQ(end.exit_status, 0) << end.err;
    EXPECT_THAT(end.err + end.out, HasSubstr("is valid"));
  }
}

TEST_P(TlsFiles, CF_58_PathsAreThoseOfTheWorkingDirectory) {
  const Certificate& own = server_certificate();
  const std::string relative = std::filesystem::relative(own.file).string();
  const std::string key = std::filesystem::relative(own.key_file).string();
  start_config(fmt::format("tls {{ cert_file: \"{}\", key_file: \"{}\", {} }}\n", relative, key, patient));
  tls_connected().ping();
}

TEST_P(TlsFiles, CF_71_FlagsSwitchTlsOn) {
  const Certificate& own = server_certificate();
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--tls", "--tlscert", own.file, "--tlskey", own.key_file},
        {"-tls", "-tlscert", own.file, "-tlskey", own.key_file},
        {"--tlscert=" + own.file, "--tlskey=" + own.key_file}}) {
    start_flags(flags);
    EXPECT_EQ(client().info()["tls_required"], true);
    EXPECT_FALSE(client().info().contains("tls_verify"));
    tls_connected().ping();
  }
}

TEST_P(TlsFiles, CF_71_FlagsAskForClientsCertificates) {
  const Certificate& own = server_certificate();
  start_flags(
      {"--tlsverify", "--tlscert", own.file, "--tlskey", own.key_file, "--tlscacert", authority().file()});
  EXPECT_EQ(client().info()["tls_verify"], true);
  TlsSettings settings;
  settings.certificate = authority().client("/CN=anna");
  tls_connected(Json::object(), settings).ping();
  client().expect_handshake_refused();
  settings.certificate = Authority("/CN=Another").client("/CN=anna");
  client().expect_handshake_refused(settings);
}

TEST_P(TlsFiles, CF_71_TlsWithoutCertificatesIsAnError) {
  const Certificate& own = server_certificate();
  struct Case {
    std::vector<std::string> flags;
    std::string text;
  };
  for (const Case& one :
       {Case{{"--tls"}, "TLS Server certificate must be present and valid"},
        Case{{"--tlsverify"}, "TLS Server certificate must be present and valid"},
        Case{{"--tlscacert", authority().file()}, "TLS Server certificate must be present and valid"},
        Case{{"--tls", "--tlskey", own.key_file}, "TLS Server certificate must be present and valid"},
        Case{{"--tls", "--tlscert", own.file}, "TLS Server private key must be present and valid"}}) {
    const Finished end = run_flags(one.flags);
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_THAT(end.err, HasSubstr(one.text));
  }
}

TEST_P(TlsFiles, CF_71_FilesOfFlagsAreNamed) {
  const Certificate& own = server_certificate();
  for (const char* wrong : {"--tlscert", "--tlskey", "--tlscacert"}) {
    std::vector<std::string> flags{"--tlsverify", "--tlscert",   own.file,          "--tlskey",
                                   own.key_file,  "--tlscacert", authority().file()};
    *(std::ranges::find(flags, wrong) + 1) = "/nowhere/missing.pem";
    const Finished end = run_flags(flags);
    EXPECT_EQ(end.exit_status, 1);
    EXPECT_THAT(end.err, HasSubstr("/nowhere/missing.pem"));
  }
}

TEST_P(TlsFiles, CF_71_FlagsStandAboveTheFile) {
  const Certificate own =
      authority().issue({.subject = "/CN=flagged", .names = {"DNS:localhost"}, .usages = {"serverAuth"}});
  start_config(tls_block(), {"--tlscert", own.file, "--tlskey", own.key_file});
  EXPECT_EQ(tls_connected().tls().server_subject(), "CN=flagged");
  start_config(tls_block(), {"--tls=false"});
  EXPECT_FALSE(client().info().contains("tls_required"));
  connected().ping();
}

// With the reference the flags' certificate takes the file's `verify` away without a word.
TEST_P(TlsFiles, CF_71_FlagsDoNotLoosenWhatTheFileAsksFor) {
  NUNCIO_OURS_ONLY();
  const Certificate& own = server_certificate();
  start_config(tls_block("verify: true"), {"--tlscert", own.file, "--tlskey", own.key_file});
  EXPECT_EQ(client().info()["tls_verify"], true);
  client().expect_handshake_refused();
}

TEST_P(TlsFiles, CF_79_HelpOfTlsNamesSuitesAndCurves) {
  for (const char* flag : {"--help_tls", "-help_tls"}) {
    const Finished end = run_server({.flags = {flag}});
    EXPECT_EQ(end.exit_status, 0);
    const std::string text = end.out + end.err;
    for (const char* part :
         {"cert_file", "key_file", "ca_file", "verify", "cipher_suites", "curve_preferences",
          "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "X25519", "CurveP384"})
      EXPECT_THAT(text, HasSubstr(part));
  }
}

}  // namespace
}  // namespace nuncio::test
