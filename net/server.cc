#include "net/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "core/log.h"
#include "net/acceptor.h"
#include "net/worker.h"

namespace nuncio::net {
namespace {

unsigned count_workers(const Options& options) {
  if (options.workers != 0) return options.workers;
  return std::clamp(std::thread::hardware_concurrency(), 1u, workers_max);
}

}  // namespace

Server::Server(const Options& chosen, std::shared_ptr<const auth::AuthTable> first_table)
    : options(chosen),
      workers_count(count_workers(chosen)),
      server_id(make_server_id()),
      epochs(workers_count),
      table(std::move(first_table)) {
  accounts_.push_back(std::make_unique<Account>(0, default_account_name, workers_count, epochs));
}

Server::~Server() {
  stop();
}

std::string Server::start() {
  if (std::string problem = choose_io(); !problem.empty()) return problem;
  acceptor_ = std::make_unique<Acceptor>(*this);
  if (std::string problem = acceptor_->listen(options.host, options.port); !problem.empty()) return problem;
  port_ = acceptor_->port();
  auth::VerifierSettings settings;
  settings.threads = options.verifier_threads;
  settings.cache = options.credential_cache;
  settings.cache_ttl = options.credential_cache_ttl;
  verifier = std::make_unique<auth::Verifier>(settings, [this](auth::CheckResult result) {
    Worker& owner = *workers_[result.ticket.worker];
    owner.post(std::move(result));
  });
  make_info();
  for (WorkerId id = 0; id < workers_count; ++id) workers_.push_back(std::make_unique<Worker>(*this, id));
  for (WorkerId id = 0; id < workers_count; ++id) {
    std::string why_not;
    if (workers_[id]->start(why_not)) continue;
    stop();
    return fmt::format("cannot start worker {}: {}", id, why_not);
  }
  log::info("Running {} workers on {} ({})", workers_count, io_name_, io_probe_);
  log::info("Listening for client connections on {}:{}", options.host, port_);
  acceptor_->start();
  return {};
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

void Server::make_info() {
  const auth::Snapshot<auth::AuthTable>::Reader current(table);
  ServerInfo info;
  info.server_id = server_id;
  info.server_name = options.server_name;
  const bool is_advertised = !options.advertised_host.empty();
  info.host = is_advertised ? options.advertised_host : options.host;
  info.port = options.advertised_port != 0 ? options.advertised_port : port_;
  info.payload_max = options.payload_max;
  info.headers = options.headers;
  info.auth_required = current->is_announced();
  info_ = std::make_unique<InfoTemplate>(info);
}

// Finds out by trying, on a thread of its own, what the workers can use.
std::string Server::choose_io() {
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
