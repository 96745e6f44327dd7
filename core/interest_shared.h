// The part of an Interest that all its workers read. Private to the interest index.
#pragma once

#include "core/hash.h"
#include "core/subject_table.h"
#include "core/wildcard_trie.h"

namespace nuncio {

struct Interest::Shared {
  explicit Shared(Epochs& e) : epochs(e), literals(e), wildcards(e) {}

  uint64_t hash_of(std::string_view subject) const { return hash_bytes(subject, seed); }

  const uint64_t seed = hash_seed();
  Epochs& epochs;
  SubjectTable literals;
  WildcardTrie wildcards;
};

}  // namespace nuncio
