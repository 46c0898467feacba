#include "inference.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "caches.hpp"

namespace twolayer {

namespace {

constexpr std::int64_t rows_of_a_tile = 14;  // near enough for every target

// As many rows as leave a third of the second-level cache to the weights that pass by, and enough
// for each weight that is read to be used often.
template <class T>
std::int64_t rows_of_a_block(const Network<T>& network) {
  constexpr std::int64_t fewest = 4 * rows_of_a_tile;
  constexpr std::int64_t most = 36 * rows_of_a_tile;
  std::int64_t bytes = 0;
  for (const std::int64_t size : network.sizes) bytes += padded(size) * std::int64_t{sizeof(T)};
  const std::int64_t rows = caches().level2 * 2 / 3 / bytes;
  return std::clamp(rows / rows_of_a_tile * rows_of_a_tile, fewest, most);
}

// Equal blocks, so many that the team has something to share, or one where a tile is all there is.
template <class T>
std::int64_t number_of_blocks(const Network<T>& network, std::int64_t rows, int threads) {
  const std::int64_t each = rows_of_a_block(network);
  const std::int64_t blocks = (rows + each - 1) / each;
  if (threads == 1) return blocks;
  const std::int64_t tiles = (rows + rows_of_a_tile - 1) / rows_of_a_tile;
  return std::max(blocks, std::min<std::int64_t>(tiles, 4 * threads));
}

template <class T>
std::int64_t multiply_adds_of_a_row(const Network<T>& network) {
  std::int64_t sum = 0;
  for (const Layer<T>& layer : network.layers) sum += layer.inputs * layer.outputs;
  return sum;
}

// Of dense rows whose values lie side by side.
template <class Float, class T>
bool all_finite_of(const Source& x, const Rows& rows, std::int64_t inputs, T) {
  const auto limit = static_cast<Float>(std::min<double>(
      static_cast<double>(std::numeric_limits<T>::max()), std::numeric_limits<Float>::max()));
  bool finite = true;
  for (std::int64_t n = 0; n < rows.count; ++n) {
    const auto* row = reinterpret_cast<const Float*>(static_cast<const char*>(x.values) +
                                                     rows.number(n) * x.row_stride);
    int outside = 0;
    for (std::int64_t i = 0; i < inputs; ++i) outside |= !(std::fabs(row[i]) <= limit);
    finite &= outside == 0;
  }
  return finite;
}

template <class T>
bool all_finite(const Source& x, const Rows& rows, std::int64_t inputs) {
  if (x.type == ElementType::float32) return all_finite_of<float>(x, rows, inputs, T());
  if (x.type == ElementType::float64) return all_finite_of<double>(x, rows, inputs, T());
  return true;
}

// Calls visit(block's rows, its first row's position, workspace, team) for every block after its
// forward pass, and done(positions) for groups of them, in ascending order.
template <class P, class T, class Visit, class Done>
Answer for_each_block(const Question<T>& of, Spare<P>& spare, const Interrupted& interrupted,
                      const Visit& visit, const Done& done) {
  constexpr std::int64_t some_milliseconds = std::int64_t{1} << 29;  // in multiply-adds
  constexpr std::int64_t most_rows = 1 << 18;
  const std::int64_t count = of.rows.count;
  const int threads = useful_threads(of.network, count, of.threads);
  const std::int64_t blocks = number_of_blocks(of.network, count, threads);
  const auto first_of = [&](std::int64_t block) { return count * block / blocks; };
  const std::int64_t capacity = (count + blocks - 1) / blocks;
  // Either each member works on blocks of its own, or all on one block after another.
  const bool apart = blocks >= threads;
  std::vector<std::unique_ptr<Workspace<P>>> works;
  for (int i = 0; i < (apart ? threads : 1); ++i) {
    works.push_back(spare.take(of.network, capacity, of.loss));
    works.back()->make_room_for(of.network, of.data);
    works.back()->techniques.augment = of.change.has_value();
    if (of.change) works.back()->techniques.augmentation = *of.change;
  }
  std::atomic<bool> finite{true};
  const auto answer = [&](std::int64_t block, Workspace<P>& work, Team& team) {
    const std::int64_t begin = first_of(block);
    const Rows rows = of.rows.slice(begin, first_of(block + 1) - begin);
    if (of.checked && !all_finite<T>(of.data.x, rows, of.network.sizes.front())) {
      finite.store(false, std::memory_order_relaxed);
      return;
    }
    work.operands.prepare(of.network, of.data, team);
    forward_pass(of.network, of.data, rows, work, team);
    visit(rows, begin, work, team);
    work.operands.conclude(of.network);
  };
  const std::int64_t row = multiply_adds_of_a_row(of.network);
  const std::int64_t work_at_once = some_milliseconds * threads / (row * capacity) + 1;
  const std::int64_t at_once = std::min(work_at_once, most_rows / capacity + 1);
  Answer result = Answer::given;
  Team team(threads);
  for (std::int64_t begin = 0; begin < blocks; begin += at_once) {
    if (begin > 0 && interrupted()) {
      result = Answer::interrupted;
      break;
    }
    const std::int64_t end = std::min(begin + at_once, blocks);
    const auto answer_all = [&](Range part, Workspace<P>& work, Team& by) {
      for (std::int64_t b = part.begin; b < part.end; ++b) answer(b, work, by);
    };
    if (apart) {
      const double of_a_row = static_cast<double>(row) * of_a_multiply_add<P>;
      team.share(end - begin, static_cast<double>(capacity) * of_a_row, [&](Range part, int rank) {
        Team alone(1);
        answer_all({begin + part.begin, begin + part.end}, *works[static_cast<std::size_t>(rank)],
                   alone);
      });
    } else {
      answer_all({begin, end}, *works[0], team);
    }
    if (!finite.load(std::memory_order_relaxed)) {
      result = Answer::not_finite;
      break;
    }
    done(Range{first_of(begin), first_of(end)});
  }
  for (auto& work : works) spare.give_back(std::move(work));
  return result;
}

constexpr auto nothing_more = [](Range) {};

// As numpy.argmax has it: the first of the largest, a NaN before all numbers.
template <class T>
std::int64_t position_of_largest(const T* outputs, std::int64_t samples, std::int64_t n,
                                 std::int64_t count) {
  const auto at = [&](std::int64_t k) {
    return outputs[(k / panel_width * samples + n) * panel_width + k % panel_width];
  };
  std::int64_t best = 0;
  for (std::int64_t k = 1; k < count; ++k) {
    if (std::isnan(at(best))) break;
    if (at(k) > at(best) || std::isnan(at(k))) best = k;
  }
  return best;
}

}  // namespace

template <class P>
std::unique_ptr<Workspace<P>> Spare<P>::take(const Network<T>& network, std::int64_t rows,
                                             const LossOptions& loss) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(kept_.begin(), kept_.end(), [&](const auto& work) {
      return work->capacity >= rows && work->loss == loss;
    });
    if (found != kept_.end()) {
      auto work = std::move(*found);
      kept_.erase(found);
      return work;
    }
  }
  // Larger than asked for, so that calls with other numbers of rows find room in it.
  const std::int64_t block = rows_of_a_block(network);
  const std::int64_t capacity = rows <= rows_of_a_tile ? rows_of_a_tile : std::max(rows, block);
  return std::make_unique<Workspace<P>>(network, capacity, 1, loss, nullptr);
}

