// The first layer over rows that store few of their values (CSR, source.hpp): nothing is made
// dense, and what a row does not store costs nothing. The bits are those of the same rows dense:
// every element of a product is a chain acc = fma(x, y, acc) in ascending order, begun at zero; a
// zero x would leave acc as it is, as long as y is finite.
#pragma once

#include "forward.hpp"
#include "update.hpp"

namespace {

// The stored values of one row of the batch: numbers of Source::values and Source::columns.
template <class T>
Range entries_of(const Gather<T>& g, std::int64_t n) {
  const std::int64_t* starts = g.x.starts + row_number(g, n);
  return {starts[0], starts[1]};
}

// Stored values `first` ... first + count - 1, normalised as gather() does it; a sparse row is not
// centred.
template <class T>
__attribute__((noinline)) void normalized_entries(const Gather<T>& g, std::int64_t first,
                                                  std::int64_t count, T* to) {
  twolayer::with_element(g.x.type, [&]<class Element>() {
    const Element* values = static_cast<const Element*>(g.x.values) + first;
    const std::int32_t* columns = g.x.columns + first;
    if constexpr (normalized_in_double<T, Element>) {
      if (g.exact_inverse_scale != nullptr) {
        for (std::int64_t i = 0; i < count; ++i) {
          to[i] = static_cast<T>(values[i] * g.exact_inverse_scale[columns[i]]);
        }
        return;
      }
    }
    for (std::int64_t i = 0; i < count; ++i) {
      to[i] = converted_one<T>(values[i]) * g.inverse_scale[columns[i]];
    }
  });
}

// Walks over the stored values of some samples ahead of the product, and brings near the rows of
// the weights it will want: they lie anywhere.
template <class T>
class WeightsAhead {
 public:
  WeightsAhead(const Gather<T>& g, const Forward<Exact<T>>& f, Range samples, Range panels)
      : g_(g), f_(f), samples_(samples), panels_(panels), sample_(samples.begin - 1) {
    for (std::int64_t n = samples.begin; n < samples.begin + near; ++n) bring_row(n);
    for (std::int64_t i = 0; i < distance; ++i) advance();
  }

  // To the next stored value.
  void advance() {
    while (entry_ == end_) {
      if (sample_ + 1 >= samples_.end) return;
      ++sample_;
      bring_start(sample_ + 2 * near);
      bring_row(sample_ + near);
      const Range entries = entries_of(g_, sample_);
      entry_ = entries.begin;
      end_ = entries.end;
    }
    // A line of columns and of values at a time.
    if (entry_ % 16 == 0) {
      __builtin_prefetch(g_.x.columns + entry_ + 64);
      __builtin_prefetch(static_cast<const char*>(g_.x.values) + (entry_ + 64) * size_);
    }
    const T* row = f_.weights + (panels_.begin * f_.inputs + g_.x.columns[entry_]) * panel_width;
    for (std::int64_t p = panels_.begin; p < panels_.end; ++p) {
#pragma GCC unroll 4
      for (std::int64_t i = 0; i < panel_width; i += cache_line / std::int64_t{sizeof(T)}) {
        __builtin_prefetch(row + i);
      }
      row += f_.inputs * panel_width;
    }
    ++entry_;
  }

 private:
  static constexpr std::int64_t distance = 16;  // stored values
  static constexpr std::int64_t near = 4;       // samples

  void bring_start(std::int64_t n) const {
    if (n < samples_.end) __builtin_prefetch(g_.x.starts + row_number(g_, n));
  }
  void bring_row(std::int64_t n) const {
    if (n >= samples_.end) return;
    const std::int64_t first = g_.x.starts[row_number(g_, n)];
    for (std::int64_t i = first; i < first + 64; i += 16) {
      __builtin_prefetch(g_.x.columns + i);
      __builtin_prefetch(static_cast<const char*>(g_.x.values) + i * size_);
    }
  }

