// Asks one target how rows get into a network: conversions of every element type, any memory order,
// sparse rows. Built once per target with -DTARGET_HEADER=...; tests/test_cpp_rows.py builds and
// runs it.
//
// Each task prints a hash of its results, equal on all targets.
//
//     test_rows dense    every element type in every memory order gives the bits of its values as
//                        contiguous doubles or floats, in float32, float64 and bfloat16
//     test_rows sparse   the bits of the same rows dense, forward and in every kind of update
//
// Exit status: 0 passed, 1 failed (said on stderr), 77 the CPU cannot run this target.
#include TARGET_HEADER

namespace {

// A target's own tiles do not change a bit: any will do here.
inline constexpr int tile_rows = 6;
inline constexpr int tile_vectors = 2;

}  // namespace

#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/bfloat16/emulated.hpp"
#include "kernels/bfloat16/target_table.hpp"

namespace {

using twolayer::Augmentation;
using twolayer::padded;
using twolayer::panel_count;
using twolayer::Source;

int failures = 0;

void check(bool ok, const char* what, const char* type, std::int64_t a, std::int64_t b,
           std::int64_t c) {
  if (ok) return;
  if (++failures <= 20) {
    std::fprintf(stderr, "%s fails with %s, %lld %lld %lld\n", what, type,
                 static_cast<long long>(a), static_cast<long long>(b), static_cast<long long>(c));
  }
}

template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

std::uint64_t digest = 1469598103934665603u;  // FNV-1a
template <class T>
void add_to_digest(const std::vector<T>& values) {
  const unsigned char* bytes = reinterpret_cast<const unsigned char*>(values.data());
  for (std::size_t i = 0; i < values.size() * sizeof(T); ++i) {
    digest = (digest ^ bytes[i]) * 1099511628211u;
  }
}

std::mt19937_64 generator(1);
std::int64_t integer(std::int64_t below) {
  return static_cast<std::int64_t>(generator() % static_cast<std::uint64_t>(below));
}
double number() { return static_cast<double>(integer(2'000'001) - 1'000'000) / 1e6; }
template <class T>
std::vector<T> numbers(std::int64_t count) {
  std::vector<T> result(static_cast<std::size_t>(count));
  for (T& x : result) x = static_cast<T>(number());
  return result;
}

// Padded with zeros.
template <class T>
std::vector<T> matrix_in_panels(std::int64_t rows, std::int64_t columns) {
  std::vector<T> result = numbers<T>(rows * padded(columns));
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = columns; c < padded(columns); ++c) {
      result[static_cast<std::size_t>(c / 32 * rows * 32 + r * 32 + c % 32)] = 0;
    }
  }
  return result;
}

// Half's value by its definition.
double value_of(Half half) {
  const int exponent = half.bits >> 10 & 31;
  const int mantissa = half.bits & 1023;
  const double size = exponent == 0   ? std::ldexp(mantissa, -24)
                      : exponent < 31 ? std::ldexp(1024 + mantissa, exponent - 25)
                                      : (mantissa == 0 ? HUGE_VAL : std::nan(""));
  return (half.bits & 0x8000) != 0 ? -size : size;
}
template <class Element>
double value_of(Element x) {
  return static_cast<double>(x);
}

template <class Element>
Element random_element() {
  if constexpr (__is_same(Element, Half)) {
    const bool subnormal = generator() % 4 == 0;
    return {static_cast<std::uint16_t>(generator() & (subnormal ? 0x83ff : 0xbfff))};
  } else if constexpr (Element(0.5) != 0) {
    return static_cast<Element>(number());
  } else {
    return static_cast<Element>(generator());
  }
}