template <class P>
void Spare<P>::give_back(std::unique_ptr<Workspace<P>> work) {
  constexpr std::size_t most = 8;
  constexpr std::int64_t large = 8 << 20;  // bytes: let go
  std::int64_t bytes = 0;
  for (const auto& values : work->activations) bytes += values.size() * std::int64_t{sizeof(T)};
  if (bytes > large) return;
  const std::lock_guard lock(mutex_);
  if (kept_.size() == most) kept_.erase(kept_.begin());
  kept_.push_back(std::move(work));
}

template <class P, class T>
Answer outputs(const Question<T>& of, Spare<P>& spare, const Interrupted& interrupted, T* to) {
  return for_each_block(
      of, spare, interrupted,
      [&](const Rows& rows, std::int64_t begin, Workspace<P>& work, Team& team) {
        copy_outputs(of.network, rows.count, to + begin * of.network.sizes.back(), work, team);
      },
      nothing_more);
}

template <class P, class T>
Answer predictions(const Question<T>& of, Spare<P>& spare, const Interrupted& interrupted, T* to) {
  return for_each_block(
      of, spare, interrupted,
      [&](const Rows& rows, std::int64_t begin, Workspace<P>& work, Team& team) {
        loss_pass(of.network, of.data, rows, Leave::outputs, to + begin * of.network.sizes.back(),
                  work, team);
      },
      nothing_more);
}

