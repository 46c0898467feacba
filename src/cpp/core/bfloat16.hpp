// Training in bfloat16: the passes of passes.hpp with the operands of all products rounded.
#pragma once

#include <vector>

#include "../kernels/bfloat16/table.hpp"
#include "passes.hpp"

namespace twolayer {

// Beside the float32 workspace, which products add up into and losses and activations' derivatives
// are computed from, everything that products read.
struct Bfloat16Workspace : Workspace<float> {
  struct Rounded {  // a matrix (N, columns) in both layouts
    Buffer<Pair> plain;
    Buffer<Pair> paired;

    Rounded(std::int64_t samples, std::int64_t columns)
        : plain(plain_size(samples, columns)), paired(paired_size(samples, columns)) {}
    TwoWays both() { return {plain.data(), paired.data()}; }
  };

  std::vector<Rounded> inputs;    // of each layer
  std::vector<Rounded> doutputs;  // of each layer
  std::vector<Buffer<Pair>> weights;
  Buffer<float> corrections;  // of the first layer, see Bfloat16Weights
  std::int64_t version = -1;  // of the network that the above were computed from
  bool folded = false;        // whether the batch holds bytes less `whole`
  Fold fold{};
  Buffer<float> whole;  // padded(D), as the next two
  Buffer<float> rest;
  Buffer<float> ones;

  Bfloat16Workspace(const Network<float>& network, std::int64_t capacity, int threads,
                    const Techniques* techniques);
};

void prepare(const Network<float>& network, const Data& data, Bfloat16Workspace& work,
             const Member& member);
void conclude(const Network<float>& network, Bfloat16Workspace& work);
void follow_weights(const Network<float>& network, Bfloat16Workspace& work, const Member& member);
void forward_pass(const Network<float>& network, const Data& data, const Rows& rows,
                  Bfloat16Workspace& work, const Member& member);
void backward_pass(const Network<float>& network, const Rows& rows, Bfloat16Workspace& work,
                   const Member& member);
void update_weights(const Update<float>& update, std::size_t layer, Range blocks,
                    Bfloat16Workspace& work, const Member& member);

}  // namespace twolayer
