// One token of the destination of a SubjectTransform: a text, or a function of the wildcards of its source.
// Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace nuncio {

struct TransformToken {
  enum class Kind : uint8_t {
    text,
    wildcard,
    rest,  // '>'
    partition,
    split,
    split_from_left,
    split_from_right,
    slice_from_left,
    slice_from_right,
    left,
    right,
  };

  Kind kind = Kind::text;
  std::string text;                 // itself, or split's delimiter
  std::vector<uint32_t> wildcards;  // arguments, from 0; only partition may have another number than one
  int32_t number = 0;               // count of partitions, place of the cut, size of the slice or part
};

// The tokens of `destination`, for a source with `wildcards` '*' and perhaps a '>'. The error is the one to
// show.
tl::expected<std::vector<TransformToken>, std::string> read_transform_tokens(std::string_view destination,
                                                                             uint32_t wildcards);

// Appends what a cutting function (all kinds from split on) makes of `token`; one that it cannot cut is
// appended whole.
void append_cut(const TransformToken& function, std::string_view token, std::string& out);

}  // namespace nuncio