template <class P, class T>
Answer largest(const Question<T>& of, Spare<P>& spare, const Interrupted& interrupted,
               std::int64_t* to) {
  return for_each_block(
      of, spare, interrupted,
      [&](const Rows& rows, std::int64_t begin, Workspace<P>& work, Team&) {
        const T* values = work.activations.back().data();
        for (std::int64_t n = 0; n < rows.count; ++n) {
          to[begin + n] = position_of_largest(values, rows.count, n, of.network.sizes.back());
        }
      },
      nothing_more);
}

template <class P, class T>
std::optional<Score> evaluate(const Question<T>& of, Spare<P>& spare,
                              const Interrupted& interrupted) {
  const FloatingPointMode mode;
  // Rows are summed up by so many, and then the sums: in one order, however rows were cut into
  // blocks.
  constexpr std::int64_t summed = 504;
  Score score;
  Score part;
  std::vector<T> losses(static_cast<std::size_t>(of.rows.count));
  std::vector<T> scores(losses.size());
  const auto answer = for_each_block(
      of, spare, interrupted,
      [&](const Rows& rows, std::int64_t begin, Workspace<P>& work, Team& team) {
        loss_pass(of.network, of.data, rows, Leave::outputs, static_cast<T*>(nullptr), work, team);
        std::copy_n(work.losses.data(), rows.count, losses.data() + begin);
        std::copy_n(work.scores.data(), rows.count, scores.data() + begin);
      },
      [&](Range positions) {
        for (std::int64_t n = positions.begin; n < positions.end; ++n) {
          const auto at = static_cast<std::size_t>(n);
          part.loss += weight_of(of.data, of.rows, n) * static_cast<double>(losses[at]);
          part.score += static_cast<double>(scores[at]);
          if ((n + 1) % summed != 0 && n + 1 != of.rows.count) continue;
          score.loss += part.loss;
          score.score += part.score;
          part = {};
        }
      });
  if (answer != Answer::given) return std::nullopt;
  score.loss /= static_cast<double>(of.rows.count);
  score.score /= static_cast<double>(of.rows.count);
  return score;
}

#define TWOLAYER_INSTANTIATE(P, T)                                                           \
  template class Spare<P>;                                                                   \
  template Answer outputs(const Question<T>&, Spare<P>&, const Interrupted&, T*);            \
  template Answer predictions(const Question<T>&, Spare<P>&, const Interrupted&, T*);        \
  template Answer largest(const Question<T>&, Spare<P>&, const Interrupted&, std::int64_t*); \
  template std::optional<Score> evaluate(const Question<T>&, Spare<P>&, const Interrupted&);
TWOLAYER_INSTANTIATE(Exact<float>, float)
TWOLAYER_INSTANTIATE(Exact<double>, double)
TWOLAYER_INSTANTIATE(Bfloat16, float)

}  // namespace twolayer
