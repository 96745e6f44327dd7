// The audit log: one line of JSON for each decision about a login (AU-75), to a file or to syslog.
// Thread-safe; a record is queued and written by another thread, never waited for. What does not fit into the
// queue is counted and told later.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/reason.h"

namespace nuncio::auth {

struct AuditRecord {
  std::string_view source;   // HOST:PORT
  uint64_t connection = 0;   // cid
  std::string_view kind;     // "client"
  std::string_view user;     // name or nkey as given; of a token "[REDACTED]"
  std::string_view account;  // of the user that was let in
  std::string_view secret;   // label of the secret that was used; empty: none
  bool is_admitted = false;
  Reason reason = Reason::none;
};

class Audit {
 public:
  // `target`: a file, which is appended to and made 0600, "syslog", or empty for no audit at all. An error
  // says why not.
  static std::unique_ptr<Audit> open(const std::string& target, std::string& why_not);
  ~Audit();  // writes what is queued, for a bounded time

  void record(const AuditRecord&);
  void reopen();  // after the file was moved away

 private:
  struct State;
  explicit Audit(std::unique_ptr<State>);
  const std::unique_ptr<State> state_;
};

}  // namespace nuncio::auth
