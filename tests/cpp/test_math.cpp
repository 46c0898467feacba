// Asks one target's Vec<T>, kernels/math.hpp and kernels/activations. Built once per target with
// -DTARGET_HEADER=...; tests/test_cpp_math.py builds and runs it.
//
//     test_math operations   transposes, loads and stores of the first lanes, conversions, rounding
//     test_math accuracy     errors against long double, special values
//     test_math hashes       one line "name dtype hash" for each function: equal on all targets
//
// Exit status: 0 passed, 1 failed (said on stderr), 77 the CPU cannot run this target.
#include TARGET_HEADER

#include <sys/mman.h>

#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/activations/all.hpp"
#include "kernels/math.hpp"

namespace {

int failures = 0;

void check(bool ok, const char* what, const char* type, double where) {
  if (ok) return;
  if (++failures <= 20)
    std::fprintf(stderr, "%s<%s> fails at %a (%.9g)\n", what, type, where, where);
}

template <class T>
constexpr const char* name_of = sizeof(T) == 4 ? "float" : "double";

template <class T>
using BitsOf = typename MathConstants<T>::Bits;

template <class T>
BitsOf<T> bits_of(T x) {
  BitsOf<T> bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

template <class T>
T from_bits(BitsOf<T> bits) {
  T x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

template <class T>
bool same(T a, T b) {
  return bits_of(a) == bits_of(b) || (std::isnan(a) && std::isnan(b));
}

// Memory that ends where nothing may be read or written: going beyond is a crash, not a guess.
class Fence {
 public:
  Fence() {
    constexpr std::size_t fence = 1 << 16;  // no page is larger
    void* start =
        mmap(nullptr, size + fence, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(start != MAP_FAILED, "mmap", "void", 0);
    end_ = static_cast<char*>(start) + size;
    check(mprotect(end_, fence, PROT_NONE) == 0, "mprotect", "void", 0);
  }
  // The last n elements before the fence.
  template <class T>
  T* last(std::ptrdiff_t n) const {
    return reinterpret_cast<T*>(end_) - n;
  }
  template <class T>
  const T* last_holding(const T* values, std::ptrdiff_t n) const {
    return static_cast<const T*>(
        std::memcpy(last<T>(n), values, static_cast<std::size_t>(n) * sizeof(T)));
  }

 private:
  static constexpr std::size_t size = 1 << 16;
  char* end_;
};

const Fence fence;

// A linear congruential generator modulo 2^64, its high bits folded onto the low ones.
class Numbers {
 public:
  std::uint64_t next() {
    state_ = state_ * UINT64_C(0x2545f4914f6cdd1d) + UINT64_C(0x9e3779b97f4a7c15);
    return state_ ^ (state_ >> 32);
  }
  double uniform(double low, double high) {
    return low + (high - low) * (static_cast<double>(next() >> 11) * 0x1p-53);
  }

 private:
  std::uint64_t state_ = 1;
};

template <class T>
std::vector<T> special_values() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> values = {T(0), Limits::denorm_min(), Limits::min() / 2, Limits::min()};
  for (T x : {Limits::max(), Limits::infinity(), Limits::quiet_NaN(), Limits::epsilon()}) {
    values.push_back(x);
  }
  // Ties, both sides of ln2 / 2, and where exp, expm1 and tanh run out of range.
  for (double x : {0.5, 1.0, 1.5, 2.5, 3.0, 4194303.5, 8388607.5, 0.34657359, 0.69314718, 17.5,
                   37.5, 87.4, 88.72283, 88.9, 103.97, 709.78271, 710.2, 745.13, 1e6}) {
    values.push_back(static_cast<T>(x));
  }
  for (std::size_t i = 0, n = values.size(); i < n; ++i) values.push_back(-values[i]);
  return values;
}

// Special values, numbers of all magnitudes, and the ranges in which the functions change; a
// multiple of the widest vector.
template <class T>
std::vector<T> sweep(int per_range) {
  std::vector<T> x = special_values<T>();
  Numbers numbers;
  for (int i = 0; i < per_range; ++i)
    x.push_back(from_bits<T>(static_cast<BitsOf<T>>(numbers.next())));
  const double widest = sizeof(T) == 4 ? 110 : 760;
  for (double range : {0.01, 0.4, 1.1, 3.0, 25.0, widest}) {
    for (int i = 0; i < per_range; ++i) x.push_back(static_cast<T>(numbers.uniform(-range, range)));
  }
  while (x.size() % 16 != 0) x.push_back(T(1));
  return x;
}

template <class T, class F>
std::vector<T> apply(F f, const std::vector<T>& x) {
  std::vector<T> y(x.size());
  for (std::size_t i = 0; i < x.size(); i += Vec<T>::width) f(Vec<T>::load(&x[i])).store(&y[i]);
  return y;
}

// ---- operations -----------------------------------------------------------------------------

template <class T>
void check_transpose() {
  constexpr int w = Vec<T>::width;
  for (std::ptrdiff_t from_stride : {w, w + 1, 3 * w}) {
    for (std::ptrdiff_t to_stride : {w, w + 3, 2 * w}) {
      std::vector<T> from((w - 1) * from_stride + w), to((w - 1) * to_stride + w + 1, T(-1));
      for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<T>(i);
      const T* block = fence.last_holding(from.data(), static_cast<std::ptrdiff_t>(from.size()));
      Vec<T>::transpose(block, from_stride, to.data(), to_stride);
      for (std::ptrdiff_t k = 0; k < static_cast<std::ptrdiff_t>(to.size()); ++k) {
        const std::ptrdiff_t i = k % to_stride, j = k / to_stride;
        const bool inside = i < w && j < w;
        check(to[k] == (inside ? from[i * from_stride + j] : T(-1)), "transpose", name_of<T>,
              static_cast<double>(k));
      }
    }
  }
}

template <class T>
void check_first() {
  constexpr int w = Vec<T>::width;
  for (int n = 0; n <= w; ++n) {
    T from[w], whole[w], to[w + 1];
    for (int i = 0; i < w; ++i) from[i] = T(i + 1);
    for (T& x : to) x = T(-1);
    Vec<T>::load_first(fence.last_holding(from, n), n).store(whole);
    Vec<T>::load(from).store_first(to, n);
    for (int i = 0; i < w; ++i) {
      check(same(whole[i], i < n ? from[i] : T(0)), "load_first", name_of<T>, n);
    }
    for (int i = 0; i <= w; ++i) {
      check(same(to[i], i < n ? from[i] : T(-1)), "store_first", name_of<T>, n);
    }
    Vec<T>::load(from).store_first(fence.last<T>(n), n);
    for (int i = 0; i < n; ++i) check(fence.last<T>(n)[i] == from[i], "store_first", name_of<T>, n);
    select(Vec<T>::first(n), Vec<T>::broadcast(T(1)), Vec<T>::zero()).store(whole);
    for (int i = 0; i < w; ++i) check(whole[i] == (i < n ? T(1) : T(0)), "first", name_of<T>, n);
  }
}

template <class T, class From>
void check_convert(const std::vector<From>& from) {
  constexpr int w = Vec<T>::width;
  for (std::size_t i = 0; i + w <= from.size(); ++i) {
    const From* block = fence.last_holding(&from[i], w);
    T to[w];
    Vec<T>::convert(block).store(to);
    for (int j = 0; j < w; ++j) {
      check(same(to[j], static_cast<T>(block[j])), "convert", name_of<T>,
            static_cast<double>(block[j]));
    }
  }
}

// Sums that almost tie: the product lies a little to one side of half a unit in the last place of
// the addend, by less than a longer intermediate result could hold.
template <class T>
void check_fma() {
  const T epsilon = std::numeric_limits<T>::epsilon();
  const T a = T(1) + epsilon;
  for (T addend : {T(1), T(1) + epsilon, T(2) - epsilon, -T(1), -T(1) - epsilon}) {
    for (T b : {T(1), T(1) - epsilon / 2, T(1) - epsilon, -T(1), epsilon - T(1)}) {
      T y[Vec<T>::width];
      const T factor = b * epsilon / 2;
      fma(Vec<T>::broadcast(a), Vec<T>::broadcast(factor), Vec<T>::broadcast(addend)).store(y);
      check(same(y[0], std::fma(a, factor, addend)), "fma", name_of<T>,
            static_cast<double>(factor));
    }
  }
}

template <class T>
void check_operations() {
  check_transpose<T>();
  check_first<T>();
  check_fma<T>();
  std::vector<std::uint8_t> bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<std::uint8_t>(i));
  check_convert<T>(bytes);
  check_convert<T>(special_values<float>());
  check_convert<T>(special_values<double>());

  const std::vector<T> x = sweep<T>(1000);
  const std::vector<T> rounded = apply<T>([](Vec<T> a) { return round(a); }, x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    check(same(rounded[i], std::nearbyint(x[i])), "round", name_of<T>, static_cast<double>(x[i]));
  }
  for (int n = std::numeric_limits<T>::min_exponent - 1; n < std::numeric_limits<T>::max_exponent;
       ++n) {
    T power[Vec<T>::width];
    exp2_of_whole(Vec<T>::broadcast(T(n))).store(power);
    check(power[0] == std::ldexp(T(1), n), "exp2_of_whole", name_of<T>, n);
  }
  for (T a : special_values<T>()) {
    for (T b : special_values<T>()) {
      const Vec<T> va = Vec<T>::broadcast(a), vb = Vec<T>::broadcast(b);
      T y[6][Vec<T>::width];
      max(va, vb).store(y[0]);
      min(va, vb).store(y[1]);
      select(greater(va, vb), va, vb).store(y[2]);
      copysign(va, vb).store(y[3]);
      abs(va).store(y[4]);
      fma(va, vb, va).store(y[5]);
      const T expected[6] = {a > b ? a : b,       a < b ? a : b, a > b ? a : b,
                             std::copysign(a, b), std::fabs(a),  std::fma(a, b, a)};
      for (int i = 0; i < 6; ++i) {
        check(same(y[i][0], expected[i]), "max, min, greater, copysign, abs or fma", name_of<T>, i);
      }
    }
  }
}

// ---- accuracy -------------------------------------------------------------------------------

// The unit in the last place of numbers of this size; the smallest number's where that is
// subnormal.
template <class T>
long double unit_of(long double size) {
  using Limits = std::numeric_limits<T>;
  int exponent;
  std::frexp(size, &exponent);
  if (exponent < Limits::min_exponent) exponent = Limits::min_exponent;
  return std::ldexp(1.0L, exponent - Limits::digits);
}

// Units in the last place, of numbers of this size, between `got` and the exact value. Enormous
// where one is NaN or infinite and should not be.
template <class T>
double error_in_ulp(T got, long double exact, long double size) {
  const T rounded = static_cast<T>(exact);
  if (std::isnan(exact) || std::isnan(got)) return std::isnan(exact) == std::isnan(got) ? 0 : 1e9;
  if (std::isinf(rounded) || std::isinf(got)) return got == rounded ? 0 : 1e9;
  return static_cast<double>(std::fabs(static_cast<long double>(got) - exact) / unit_of<T>(size));
}

template <class T>
double error_in_ulp(T got, long double exact) {
  if (exact == 0) return got == 0 && std::signbit(got) == std::signbit(exact) ? 0 : 1e9;
  return error_in_ulp(got, exact, exact);
}

template <class T, class F, class Exact>
void check_accuracy(const char* name, const std::vector<T>& x, F f, Exact exact, double bound) {
  // Where long double is no longer than double, the reference is itself off by up to a unit.
  if (sizeof(T) == 8 && LDBL_MANT_DIG == DBL_MANT_DIG) bound += 1;
  const std::vector<T> y = f(x);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double error = error_in_ulp(y[i], exact(static_cast<long double>(x[i])));
    worst = error > worst ? error : worst;
    check(error <= bound, name, name_of<T>, static_cast<double>(x[i]));
  }
  std::printf("%s %s: at most %.3f ulp\n", name, name_of<T>, worst);
}

template <class T>
std::vector<T> logarithms(const std::vector<T>& x) {
  std::vector<T> y;
  for (T value : x) y.push_back(log_scalar(value));
  return y;
}

long double exact_logistic(long double x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

// What log1p takes: [0, 1], in every magnitude.
template <class T>
std::vector<T> unit_interval(const std::vector<T>& x) {
  std::vector<T> y = x;
  for (T& value : y) {
    value = std::fabs(value);
    if (value > T(1)) value = std::isinf(value) ? T(1) : 1 / value;
  }
  return y;
}

// What normal_tail takes: from 0 to where it is 0.
template <class T>
std::vector<T> non_negative(const std::vector<T>& x) {
  std::vector<T> y = x;
  for (T& value : y) {
    value = std::fabs(value);
    while (value > T(40)) value = value > T(1000) ? T(40) : value / 20;
  }
  return y;
}

template <class T>
Vec<T> normal_tail_whole(Vec<T> y) {
  const auto tail = normal_tail(y);
  return tail.exponential * tail.ratio;
}

template <class T>
void check_functions() {
  const auto vectors = [](auto f) {
    return [f](const std::vector<T>& x) { return apply<T>(f, x); };
  };
  const std::vector<T> x = sweep<T>(60000);
  using L = long double;
  check_accuracy<T>(
      "exp", x, vectors([](Vec<T> v) { return exp(v); }), [](L v) { return std::exp(v); }, 1.0);
  check_accuracy<T>(
      "expm1", x, vectors([](Vec<T> v) { return expm1(v); }), [](L v) { return std::expm1(v); },
      2.0);
  check_accuracy<T>(
      "tanh", x, vectors([](Vec<T> v) { return tanh(v); }), [](L v) { return std::tanh(v); }, 2.0);
  check_accuracy<T>("logistic", x, vectors([](Vec<T> v) { return logistic(v); }), exact_logistic,
                    2.0);
  check_accuracy<T>("log", x, logarithms<T>, [](L v) { return std::log(v); }, 1.0);
  check_accuracy<T>(
      "log1p", unit_interval(x), vectors([](Vec<T> v) { return log1p(v); }),
      [](L v) { return std::log1p(v); }, 1.5);
  check_accuracy<T>(
      "normal_tail", non_negative(x), vectors(normal_tail_whole<T>),
      [](L v) { return std::erfc(v / std::sqrt(2.0L)) / 2; }, 5.0);

  T one[Vec<T>::width], half[Vec<T>::width];
  exp(Vec<T>::zero()).store(one);
  logistic(Vec<T>::zero()).store(half);
  check(one[0] == T(1), "exp", name_of<T>, 0);
  check(half[0] == T(0.5), "logistic", name_of<T>, 0);
  std::vector<T> mirrored = x;
  for (T& value : mirrored) value = -value;
  const std::vector<T> right = apply<T>([](Vec<T> v) { return tanh(v); }, x);
  const std::vector<T> left = apply<T>([](Vec<T> v) { return tanh(v); }, mirrored);
  for (std::size_t i = 0; i < x.size(); ++i) {
    check(same(right[i], -left[i]), "odd tanh", name_of<T>, static_cast<double>(x[i]));
  }
}

// ---- activations ----------------------------------------------------------------------------

template <class T>
struct Activated {
  std::vector<T> values, slopes;
};

// An activation at every z, and its derivative as backpropagation gets it: from the value, or z.
template <class Kind, class T>
__attribute__((noinline)) Activated<T> activated(const std::vector<T>& z) {
  Activated<T> result{std::vector<T>(z.size()), std::vector<T>(z.size())};
  for (std::size_t i = 0; i < z.size(); i += Vec<T>::width) {
    const Vec<T> at = Vec<T>::load(&z[i]);
    const Vec<T> a = Kind::value(at);
    a.store(&result.values[i]);
    Kind::through(Vec<T>::broadcast(T(1)), Kind::from_z ? at : a).store(&result.slopes[i]);
  }
  return result;
}

using L = long double;

// What an activation should be, and how large the numbers are of which it and its derivative are
// made: where those cancel, or a rounded number becomes an exponent, only that much can be asked.
struct Truth {
  L value, value_size, slope, slope_size;
};

L positive(L z) { return z < 0 ? 0 : z; }                        // NaN stays NaN
L times(L z, L factor) { return factor == 0 ? 0 : z * factor; }  // the limit for an infinite z

// z s(z), given s(z), z s'(z) and how much larger than a number's own their errors are.
Truth gated(L z, L s, L rise, L growth = 1) {
  const L value = times(z, s);
  return {value, std::fabs(value) * growth, s + rise, (s + std::fabs(rise)) * growth};
}

Truth truth(Identity, L z) { return {z, z, 1, 1}; }
Truth truth(Relu, L z) { return {positive(z), z, z > 0 ? 1.0L : 0.0L, 1}; }
Truth truth(Tanh, L z) {
  const L a = std::tanh(z), cosh = std::cosh(z);
  return {a, a, 1 / (cosh * cosh), 1};
}
Truth truth(Logistic, L z) {
  const L a = exact_logistic(z);
  return {a, a, a * exact_logistic(-z), a};
}
Truth truth(LeakyRelu, L z) {
  const L a = z < 0 ? z * 0.01L : z;
  return {a, a, z > 0 ? 1 : 0.01L, 1};
}
Truth truth(Elu, L z) {
  const L a = z > 0 ? z : std::expm1(z);
  return {a, a, z > 0 ? 1 : std::exp(z), 1};
}
Truth truth(Selu, L z) {
  constexpr L scale = 1.0507009873554804934193349852946L;
  constexpr L alpha = 1.6732632423543772848170429916717L;
  const L a = scale * (z > 0 ? z : alpha * std::expm1(z));
  return {a, a, z > 0 ? scale : scale * alpha * std::exp(z), scale * alpha};
}
Truth truth(Softplus, L z) {
  const L a = positive(z) + std::log1p(std::exp(-std::fabs(z)));
  return {a, a, exact_logistic(z), exact_logistic(z)};
}
Truth truth(Gelu, L z) {
  const L density = std::exp(-z * z / 2) / std::sqrt(8 * std::atan(1.0L));
  return gated(z, std::erfc(-z / std::sqrt(2.0L)) / 2, times(z, density));
}
Truth truth(GeluTanh, L z) {
  const L scale = std::sqrt(2 / std::atan(1.0L));
  const L v = scale * (z + 0.044715L * z * z * z), dv = scale * (1 + 3 * 0.044715L * z * z);
  const L s = exact_logistic(v), ds = s * exact_logistic(-v);
  return gated(z, s, times(z * dv, ds), 1 + std::fmin(std::fabs(v), 800.0L));
}
Truth truth(Silu, L z) {
  const L s = exact_logistic(z);
  return gated(z, s, times(z, s * exact_logistic(-z)));
}
Truth truth(Mish, L z) {
  const L t = std::tanh(truth(Softplus{}, z).value);
  return gated(z, t, times(z, (1 - t) * (1 + t) * exact_logistic(z)));
}

template <class Kind, class T>
void check_activation(const std::vector<T>& z) {
  constexpr double bound = 5;
  // Where one of two factors is subnormal the product has its few digits.
  const L least = 1000 * static_cast<L>(std::numeric_limits<T>::min());
  const Activated<T> got = activated<Kind>(z);
  double worst[2] = {};
  for (std::size_t i = 0; i < z.size(); ++i) {
    const Truth exact = truth(Kind{}, static_cast<L>(z[i]));
    const bool nan = std::isnan(z[i]);
    check(std::isnan(got.values[i]) == nan, Kind::name, name_of<T>, static_cast<double>(z[i]));
    if (nan) continue;
    const double errors[2] = {
        error_in_ulp(got.values[i], exact.value, std::fmax(std::fabs(exact.value_size), least)),
        error_in_ulp(got.slopes[i], exact.slope, std::fmax(exact.slope_size, least))};
    for (int k = 0; k < 2; ++k) {
      check(errors[k] <= bound, Kind::name, name_of<T>, static_cast<double>(z[i]));
      worst[k] = errors[k] > worst[k] ? errors[k] : worst[k];
    }
  }
  std::printf("%s %s: at most %.3f ulp, its derivative %.3f\n", Kind::name, name_of<T>, worst[0],
              worst[1]);
}

// Calls body.template operator()<Kind>() for every activation.
template <class Body>
void for_each_activation(const Body& body) {
  for (int i = 0; i < Activations::size; ++i) Activations::with(i, body);
}

template <class T>
void check_activations() {
  const std::vector<T> z = sweep<T>(20000);
  for_each_activation([&]<class Kind>() { check_activation<Kind>(z); });
}

// ---- hashes ---------------------------------------------------------------------------------

// FNV-1a over the bits; every NaN counts as the same one.
template <class T>
void print_hash(const char* name, const std::vector<T>& y) {
  std::uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (T value : y) {
    BitsOf<T> bits = bits_of(std::isnan(value) ? std::numeric_limits<T>::quiet_NaN() : value);
    for (std::size_t i = 0; i < sizeof bits; ++i, bits >>= 8) {
      hash = (hash ^ (bits & 0xff)) * UINT64_C(0x100000001b3);
    }
  }
  std::printf("%s %s %016llx\n", name, name_of<T>, static_cast<unsigned long long>(hash));
}

template <class T>
void print_hashes() {
  const std::vector<T> x = sweep<T>(60000);
  const auto unary = [&](const char* name, auto f) { print_hash(name, apply<T>(f, x)); };
  unary("exp", [](Vec<T> v) { return exp(v); });
  unary("expm1", [](Vec<T> v) { return expm1(v); });
  unary("tanh", [](Vec<T> v) { return tanh(v); });
  unary("logistic", [](Vec<T> v) { return logistic(v); });
  print_hash("log", logarithms(x));
  print_hash("log1p", apply<T>([](Vec<T> v) { return log1p(v); }, unit_interval(x)));
  print_hash("normal_tail", apply<T>(normal_tail_whole<T>, non_negative(x)));
  unary("sqrt", [](Vec<T> v) { return sqrt(v); });
  unary("round", [](Vec<T> v) { return round(v); });

  const std::vector<T> partners(x.rbegin(), x.rend());
  const auto binary = [&](const char* name, auto f) {
    std::vector<T> y(x.size());
    for (std::size_t i = 0; i < x.size(); i += Vec<T>::width) {
      f(Vec<T>::load(&x[i]), Vec<T>::load(&partners[i])).store(&y[i]);
    }
    print_hash(name, y);
  };
  binary("add", [](Vec<T> a, Vec<T> b) { return a + b; });
  binary("subtract", [](Vec<T> a, Vec<T> b) { return a - b; });
  binary("multiply", [](Vec<T> a, Vec<T> b) { return a * b; });
  binary("divide", [](Vec<T> a, Vec<T> b) { return a / b; });
  binary("fma", [](Vec<T> a, Vec<T> b) { return fma(a, b, a); });
  binary("max", [](Vec<T> a, Vec<T> b) { return max(a, b); });
  binary("min", [](Vec<T> a, Vec<T> b) { return min(a, b); });

  for_each_activation([&]<class Kind>() {
    const Activated<T> got = activated<Kind>(x);
    print_hash(Kind::name, got.values);
    print_hash(Kind::name, got.slopes);
  });
}

bool cpu_runs_target() {
#if defined(__AVX512F__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("fma");
#elif defined(__AVX2__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

}  // namespace

int main(int argc, char** argv) {
  if (!cpu_runs_target()) return 77;
  const char* task = argc == 2 ? argv[1] : "";
  if (std::strcmp(task, "operations") == 0) {
    check_operations<float>();
    check_operations<double>();
  } else if (std::strcmp(task, "accuracy") == 0) {
    check_functions<float>();
    check_functions<double>();
    check_activations<float>();
    check_activations<double>();
  } else if (std::strcmp(task, "hashes") == 0) {
    print_hashes<float>();
    print_hashes<double>();
  } else {
    std::fprintf(stderr, "usage: test_math operations | accuracy | hashes\n");
    return 1;
  }
  if (failures > 0) std::fprintf(stderr, "%d checks failed\n", failures);
  return failures > 0 ? 1 : 0;
}
