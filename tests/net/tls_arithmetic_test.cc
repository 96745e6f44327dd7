// The arithmetic that stands before mbedTLS's own, against that.
#include "net/tls_arithmetic.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <string>

#include "net/tls_library.h"

namespace nuncio::net {
namespace {

// The library's own function of that name, which ours hides.
template <typename Function>
Function* own(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}
#define OWN(function) own(&function, #function)

struct Number : mbedtls_mpi {
  Number() { mbedtls_mpi_init(this); }
  explicit Number(int value) : Number() { mbedtls_mpi_lset(this, value); }
  Number(const mbedtls_mpi& value, int more) : Number() { mbedtls_mpi_add_int(this, &value, more); }
  Number(const Number& other) : Number() { mbedtls_mpi_copy(this, &other); }
  Number& operator=(const Number&) = delete;
  ~Number() { mbedtls_mpi_free(this); }

  static Number random(size_t bytes) {
    Number value;
    mbedtls_mpi_fill_random(&value, bytes, fill_random, nullptr);
    return value;
  }
  std::string text() const {
    std::string hex(2 * 1100, '\0');
    size_t size = 0;
    mbedtls_mpi_write_string(this, 16, hex.data(), hex.size(), &size);
    return hex.substr(0, size == 0 ? 0 : size - 1);
  }
};

struct Point : mbedtls_ecp_point {
  Point() { mbedtls_ecp_point_init(this); }
  Point(const Point& other) : Point() { mbedtls_ecp_copy(this, &other); }
  Point& operator=(const Point&) = delete;
  ~Point() { mbedtls_ecp_point_free(this); }
};

// The code of a function, and its result when that is 0.
struct Answer {
  int code;
  std::string text;
  friend bool operator==(const Answer&, const Answer&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Answer& answer) {
    return out << answer.code << ' ' << answer.text;
  }
};

class TlsArithmeticOfCurves : public testing::TestWithParam<mbedtls_ecp_group_id> {
 protected:
  TlsArithmeticOfCurves() {
    mbedtls_ecp_group_init(&group_);
    EXPECT_EQ(mbedtls_ecp_group_load(&group_, GetParam()), 0);
  }
  ~TlsArithmeticOfCurves() override { mbedtls_ecp_group_free(&group_); }

  bool is_x25519() const { return GetParam() == MBEDTLS_ECP_DP_CURVE25519; }
  Number random_scalar() {
    Number scalar;
    EXPECT_EQ(mbedtls_ecp_gen_privkey(&group_, &scalar, fill_random, nullptr), 0);
    return scalar;
  }
  Point generator() {
    Point point;
    EXPECT_EQ(mbedtls_ecp_copy(&point, &group_.G), 0);
    return point;
  }
  Point random_point() {
    Point point;
    const Number scalar = random_scalar();
    EXPECT_EQ(
        OWN(mbedtls_ecp_mul_restartable)(&group_, &point, &scalar, &group_.G, fill_random, nullptr, nullptr),
        0);
    return point;
  }
  Answer answer(int code, const Point& point) {
    std::string bytes(200, '\0');
    size_t size = 0;
    if (code == 0)
      mbedtls_ecp_point_write_binary(&group_, &point, MBEDTLS_ECP_PF_UNCOMPRESSED, &size,
                                     reinterpret_cast<unsigned char*>(bytes.data()), bytes.size());
    return {code, to_hex({reinterpret_cast<const uint8_t*>(bytes.data()), size})};
  }
  Answer product(decltype(mbedtls_ecp_mul_restartable)* multiply, const Number& scalar, const Point& point) {
    Point result;
    const int code = multiply(&group_, &result, &scalar, &point, fill_random, nullptr, nullptr);
    return answer(code, result);
  }
  Answer sum(decltype(mbedtls_ecp_muladd_restartable)* add, const Number& m, const Point& p, const Number& n,
             const Point& q) {
    Point result;
    const int code = add(&group_, &result, &m, &p, &n, &q, nullptr);
    return answer(code, result);
  }
  void expect_same_product(const Number& scalar, const Point& point) {
    EXPECT_EQ(product(mbedtls_ecp_mul_restartable, scalar, point),
              product(OWN(mbedtls_ecp_mul_restartable), scalar, point))
        << scalar.text();
  }
  void expect_same_sum(const Number& m, const Point& p, const Number& n, const Point& q) {
    EXPECT_EQ(sum(mbedtls_ecp_muladd_restartable, m, p, n, q),
              sum(OWN(mbedtls_ecp_muladd_restartable), m, p, n, q))
        << m.text() << ' ' << n.text();
  }