void check_halves() {
  for (std::uint32_t bits = 0; bits < 0x10000; bits += 16) {
    Half halves[16];
    for (std::uint32_t i = 0; i < 16; ++i) halves[i] = {static_cast<std::uint16_t>(bits + i)};
    const auto compare = [&]<class T>(T) {
      T got[16];
      for (int i = 0; i < 16; i += Vec<T>::width) converted<T>(halves + i).store(got + i);
      for (int i = 0; i < 16; ++i) {
        const T wanted = static_cast<T>(value_of(halves[i]));
        const T one = converted_one<T>(halves[i]);
        const bool both_nan = std::isnan(wanted) && std::isnan(got[i]) && std::isnan(one);
        check(both_nan || (std::memcmp(&wanted, got + i, sizeof(T)) == 0 &&
                           std::memcmp(&wanted, &one, sizeof(T)) == 0),
              "conversion", "float16", halves[i].bits, 0, 0);
        if (std::isfinite(wanted)) {
          check(value_of(nearest<Half>(wanted)) == value_of(halves[i]), "nearest", "float16",
                halves[i].bits, 0, 0);
        }
      }
    };
    compare(float());
    compare(double());
  }
}

template <class T>
struct Batch {
  std::vector<T> shift, inverse_scale, values;

  Batch(std::int64_t samples, std::int64_t inputs)
      : shift(static_cast<std::size_t>(padded(inputs))),
        inverse_scale(shift.size()),
        values(static_cast<std::size_t>(samples * padded(inputs))) {
    for (std::int64_t i = 0; i < inputs; ++i) {
      shift[static_cast<std::size_t>(i)] = static_cast<T>(number());
      inverse_scale[static_cast<std::size_t>(i)] = static_cast<T>(0.5 + number() * number());
    }
  }
  Gather<T> gather(const Source& x, const std::vector<std::int64_t>& rows, std::int64_t inputs) {
    Gather<T> g{};
    g.x = x;
    g.rows = rows.data();
    g.samples = static_cast<std::int64_t>(rows.size());
    g.inputs = inputs;
    g.shift = shift.data();
    g.inverse_scale = inverse_scale.data();
    g.batch = values.data();
    return g;
  }
};

// What a gather of these rows leaves, in T and, for float, in both layouts of bfloat16.
template <class T>
std::vector<T> gathered(Gather<T> g) {
  std::vector<T> result(static_cast<std::size_t>(g.samples * padded(g.inputs)));
  g.batch = result.data();
  const std::int64_t panels = panel_count(g.inputs);
  gather(g, {0, panels / 2});
  gather(g, {panels / 2, panels});
  return result;
}
std::vector<Pair> gathered_pairs(const Gather<float>& g) {
  const std::int64_t plain = twolayer::along_size<Bfloat16>(g.samples, g.inputs);
  std::vector<Pair> result(
      static_cast<std::size_t>(plain + twolayer::across_size<Bfloat16>(g.samples, g.inputs)));
  gather(Bfloat16Gather{g, {result.data(), result.data() + plain}}, {0, panel_count(g.inputs)});
  return result;
}

