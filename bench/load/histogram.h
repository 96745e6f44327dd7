// Counts of durations in log-linear buckets: exact below 128 ns, within 1.6% above, up to some 4.8 hours.
// Fixed size, one owner at a time; merge several into one to sum up threads.
#pragma once

#include <array>
#include <cstdint>

namespace nuncio::load {

class Histogram {
 public:
  void record(uint64_t value_ns) noexcept;
  void merge(const Histogram& other) noexcept;

  uint64_t count() const noexcept { return count_; }
  uint64_t min_ns() const noexcept { return count_ == 0 ? 0 : min_ns_; }
  uint64_t max_ns() const noexcept { return max_ns_; }
  double mean_ns() const noexcept;
  // The smallest recorded bucket's upper bound that at least `percent` of the values do not exceed; never
  // above max.
  uint64_t percentile_ns(double percent) const noexcept;

 private:
  static constexpr unsigned linear_bits = 7;
  static constexpr unsigned octaves = 37;
  static constexpr unsigned half = 1U << (linear_bits - 1);

  static unsigned bucket_of(uint64_t value_ns) noexcept;
  static uint64_t upper_bound_of(unsigned bucket) noexcept;

  std::array<uint64_t, (octaves + 2) * half> buckets_{};
  uint64_t count_ = 0;
  uint64_t min_ns_ = UINT64_MAX;
  uint64_t max_ns_ = 0;
  double sum_ns_ = 0;
};

}  // namespace nuncio::load
