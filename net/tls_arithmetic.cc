#include "net/tls_arithmetic.h"

#include <dlfcn.h>
#include <gmp.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecc.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <span>

#include "core/assert.h"
#include "net/tls_library.h"

namespace nuncio::net {
namespace {

constexpr size_t x25519_size = crypto_scalarmult_curve25519_BYTES;
constexpr size_t coordinate_size_max = 66;  // of P-521
constexpr size_t integer_size_max = MBEDTLS_MPI_MAX_SIZE;

// GMP, which nettle computes with, leaves secrets in what it frees.
void* allocate(size_t size) {
  void* const memory = std::malloc(size);
  if (memory == nullptr) std::abort();  // as GMP's own
  return memory;
}
void wipe_and_free(void* memory, size_t size) {
  sodium_memzero(memory, size);
  std::free(memory);
}
void* reallocate(void* memory, size_t old_size, size_t size) {
  void* const moved = allocate(size);
  std::copy_n(static_cast<const char*>(memory), std::min(old_size, size), static_cast<char*>(moved));
  wipe_and_free(memory, old_size);
  return moved;
}

// GMP and libsodium leave them on the stack too, GMP up to 64 KiB.
void wipe_stack() {
  sodium_stackzero(size_t{80} * 1024);
}

// The library's own functions.
struct Own {
  Own() { mp_set_memory_functions(allocate, reallocate, wipe_and_free); }

  template <typename Function>
  static Function* find(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
  }
  decltype(mbedtls_ecp_mul_restartable)* const multiply =
      find<decltype(mbedtls_ecp_mul_restartable)>("mbedtls_ecp_mul_restartable");
  decltype(mbedtls_ecp_muladd_restartable)* const multiply_and_add =
      find<decltype(mbedtls_ecp_muladd_restartable)>("mbedtls_ecp_muladd_restartable");
  decltype(mbedtls_mpi_exp_mod)* const raise = find<decltype(mbedtls_mpi_exp_mod)>("mbedtls_mpi_exp_mod");
};

const Own& own() {
  static const Own functions;
  return functions;
}

std::atomic<bool> is_called = false;

const ecc_curve* curve_of_nettle(mbedtls_ecp_group_id id) {
  switch (id) {
    case MBEDTLS_ECP_DP_SECP256R1:
      return nettle_get_secp_256r1();
    case MBEDTLS_ECP_DP_SECP384R1:
      return nettle_get_secp_384r1();
    case MBEDTLS_ECP_DP_SECP521R1:
      return nettle_get_secp_521r1();
    default:
      return nullptr;
  }
}

// A number of GMP, not negative.
class Integer {
 public:
  Integer() { mpz_init(value_); }
  explicit Integer(std::span<const uint8_t> big_endian) : Integer() {
    mpz_import(value_, big_endian.size(), 1, 1, 1, 0, big_endian.data());
  }
  // At most integer_size_max bytes.
  explicit Integer(const mbedtls_mpi& value) : Integer() {
    std::array<uint8_t, integer_size_max> bytes;
    const size_t size = mbedtls_mpi_size(&value);
    NUNCIO_ASSERT(mbedtls_mpi_write_binary(&value, bytes.data(), size) == 0);
    mpz_import(value_, size, 1, 1, 1, 0, bytes.data());
    sodium_memzero(bytes.data(), size);
  }
  ~Integer() { mpz_clear(value_); }
  Integer(const Integer&) = delete;
  Integer& operator=(const Integer&) = delete;

  mpz_ptr get() { return value_; }
  // All of `big_endian`, filled up with zeros.
  void write(std::span<uint8_t> big_endian) const {
    const size_t size = (mpz_sizeinbase(value_, 2) + 7) / 8;
    NUNCIO_ASSERT(size <= big_endian.size());
    std::ranges::fill(big_endian, uint8_t{0});
    mpz_export(big_endian.last(size).data(), nullptr, 1, 1, 1, 0, value_);
  }