template <class T, class Element>
void check_orders(const char* name, ElementType type) {
  constexpr std::int64_t size = sizeof(Element);
  for (const std::int64_t inputs : {1, 12, 32, 33, 72}) {
    constexpr std::int64_t count = 40;
    std::vector<std::int64_t> rows;
    for (int i = 0; i < 37; ++i) rows.push_back(integer(count));
    std::vector<Element> elements(static_cast<std::size_t>(count * inputs));
    for (Element& x : elements) x = random_element<Element>();
    Batch<T> batch(37, inputs);
    const auto element = [&](std::int64_t r, std::int64_t c) -> Element& {
      return elements[static_cast<std::size_t>(r * inputs + c)];
    };
    // The values as they are in T, in contiguous rows.
    std::vector<T> plain(elements.size());
    for (std::size_t i = 0; i < plain.size(); ++i) {
      plain[i] = static_cast<T>(value_of(elements[i]));
    }
    const ElementType plain_type = sizeof(T) == 4 ? ElementType::float32 : ElementType::float64;
    const Source plainly{plain.data(), plain_type, inputs * std::int64_t{sizeof(T)}, sizeof(T)};
    // Elements from one row and from one column to the next.
    const std::int64_t orders[][2] = {{inputs, 1},           {inputs + 3, 1}, {1, count},
                                      {2, 2 * count + 1},    {-1, count},     {-inputs, 1},
                                      {-3 * inputs - 2, -3}, {inputs, -1},    {0, 0}};
    for (const auto& [row, column] : orders) {
      const std::int64_t low =
          (row < 0 ? row * (count - 1) : 0) + (column < 0 ? column * (inputs - 1) : 0);
      const std::int64_t high =
          (row > 0 ? row * (count - 1) : 0) + (column > 0 ? column * (inputs - 1) : 0);
      std::vector<Element> memory(static_cast<std::size_t>(high - low + 1));
      Element* origin = memory.data() - low;
      for (std::int64_t r = 0; r < count; ++r) {
        for (std::int64_t c = 0; c < inputs; ++c) origin[r * row + c * column] = element(r, c);
      }
      if (row == 0 && column == 0) {  // one value everywhere: a broadcast array
        for (T& x : plain) x = static_cast<T>(value_of(origin[0]));
      }
      const Source source{origin, type, row * size, column * size};
      Gather<T> g = batch.gather(source, rows, inputs);
      Gather<T> wanted = batch.gather(plainly, rows, inputs);
      for (const bool augmented : {false, true}) {
        if (augmented && inputs != 72 && inputs != 12) continue;
        g.augmented = wanted.augmented = augmented;
        if (augmented) {
          const std::int64_t height = inputs == 72 ? 6 : 2;
          const std::int64_t shift = inputs == 72 ? 2 : 1;
          g.augmentation = {inputs / height / 3, height, 3, Augmentation::Flip::at_random, shift,
                            /*cutout=*/0,        7};
          wanted.augmentation = g.augmentation;
        }
        const std::vector<T> got = gathered(g);
        add_to_digest(got);
        check(same(got, gathered(wanted)), augmented ? "augmented" : "gather", name, inputs, row,
              column);
        if constexpr (sizeof(T) == 4) {
          check(same(gathered_pairs(g), gathered_pairs(wanted)), "bfloat16 gather", name, inputs,
                row, column);
        }
      }
    }
  }
}

template <class Element>
void check_blank(const char* name) {
  constexpr std::int64_t bits = 8 * sizeof(Element);
  double high = 0x1p100;
  if constexpr (__is_same(Element, Half)) {
    high = 65504;
  } else if constexpr (bits <= 16) {
    high = static_cast<double>((1 << (Element(-1) < 0 ? bits - 1 : bits)) - 1);
  }
  const auto back = [](double x) { return value_of(nearest<Element>(x)); };
  check(back(high) == high, "nearest to the largest", name, 0, 0, 0);
  check(back(37) == 37 && back(0) == 0, "nearest to itself", name, 0, 0, 0);
  if constexpr (sizeof(Element) > 2) return;
  check(back(2 * high + 1e6) == high, "nearest to more than the largest", name, 0, 0, 0);
  const bool whole = !__is_same(Element, Half);
  check(back(37.4375) == (whole ? 37 : 37.4375), "nearest", name, 0, 0, 0);
  const bool negative = !whole || value_of(nearest<Element>(-1.0)) < 0;
  check(back(-3.75) == (whole ? (negative ? -4 : 0) : -3.75), "nearest", name, 0, 0, 0);
}

