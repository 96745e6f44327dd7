#include "net/crossings.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>

#include "core/log.h"
#include "net/connection.h"
#include "net/server.h"
#include "net/worker.h"

namespace nuncio::net {
namespace {

// Imports of imports; the configuration has no cycles, but an answer may come back through as many again.
constexpr unsigned depth_max = 16;

// A view of the same message, to appear under another subject or reply.
Message copy_of(const Message& message, std::string_view subject) {
  Message copy;
  copy.subject = subject;
  copy.reply = message.reply;
  copy.head = message.head;
  copy.payload = message.payload;
  copy.header_size = message.header_size;
  copy.block = message.block.share();
  return copy;
}

constexpr std::string_view about_key = "Nats-Request-Info:";

bool is_about_line(std::string_view line) {
  return line.size() >= about_key.size() && strncasecmp(line.data(), about_key.data(), about_key.size()) == 0;
}

// Without its end. Clients take a bare line feed for one, so whoever looks for a line must, too.
std::string_view take_line(std::string_view& headers) {
  const size_t end = std::min(headers.find('\n'), headers.size());
  std::string_view line = headers.substr(0, end);
  headers.remove_prefix(std::min(end + 1, headers.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool has_about_line(std::string_view headers) {
  while (!headers.empty()) {
    if (is_about_line(take_line(headers))) return true;
  }
  return false;
}

// The header block with what the server knows of the requester, and without what the requester claims itself.
std::string headers_about(std::string_view headers, std::string_view about) {
  std::string text;
  while (!headers.empty()) {
    const std::string_view line = take_line(headers);
    if (!line.empty() && !is_about_line(line)) text.append(line).append("\r\n");
  }
  if (text.empty()) text = "NATS/1.0\r\n";
  if (!about.empty()) text.append(about_key).append(" ").append(about).append("\r\n");
  return text += "\r\n";
}

// Writes head and, where it changes or is small enough to be sent in one piece, payload anew with another
// reply. `about`: JSON on the requester for the headers, empty: none.
void rewrite(Message& message, std::string_view reply, std::string_view about, std::string& text) {
  std::string_view body = message.payload;
  std::string headers;
  const std::string_view given = body.substr(0, message.header_size);
  if (!about.empty() || has_about_line(given)) {
    headers = headers_about(given, about);
    body.remove_prefix(message.header_size);
    message.header_size = static_cast<uint32_t>(headers.size());
  }
  const size_t size = headers.size() + body.size() - 2;
  text.clear();
  fmt::format_to(std::back_inserter(text), "{}{}", reply, reply.empty() ? "" : " ");
  if (message.header_size != 0) fmt::format_to(std::back_inserter(text), "{} ", message.header_size);
  fmt::format_to(std::back_inserter(text), "{}\r\n", size);
  const size_t head_size = text.size();
  if (!headers.empty() || body.size() <= payload_copied_max) {
    text += headers;
    text += body;
    message.block.reset();
    message.payload = std::string_view(text).substr(head_size);
  }
  message.head = std::string_view(text).substr(0, head_size);
  message.reply = message.head.substr(0, reply.size());
}

}  // namespace

Crossings::Crossings(Worker& worker, WorkerId id) : worker_(worker), id_(id), requests_(id) {}
Crossings::~Crossings() = default;

bool Crossings::publish(const Account& account, const Message& message, Connection& publisher) {
  const From from{{id_, publisher.slot, publisher.generation}, &publisher};
  return publish_through(account, message, from, 0);
}

bool Crossings::publish_through(const Account& account, const Message& message, const From& from,
                                unsigned depth) {
  if (depth == depth_max) return false;
  bool is_delivered = is_answer_subject(message.subject) && answer(account.index, message, from, depth);
  const AccountRules* rules = worker_.rules(account);
  if (rules == nullptr) return is_delivered;
  rules->cross(message.subject, scratch(depth).subject,
               [&](const Crossing& crossing, std::string_view there) {
                 is_delivered |= cross(crossing, there, account, message, from, depth);
               });
  return is_delivered;
}

bool Crossings::cross(const Crossing& crossing, std::string_view there, const Account& account,
                      const Message& message, const From& from, unsigned depth) {
  const Account& into = *worker_.state().account_at[crossing.into];
  Message crossed = copy_of(message, there);
  if (!crossing.is_service) return deliver(into, crossed, from);  // what was imported is not exported again
  if (const AccountRules* rules = worker_.rules(into); rules != nullptr) {
    crossed.subject = rules->map(there, scratch(depth).mapped, random_);
    if (crossed.subject.empty()) return false;
  }
  std::string reply, about;
  if (!message.reply.empty()) {
    Request request{&worker_.server().account(account.index), into.index, std::string(message.reply),
                    crossing.response, crossing.response_threshold.count()};
    reply = requests_.add(std::move(request), worker_.now_ns());
    if (reply.empty()) return false;
  }
  if (crossing.shares_client && from.connection != nullptr) about = from.connection->session->describe();
  rewrite(crossed, reply, about, scratch(depth).text);
  bool is_delivered = deliver(into, crossed, from);
  is_delivered |= publish_through(into, crossed, from, depth + 1);
  if (!is_delivered && !reply.empty()) requests_.remove(reply);
  return is_delivered;
}

bool Crossings::deliver(const Account& account, Message& message, const From& from) {
  message.judge(log::enabled(log::Level::trace));
  const Match& match = worker_.matcher(account).match(message.subject);
  return !match.empty() &&
         worker_.delivery().publish(account, match, message, from.publisher, from.connection);
}

// An answer that was published in `account` goes to the account whose request it is for.
bool Crossings::answer(uint32_t account, const Message& message, const From& from, unsigned depth) {
  const auto keeper = Requests::worker_of(message.subject);
  if (!keeper || *keeper >= worker_.server().workers_count) return false;
  if (*keeper != id_) {
    Message copy = copy_of(message, message.subject);
    copy.judge(false);
    worker_.delivery().send_answer(*keeper, worker_.server().account(account), copy, from.publisher,
                                   from.connection);
    return true;
  }
  const Request* request = requests_.find(message.subject);
  if (request == nullptr || request->asked != account) return false;
  Scratch& own = scratch(depth);
  own.subject = request->reply;
  const Account& requester = *request->account;
  Message back = copy_of(message, own.subject);
  // What it asks in return could not be answered from there.
  if (!message.reply.empty()) rewrite(back, {}, {}, own.text);
  requests_.note_answer(message.subject, message.size() == 0, worker_.now_ns());
  const bool is_delivered = deliver(requester, back, from);
  return publish_through(requester, back, from, depth + 1) || is_delivered;
}

void Crossings::forget_what_is_closed() {
  const State& state = worker_.state();
  requests_.keep_only([&](const Request& request) {
    const AccountRules* rules = worker_.rules(*request.account);
    return rules != nullptr &&
           std::any_of(rules->crossings.begin(), rules->crossings.end(), [&](const Crossing& crossing) {
             return crossing.is_service && state.account_at[crossing.into]->index == request.asked;
           });
  });
}

void Crossings::receive_answer(uint32_t account, const Message& message, const Publisher& from) {
  answer(account, message, {from, nullptr}, 0);
}

Crossings::Scratch& Crossings::scratch(unsigned depth) {
  while (scratches_.size() <= depth) scratches_.push_back(std::make_unique<Scratch>());
  return *scratches_[depth];
}

}  // namespace nuncio::net
