#include "bench/load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace nuncio::load {

void Histogram::record(uint64_t value_ns) noexcept {
  ++buckets_[bucket_of(value_ns)];
  ++count_;
  min_ns_ = std::min(min_ns_, value_ns);
  max_ns_ = std::max(max_ns_, value_ns);
  sum_ns_ += static_cast<double>(value_ns);
}

void Histogram::merge(const Histogram& other) noexcept {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  min_ns_ = std::min(min_ns_, other.min_ns_);
  max_ns_ = std::max(max_ns_, other.max_ns_);
  sum_ns_ += other.sum_ns_;
}

double Histogram::mean_ns() const noexcept {
  return count_ == 0 ? 0.0 : sum_ns_ / static_cast<double>(count_);
}

uint64_t Histogram::percentile_ns(double percent) const noexcept {
  if (count_ == 0) return 0;
  const double exact_rank = std::ceil(percent / 100.0 * static_cast<double>(count_));
  const auto rank = std::clamp<uint64_t>(static_cast<uint64_t>(std::max(exact_rank, 1.0)), 1, count_);
  uint64_t seen = 0;
  for (unsigned i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(upper_bound_of(i), max_ns_);
  }
  return max_ns_;
}

// Each octave above the linear part has `half` buckets: the value's seven highest bits choose one.
unsigned Histogram::bucket_of(uint64_t value_ns) noexcept {
  const auto width = static_cast<unsigned>(std::bit_width(value_ns));
  if (width <= linear_bits) return static_cast<unsigned>(value_ns);
  const unsigned shift = width - linear_bits;
  if (shift > octaves) return (octaves + 2) * half - 1;
  return shift * half + static_cast<unsigned>(value_ns >> shift);
}

uint64_t Histogram::upper_bound_of(unsigned bucket) noexcept {
  if (bucket < 2 * half) return bucket;
  const unsigned shift = bucket / half - 1;
  const uint64_t high_bits = bucket - shift * half;
  return ((high_bits + 1) << shift) - 1;
}

}  // namespace nuncio::load
