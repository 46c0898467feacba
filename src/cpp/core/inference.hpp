// Outputs, predictions and scores of any number of rows, in blocks that stay in a core's own cache:
// the memory does not grow with the rows, and the members of a team take whole blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "interruption.hpp"
#include "network.hpp"
#include "passes.hpp"

namespace twolayer {

// Workspaces of a network that no call uses at the moment, kept for the next one. Any number of
// threads may take and give back at a time.
template <class P>
class Spare {
 public:
  using T = typename P::Scalar;
  // One with room for so many rows.
  std::unique_ptr<Workspace<P>> take(const Network<T>& network, std::int64_t rows,
                                     const LossOptions& loss);
  void give_back(std::unique_ptr<Workspace<P>> work);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace<P>>> kept_;
};

template <class T>
struct Question {
  const Network<T>& network;
  const Data& data;
  const Rows& rows;
  const LossOptions& loss;
  int threads;
  std::optional<Augmentation> change{};  // of the images that the rows are
  // Whether to look at every value first. One that is not finite, or beyond T, ends the call.
  bool checked = false;
};

enum class Answer { given, interrupted, not_finite };

// What of the outputs (rows.count, K), row-major and in the user's units: themselves, what the loss
// makes of them (probabilities, means, values), or of each row the number of the largest, of equals
// the first.
template <class P, class T = typename P::Scalar>
Answer outputs(const Question<T>& of, Spare<P>& spare, const Interrupted& interrupted, T* to);
template <class P, class T = typename P::Scalar>
Answer predictions(const Question<T>& of, Spare<P>& spare, const Interrupted& interrupted, T* to);
template <class P, class T = typename P::Scalar>
Answer largest(const Question<T>& of, Spare<P>& spare, const Interrupted& interrupted,
               std::int64_t* to);

struct Score {
  double loss = 0;   // means over the rows
  double score = 0;  // see losses/loss.hpp
};

// Nothing when interrupted.
template <class P, class T = typename P::Scalar>
std::optional<Score> evaluate(const Question<T>& of, Spare<P>& spare,
                              const Interrupted& interrupted);

}  // namespace twolayer
