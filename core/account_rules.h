// What accounts do with messages beside delivering them: mappings of subjects, and the crossings to other
// accounts that exports and imports make. Built from the options, with all that the options can be wrong in
// (AU-58 … AU-63); immutable, any thread. Accounts are numbered by their place in the table.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/options.h"
#include "core/pattern_index.h"
#include "core/subject_transform.h"

namespace nuncio {

// A message published in one account that also appears in another: a stream import takes it from the
// exporting account to the importing one, a service import takes requests from the importing account to the
// exporting one. Service crossings may follow one another; a stream crossing is the last a message takes
// (what was imported is not exported again). Such ways end: the table has no cycle of services and none of
// streams.
struct Crossing {
  uint32_t into;             // place of the other account
  SubjectTransform subject;  // from the subject here to the one there
  bool is_service = false;
  // Services only.
  bool shares_client = false;
  ExportOptions::Response response = ExportOptions::Response::singleton;
  Nanoseconds response_threshold{};
};

// One account's.
class AccountRules {
 public:
  std::string name;
  std::vector<Crossing> crossings;
  int64_t connections_max = -1, subscriptions_max = -1, payload_max = -1;  // negative: no limit (AU-62)

  bool has_mappings() const { return !mappings_.empty(); }
  bool is_plain() const { return mappings_.empty() && crossings.empty(); }
  // The subject that a publish on `subject` goes to (AU-56): `subject` itself, or `scratch` with one of the
  // mapped ones, drawn by weight with `random`. Empty: it goes nowhere, which is how mappings simulate loss
  // (a source that is among its own destinations, with less than 100 % in all).
  std::string_view map(std::string_view subject, std::string& scratch, std::minstd_rand& random) const;

  // True when the literal `subject` goes to another account, too.
  bool crosses(std::string_view subject) const {
    return crossing_index_.any_of(subject,
                                  [&](uint32_t place) { return crossings[place].subject.matches(subject); });
  }
  // Calls `visit(crossing, subject there)` for every crossing that the literal `subject` takes; `scratch`
  // holds the subject there.
  template <typename Visit>
  void cross(std::string_view subject, std::string& scratch, Visit&& visit) const {
    crossing_index_.any_of(subject, [&](uint32_t place) {
      const Crossing& crossing = crossings[place];
      if (crossing.subject.apply(subject, scratch)) visit(crossing, std::string_view(scratch));
      return false;
    });
  }

 private:
  friend class AccountTable;
  struct Target {
    SubjectTransform transform;
    uint32_t weight_end;  // in percent, with the weights before it
  };
  struct Mapping {
    std::string source;
    std::vector<Target> targets;
    bool loses_rest = false;
  };

  // Both are for AccountTable::make. The first adds what is wrong to `errors`.
  void set_mappings(const std::vector<MappingOptions>& mappings, std::string_view cluster,
                    std::vector<std::string>& errors);
  void index_crossings();
  std::string mappings_text() const;  // for the fingerprint
  static std::optional<Mapping> read_mapping(const MappingOptions& mapping, std::string_view cluster,
                                             std::string_view account, std::vector<std::string>& errors);

  std::vector<Mapping> mappings_;  // the most specific source first
  PatternIndex mapping_index_, crossing_index_;
};

class AccountTable {
 public:
  struct Findings {
    std::vector<std::string> errors, warnings;  // "file:line:col: …"
  };
  // The accounts of the options, "$G", and the system account ("$SYS" unless named). `cluster`: this server's
  // cluster name, or empty. Null when there are errors: an unknown account, an import without an export that
  // admits it, a cycle, a bad subject or mapping, a reserved name.
  static std::shared_ptr<const AccountTable> make(const std::vector<AccountOptions>& options,
                                                  std::string_view system_account, std::string_view cluster,
                                                  Findings& findings);

  std::span<const AccountRules> accounts() const { return accounts_; }
  // Place of the account, or nullopt.
  std::optional<uint32_t> find(std::string_view name) const;
  uint32_t default_account() const { return default_; }
  uint32_t system_account() const { return system_; }
  // A text that is equal for equal rules of the account in `place`, for what a reload reports. It covers its
  // limits, mappings, exports and imports and what crosses out of it; places do not matter.
  const std::string& fingerprint(uint32_t place) const { return fingerprints_[place]; }

 private:
  void add_accounts(const std::vector<AccountOptions>& options, std::string_view system_account,
                    Findings& findings);
  void add_rules(const std::vector<AccountOptions>& options, std::string_view cluster, Findings& findings);
  std::string fingerprint_of(const AccountRules& rules, const AccountOptions* options) const;

  std::vector<AccountRules> accounts_;
  std::vector<std::string> fingerprints_;
  std::unordered_map<std::string, uint32_t> places_;
  uint32_t default_ = 0, system_ = 0;
};

}  // namespace nuncio