void check_dense() {
  check_halves();
#define CHECK(name, type)                               \
  check_orders<float, type>(#name, ElementType::name);  \
  check_orders<double, type>(#name, ElementType::name); \
  check_blank<type>(#name);
  TWOLAYER_ELEMENT_TYPES(CHECK)
#undef CHECK
}

// A matrix of mostly zeros, both ways.
template <class Element>
struct Matrix {
  std::vector<Element> dense, values;
  std::vector<std::int64_t> starts{0};
  std::vector<std::int32_t> columns;

  Matrix(std::int64_t rows, std::int64_t inputs, double density)
      : dense(static_cast<std::size_t>(rows * inputs)) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const double of_row = r % 5 == 0 ? 0 : r % 7 == 0 ? 1 : density;
      for (std::int64_t c = 0; c < inputs; ++c) {
        if (std::fabs(number()) >= of_row) continue;
        Element x = random_element<Element>();
        if (integer(20) == 0) x = Element{};  // a zero may be stored
        dense[static_cast<std::size_t>(r * inputs + c)] = x;
        values.push_back(x);
        columns.push_back(static_cast<std::int32_t>(c));
      }
      starts.push_back(static_cast<std::int64_t>(values.size()));
    }
  }
};

// Parts of a range as that many threads share it.
template <class Body>
void shared(std::int64_t total, std::int64_t threads, const Body& body) {
  for (std::int64_t t = 0; t < threads; ++t) {
    body(twolayer::Range{total * t / threads, total * (t + 1) / threads});
  }
}

template <class T>
struct Parameters {
  std::vector<T> weights, states[twolayer::most_states], gradient, squares;

  bool operator==(const Parameters& other) const {
    bool equal = same(weights, other.weights) && same(gradient, other.gradient) &&
                 same(squares, other.squares);
    for (int s = 0; s < twolayer::most_states; ++s) equal &= same(states[s], other.states[s]);
    return equal;
  }
};

constexpr int stored = -1;  // in the place of an optimizer

template <class T>
Update<Exact<T>> update_of(Parameters<T>& p, int kind, bool decayed, bool with_squares,
                           std::int64_t samples, std::int64_t inputs, std::int64_t outputs,
                           const std::vector<T>& doutput) {
  Update<Exact<T>> u{};
  u.doutput = doutput.data();
  u.samples = samples;
  u.inputs = inputs;
  u.outputs = outputs;
  u.two_reg = decayed ? T(1e-2) : T(0);
  u.squares = with_squares ? p.squares.data() : nullptr;
  u.weights.parameters = p.weights.data();
  if (kind == stored) {
    u.weights.gradient = p.gradient.data();
    return u;
  }
  u.weights.updated = p.weights.data();
  for (int s = 0; s < twolayer::most_states; ++s) u.weights.state[s] = p.states[s].data();
  u.step.kind = kind;
  Optimizers::with(kind, [&]<class Kind>() {
    const auto value = [&](const char* name) {
      if (std::strcmp(name, "weight_decay") == 0) return decayed ? 1e-2 : 0.0;
      if (std::strcmp(name, "beta2") == 0) return 0.999;
      return std::strcmp(name, "epsilon") == 0 ? 1e-8 : 0.9;
    };
    double hyperparameters[4] = {};
    for (int i = 0; i < Kind::hyperparameters.count(); ++i) {
      hyperparameters[i] = value(Kind::hyperparameters.all[i]);
    }
    double powers[2] = {1, 1};
    Kind::begin_step(hyperparameters, 0.1, powers, u.step.constants);
  });
  return u;
}

template <class T, class Element>
void check_sparse(const char* name, ElementType type, std::int64_t samples, std::int64_t inputs,
                  std::int64_t outputs, double density) {
  constexpr std::int64_t count = 50;
  const Matrix<Element> matrix(count, inputs, density);
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < samples; ++i) rows.push_back(integer(count));
  Batch<T> batch(samples, inputs);
  std::fill(batch.shift.begin(), batch.shift.end(), T(0));
  Gather<T> dense = batch.gather(
      {matrix.dense.data(), type, inputs * std::int64_t{sizeof(Element)}, sizeof(Element)}, rows,
      inputs);
  Gather<T> sparse =
      batch.gather({matrix.values.data(), type, 0, 0, matrix.starts.data(), matrix.columns.data()},
                   rows, inputs);
  gather(dense, {0, panel_count(inputs)});

  std::vector<T> weights = matrix_in_panels<T>(inputs, outputs);
  std::vector<T> bias = numbers<T>(padded(outputs));
  std::fill(bias.begin() + outputs, bias.end(), T(0));
  const auto result = [&](std::int64_t threads, bool by_samples, auto&& run) {
    std::vector<T> output(static_cast<std::size_t>(samples * padded(outputs)));
    Forward<Exact<T>> f{};
    f.input = batch.values.data();
    f.weights = weights.data();
    f.bias = bias.data();
    f.output = output.data();
    f.samples = samples;
    f.inputs = inputs;
    f.outputs = outputs;
    f.activation = Activations::index_of<Tanh>();
    const twolayer::Range all_samples{0, samples}, all_panels{0, panel_count(outputs)};
    shared(by_samples ? samples : panel_count(outputs), threads, [&](twolayer::Range part) {
      run(f, by_samples ? part : all_samples, by_samples ? all_panels : part);
    });
    return output;
  };
  const std::vector<T> wanted =
      result(1, true, [](const Forward<Exact<T>>& f, auto s, auto p) { forward(f, s, p); });
  for (std::int64_t threads = 1; threads <= 4; ++threads) {
    for (const bool by_samples : {false, true}) {
      const std::vector<T> got = result(
          threads, by_samples,
          [&](const Forward<Exact<T>>& f, auto s, auto p) { forward_sparse(sparse, f, s, p); });
      add_to_digest(got);
      check(same(got, wanted), "sparse forward", name, samples, inputs, outputs);
    }
  }

  const std::vector<T> doutput = matrix_in_panels<T>(samples, outputs);
  std::vector<std::int64_t> cursors(static_cast<std::size_t>(samples));
  Parameters<T> start;
  start.weights = weights;
  for (std::vector<T>& state : start.states) {
    state = matrix_in_panels<T>(inputs, outputs);
    for (T& v : state) v = v * v;
  }
  start.gradient.resize(weights.size());
  start.squares.resize(static_cast<std::size_t>(panel_count(inputs) * panel_count(outputs)));
  for (int kind = stored; kind < Optimizers::size; ++kind) {
    for (int variant = 0; variant < 4; ++variant) {
      const bool decayed = variant % 2 == 1;
      const bool with_squares = variant / 2 == 1;
      const auto updated = [&](std::int64_t threads, bool of_sparse) {
        Parameters<T> p = start;
        auto u = update_of(p, kind, decayed, with_squares, samples, inputs, outputs, doutput);
        u.input = of_sparse ? nullptr : batch.values.data();
        shared(panel_count(inputs), threads, [&](twolayer::Range blocks) {
          if (of_sparse) {
            update_sparse(sparse, u, blocks, cursors.data());
          } else {
            update_weights(u, blocks, static_cast<T*>(nullptr));
          }
        });
        return p;
      };
      const Parameters<T> wanted_parameters = updated(1, false);
      for (std::int64_t threads = 1; threads <= 4; ++threads) {
        const Parameters<T> got = updated(threads, true);
        add_to_digest(got.weights);
        check(got == wanted_parameters, "sparse update", name, samples, inputs, outputs);
      }
    }
  }
}

