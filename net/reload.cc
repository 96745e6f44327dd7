#include "net/reload.h"

#include <fmt/format.h>
#include <unistd.h>

#include "core/config/reload_plan.h"
#include "core/log.h"
#include "net/worker.h"

namespace nuncio::net {
namespace {

// Lines about clients in a plan; more are only counted.
constexpr size_t clients_told_max = 1000;

std::shared_ptr<const State> state_of(const Server& server) {
  return auth::Snapshot<State>::Reader(server.state).share();
}

config::ReloadPlan compare(const State& before, const Configuration& next) {
  const bool secrets_differ = !before.table->has_same_secrets(*next.table);
  const bool tls_files_differ =
      before.tls && next.tls && before.tls->fingerprint() != next.tls->fingerprint();
  return config::plan_reload(before.options, next.loaded.options, secrets_differ, tls_files_differ);
}

void fail(std::string_view why) {
  log::error("Failed to reload server configuration: {}", why);
}

}  // namespace

void Reloader::reload() {
  if (command_line_.config_file.empty())
    return fail("can only reload config when a file is provided using -c or --config");
  Configuration next = load_configuration(command_line_);
  next.loaded.options.authorization.clear_secrets();
  for (const std::string& error : next.loaded.errors) fail(error);
  if (!next.loaded.errors.empty()) return;
  const auto before = state_of(server_);
  const config::ReloadPlan plan = compare(*before, next);
  for (const std::string& refused : plan.refused) fail(refused);
  if (!plan.refused.empty()) return;
  if (const std::string problem = apply(next, before->options); !problem.empty()) return fail(problem);
  for (const std::string& warning : next.loaded.warnings) log::warn("{}", warning);
  for (const std::string& name : plan.changed) log::info("Reloaded: {}", name);
  log::info("Reloaded server configuration");
}

// All or nothing: what can fail comes first, and is taken back when a later step fails.
std::string Reloader::apply(Configuration& next, const Options& before) {
  const Options& options = next.loaded.options;
  const bool is_other_log = !(options.log == before.log);
  if (is_other_log) {
    if (std::string problem = log::change(options.log); !problem.empty()) return problem;
  }
  std::string problem;
  RuntimeFile next_pid_file;
  const bool is_other_pid_file = options.pid_file != before.pid_file;
  if (is_other_pid_file && !options.pid_file.empty())
    problem = next_pid_file.write(options.pid_file, std::to_string(getpid()));
  if (problem.empty()) problem = server_.adopt(next);
  if (problem.empty() && is_other_pid_file) pid_file_.swap(next_pid_file);  // the other one goes
  if (!problem.empty() && is_other_log) log::change(before.log);
  return problem;
}

std::string Reloader::plan() {
  const Configuration next = load_configuration(command_line_);
  const auto before = state_of(server_);
  std::string text;
  for (const std::string& error : next.loaded.errors) text += fmt::format("error: {}\n", error);
  if (!next.loaded.errors.empty()) return text + "a reload would change nothing\n";
  const config::ReloadPlan plan = compare(*before, next);
  for (const std::string& warning : next.loaded.warnings) text += fmt::format("warning: {}\n", warning);
  for (const std::string& refused : plan.refused) text += fmt::format("refused: {}\n", refused);
  if (!plan.refused.empty()) return text + "a reload would change nothing\n";
  for (const std::string& name : plan.changed) text += fmt::format("reloaded: {}\n", name);
  size_t clients = 0, affected = 0;
  server_.on_every_worker([&](Worker& worker) {
    worker.for_each_client([&](Connection& client) {
      ++clients;
      const std::string effect = client.session->effect_of(next);
      if (!effect.empty() && ++affected <= clients_told_max)
        text += fmt::format("client: {} - {}\n", client.label(), effect);
    });
  });
  return text + fmt::format("{} of {} clients would notice\n", affected, clients);
}

}  // namespace nuncio::net
