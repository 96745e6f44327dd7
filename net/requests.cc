#include "net/requests.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <charconv>

#include "core/assert.h"

namespace nuncio::net {
namespace {

constexpr std::string_view prefix = "_R_.";
constexpr size_t requests_max = 64 * 1024;  // of one worker
constexpr size_t tokens_at_once = 256;
// All of them once in 0.8 s.
constexpr size_t looked_at_once = 8 * 1024;
constexpr int64_t look_interval_ns = 100'000'000;

struct Name {
  WorkerId worker;
  uint32_t place;
  uint64_t token;
};

std::optional<Name> parse(std::string_view reply) {
  if (!reply.starts_with(prefix)) return std::nullopt;
  Name name{};
  const char* at = reply.data() + prefix.size();
  const char* const end = reply.data() + reply.size();
  const auto number = [&](auto& value, char after) {
    const auto [next, error] = std::from_chars(at, end, value, 16);
    if (error != std::errc() || next == at) return false;
    at = next;
    if (after == '\0') return at == end;
    return at != end && *at++ == after;
  };
  if (!number(name.worker, '.') || !number(name.place, '.') || !number(name.token, '\0')) return std::nullopt;
  return name;
}

}  // namespace

std::string Requests::add(Request request, int64_t now_ns) {
  uint32_t place;
  if (!free_.empty()) {
    place = free_.back();
    free_.pop_back();
  } else if (places_.size() < requests_max) {
    place = static_cast<uint32_t>(places_.size());
    places_.emplace_back();
  } else {
    return {};
  }
  Place& taken = places_[place];
  taken.token = next_token();
  taken.expiry_ns = now_ns + request.threshold_ns;
  taken.request = std::move(request);
  return fmt::format("{}{:x}.{:x}.{:x}", prefix, worker_, place, taken.token);
}

// Nobody who has not seen the subject can answer on it.
uint64_t Requests::next_token() {
  if (tokens_.empty()) {
    tokens_.resize(tokens_at_once);
    const ssize_t size = tokens_at_once * sizeof(uint64_t);
    NUNCIO_ASSERT(getrandom(tokens_.data(), static_cast<size_t>(size), 0) == size);
  }
  const uint64_t token = tokens_.back();
  tokens_.pop_back();
  return token == 0 ? 1 : token;
}

Requests::Place* Requests::place_of(std::string_view reply) {
  const auto name = parse(reply);
  if (!name || name->worker != worker_ || name->place >= places_.size()) return nullptr;
  Place& place = places_[name->place];
  return name->token != 0 && place.token == name->token ? &place : nullptr;
}

const Request* Requests::find(std::string_view reply) const {
  const Place* place = const_cast<Requests*>(this)->place_of(reply);
  return place == nullptr ? nullptr : &place->request;
}

void Requests::remove(std::string_view reply) {
  if (const Place* place = place_of(reply)) release(static_cast<uint32_t>(place - places_.data()));
}

void Requests::note_answer(std::string_view reply, bool is_empty, int64_t now_ns) {
  Place* const place = place_of(reply);
  if (place == nullptr) return;
  const auto kind = place->request.response;
  const bool is_last =
      kind == ExportOptions::Response::singleton || (kind == ExportOptions::Response::chunked && is_empty);
  if (is_last) return release(static_cast<uint32_t>(place - places_.data()));
  place->expiry_ns = now_ns + place->request.threshold_ns;
}

void Requests::release(uint32_t place) {
  places_[place] = {};
  free_.push_back(place);
}

void Requests::keep_only(const std::function<bool(const Request&)>& is_kept) {
  for (uint32_t place = 0; place < places_.size(); ++place) {
    if (places_[place].token != 0 && !is_kept(places_[place].request)) release(place);
  }
}

// A queue of deadlines would hold every request of the last minutes; the places hold only those that still
// wait.
void Requests::expire(int64_t now_ns) {
  if (size() == 0 || now_ns < next_look_ns_) return;
  next_look_ns_ = now_ns + look_interval_ns;
  for (size_t i = 0; i < looked_at_once && i < places_.size(); ++i) {
    look_at_ = look_at_ + 1 < places_.size() ? look_at_ + 1 : 0;
    const Place& place = places_[look_at_];
    if (place.token != 0 && place.expiry_ns <= now_ns) release(look_at_);
  }
}

std::optional<int64_t> Requests::next_look_ns() const {
  if (size() == 0) return std::nullopt;
  return next_look_ns_;
}

std::optional<WorkerId> Requests::worker_of(std::string_view reply) {
  const auto name = parse(reply);
  return name ? std::optional(name->worker) : std::nullopt;
}

}  // namespace nuncio::net
