// The audit log: one line of JSON for each decision about a login (AU-75), to a file or to syslog.
// Thread-safe; a record is queued and written by another thread, never waited for. What does not fit into the
// queue, or cannot be written, is counted and told later.
//
//   {"time":"2026-01-31T12:00:00.123Z","source":"203.0.113.7:40112","cid":7,"kind":"client","user":"bob",
//    "account":"$G","decision":"refused","reason":"wrong_password","secret":""}
//
// on one line. "decision" is "admitted" or "refused", "reason" is code() of core/reason.h ("none" when
// admitted), "secret" the label of the secret used. Texts are valid UTF-8 (what is not becomes U+FFFD) and
// cut to 256 bytes ("..." marks the cut). "lost":N at the end: N records next to this one are missing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/reason.h"

namespace nuncio::auth {

struct AuditRecord {
  std::string_view source{};   // HOST:PORT
  uint64_t connection = 0;     // cid
  std::string_view kind{};     // "client"
  std::string_view user{};     // name or nkey as given; of a token "[REDACTED]"
  std::string_view account{};  // of the user that was let in
  std::string_view secret{};   // label of the secret that was used; empty: none
  bool is_admitted = false;
  Reason reason = Reason::none;
};

class Audit {
 public:
  // `target`: a file, which is appended to and made 0600, "syslog" (facility authpriv), or empty: then there
  // is an Audit that records nothing. Null with `why_not` when the file cannot be opened.
  static std::unique_ptr<Audit> open(const std::string& target, std::string& why_not);
  // Writes what is queued, for at most a second; a writer that hangs in a blocked target is left behind.
  ~Audit();

  // Any thread. Some microseconds; takes the short lock of the queue.
  void record(const AuditRecord&);
  // After the file was moved away: opens it anew at once, records from now on go there. If that fails, an
  // error is logged and the old file stays in use. Waits for nothing.
  void reopen();

 private:
  struct State;
  explicit Audit(std::unique_ptr<State>);
  const std::unique_ptr<State> state_;
};

}  // namespace nuncio::auth
