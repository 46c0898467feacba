#include "inference.hpp"

#include <algorithm>

namespace twolayer {

namespace {

constexpr std::int64_t rows_in_a_block = 504;  // whole tiles, and activations that stay in cache

// Calls visit(block's rows, its first row's position, workspace, member) for every block after its
// forward pass.
template <class T, class Visit>
void for_each_block(const Network<T>& network, const Data& data, const Rows& rows,
                    const LossOptions& loss, int threads, const std::optional<Augmentation>& change,
                    const Visit& visit) {
  const std::int64_t capacity = std::min(rows.count, rows_in_a_block);
  threads = useful_threads(network, capacity, threads);
  Workspace<Exact<T>> work(network, capacity, threads, loss, nullptr);
  work.make_room_for(network, data);
  if (change) {
    work.techniques.augment = true;
    work.techniques.augmentation = *change;
  }
  Team team(threads);
  for (std::int64_t begin = 0; begin < rows.count; begin += capacity) {
    const Rows block = rows.slice(begin, std::min(capacity, rows.count - begin));
    forward_pass(network, data, block, work, team);
    visit(block, begin, work, team);
  }
}

}  // namespace

template <class T>
void predict_outputs(const Network<T>& network, const Data& data, const Rows& rows, int threads,
                     const std::optional<Augmentation>& change, T* outputs) {
  for_each_block(network, data, rows, {0}, threads, change,
                 [&](const Rows& block, std::int64_t begin, Workspace<Exact<T>>& work, Team& team) {
                   copy_outputs(network, block.count, outputs + begin * network.sizes.back(), work,
                                team);
                 });
}

template <class T>
void predict(const Network<T>& network, const Data& data, const Rows& rows, const LossOptions& loss,
             int threads, const std::optional<Augmentation>& change, T* predictions) {
  for_each_block(network, data, rows, loss, threads, change,
                 [&](const Rows& block, std::int64_t begin, Workspace<Exact<T>>& work, Team& team) {
                   loss_pass(network, data, block, Leave::outputs,
                             predictions + begin * network.sizes.back(), work, team);
                 });
}

template <class T>
Score evaluate(const Network<T>& network, const Data& data, const Rows& rows,
               const LossOptions& loss, int threads) {
  Score score{0, 0};
  for_each_block(network, data, rows, loss, threads, std::nullopt,
                 [&](const Rows& block, std::int64_t, Workspace<Exact<T>>& work, Team& team) {
                   loss_pass(network, data, block, Leave::outputs, static_cast<T*>(nullptr), work,
                             team);
                   score.loss += sum_of_losses(work, data, block);
                   score.score += sum_of_scores(work, block.count);
                 });
  score.loss /= static_cast<double>(rows.count);
  score.score /= static_cast<double>(rows.count);
  return score;
}

#define TWOLAYER_INSTANTIATE(T)                                                               \
  template void predict_outputs(const Network<T>&, const Data&, const Rows&, int,             \
                                const std::optional<Augmentation>&, T*);                      \
  template void predict(const Network<T>&, const Data&, const Rows&, const LossOptions&, int, \
                        const std::optional<Augmentation>&, T*);                              \
  template Score evaluate(const Network<T>&, const Data&, const Rows&, const LossOptions&, int);
TWOLAYER_INSTANTIATE(float)
TWOLAYER_INSTANTIATE(double)

}  // namespace twolayer
