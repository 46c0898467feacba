#include "inference.hpp"

#include <algorithm>

#include "dispatch.hpp"

namespace twolayer {

namespace {

constexpr std::int64_t rows_in_a_block = 504;  // whole tiles, and activations that stay in cache

// Calls visit(block's rows, its first row's position, workspace, member) for every block after its
// forward pass; the members of the team call it together.
template <class T, class Visit>
void for_each_block(const Network<T>& network, const Data& data, const Rows& rows, int threads,
                    const std::optional<Augmentation>& change, const Visit& visit) {
  const std::int64_t capacity = std::min(rows.count, rows_in_a_block);
  threads = useful_threads(network, capacity, threads);
  Workspace<T> work(network, capacity, threads, nullptr);
  if (change) {
    work.techniques.augment = true;
    work.techniques.augmentation = *change;
  }
  parallel(threads, [&](const Member& member) {
    for (std::int64_t begin = 0; begin < rows.count; begin += capacity) {
      const Rows block = rows.slice(begin, std::min(capacity, rows.count - begin));
      forward_pass(network, data, block, work, member);
      visit(block, begin, work, member);
    }
  });
}

}  // namespace

template <class T>
void predict_probabilities(const Network<T>& network, const Data& data, const Rows& rows,
                           int threads, const std::optional<Augmentation>& change,
                           T* probabilities) {
  const std::int64_t classes = network.sizes.back();
  for_each_block(
      network, data, rows, threads, change,
      [&](const Rows& block, std::int64_t begin, Workspace<T>& work, const Member& member) {
        Softmax<T> args{};
        args.logits = work.activations.back().data();
        args.samples = block.count;
        args.classes = classes;
        args.probabilities = probabilities + begin * classes;
        kernels<T>().softmax(args, member.share(block.count));
      });
}

template <class T>
Score evaluate(const Network<T>& network, const Data& data, const Rows& rows, int threads) {
  Score score{0, 0};
  for_each_block(network, data, rows, threads, std::nullopt,
                 [&](const Rows& block, std::int64_t, Workspace<T>& work, const Member& member) {
                   loss_pass(network, data, block, Leave::probabilities, work, member);
                   if (member.rank() == 0) {
                     score.loss += sum_of_losses(work, data, block);
                     score.correct += count_of_correct(work, block.count);
                   }
                 });
  score.loss /= static_cast<double>(rows.count);
  return score;
}

#define TWOLAYER_INSTANTIATE(T)                                                         \
  template void predict_probabilities(const Network<T>&, const Data&, const Rows&, int, \
                                      const std::optional<Augmentation>&, T*);          \
  template Score evaluate(const Network<T>&, const Data&, const Rows&, int);
TWOLAYER_INSTANTIATE(float)
TWOLAYER_INSTANTIATE(double)

}  // namespace twolayer
