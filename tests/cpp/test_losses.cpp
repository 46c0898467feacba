// Runs one target's loss pass on cases from a file. Built once per target with
// -DTARGET_HEADER=...; tests/test_cpp_losses.py builds and runs it, and compares.
//
//     test_losses names              the losses by their numbers, a line each
//     test_losses run CASES RESULTS
//
// A case is the numbers of `Case` and then the arrays they promise, in the order in which they are
// read below; its results are the outputs, predictions, losses and scores it has.
// Exit status: 0 done, 1 failed (said on stderr), 77 the CPU cannot run this target.
#include TARGET_HEADER

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kernels/losses/pass.hpp"

namespace {

void require(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}

struct Case {
  std::int64_t element_size, kind, samples, outputs, levels, rows_of_x, first_row, leave;
  std::int64_t has_labels, has_targets, has_rows, has_weights, has_parameters, has_scale;
  std::int64_t has_score_scale, wants_predictions;
  double smoothing, sum_of_weights;
};

constexpr int guards = 16;  // elements behind a result's end that must stay as they are

template <class E>
class Array {
 public:
  explicit Array(std::int64_t size) : values_(static_cast<std::size_t>(size + guards)) {
    for (E& x : values_) x = E(77);
  }
  Array(std::FILE* file, bool there, std::int64_t size) : Array(there ? size : 0) {
    const std::size_t expected = values_.size() - guards;
    require(std::fread(values_.data(), sizeof(E), expected, file) == expected, "a case ends early");
  }
  E* data() { return values_.size() > guards ? values_.data() : nullptr; }
  void write(std::FILE* file) {
    const std::size_t size = values_.size() - guards;
    for (std::size_t i = size; i < values_.size(); ++i) {
      require(values_[i] == E(77), "written beyond the end");
    }
    std::fwrite(values_.data(), sizeof(E), size, file);
  }

 private:
  std::vector<E> values_;
};

template <class T>
void run_case(const Case& c, std::FILE* in, std::FILE* out) {
  const std::int64_t width = twolayer::padded(c.outputs);
  const bool compared = c.has_labels || c.has_targets;
  Array<T> outputs(in, true, c.samples * width);
  Array<std::int64_t> labels(in, c.has_labels, c.rows_of_x);
  Array<T> targets(in, c.has_targets, c.samples * twolayer::padded(c.outputs / c.levels));
  Array<std::int64_t> rows(in, c.has_rows, c.samples);
  Array<double> weights(in, c.has_weights, c.rows_of_x);
  Array<T> parameters(in, c.has_parameters, width);
  Array<T> shift(in, c.has_scale, width);
  Array<T> scale(in, c.has_scale, width);
  Array<T> score_scale(in, c.has_score_scale, width);
  Array<T> predictions(c.wants_predictions ? c.samples * c.outputs : 0);
  Array<T> losses(compared ? c.samples : 0);
  Array<T> scores(compared ? c.samples : 0);

  twolayer::Loss<T> s{};
  s.kind = static_cast<int>(c.kind);
  s.outputs = outputs.data();
  s.labels = labels.data();
  s.targets = targets.data();
  s.rows = rows.data();
  s.first_row = c.first_row;
  s.samples = c.samples;
  s.output_count = c.outputs;
  s.levels = c.levels;
  s.parameters = parameters.data();
  s.shift = shift.data();
  s.scale = scale.data();
  s.score_scale = score_scale.data();
  s.smoothing = static_cast<T>(c.smoothing);
  s.weights = weights.data();
  s.sum_of_weights = c.sum_of_weights;
  s.leave = static_cast<twolayer::Leave>(c.leave);
  s.predictions = predictions.data();
  s.losses = losses.data();
  s.scores = scores.data();
  // In two shares, as two threads would, the second one first.
  loss<T>(s, {c.samples / 3, c.samples});
  loss<T>(s, {0, c.samples / 3});

  outputs.write(out);
  predictions.write(out);
  losses.write(out);
  scores.write(out);
}

void run_cases(const char* cases, const char* results) {
  std::FILE* in = std::fopen(cases, "rb");
  std::FILE* out = std::fopen(results, "wb");
  require(in != nullptr && out != nullptr, "cannot open the files");
  Case c;
  while (std::fread(&c, sizeof c, 1, in) == 1) {
    c.element_size == 4 ? run_case<float>(c, in, out) : run_case<double>(c, in, out);
  }
  require(std::feof(in) != 0 && std::fclose(out) == 0, "cannot read or write");
  std::fclose(in);
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
  if (argc == 2 && std::strcmp(argv[1], "names") == 0) {
    for (const char* name : twolayer::Losses::names) std::printf("%s\n", name);
  } else {
    require(argc == 4 && std::strcmp(argv[1], "run") == 0, "usage: test_losses names | run C R");
    run_cases(argv[2], argv[3]);
  }
}