  const Gather<T>& g_;
  const Forward<Exact<T>>& f_;
  const Range samples_;
  const Range panels_;
  const std::int64_t size_ = twolayer::element_size(g_.x.type);
  std::int64_t sample_;
  std::int64_t entry_ = 0;
  std::int64_t end_ = 0;
};

// What a sample's stored values add to V neighbouring vectors of the output, from vector `first`
// on.
template <class T>
struct SparseProduct {
  const T* values;
  const std::int32_t* columns;
  std::int64_t count;
  bool resume;           // start from what the output holds instead of zero
  const T* weights;      // of the layer
  T* output;             // the sample's row of the first panel
  std::int64_t inputs;   // rows of a panel of the weights
  std::int64_t samples;  // rows of a panel of the output
};

// At most half the registers of any target but the portable one.
inline constexpr int sparse_vectors = 8;

template <class T, int V>
__attribute__((always_inline)) inline void sparse_product(const SparseProduct<T>& p,
                                                          std::int64_t first,
                                                          WeightsAhead<T>* ahead) {
  using S = Vec<T>;
  const T* from[V];
  T* to[V];
  S acc[V];
  TWOLAYER_UNROLL
  for (int v = 0; v < V; ++v) {
    const std::int64_t column = (first + v) * S::width;
    const std::int64_t panel = column / panel_width * panel_width;
    from[v] = p.weights + panel * p.inputs + column % panel_width;
    to[v] = p.output + panel * p.samples + column % panel_width;
    acc[v] = p.resume ? S::load(to[v]) : S::zero();
  }
  for (std::int64_t i = 0; i < p.count; ++i) {
    const S x = S::broadcast(p.values[i]);
    const std::int64_t row = std::int64_t{p.columns[i]} * panel_width;
    TWOLAYER_UNROLL
    for (int v = 0; v < V; ++v) acc[v] = fma(x, S::load(from[v] + row), acc[v]);
    if (ahead != nullptr) ahead->advance();
  }
  TWOLAYER_UNROLL
  for (int v = 0; v < V; ++v) acc[v].store(to[v]);
}

template <class T, int V = sparse_vectors>
void sparse_product_of(const SparseProduct<T>& p, std::int64_t first, std::int64_t vectors,
                       WeightsAhead<T>* ahead) {
  if constexpr (V > 1) {
    if (vectors < V) return sparse_product_of<T, V - 1>(p, first, vectors, ahead);
  }
  sparse_product<T, V>(p, first, ahead);
}

// output (N, H) = activation(x W + b), x the rows of `from`; f.input is not used.
template <class T>
void forward_sparse(const Gather<T>& from, const Forward<Exact<T>>& f, Range samples,
                    Range panels) {
  using S = Vec<T>;
  constexpr std::int64_t at_once = 64;  // stored values
  T values[at_once];
  const std::int64_t begin = panels.begin * panel_width / S::width;
  const std::int64_t columns = panels.end * panel_width;
  const std::int64_t end = ((f.outputs < columns ? f.outputs : columns) + S::width - 1) / S::width;
  WeightsAhead<T> ahead(from, f, samples, panels);
  for (std::int64_t n = samples.begin; n < samples.end; ++n) {
    const Range entries = entries_of(from, n);
    std::int64_t i = entries.begin;
    do {  // once without any entries, too
      const std::int64_t rest = entries.end - i;
      const std::int64_t count = rest < at_once ? rest : at_once;
      normalized_entries(from, i, count, values);
      const SparseProduct<T> product{
          values,    from.x.columns + i,         count,    i > entries.begin,
          f.weights, f.output + n * panel_width, f.inputs, f.samples};
      for (std::int64_t v = begin; v < end; v += sparse_vectors) {
        sparse_product_of<T>(product, v, end - v < sparse_vectors ? end - v : sparse_vectors,
                             v == begin ? &ahead : nullptr);
      }
      i += count;
    } while (i < entries.end);
    with_activation(f.activation, [&]<class Kind>() {
      for (std::int64_t p = panels.begin; p < panels.end; ++p) {
        const std::int64_t at = (p * f.samples + n) * panel_width;
        T* kept = f.preactivation != nullptr ? f.preactivation + at : nullptr;
        finish_forward<T, Kind>(f.output + at, kept, f.bias + p * panel_width, 1,
                                columns_in_panel(f.outputs, p));
      }
    });
  }
}

// Where each sample of the batch stands on a walk through the columns, in one number, so that a
// comparison tells whether the sample has any value in a block: the next stored column in the upper
// half, in the lower how many stored values of the row come before it.
inline constexpr std::int64_t past_all_columns = INT32_MAX;

template <class T>
std::int64_t cursor_at(const Gather<T>& g, Range entries, std::int64_t entry) {
  const std::int64_t column = entry < entries.end ? g.x.columns[entry] : past_all_columns;
  return column << 32 | (entry - entries.begin);
}
inline std::int64_t entry_at(std::int64_t cursor) { return cursor & 0xffffffff; }

// The first stored value of a row in column `first` or beyond.
template <class T>
std::int64_t cursor_from(const Gather<T>& g, std::int64_t n, std::int64_t first) {
  const Range entries = entries_of(g, n);
  Range between = entries;
  while (between.begin < between.end) {
    const std::int64_t middle = between.begin + (between.end - between.begin) / 2;
    if (g.x.columns[middle] < first) {
      between.begin = middle + 1;
    } else {
      between.end = middle;
    }
  }
  return cursor_at(g, entries, between.begin);
}

// Stored values of the batch in one block of columns, by ascending sample.
template <class T>
struct BlockEntries {
  static constexpr std::int64_t most = 512;
  std::int64_t count;
  T values[most];
  std::int32_t samples[most];
  std::uint8_t rows[most];  // of the block

