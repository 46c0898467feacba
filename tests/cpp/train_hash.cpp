// Trains with the core alone, without Python or any framework: tests/test_reproducibility.py builds
// and runs it. Data, weights and batches come from integer arithmetic, so that no library has a say
// in the bits of the result. TWOLAYER_ISA names the target.
//
//     train_hash targets              the targets that this CPU supports, best first
//     train_hash hashes THREADS...    hashes of parameters and losses after 200 steps
//     train_hash allocations THREADS...
//                                     heap allocations while a trainer is made, and while it runs
//                                     1 step and 50 steps
//     train_hash shapes               many odd shapes, for sanitizers; hashes of all results
//     train_hash kinds THREADS...     every activation, loss, optimizer, type and order of rows,
//     and
//                                     the step in two halves; hashes of all results
//
// Exit status: 0 done, 1 an error, said on stderr.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "core/dispatch.hpp"
#include "core/trainer.hpp"
#include "every_kind.hpp"
#include "odd_shapes.hpp"
#include "problems.hpp"

namespace {

using namespace problems;

twolayer::Techniques all_techniques() {
  twolayer::Techniques all;
  all.dropout = {0.25, 0.5};
  all.batch_norm = true;
  all.clip_norm = 0x1p-1;
  all.augment = true;
  all.augmentation = augmentation_of(7, 43, 3, 4);
  all.seed = 7;
  return all;
}

struct Recipe {
  const char* name;
  int activation;
  ElementType type;
  const char* optimizer;
  double weight_decay;
  double reg;
  twolayer::Techniques techniques{};
  double smoothing = 0;
  bool weighted = false;
};

const Recipe recipes[] = {
    {"sgd", relu, ElementType::uint8, "sgd", 0, 0x1p-10},
    {"adam", tanh_, ElementType::float64, "adam", 0, 0},
    {"techniques", relu, ElementType::uint8, "adamw", 0x1p-8, 0x1p-10, all_techniques(), 0x1p-4,
     true},
};

// A problem of odd sizes in which seven threads have enough to do.
template <class Type>
struct Problem {
  using T = Number<Type>;
  static constexpr std::int64_t count = 500;
  static constexpr std::int64_t batch_size = 48;
  Generator generator{1};
  Samples samples;
  twolayer::Network<T> network;
  std::vector<double> weights;

  explicit Problem(const Recipe& recipe)
      : samples(generator, count, 301, 10, recipe.type),
        network(make_network<T>(generator, {301, 100, 37, 10}, recipe.activation, samples)) {
    if (recipe.weighted) weights = weights_of(generator, count);
  }

  twolayer::Data data() const {
    twolayer::Data all = samples.data();
    if (!weights.empty()) all.weights = weights.data();
    return all;
  }

  Trainer<Type> trainer(const Recipe& recipe, int threads) const {
    if (twolayer::useful_threads(network, batch_size, threads) != threads) {
      throw std::runtime_error("the problem is too small for " + std::to_string(threads) +
                               " threads: make it larger");
    }
    return {network,
            {optimizer_of(recipe.optimizer, recipe.weight_decay), recipe.reg,
             cross_entropy(recipe.smoothing), recipe.techniques, batch_size, threads}};
  }
};

template <class Type>
void print_hash(const Recipe& recipe, int threads) {
  constexpr std::int64_t calls = 4;
  constexpr std::int64_t steps = 50;  // a call; the last batch of each is short
  Problem<Type> problem(recipe);
  auto trainer = problem.trainer(recipe, threads);
  Hash hash;
  for (std::int64_t call = 0; call < calls; ++call) {
    const std::int64_t length = (steps - 1) * problem.batch_size + 20;
    const auto rows = shuffled_rows(problem.generator, problem.count, length);
    const std::vector<double> rates(index(steps), rate_of(recipe.optimizer));
    std::vector<double> losses(index(steps));
    const auto done = trainer.run(problem.network, problem.data(), {rows.data(), 0, length},
                                  rates.data(), losses.data(), never);
    if (done.steps != steps) throw std::runtime_error("training stopped early");
    hash.add(losses.data(), losses.size());
    const auto correct = static_cast<std::int64_t>(done.scores);
    hash.add(&correct, 1);
  }
  trainer.publish(problem.network);
  add_parameters(hash, problem.network);
  std::printf("%s %s threads %d %016llx\n", Type::name, recipe.name, threads, hash.value());
}

template <class Type>
void print_allocations(const Recipe& recipe, int threads) {
  Problem<Type> problem(recipe);
  const auto rows = shuffled_rows(problem.generator, problem.count, 50 * problem.batch_size);
  const std::vector<double> rates(50, rate_of(recipe.optimizer));
  std::vector<double> losses(50);
  const std::int64_t before = allocations();
  auto trainer = problem.trainer(recipe, threads);
  const std::int64_t made = allocations() - before;
  const auto during = [&](std::int64_t steps) {
    const std::int64_t before_run = allocations();
    trainer.run(problem.network, problem.data(), {rows.data(), 0, steps * problem.batch_size},
                rates.data(), losses.data(), never);
    return allocations() - before_run;
  };
  during(1);  // the first parallel region starts the threads
  const std::int64_t one = during(1);
  const std::int64_t fifty = during(50);
  std::printf("%s %s threads %d %lld %lld %lld\n", Type::name, recipe.name, threads,
              static_cast<long long>(made), static_cast<long long>(one),
              static_cast<long long>(fifty));
}

void print_targets() {
  for (const twolayer::Target* target : twolayer::built_targets()) {
    if (target->supported()) std::puts(target->name);
  }
}

template <class Print>
void for_each_case(int count, char** teams, const Print& print) {
  for (int i = 0; i < count; ++i) {
    for (const Recipe& recipe : recipes) {
      print.template operator()<Float32>(recipe, std::atoi(teams[i]));
      print.template operator()<Float64>(recipe, std::atoi(teams[i]));
      print.template operator()<Bfloat16>(recipe, std::atoi(teams[i]));
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  const std::string task = count > 1 ? arguments[1] : "";
  try {
    if (task == "targets") {
      print_targets();
    } else if (task == "hashes") {
      for_each_case(count - 2, arguments + 2,
                    []<class Type>(const Recipe& r, int threads) { print_hash<Type>(r, threads); });
    } else if (task == "allocations") {
      for_each_case(count - 2, arguments + 2, []<class Type>(const Recipe& r, int threads) {
        print_allocations<Type>(r, threads);
      });
    } else if (task == "shapes") {
      print_shapes();
    } else if (task == "kinds") {
      for (int i = 2; i < count; ++i) print_kinds(std::atoi(arguments[i]));
    } else {
      throw std::runtime_error("expected targets, hashes, allocations, shapes or kinds, not \"" +
                               task + "\"");
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train_hash: %s\n", error.what());
    return 1;
  }
  return 0;
}
