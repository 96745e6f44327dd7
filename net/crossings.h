// Takes messages from account to account: what exports and imports make of them (AU-59 … AU-61). Publishers'
// workers do it; answers to requests are taken back by the worker that the request crossed on. One per
// worker, on its thread.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/account.h"
#include "core/account_rules.h"
#include "net/message.h"
#include "net/requests.h"

namespace nuncio::net {

class Connection;
class Worker;

// A publish on one of these may be the answer to a request of another account.
inline bool is_answer_subject(std::string_view subject) {
  return subject.starts_with("_R_.");
}

class Crossings {
 public:
  Crossings(Worker& worker, WorkerId id);
  ~Crossings();

  // Delivers `message`, published by `publisher` in `account`, in the other accounts where it appears. True
  // when somebody there got it or another worker has it. Allocates while its scratch memory grows.
  bool publish(const Account& account, const Message& message, Connection& publisher);
  // From another worker: `message` is the answer to a request that crossed here.
  void receive_answer(uint32_t account, const Message& message, const Publisher& from);

  // The worker has another state: forgets requests that went through an import which is gone.
  void forget_what_is_closed();
  // Forgets requests that nobody answers.
  void expire(int64_t now_ns) { requests_.expire(now_ns); }
  // When to call it next (monotonic ns); nullopt: nothing waits.
  std::optional<int64_t> next_look_ns() const { return requests_.next_look_ns(); }

 private:
  struct Scratch {  // of one crossing on the way; they nest
    std::string subject;
    std::string mapped;  // the same after the mappings of the other account
    std::string text;    // head and payload, where they had to be written anew
  };
  struct From {  // who published
    Publisher publisher;
    Connection* connection;  // when it is this worker's
  };

  bool publish_through(const Account& account, const Message& message, const From& from, unsigned depth);
  bool cross(const Crossing& crossing, std::string_view there, const Account& account, const Message& message,
             const From& from, unsigned depth);
  bool answer(uint32_t account, const Message& message, const From& from, unsigned depth);
  bool deliver(const Account& account, Message& message, const From& from);
  Scratch& scratch(unsigned depth);

  Worker& worker_;
  const WorkerId id_;
  Requests requests_;
  std::minstd_rand random_;  // for weighted mappings
  std::vector<std::unique_ptr<Scratch>> scratches_;
};

}  // namespace nuncio::net