void check_sparse_rows() {
  const struct {
    std::int64_t samples, inputs, outputs;
    double density;
  } shapes[] = {{1, 1, 1, 0.5},     {7, 33, 10, 0.3},   {37, 100, 33, 0.05}, {64, 200, 100, 0.02},
                {3, 300, 290, 0.4}, {40, 65, 130, 0.9}, {20, 31, 64, 0.0}};
  for (const auto& s : shapes) {
#define CHECK(name, type)                                                                         \
  check_sparse<float, type>(#name, ElementType::name, s.samples, s.inputs, s.outputs, s.density); \
  check_sparse<double, type>(#name, ElementType::name, s.samples, s.inputs, s.outputs, s.density);
    TWOLAYER_ELEMENT_TYPES(CHECK)
#undef CHECK
  }
}

bool cpu_runs_target() {
#if defined(__AVX512F__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
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
  if (std::strcmp(task, "dense") == 0) {
    check_dense();
  } else if (std::strcmp(task, "sparse") == 0) {
    check_sparse_rows();
  } else {
    std::fprintf(stderr, "usage: test_rows dense | sparse\n");
    return 1;
  }
  std::printf("%016llx\n", static_cast<unsigned long long>(digest));
  if (failures > 0) std::fprintf(stderr, "%d checks failed\n", failures);
  return failures > 0 ? 1 : 0;
}
