#include "net/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <thread>

#include "core/log.h"
#include "net/acceptor.h"
#include "net/tls_arithmetic.h"
#include "net/worker.h"

namespace nuncio::net {
namespace {

unsigned count_workers(const Options& options) {
  if (options.workers != 0) return options.workers;
  return std::clamp(std::thread::hardware_concurrency(), 1u, workers_max);
}

void log_tls(const TlsContext& tls, bool allow_non_tls) {
  log::info("TLS {} for client connections, by {}{}", allow_non_tls ? "available" : "required", tls_library(),
            has_fast_arithmetic() ? ", arithmetic by libsodium, nettle and GMP" : "");
  for (const std::string& line : tls.describe()) log::info("{}", line);
}

// Where they stand in the file is no choice.
TlsOptions without_positions(TlsOptions options) {
  options.position.clear();
  for (auto& pair : options.pairs) pair.position.clear();
  return options;
}

// With the same material and choices the old one goes on, so that sessions can still be resumed.
std::shared_ptr<const TlsContext> same_or_new(const std::shared_ptr<const TlsContext>& before,
                                              const std::shared_ptr<const TlsContext>& next) {
  const bool is_same = before && next && before->fingerprint() == next->fingerprint() &&
                       without_positions(before->options()) == without_positions(next->options());
  return is_same ? before : next;
}

}  // namespace

Server::Server(const Options& options)
    : workers_count(count_workers(options)),
      server_id(make_server_id()),
      epochs(workers_count),
      state(nullptr),
      guard(options.login_backoff),
      accounts_(std::make_unique<std::unique_ptr<Account>[]>(accounts_max)) {}

Server::~Server() {
  stop();
}

std::string Server::start(const Configuration& configuration) {
  const Options& options = configuration.loaded.options;
  if (std::string problem = choose_io(options); !problem.empty()) return problem;
  if (std::string problem = open_audit(options); !problem.empty()) return problem;
  acceptor_ = std::make_unique<Acceptor>(*this);
  if (std::string problem = acceptor_->listen(options.host, options.port); !problem.empty()) return problem;
  port_ = acceptor_->port();
  std::string why_not;
  state.publish(make_state(configuration, why_not));
  if (!why_not.empty()) return why_not;
  auth::VerifierSettings settings;
  settings.threads = options.verifier_threads;
  settings.cache = options.credential_cache;
  settings.cache_ttl = options.credential_cache_ttl;
  verifier = std::make_unique<auth::Verifier>(settings, [this](auth::CheckResult result) {
    Worker& owner = *workers_[result.ticket.worker];
    owner.post(std::move(result));
  });
  for (WorkerId id = 0; id < workers_count; ++id) workers_.push_back(std::make_unique<Worker>(*this, id));
  for (WorkerId id = 0; id < workers_count; ++id) {
    if (workers_[id]->start(why_not)) continue;
    stop();
    return fmt::format("cannot start worker {}: {}", id, why_not);
  }
  log::info("Running {} workers on {} ({})", workers_count, io_name_, io_probe_);
  log::info("Listening for client connections on {}:{}", options.host, port_);
  if (configuration.tls) log_tls(*configuration.tls, options.allow_non_tls);
  acceptor_->start();
  return {};
}

std::string Server::adopt(const Configuration& configuration) {
  const Options& options = configuration.loaded.options;
  const auth::Snapshot<State>::Reader before(state);
  std::string why_not;
  auto next = make_state(configuration, why_not);
  if (!next) return why_not;
  if (options.audit_log != before->options.audit_log) {
    if (why_not = open_audit(options); !why_not.empty()) return why_not;
  }
  guard.configure(options.login_backoff);
  if (next->tls && next->tls != before->tls) log_tls(*next->tls, options.allow_non_tls);
  const uint64_t version = next->version;
  state.publish(std::move(next));
  for (auto& each : workers_) each->post(Wake{});
  for (auto& each : workers_) each->wait_until_adopted(version);
  if (options.connections_max < before->options.connections_max) close_surplus(options.connections_max);
  return {};
}

void Server::on_every_worker(const std::function<void(Worker&)>& task) {
  for (auto& each : workers_) {
    std::promise<void> done;
    each->post(Task{[&](Worker& worker) {
      task(worker);
      done.set_value();
    }});
    done.get_future().wait();
  }
}

// The newest go: whoever was here first stays (OP-33).
void Server::close_surplus(uint32_t connections_max) {
  std::vector<uint64_t> ids;
  on_every_worker(
      [&](Worker& worker) { worker.for_each_client([&](Connection& client) { ids.push_back(client.id); }); });
  if (ids.size() <= connections_max) return;
  const auto first_surplus = ids.begin() + connections_max;
  std::nth_element(ids.begin(), first_surplus, ids.end());
  on_every_worker([&](Worker& worker) {
    worker.for_each_client([&](Connection& client) {
      if (client.id >= *first_surplus) client.close(Reason::connections_exceeded);
    });
  });
}

std::string Server::open_audit(const Options& options) {
  std::string why_not;
  auto opened = auth::Audit::open(options.audit_log, why_not);
  if (!why_not.empty()) return why_not;
  const std::lock_guard lock(audit_mutex_);
  has_audit_ = !options.audit_log.empty();
  audit_.swap(opened);  // the other one writes its last lines when the lock is free again
  return {};
}

void Server::record(const auth::AuditRecord& record) {
  const std::lock_guard lock(audit_mutex_);
  if (audit_) audit_->record(record);
}

void Server::reopen_audit() {
  const std::lock_guard lock(audit_mutex_);
  if (audit_) audit_->reopen();
}

void Server::stop() {
  if (acceptor_) acceptor_->stop();
  for (auto& each : workers_) {
    if (each->is_started()) each->post(Stop{});
  }
  for (auto& each : workers_) {
    if (each->is_started()) each->wait_until_ended();
  }
  verifier.reset();  // its results go to workers
  for (auto& each : workers_) each->join();
  for (auto& each : workers_) each->delivery().discard_rings();
  workers_.clear();
  acceptor_.reset();
}

std::shared_ptr<const State> Server::make_state(const Configuration& configuration, std::string& why_not) {
  std::vector<Account*> account_at;
  for (const AccountRules& rules : configuration.accounts->accounts()) {
    account_at.push_back(account_named(rules.name));
    if (account_at.back() != nullptr) continue;
    why_not = fmt::format("there are more than {} accounts, counting earlier ones of this run", accounts_max);
    return nullptr;
  }
  const Options& options = configuration.loaded.options;
  const auto before = auth::Snapshot<State>::Reader(state).share();
  auto tls = before ? same_or_new(before->tls, configuration.tls) : configuration.tls;
  return std::make_shared<const State>(State{++version_, options, configuration.table, configuration.accounts,
                                             std::move(tls), std::move(account_at),
                                             InfoTemplate(make_info(options, *configuration.table))});
}

// The one of that name, made when there is none; null when there are too many.
Account* Server::account_named(const std::string& name) {
  if (const auto found = accounts_by_name_.find(name); found != accounts_by_name_.end()) return found->second;
  if (accounts_count_ == accounts_max) return nullptr;
  auto made = std::make_unique<Account>(accounts_count_, name, workers_count, epochs);
  Account* const account = made.get();
  accounts_[accounts_count_++] = std::move(made);
  return accounts_by_name_[name] = account;
}

ServerInfo Server::make_info(const Options& options, const auth::AuthTable& table) const {
  ServerInfo info;
  info.server_id = server_id;
  info.server_name = options.server_name;
  const bool is_advertised = !options.advertised_host.empty();
  info.host = is_advertised ? options.advertised_host : options.host;
  info.port = options.advertised_port != 0 ? options.advertised_port : port_;
  info.payload_max = options.payload_max;
  info.headers = options.headers;
  info.auth_required = table.is_announced();
  if (options.tls) {
    // Who is told nothing before a handshake has no other choice (CF-59).
    const bool is_first =
        options.tls->is_handshake_first && options.tls->handshake_first_fallback.count() == 0;
    info.tls_available = options.allow_non_tls && !is_first;
    info.tls_required = !info.tls_available;
    info.tls_verify = options.tls->is_verifying;
  }
  return info;
}

// Finds out by trying, on a thread of its own, what the workers can use.
std::string Server::choose_io(const Options& options) {
  if (options.io_backend == IoBackend::epoll) {
    io_name_ = "epoll";
    io_probe_ = "as configured";
    return {};
  }
  std::string why_not;
  bool is_possible = false;
  std::thread([&] { is_possible = make_io_uring(IoSettings{}, why_not) != nullptr; }).join();
  if (is_possible) {
    io_name_ = "io_uring";
    io_probe_ = options.io_backend == IoBackend::io_uring ? "as configured" : "probed";
    return {};
  }
  if (options.io_backend == IoBackend::io_uring)
    return fmt::format("io_backend io_uring is not available: {}", why_not);
  io_name_ = "epoll";
  io_probe_ = fmt::format("io_uring is not available: {}", why_not);
  return {};
}

std::unique_ptr<Io> Server::make_io(const IoSettings& settings, std::string& why_not) const {
  return io_name_ == "io_uring" ? make_io_uring(settings, why_not) : make_epoll(settings, why_not);
}

}  // namespace nuncio::net
