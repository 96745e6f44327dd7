// Matching with a cache. A cache entry remembers a subject, its match and the versions it was built under:
// that of the subject's line in the literal table and that of its lane of wildcards; it is good as long as
// both are the present ones. The cache is sets of four entries, replaced in turn, of bounded size.
//
// What a match waits for, and CPU ns of bench/interest_bench.cc (release, 25 B subjects, a VM shared by eight
// builds where one access to memory outside the caches takes 140 to 200 ns):
//
// | match of a subject         | touches                                              | ns  |
// |----------------------------|------------------------------------------------------|-----|
// | known, unchanged           | set of hashes, entry (2 lines), 1 + 2 versions       | 9   |
// | unknown, one of 500,000    | + its line in the table, its node (3 lines at once)  | 285 |
// | the same and own delivery  | + list and subscription, which lie in the node       | 450 |
// | known, a wildcard changed  | + trie; 1 literal, 2 wildcards, 1 group, the change  | 300 |
#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "core/equal_text.h"
#include "core/interest_shared.h"

namespace nuncio {
namespace {

constexpr size_t ways = 4;
constexpr size_t entries_min = 64;
constexpr size_t entries_max = 16 * 1024;              // 128 B each
constexpr size_t cached_subject_size_max = 1024;       // longer ones are matched anew each time
constexpr size_t spilled_bytes_max = 8 * 1024 * 1024;  // of what does not fit into entries
constexpr size_t spilled_bytes_kept_max = 4096;        // by one entry when it is built anew

// What an entry does not hold inside: long subjects, several lists, queue groups.
struct Spilled {
  std::string subject;
  std::vector<const SubscriptionList*> plain;
  std::vector<QueueMatch> queues;
  std::vector<QueueMatch::Share> shares;

  size_t bytes() const {
    return sizeof(Spilled) + subject.capacity() + plain.capacity() * sizeof(plain[0]) +
           queues.capacity() * sizeof(queues[0]) + shares.capacity() * sizeof(shares[0]);
  }
};

struct alignas(64) Entry {
  bool is_of(std::string_view s) const {
    if (subject_size != s.size()) return false;
    const char* own = s.size() <= sizeof(subject) ? subject : spilled->subject.data();
    return is_equal_text(own, s.data(), s.size());
  }
  void reset(std::string_view s);
  void add_plain(const SubscriptionList* list);
  Spilled& spill() {
    if (!spilled) spilled = std::make_unique<Spilled>();
    return *spilled;
  }

  uint64_t literal_version = 0;
  uint64_t wildcard_version = 0;
  Match match;
  const SubscriptionList* only = nullptr;  // what match.plain spans when it is one
  std::unique_ptr<Spilled> spilled;
  uint32_t lane = 0;
  uint32_t subject_size = 0;
  char subject[40];
};
static_assert(sizeof(Entry) == 128);

// Of this subject and without a match. Keeps small spilled storage for the next match.
void Entry::reset(std::string_view s) {
  match = {};
  if (spilled) {
    if (spilled->bytes() > spilled_bytes_kept_max) {
      spilled.reset();
    } else {
      spilled->plain.clear();
      spilled->queues.clear();
      spilled->shares.clear();
    }
  }
  subject_size = static_cast<uint32_t>(s.size());
  if (s.size() <= sizeof(subject)) {
    std::memcpy(subject, s.data(), s.size());
  } else {
    spill().subject.assign(s);
  }
}

void Entry::add_plain(const SubscriptionList* list) {
  if (match.plain.empty()) {
    only = list;
    match.plain = {&only, 1};
    return;
  }
  std::vector<const SubscriptionList*>& several = spill().plain;
  if (several.empty()) several.push_back(only);
  several.push_back(list);
  match.plain = several;
}

}  // namespace

struct alignas(128) Matcher::Cache {  // no line shared with another worker's
  Cache(const Interest::Shared& s, WorkerId w) : shared(s), worker(w) { clear(entries_min); }

  bool is_valid(const Entry& entry, uint64_t hash) const {
    return entry.literal_version == shared.literals.block(hash)->version(hash) &&
           entry.wildcard_version == shared.wildcards.version(entry.lane);
  }
  size_t set_of(uint64_t hash) const { return (hash >> 8) * ways & mask; }

  const Match& build_new(std::string_view subject, uint64_t hash);
  void clear(size_t entries_count);
  void build(Entry& entry, std::string_view subject, uint64_t hash);
  void add_node(Entry& entry, const SubjectNode& node);
  void group_queues(Entry& entry);

  const Interest::Shared& shared;
  const WorkerId worker;
  Counters counters;

  size_t mask = 0;  // entries - 1
  std::vector<uint64_t>
      hashes;  // by set, 0: never used; apart from the entries so that a search is one cache line
  std::vector<Entry> entries;
  size_t replaced = 0;  // since the cache was cleared
  size_t spilled_bytes = 0;
  Entry uncached;
  Entry* last = nullptr;  // the entry of the last match() that used one, of hash `last_hash`
  uint64_t last_hash = 0;

