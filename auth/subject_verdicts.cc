// The answers of one Permissions for the subjects in use, in sets of four entries, replaced in turn. A
// subject of up to 48 bytes lies in its entry, which is one cache line; a longer one beside it, in storage
// that the entry keeps. Nothing is allocated before the first question, 1.2 KiB then; the cache grows
// fourfold when it has replaced more than it holds. It ends at 1,024 entries (72 KiB) and 128 KiB of long
// subjects; then older answers make room. What an answer costs: bench/README.md.
#include <array>
#include <cstring>
#include <vector>

#include "auth/permissions.h"
#include "core/assert.h"
#include "core/equal_text.h"
#include "core/hash.h"

namespace nuncio::auth {
namespace {

constexpr size_t ways = 4;
constexpr size_t entries_min = 16;
constexpr size_t entries_max = 1024;
constexpr size_t cached_subject_size_max = 1024;  // longer ones are judged anew each time
constexpr size_t long_subjects_bytes_max = 128 * 1024;

enum Question : uint8_t { publishing, receiving };
constexpr size_t questions = 2;

struct alignas(64) Entry {
  bool is_of(std::string_view s) const {
    return size == s.size() && is_equal_text(size <= sizeof(inside) ? inside : outside.get(), s.data(), size);
  }
  // Of this subject and without an answer. Gives by how many bytes the storage beside the entry grew.
  size_t reset(std::string_view s);

  uint16_t size = 0;
  uint16_t outside_size = 0;
  uint8_t known = 0, answers = 0;  // a bit for each question
  std::unique_ptr<char[]> outside;
  char inside[48];
};
static_assert(sizeof(Entry) == 64);

size_t Entry::reset(std::string_view s) {
  size_t grown = 0;
  if (s.size() > sizeof(inside) && s.size() > outside_size) {
    const size_t rounded = (s.size() + 63) / 64 * 64;  // so that the next of about this size finds room
    grown = rounded - outside_size;
    outside = std::make_unique<char[]>(rounded);
    outside_size = static_cast<uint16_t>(rounded);
  }
  size = static_cast<uint16_t>(s.size());
  std::memcpy(size <= sizeof(inside) ? inside : outside.get(), s.data(), size);
  known = answers = 0;
  return grown;
}

}  // namespace

struct SubjectVerdicts::Cache {
  explicit Cache(std::shared_ptr<const Permissions> p) : permissions(std::move(p)) {
    NUNCIO_ASSERT(permissions != nullptr);
  }

  bool answer(Question question, std::string_view subject);
  Entry& entry_of(std::string_view subject);
  Entry& replace(uint64_t hash, std::string_view subject);
  bool ask(Question question, std::string_view subject) const;
  void clear(size_t entries_count);
  size_t set_of(uint64_t hash) const { return (hash >> 8) * ways & (entries.size() - 1); }

  const std::shared_ptr<const Permissions> permissions;
  std::vector<uint64_t> hashes;  // by set, 0: never used; apart, so that a search is one cache line
  std::vector<Entry> entries;
  size_t replaced = 0;  // since the cache was cleared
  size_t long_subjects_bytes = 0;
  std::array<Entry*, questions> last{};  // of each question: a responder hears one subject, answers another
};

bool SubjectVerdicts::may_publish(std::string_view subject) {
  return cache_->answer(publishing, subject);
}
bool SubjectVerdicts::may_receive(std::string_view subject) {
  return cache_->answer(receiving, subject);
}

// A publisher mostly stays with its subject: then neither hash nor search is needed.
inline bool SubjectVerdicts::Cache::answer(Question question, std::string_view subject) {
  const uint8_t bit = static_cast<uint8_t>(1u << question);
  if (const Entry* entry = last[question]; entry != nullptr && entry->is_of(subject)) [[likely]] {
    return (entry->answers & bit) != 0;
  }
  if (subject.size() > cached_subject_size_max) return ask(question, subject);
  Entry& entry = entry_of(subject);
  last[question] = &entry;
  if ((entry.known & bit) == 0) {
    entry.known |= bit;
    if (ask(question, subject)) entry.answers |= bit;
  }
  return (entry.answers & bit) != 0;
}

Entry& SubjectVerdicts::Cache::entry_of(std::string_view subject) {
  if (entries.empty()) clear(entries_min);
  const uint64_t hash = hash_bytes(subject, hash_seed()) | 1;
  const size_t set = set_of(hash);
  for (size_t i = set; i < set + ways; ++i) {
    if (hashes[i] == hash && entries[i].is_of(subject)) return entries[i];
  }
  return replace(hash, subject);
}

Entry& SubjectVerdicts::Cache::replace(uint64_t hash, std::string_view subject) {
  if (long_subjects_bytes > long_subjects_bytes_max) {
    clear(entries.size());
  } else if (replaced > entries.size() && entries.size() < entries_max) {
    clear(entries.size() * 4);
  }
  const size_t set = set_of(hash);
  size_t i = set;
  while (i < set + ways && hashes[i] != 0) ++i;
  if (i == set + ways) i = set + replaced++ % ways;
  hashes[i] = hash;
  // Whoever was last here is not any more: its answer to the other question would be read as known.
  for (Entry*& entry : last) {
    if (entry == &entries[i]) entry = nullptr;
  }
  long_subjects_bytes += entries[i].reset(subject);
  return entries[i];
}

bool SubjectVerdicts::Cache::ask(Question question, std::string_view subject) const {
  return question == publishing ? permissions->may_publish(subject) : permissions->may_receive(subject);
}

// Forgets everything.
void SubjectVerdicts::Cache::clear(size_t entries_count) {
  entries = std::vector<Entry>(entries_count);
  hashes.assign(entries_count, 0);
  replaced = 0;
  long_subjects_bytes = 0;
  last = {};
}

SubjectVerdicts::SubjectVerdicts(std::shared_ptr<const Permissions> permissions)
    : cache_(std::make_unique<Cache>(std::move(permissions))) {}
SubjectVerdicts::~SubjectVerdicts() = default;

const Permissions& SubjectVerdicts::permissions() const {
  return *cache_->permissions;
}

}  // namespace nuncio::auth