  mbedtls_ecp_group group_;
};
INSTANTIATE_TEST_SUITE_P(Curves, TlsArithmeticOfCurves,
                         testing::Values(MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1,
                                         MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_SECP521R1,
                                         MBEDTLS_ECP_DP_BP256R1));  // which only the library has

TEST(TlsArithmetic, TheLibraryComputesWithIt) {
  EXPECT_TRUE(has_fast_arithmetic());
  const auto found_first = [](const char* name) { return dlsym(RTLD_DEFAULT, name); };
  EXPECT_EQ(found_first("mbedtls_ecp_mul_restartable"),
            reinterpret_cast<void*>(&mbedtls_ecp_mul_restartable));
  EXPECT_EQ(found_first("mbedtls_ecp_muladd_restartable"),
            reinterpret_cast<void*>(&mbedtls_ecp_muladd_restartable));
  EXPECT_EQ(found_first("mbedtls_mpi_exp_mod"), reinterpret_cast<void*>(&mbedtls_mpi_exp_mod));
  EXPECT_NE(OWN(mbedtls_mpi_exp_mod), &mbedtls_mpi_exp_mod)
      << "the tests below compare with the library's own";
}

#if MBEDTLS_VERSION_MAJOR < 3
// A public key with this group is then ready for several threads.
TEST_P(TlsArithmeticOfCurves, TheLibrarysOwnProductFillsTheTableOfTheGroup) {
  if (is_x25519()) GTEST_SKIP() << "it has none";
  Point point;
  ASSERT_EQ(multiply_by_library(group_, point, Number(2), group_.G), 0);
  EXPECT_NE(group_.T, nullptr);
}
#endif

TEST_P(TlsArithmeticOfCurves, ProductsAreThoseOfTheLibrary) {
  for (int i = 0; i < 20; ++i) {
    const Number scalar = random_scalar();
    expect_same_product(scalar, generator());
    expect_same_product(scalar, random_point());
  }
  Point in_place = generator();
  const Number scalar = random_scalar();
  const Answer expected = product(OWN(mbedtls_ecp_mul_restartable), scalar, in_place);
  const int code =
      mbedtls_ecp_mul_restartable(&group_, &in_place, &scalar, &in_place, fill_random, nullptr, nullptr);
  EXPECT_EQ(answer(code, in_place), expected);
}

// Good or bad: 0, the order, negative ones, those of another form.
TEST_P(TlsArithmeticOfCurves, UncommonScalarsAreTheLibrarysBusiness) {
  for (const Point& point : {generator(), random_point()}) {
    for (const int value : {-2, -1, 0, 1, 2, 3, 4, 5, 8, 15, 16, 17, 255, 256})
      expect_same_product(Number(value), point);
    for (int more = -20; more <= 2; ++more) expect_same_product(Number(group_.N, more), point);
    expect_same_product(Number::random(200), point);
  }
}

TEST_P(TlsArithmeticOfCurves, BadPointsAreTheLibrarysBusiness) {
  const Number scalar = random_scalar();
  Point off_curve = random_point();
  mbedtls_mpi_add_int(&off_curve.MBEDTLS_PRIVATE(X), &off_curve.MBEDTLS_PRIVATE(X), 1);
  Point zero;
  mbedtls_ecp_set_zero(&zero);
  Point too_large = random_point();
  mbedtls_mpi_add_mpi(&too_large.MBEDTLS_PRIVATE(X), &too_large.MBEDTLS_PRIVATE(X), &group_.P);
  Point other_form = random_point();
  mbedtls_mpi_lset(&other_form.MBEDTLS_PRIVATE(Z), 2);
  const Number nothing(0);
  Point negative_x = random_point(), negative_y = random_point();
  mbedtls_mpi_sub_mpi(&negative_x.MBEDTLS_PRIVATE(X), &nothing, &negative_x.MBEDTLS_PRIVATE(X));
  mbedtls_mpi_sub_mpi(&negative_y.MBEDTLS_PRIVATE(Y), &nothing, &negative_y.MBEDTLS_PRIVATE(Y));
  for (const Point& point : {off_curve, zero, too_large, other_form, negative_x, negative_y}) {
    expect_same_product(scalar, point);
    if (!is_x25519()) expect_same_sum(scalar, generator(), scalar, point);
  }
}

// Of small order: what comes out would be known to everybody.
TEST(TlsArithmetic, PointsOfSmallOrderAreRefused) {
  mbedtls_ecp_group group;
  mbedtls_ecp_group_init(&group);
  ASSERT_EQ(mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_CURVE25519), 0);
  Number scalar;
  ASSERT_EQ(mbedtls_ecp_gen_privkey(&group, &scalar, fill_random, nullptr), 0);
  for (const int x : {0, 1}) {
    Point point, result;
    mbedtls_mpi_lset(&point.MBEDTLS_PRIVATE(X), x);
    mbedtls_mpi_lset(&point.MBEDTLS_PRIVATE(Z), 1);
    EXPECT_NE(mbedtls_ecp_mul_restartable(&group, &result, &scalar, &point, fill_random, nullptr, nullptr),
              0);
  }
  mbedtls_ecp_group_free(&group);
}

TEST_P(TlsArithmeticOfCurves, SumsAreThoseOfTheLibrary) {
  if (is_x25519()) GTEST_SKIP() << "it signs nothing";
  for (int i = 0; i < 10; ++i) {
    const Point p = random_point(), q = random_point();
    const Number m = random_scalar(), n = random_scalar();
    expect_same_sum(m, generator(), n, q);
    expect_same_sum(m, p, n, p);
    expect_same_sum(m, p, m, p);
    for (const int factor : {-1, 0, 1, 2}) expect_same_sum(Number(factor), p, n, q);
    Number opposite;
    mbedtls_mpi_sub_mpi(&opposite, &group_.N, &m);
    expect_same_sum(m, p, opposite, p);  // nothing
  }
}

TEST(TlsArithmetic, PowersAreThoseOfTheLibrary) {
  const auto power = [](decltype(mbedtls_mpi_exp_mod)* raise, const Number& base, const Number& exponent,
                        const Number& modulus) {
    Number result;
    const int code = raise(&result, &base, &exponent, &modulus, nullptr);
    return Answer{code, code == 0 ? result.text() : ""};
  };
  const auto expect_same = [&](const Number& base, const Number& exponent, const Number& modulus) {
    EXPECT_EQ(power(mbedtls_mpi_exp_mod, base, exponent, modulus),
              power(OWN(mbedtls_mpi_exp_mod), base, exponent, modulus))
        << base.text() << ' ' << exponent.text() << ' ' << modulus.text();
  };
  for (const size_t size : {1, 2, 7, 8, 9, 16, 64, 128, 129, 192, 256}) {
    Number odd = Number::random(size), even = Number::random(size);
    mbedtls_mpi_set_bit(&odd, 0, 1);
    mbedtls_mpi_set_bit(&even, 0, 0);
    for (const Number& modulus : {odd, even}) {
      for (const size_t of_exponent : {size_t{1}, size_t{3}, size_t{8}, size}) {
        const Number exponent = Number::random(of_exponent);
        expect_same(Number::random(size), exponent, modulus);
        expect_same(Number::random(2 * size), exponent, modulus);
        for (const int base : {-2, -1, 0, 1, 2}) expect_same(Number(base), exponent, modulus);
        expect_same(modulus, exponent, modulus);
      }
      for (const int exponent : {-1, 0, 1, 2, 65537})
        expect_same(Number::random(size), Number(exponent), modulus);
    }
  }
  for (const int modulus : {-3, -1, 0, 1, 2, 3}) expect_same(Number(5), Number(7), Number(modulus));
}

}  // namespace
}  // namespace nuncio::net