  // Kept from one build to the next, so that none allocates.
  struct Found {
    std::string_view queue;
    QueueMatch::Share share;
  };
  std::vector<WildcardTrie::Step> stack;
  std::vector<const SubjectNode*> wildcard_nodes;
  std::vector<Found> found_queues;
};

Matcher::Matcher(Interest& interest, WorkerId w) : cache_(std::make_unique<Cache>(*interest.shared_, w)) {}
Matcher::~Matcher() = default;

const Matcher::Counters& Matcher::counters() const {
  return cache_->counters;
}

const Match& Matcher::match(std::string_view subject) {
  Cache& cache = *cache_;
  // A publisher mostly stays with its subject: then neither hash nor search is needed.
  if (cache.last != nullptr && cache.last->is_of(subject) && cache.is_valid(*cache.last, cache.last_hash))
      [[likely]] {
    ++cache.counters.hits;
    return cache.last->match;
  }
  const uint64_t hash = cache.shared.hash_of(subject);
  const size_t set = cache.set_of(hash);
  for (size_t i = set; i < set + ways; ++i) {
    if (cache.hashes[i] != (hash | 1)) continue;
    Entry& entry = cache.entries[i];
    if (!entry.is_of(subject)) continue;
    cache.last = &entry;
    cache.last_hash = hash;
    if (cache.is_valid(entry, hash)) [[likely]] {
      ++cache.counters.hits;
      return entry.match;
    }
    if (cache.spilled_bytes > spilled_bytes_max) break;
    ++cache.counters.rebuilds;
    cache.build(entry, subject, hash);
    return entry.match;
  }
  return cache.build_new(subject, hash);
}

const Match& Matcher::Cache::build_new(std::string_view subject, uint64_t hash) {
  shared.literals.block(hash)->prefetch(hash);
  ++counters.misses;
  if (subject.size() > cached_subject_size_max) {
    build(uncached, subject, hash);
    return uncached.match;
  }
  if (spilled_bytes > spilled_bytes_max) {
    clear(entries.size());
  } else if (replaced > entries.size() && entries.size() < entries_max) {
    clear(entries.size() * 4);
  }
  const size_t set = set_of(hash);
  size_t i = set;
  while (i < set + ways && hashes[i] != 0) ++i;
  if (i == set + ways) i = set + replaced++ % ways;
  hashes[i] = hash | 1;
  last = &entries[i];
  last_hash = hash;
  build(entries[i], subject, hash);
  return entries[i].match;
}

// Forgets everything.
void Matcher::Cache::clear(size_t entries_count) {
  entries = std::vector<Entry>(entries_count);
  hashes.assign(entries_count, 0);
  mask = entries_count - 1;
  replaced = 0;
  spilled_bytes = 0;
  last = nullptr;
}

// The versions are read before what they cover: a change in between makes the entry stale at once, never
// wrong.
void Matcher::Cache::build(Entry& entry, std::string_view subject, uint64_t hash) {
  const SubjectTable::Table::Block* block = shared.literals.block(hash);
  entry.literal_version = block->version(hash);
  entry.lane = WildcardTrie::lane_of(subject);
  entry.wildcard_version = shared.wildcards.version(entry.lane);
  const size_t spilled_before = entry.spilled ? entry.spilled->bytes() : 0;
  entry.reset(subject);
  found_queues.clear();
  wildcard_nodes.clear();

  if (const SubjectNode* node = block->find(hash, subject)) add_node(entry, *node);
  shared.wildcards.collect(subject, stack, wildcard_nodes);
  for (const SubjectNode* node : wildcard_nodes) add_node(entry, *node);
  if (!found_queues.empty()) group_queues(entry);

  if (&entry != &uncached) spilled_bytes += (entry.spilled ? entry.spilled->bytes() : 0) - spilled_before;
}

void Matcher::Cache::add_node(Entry& entry, const SubjectNode& node) {
  const SubjectOfWorker* place = node.plain.load(std::memory_order_acquire);
  for (; place != nullptr; place = place->next.load(std::memory_order_acquire)) {
    if (place->worker == worker) {
      entry.add_plain(place);
    } else {
      entry.match.workers |= uint64_t{1} << place->worker;
    }
  }
  place = node.queues.load(std::memory_order_acquire);
  for (; place != nullptr; place = place->next.load(std::memory_order_acquire)) {
    const auto* part = static_cast<const QueuePlace*>(place);
    const QueueMatch::Share share{.worker = part->worker,
                                  .members = part->members.load(std::memory_order_acquire),
                                  .own = part->worker == worker ? part : nullptr};
    found_queues.push_back({part->name(), share});
  }
}

// Groups of one name on several subjects become one.
void Matcher::Cache::group_queues(Entry& entry) {
  std::sort(found_queues.begin(), found_queues.end(), [](const Found& a, const Found& b) {
    const int order = a.queue.compare(b.queue);
    return order != 0 ? order < 0 : a.share.worker < b.share.worker;
  });
  Spilled& spilled = entry.spill();
  spilled.shares.reserve(found_queues.size());
  for (const Found& found : found_queues) {
    if (spilled.queues.empty() || spilled.queues.back().name != found.queue) {
      spilled.queues.push_back(
          {.name = found.queue, .members = 0, .shares = {spilled.shares.data() + spilled.shares.size(), 0}});
    }
    spilled.shares.push_back(found.share);
    QueueMatch& group = spilled.queues.back();
    group.members += found.share.members;
    group.shares = {group.shares.data(), group.shares.size() + 1};
  }
  entry.match.queues = spilled.queues;
}

}  // namespace nuncio
