// The running broker: what its threads share, and their start and end. Made by main; every thread keeps a
// reference.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "auth/audit.h"
#include "auth/login_guard.h"
#include "auth/snapshot.h"
#include "auth/verifier.h"
#include "core/account.h"
#include "core/epochs.h"
#include "net/configuration.h"
#include "net/handshake_rate.h"
#include "net/io.h"
#include "net/state.h"

namespace nuncio::net {

class Acceptor;
class Worker;

// Accounts of one run of the server, those of earlier configurations included.
inline constexpr uint32_t accounts_max = 4096;

class Server {
 public:
  explicit Server(const Options&);  // those of the configuration that it is started with
  ~Server();

  // Listens, starts the threads and logs the listener. Empty, or why it cannot; then nothing is left running.
  // `configuration` has no errors; its secrets may be gone.
  std::string start(const Configuration& configuration);
  // Refuses new clients, flushes what is queued for at most two seconds, closes everything, joins the
  // threads.
  void stop();
  // Replaces what can be replaced by another configuration (the caller has refused what cannot). When it
  // returns, no login is judged by the old one any more and every connection has been checked again (AU-71).
  // Empty, or why it cannot; then nothing has changed. The thread that started the server.
  std::string adopt(const Configuration& configuration);
  // Runs `task` on every worker's thread, one after the other; returns when the last has ended. The same
  // thread.
  void on_every_worker(const std::function<void(Worker&)>& task);

  // Any thread: writes a record to the audit log, when there is one.
  void record(const auth::AuditRecord&);
  bool has_audit() const { return has_audit_.load(std::memory_order_relaxed); }
  void reopen_audit();

  // Constant while threads run.
  const unsigned workers_count;
  const std::string server_id;
  const std::string& io_name() const { return io_name_; }    // "io_uring" or "epoll"
  const std::string& io_probe() const { return io_probe_; }  // what the probe found
  int port() const { return port_; }
  // Any worker, for an index it has got from a state or from another worker.
  Account& account(uint32_t index) { return *accounts_[index]; }
  Worker& worker(unsigned id) { return *workers_[id]; }
  // A back end for the calling thread, of the kind chosen at start; null with `why_not` when it cannot be
  // made.
  std::unique_ptr<Io> make_io(const IoSettings& settings, std::string& why_not) const;

  Epochs epochs;
  auth::Snapshot<State> state;  // null before start()
  std::unique_ptr<auth::Verifier> verifier;
  auth::LoginGuard guard;
  HandshakeRate handshake_rate;
  std::atomic<uint32_t> refused{0};      // being told that the server is full
  std::atomic<uint32_t> connections{0};  // open clients, also those not logged in

 private:
  std::string choose_io(const Options& options);
  std::string open_audit(const Options& options);
  // Null, with `why_not`, when there would be too many accounts.
  std::shared_ptr<const State> make_state(const Configuration& configuration, std::string& why_not);
  ServerInfo make_info(const Options& options, const auth::AuthTable& table) const;
  Account* account_named(const std::string& name);
  void close_surplus(uint32_t connections_max);

  std::string io_name_, io_probe_;
  int port_ = 0;
  // Never moved and never removed while the server lives: workers refer to accounts without a lock.
  std::unique_ptr<std::unique_ptr<Account>[]> accounts_;
  uint32_t accounts_count_ = 0;
  uint64_t version_ = 0;
  std::atomic<bool> has_audit_{false};
  std::mutex audit_mutex_;  // a reload may open another one
  std::unique_ptr<auth::Audit> audit_;
  std::unordered_map<std::string, Account*> accounts_by_name_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace nuncio::net