 private:
  mpz_t value_;
};

// A value of nettle, with an end.
template <typename Value, auto init, auto clear>
class Owned {
 public:
  explicit Owned(const ecc_curve* curve) { init(&value_, curve); }
  ~Owned() { clear(&value_); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  Value* get() { return &value_; }

 private:
  Value value_;
};
using Scalar = Owned<ecc_scalar, ecc_scalar_init, ecc_scalar_clear>;
using Point = Owned<ecc_point, ecc_point_init, ecc_point_clear>;

bool is_plain(const mbedtls_ecp_point& point) {
  return mbedtls_mpi_cmp_int(&point.MBEDTLS_PRIVATE(Z), 1) == 0 &&  // affine
         mbedtls_mpi_cmp_int(&point.MBEDTLS_PRIVATE(X), 0) >= 0 &&
         mbedtls_mpi_cmp_int(&point.MBEDTLS_PRIVATE(Y), 0) >= 0;
}

bool multiply_by_nettle(const ecc_curve* curve, mbedtls_ecp_group* group, mbedtls_ecp_point* product,
                        const mbedtls_mpi* scalar, const mbedtls_ecp_point* point) {
  const size_t size = (ecc_bit_size(curve) + 7) / 8;
  Scalar by(curve);
  if (ecc_scalar_set(by.get(), Integer(*scalar).get()) != 1) return false;

  Point result(curve);
  if (mbedtls_ecp_point_cmp(point, &group->G) == 0) {
    ecc_point_mul_g(result.get(), by.get());
  } else {
    std::array<uint8_t, 1 + 2 * coordinate_size_max> bytes;
    size_t written = 0;
    if (!is_plain(*point) || mbedtls_ecp_point_write_binary(group, point, MBEDTLS_ECP_PF_UNCOMPRESSED,
                                                            &written, bytes.data(), bytes.size()) != 0)
      return false;
    const std::span<const uint8_t> all(bytes);
    Integer x(all.subspan(1, size)), y(all.subspan(1 + size, size));
    Point of(curve);
    if (ecc_point_set(of.get(), x.get(), y.get()) != 1) return false;  // not on the curve
    ecc_point_mul(result.get(), by.get(), of.get());
  }

  std::array<uint8_t, 1 + 2 * coordinate_size_max> bytes{0x04};  // uncompressed
  Integer x, y;
  ecc_point_get(result.get(), x.get(), y.get());
  x.write(std::span(bytes).subspan(1, size));
  y.write(std::span(bytes).subspan(1 + size, size));
  const bool is_read = mbedtls_ecp_point_read_binary(group, product, bytes.data(), 1 + 2 * size) == 0;
  sodium_memzero(bytes.data(), bytes.size());  // a shared secret, maybe
  return is_read;
}

bool multiply_by_sodium(mbedtls_ecp_group* group, mbedtls_ecp_point* product, const mbedtls_mpi* scalar,
                        const mbedtls_ecp_point* point) {
  std::array<uint8_t, x25519_size> secret, of, result;
  size_t written = 0;
  const bool is_done = is_plain(*point) && mbedtls_mpi_cmp_mpi(&point->MBEDTLS_PRIVATE(X), &group->P) < 0 &&
                       mbedtls_mpi_write_binary_le(scalar, secret.data(), secret.size()) == 0 &&
                       mbedtls_ecp_point_write_binary(group, point, MBEDTLS_ECP_PF_UNCOMPRESSED, &written,
                                                      of.data(), of.size()) == 0 &&
                       crypto_scalarmult_curve25519(result.data(), secret.data(), of.data()) == 0 &&
                       mbedtls_ecp_point_read_binary(group, product, result.data(), result.size()) == 0;
  sodium_memzero(secret.data(), secret.size());
  sodium_memzero(result.data(), result.size());
  return is_done;
}

// False: not computed, for whatever reason; `product` is as it was.
bool multiply(mbedtls_ecp_group* group, mbedtls_ecp_point* product, const mbedtls_mpi* scalar,
              const mbedtls_ecp_point* point) {
  if (mbedtls_ecp_check_privkey(group, scalar) != 0) return false;
  if (group->id == MBEDTLS_ECP_DP_CURVE25519) return multiply_by_sodium(group, product, scalar, point);
  const ecc_curve* const curve = curve_of_nettle(group->id);
  return curve != nullptr && multiply_by_nettle(curve, group, product, scalar, point);
}

// The powers to these are soon computed, and then mpz_powm_sec, which a secret base needs too, is no faster.
constexpr size_t short_exponent_bits = 64;

bool is_natural(const mbedtls_mpi& value) {
  return mbedtls_mpi_cmp_int(&value, 0) > 0 && mbedtls_mpi_size(&value) <= integer_size_max;
}

bool raise_by_gmp(mbedtls_mpi* power, const mbedtls_mpi* base, const mbedtls_mpi* exponent,
                  const mbedtls_mpi* modulus) {
  if (!is_natural(*base) || !is_natural(*exponent) || !is_natural(*modulus) ||
      mbedtls_mpi_get_bit(modulus, 0) == 0 || mbedtls_mpi_bitlen(exponent) <= short_exponent_bits)
    return false;
  Integer result, of(*base), by(*exponent), within(*modulus);
  mpz_powm_sec(result.get(), of.get(), by.get(), within.get());
  std::array<uint8_t, integer_size_max> bytes;
  const size_t size = mbedtls_mpi_size(modulus);
  result.write(std::span(bytes).first(size));
  const bool is_read = mbedtls_mpi_read_binary(power, bytes.data(), size) == 0;
  sodium_memzero(bytes.data(), size);
  return is_read;
}

}  // namespace

bool has_fast_arithmetic() {
  static const bool has = [] {
    mbedtls_ecp_keypair pair;
    mbedtls_ecp_keypair_init(&pair);
    is_called = false;
    const bool is_made = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_CURVE25519, &pair, fill_random, nullptr) == 0;
    mbedtls_ecp_keypair_free(&pair);
    return is_made && is_called;
  }();
  return has;
}

int multiply_by_library(mbedtls_ecp_group& group, mbedtls_ecp_point& product, const mbedtls_mpi& scalar,
                        const mbedtls_ecp_point& point) {
  return own().multiply(&group, &product, &scalar, &point, fill_random, nullptr, nullptr);
}

}  // namespace nuncio::net