  // Those of samples n ... as far as there is room, the cursors moved behind them; returns the
  // first sample that is left.
  std::int64_t collect(const Gather<T>& g, std::int64_t first, std::int64_t n,
                       std::int64_t* cursors) {
    const std::int64_t behind = (first + block_rows) << 32;
    count = 0;
    for (; n < g.samples; ++n) {
      if (cursors[n] >= behind) continue;
      if (count + block_rows > most) break;
      const Range entries = entries_of(g, n);
      const std::int64_t begin = entries.begin + entry_at(cursors[n]);
      std::int64_t i = begin;
      for (; i < entries.end && g.x.columns[i] < first + block_rows; ++i) {
        samples[count + i - begin] = static_cast<std::int32_t>(n);
        rows[count + i - begin] = static_cast<std::uint8_t>(g.x.columns[i] - first);
      }
      normalized_entries(g, begin, i - begin, values + count);
      count += i - begin;
      cursors[n] = cursor_at(g, entries, i);
      __builtin_prefetch(g.x.columns + i + cache_line / 4);
    }
    return n;
  }
};

// gradient (block_rows, columns) += of the stored values of one block; `doutput` is one panel.
template <class T>
void add_entries(const BlockEntries<T>& entries, const T* doutput, std::int64_t columns,
                 T* gradient) {
  using S = Vec<T>;
  const std::int64_t vectors = (columns + S::width - 1) / S::width * S::width;
  for (std::int64_t i = 0; i < entries.count; ++i) {
    const S x = S::broadcast(entries.values[i]);
    const T* d = doutput + entries.samples[i] * panel_width;
    T* g = gradient + entries.rows[i] * panel_width;
    for (std::int64_t c = 0; c < vectors; c += S::width) {
      fma(x, S::load(d + c), S::load(g + c)).store(g + c);
    }
  }
}

// Brings near the rows of the weights that a block's entries touch.
template <class T>
void want_touched(const Update<Exact<T>>& u, std::int64_t first, const BlockEntries<T>& entries) {
  constexpr std::int64_t line = cache_line / std::int64_t{sizeof(T)};
  for (std::int64_t p = 0; p < twolayer::panel_count(u.outputs); ++p) {
    const T* panel = u.weights.parameters + (p * u.inputs + first) * panel_width;
    for (std::int64_t i = 0; i < entries.count; ++i) {
      const T* row = panel + entries.rows[i] * panel_width;
      for (std::int64_t c = 0; c < panel_width; c += line) __builtin_prefetch(row + c);
    }
  }
}

// As update_weights(), over the rows of `from`; u.input is not used. `cursors` are N numbers of the
// calling thread's own.
template <class T>
void update_sparse(const Gather<T>& from, const Update<Exact<T>>& u, Range blocks,
                   std::int64_t* cursors) {
  if (blocks.begin >= blocks.end) return;
  alignas(64) T gradient[block_rows * panel_width];
  BlockEntries<T> entries;
  const std::int64_t panels = twolayer::panel_count(u.outputs);
  // Where a weight's gradient is zero its own step is w - 0: the bits stay as they are. Only with
  // state, decay or a sum of squares do the others have anything to do.
  const bool only_touched =
      u.weights.gradient == nullptr && u.step.kind == Optimizers::index_of<Sgd>() &&
      u.step.constants[Sgd::decay] == 0 && u.two_reg == 0 && u.squares == nullptr;
  for (std::int64_t n = 0; n < from.samples; ++n) {
    cursors[n] = cursor_from(from, n, blocks.begin * block_rows);
  }
  for (std::int64_t block = blocks.begin; block < blocks.end; ++block) {
    const std::int64_t first = block * block_rows;
    const std::int64_t rows = columns_in_panel(u.inputs, block);
    std::int64_t next = entries.collect(from, first, 0, cursors);
    const bool at_once = next == from.samples;
    if (only_touched) {
      if (entries.count == 0) continue;
      want_touched(u, first, entries);
    }
    for (std::int64_t p = 0; p < panels; ++p) {
      const std::int64_t columns = columns_in_panel(u.outputs, p);
      const T* doutput = u.doutput + p * u.samples * panel_width;
      std::uint32_t touched = 0;
      const auto add = [&] {
        for (std::int64_t i = 0; i < entries.count; ++i) touched |= 1u << entries.rows[i];
        add_entries(entries, doutput, columns, gradient);
      };
      __builtin_memset(gradient, 0, sizeof gradient);
      if (at_once) {
        add();
      } else {  // more than there is room for: once more for each panel, part by part
        if (p > 0) {
          for (std::int64_t n = 0; n < from.samples; ++n) {
            cursors[n] = cursor_from(from, n, first);
          }
          next = entries.collect(from, first, 0, cursors);
        }
        add();
        while (next < from.samples) {
          next = entries.collect(from, first, next, cursors);
          add();
        }
      }
      const std::int64_t offset = (p * u.inputs + first) * panel_width;
      T squares[panel_width] = {};
      T* const wanted_squares = u.squares != nullptr ? squares : nullptr;
      // What the next panel or block will want, fetched between a few rows and the next.
      const bool more = p + 1 < panels || block + 1 < blocks.end;
      const std::int64_t ahead_block = p + 1 < panels ? block : block + 1;
      const std::int64_t ahead_panel = p + 1 < panels ? p + 1 : 0;
      const std::int64_t ahead_offset =
          (ahead_panel * u.inputs + ahead_block * block_rows) * panel_width;
      const std::int64_t ahead_rows = columns_in_panel(u.inputs, ahead_block);
      with_optimizer(u.weights, u.step, [&]<class Kind>() {
        if (only_touched) {
          for (; touched != 0; touched &= touched - 1) {
            const std::int64_t row = __builtin_ctz(touched);
            update_rows<Kind>(u.weights, u.step, u.two_reg, gradient + row * panel_width,
                              offset + row * panel_width, 1, columns, static_cast<T*>(nullptr));
          }
          return;
        }
        constexpr std::int64_t few = 4;
        for (std::int64_t row = 0; row < rows; row += few) {
          const std::int64_t count = rows - row < few ? rows - row : few;
          if (more && row < ahead_rows) {
            const std::int64_t ahead_count = ahead_rows - row < few ? ahead_rows - row : few;
            Ahead ahead;
            want_rows(u.weights, ahead_offset + row * panel_width, ahead_count, ahead);
            const auto bytes = ahead_count * panel_width * std::int64_t{sizeof(T)};
            for (std::int64_t i = 0; i < bytes; i += cache_line) ahead.fetch();
          }
          update_rows<Kind>(u.weights, u.step, u.two_reg, gradient + row * panel_width,
                            offset + row * panel_width, count, columns, wanted_squares);
        }
      });
      if (u.squares != nullptr) u.squares[block * panels + p] = sum_of_lanes(squares);
    }
  }
}

}  // namespace
