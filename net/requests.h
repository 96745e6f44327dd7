// Requests that went through a service import and wait for their answers (AU-61): what the answering account
// sees as the reply subject stands for the subject that the requester waits on. Those that crossed on one
// worker are kept by that worker, whose number is in the subject. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/account.h"
#include "core/options.h"

namespace nuncio::net {

struct Request {
  Account* account;   // who asked
  uint32_t asked;     // index of the account that answers
  std::string reply;  // what the requester waits on
  ExportOptions::Response response;
  int64_t threshold_ns;  // forgotten after that long without an answer
};

class Requests {
 public:
  explicit Requests(WorkerId worker) : worker_(worker) {}

  // The reply subject "_R_.…" for the request; empty when too many wait (I6).
  std::string add(Request request, int64_t now_ns);
  void remove(std::string_view reply);
  // The request that an answer on `reply` is for; null when it was answered or forgotten, or never was.
  const Request* find(std::string_view reply) const;
  // An answer was delivered: done with it, unless more may come, and then `now_ns` starts its wait anew.
  // `is_empty`: the answer had no payload, which ends chunks.
  void note_answer(std::string_view reply, bool is_empty, int64_t now_ns);
  // Forgets those that `is_kept` does not want.
  void keep_only(const std::function<bool(const Request&)>& is_kept);
  // Forgets those whose time is over, within a second; looks at some of them each time.
  void expire(int64_t now_ns);
  // When to call expire() next; nullopt: nothing waits.
  std::optional<int64_t> next_look_ns() const;
  size_t size() const { return places_.size() - free_.size(); }

  // Which worker keeps the request of a reply subject; nullopt: it is none of ours.
  static std::optional<WorkerId> worker_of(std::string_view reply);

 private:
  struct Place {
    uint64_t token = 0;  // 0: free
    int64_t expiry_ns = 0;
    Request request{};
  };
  Place* place_of(std::string_view reply);
  void release(uint32_t place);
  uint64_t next_token();

  const WorkerId worker_;
  std::vector<Place> places_;
  std::vector<uint32_t> free_;
  uint32_t look_at_ = 0;  // place to look at next
  int64_t next_look_ns_ = 0;
  std::vector<uint64_t> tokens_;  // random ones, ready to use
};

}  // namespace nuncio::net