using namespace nuncio::net;

extern "C" int mbedtls_ecp_mul_restartable(mbedtls_ecp_group* group, mbedtls_ecp_point* product,
                                           const mbedtls_mpi* scalar, const mbedtls_ecp_point* point,
                                           int (*random)(void*, unsigned char*, size_t), void* of_random,
                                           mbedtls_ecp_restart_ctx* restart) {
  const Own& functions = own();
  is_called.store(true, std::memory_order_relaxed);
  const bool is_done = restart == nullptr && multiply(group, product, scalar, point);
  wipe_stack();
  if (is_done) return 0;
  return functions.multiply(group, product, scalar, point, random, of_random, restart);
}

// Signatures are verified with this; nettle has no addition, which is the lesser part.
extern "C" int mbedtls_ecp_muladd_restartable(mbedtls_ecp_group* group, mbedtls_ecp_point* sum,
                                              const mbedtls_mpi* a_scalar, const mbedtls_ecp_point* a,
                                              const mbedtls_mpi* b_scalar, const mbedtls_ecp_point* b,
                                              mbedtls_ecp_restart_ctx* restart) {
  const Own& functions = own();
  struct Products {
    mbedtls_ecp_point a, b;
    mbedtls_mpi one;
    Products() {
      mbedtls_ecp_point_init(&a);
      mbedtls_ecp_point_init(&b);
      mbedtls_mpi_init(&one);
    }
    ~Products() {
      mbedtls_ecp_point_free(&a);
      mbedtls_ecp_point_free(&b);
      mbedtls_mpi_free(&one);
    }
  } products;
  if (restart == nullptr && curve_of_nettle(group->id) != nullptr &&
      mbedtls_mpi_lset(&products.one, 1) == 0 && multiply(group, &products.a, a_scalar, a) &&
      multiply(group, &products.b, b_scalar, b))
    return functions.multiply_and_add(group, sum, &products.one, &products.a, &products.one, &products.b,
                                      restart);
  return functions.multiply_and_add(group, sum, a_scalar, a, b_scalar, b, restart);
}

extern "C" int mbedtls_mpi_exp_mod(mbedtls_mpi* power, const mbedtls_mpi* base, const mbedtls_mpi* exponent,
                                   const mbedtls_mpi* modulus, mbedtls_mpi* of_modulus) {
  const Own& functions = own();
  const bool is_done = raise_by_gmp(power, base, exponent, modulus);
  wipe_stack();
  if (is_done) return 0;
  return functions.raise(power, base, exponent, modulus, of_modulus);
}
