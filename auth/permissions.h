// What a user may publish and subscribe (AU-48 … AU-53). Immutable and shared by all its connections; the
// answers for the subjects in use are remembered by each worker (SubjectVerdicts), so that the steady state
// of the publish path is one lookup (AU-57).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/keyed_digest.h"
#include "core/options.h"

namespace nuncio::auth {

class Permissions {
 public:
  // Subjects must be valid (the configuration reader's affair). Any thread.
  static std::shared_ptr<const Permissions> make(const PermissionOptions&);
  // The identity() of what make() would give.
  static Digest identity_of(const PermissionOptions&);
  ~Permissions();

  // AU-48, AU-49: wildcards in `subject` are ordinary characters.
  bool may_publish(std::string_view subject) const;
  enum class Subscribing : uint8_t {
    refused,
    allowed,
    // Allowed, but some subjects in it are denied: each message needs may_receive() (AU-51).
    filtered
  };
  // AU-50, AU-52. `queue` empty: plain.
  Subscribing may_subscribe(std::string_view subject, std::string_view queue) const;
  // False for subjects that are withheld at delivery.
  bool may_receive(std::string_view subject) const;

  bool restricts_publish() const;
  bool withholds() const;  // may_receive() can be false
  const std::optional<ResponseRules>& responses() const;
  // Equal for equal rules in the same process: a reload compares.
  const Digest& identity() const;

 private:
  struct Rules;
  explicit Permissions(std::unique_ptr<const Rules> rules);
  const std::unique_ptr<const Rules> rules_;
};

// One worker's memory of the answers of one Permissions: bounded, no lock, no allocation in the steady state.
// Keeps the Permissions alive. Belongs to one thread.
class SubjectVerdicts {
 public:
  explicit SubjectVerdicts(std::shared_ptr<const Permissions>);
  ~SubjectVerdicts();
  SubjectVerdicts(const SubjectVerdicts&) = delete;
  SubjectVerdicts& operator=(const SubjectVerdicts&) = delete;

  bool may_publish(std::string_view subject);
  bool may_receive(std::string_view subject);
  const Permissions& permissions() const;

 private:
  struct Cache;
  const std::unique_ptr<Cache> cache_;
};

// The reply subjects one connection may answer to because messages that carried them were delivered to it
// (AU-53). Bounded: expired and, when full, the oldest entries go. Times are monotonic ns. One thread.
class ResponsePermits {
 public:
  explicit ResponsePermits(const ResponseRules&);
  ~ResponsePermits();

  void add(std::string_view reply, int64_t now_ns);
  // True when a publish to `reply` is permitted now; counts it.
  bool take(std::string_view reply, int64_t now_ns);
  size_t size() const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace nuncio::auth
