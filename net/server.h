// The running broker: what its threads share, and their start and end. Made by main; every thread keeps a
// reference.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "auth/auth_table.h"
#include "auth/snapshot.h"
#include "auth/verifier.h"
#include "core/account.h"
#include "core/epochs.h"
#include "core/info.h"
#include "core/options.h"
#include "net/io.h"

namespace nuncio::net {

class Acceptor;
class Worker;

class Server {
 public:
  Server(const Options& options, std::shared_ptr<const auth::AuthTable> table);
  ~Server();

  // Listens, starts the threads and logs the listener. Empty, or why it cannot; then nothing is left running.
  std::string start();
  // Refuses new clients, flushes what is queued for at most two seconds, closes everything, joins the
  // threads.
  void stop();

  // Constant while threads run.
  const Options options;
  const unsigned workers_count;
  const std::string server_id;
  const std::string& io_name() const { return io_name_; }    // "io_uring" or "epoll"
  const std::string& io_probe() const { return io_probe_; }  // what the probe found
  int port() const { return port_; }
  Account& default_account() { return *accounts_.front(); }
  Account& account(uint32_t index) { return *accounts_[index]; }
  uint32_t accounts_count() const { return static_cast<uint32_t>(accounts_.size()); }
  Worker& worker(unsigned id) { return *workers_[id]; }
  const InfoTemplate& info() const { return *info_; }
  // A back end for the calling thread, of the kind chosen at start; null with `why_not` when it cannot be
  // made.
  std::unique_ptr<Io> make_io(const IoSettings& settings, std::string& why_not) const;

  Epochs epochs;
  auth::Snapshot<auth::AuthTable> table;
  std::unique_ptr<auth::Verifier> verifier;
  std::atomic<uint32_t> refused{0};      // being told that the server is full
  std::atomic<uint32_t> connections{0};  // open clients, also those not logged in

 private:
  std::string choose_io();
  void make_info();

  std::string io_name_, io_probe_;
  int port_ = 0;
  std::vector<std::unique_ptr<Account>> accounts_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<InfoTemplate> info_;
};

}  // namespace nuncio::net
