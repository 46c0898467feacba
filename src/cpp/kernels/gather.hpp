// Rows of the data set on their way into a batch: gathered, converted, normalised and laid out in
// panels in one pass. The data set itself stays as it came.
#pragma once

#include "augment.hpp"
#include "table.hpp"

namespace {

using twolayer::Gather;
using twolayer::panel_width;
using twolayer::Range;

inline constexpr std::int64_t cache_line = 64;

// The number of the batch's row n in the data set.
template <class T>
std::int64_t row_number(const Gather<T>& g, std::int64_t n) {
  return g.rows != nullptr ? g.rows[n] : g.first_row + n;
}

template <class T>
const char* row_of(const Gather<T>& g, std::int64_t n) {
  return static_cast<const char*>(g.x.values) + row_number(g, n) * g.x.row_stride;
}

// A row whose elements do not lie side by side.
template <class Element>
struct StridedRow {
  const char* first;
  std::int64_t stride;

  const Element& operator[](std::int64_t i) const {
    return *reinterpret_cast<const Element*>(first + i * stride);
  }
  StridedRow operator+(std::int64_t i) const { return {first + i * stride, stride}; }
};

// Vec<T>::width consecutive elements.
template <class T, class Element>
Vec<T> converted(const Element* from) {
  if constexpr (has_instruction<Element>) {
    return Vec<T>::convert(from);
  } else {
    const auto lanes = converted_lanes<T, Element, Vec<T>::width>(from);
    Vec<T> result;
    static_assert(sizeof result == sizeof lanes);
    __builtin_memcpy(&result, &lanes, sizeof result);
    return result;
  }
}

// Brings the rows of a batch near, a few lines at a time, while something else is computed: they
// lie anywhere in memory, and to wait for them takes longer than to convert them. Only contiguous
// rows: of the others each element may be on a line of its own, more of them than a cache holds.
template <class T>
class RowPrefetch {
 public:
  // In `calls` calls of advance() all is asked for.
  RowPrefetch(const Gather<T>* g, Range panels, std::int64_t calls) : gather_(g) {
    if (g == nullptr) return;
    const std::int64_t size = twolayer::element_size(g->x.type);
    if (g->x.starts != nullptr || g->x.column_stride != size) return;
    const std::int64_t end = panels.end * panel_width;
    begin_ = panels.begin * panel_width * size;
    end_ = (end < g->inputs ? end : g->inputs) * size;
    const std::int64_t lines = (end_ - begin_ + cache_line - 1) / cache_line * g->samples;
    at_once_ = calls > 0 ? (lines + calls - 1) / calls : 0;
    offset_ = begin_;
  }

  void advance() {
    for (std::int64_t i = 0; i < at_once_ && sample_ < gather_->samples; ++i) {
      __builtin_prefetch(row_of(*gather_, sample_) + offset_);
      offset_ += cache_line;
      if (offset_ >= end_) {
        offset_ = begin_;
        ++sample_;
      }
    }
  }

 private:
  const Gather<T>* gather_;
  std::int64_t begin_ = 0;  // bytes of a row
  std::int64_t end_ = 0;
  std::int64_t at_once_ = 0;
  std::int64_t sample_ = 0;
  std::int64_t offset_ = 0;
};

// Whether rows are centred and scaled in a wider type than the batch has.
template <class T, class Element>
inline constexpr bool normalized_in_double = __is_same(Element, double) && !__is_same(T, double);

// Vec<T>::width consecutive elements as the batch has them, the first one that of `column`.
template <class T, class Element>
__attribute__((always_inline)) inline Vec<T> normalized(const Gather<T>& g, std::int64_t column,
                                                        const Element* from) {
  using S = Vec<T>;
  if constexpr (normalized_in_double<T, Element>) {
    if (g.exact_shift != nullptr) {
      using D = Vec<double>;
      alignas(64) double lanes[S::width];
      for (std::int64_t i = 0; i < S::width; i += D::width) {
        const D centred = D::load(from + i) - D::load(g.exact_shift + column + i);
        (centred * D::load(g.exact_inverse_scale + column + i)).store(lanes + i);
      }
      return S::convert(lanes);
    }
  }
  const S centred = converted<T>(from) - S::load(g.shift + column);
  return centred * S::load(g.inverse_scale + column);
}

// Columns first ... first + count - 1 of a changed image. A cutout leaves what normalisation turns
// into zero, or what comes nearest to it.
template <class T, class Row, class Element>
void changed_part(const Gather<T>& g, const Change& change, const Row& from, std::int64_t first,
                  std::int64_t count, Element* to) {
  const auto blank = [&](std::int64_t column) {
    if constexpr (normalized_in_double<T, Element>) {
      if (g.exact_shift != nullptr) return g.exact_shift[column];
    }
    return nearest<Element>(g.shift[column]);
  };
  changed(g.augmentation, change, from, first, count, blank, to);
}

// How many columns of a panel there are.
template <class T>
std::int64_t columns_to_gather(const Gather<T>& g, std::int64_t panel) {
  const std::int64_t rest = g.inputs - panel * panel_width;
  return rest < panel_width ? rest : panel_width;
}

// Columns of one panel that are to be changed, or among which the row ends, put into `part`. Out of
// line, so that what has nothing to do with them stays small.
template <class T, class Row, class Element>
__attribute__((noinline)) void make_part(const Gather<T>& g, const Change& change, const Row& row,
                                         std::int64_t panel, Element (&part)[panel_width]) {
  const std::int64_t first = panel * panel_width;
  const std::int64_t count = columns_to_gather(g, panel);
  for (std::int64_t i = count; i < panel_width; ++i) part[i] = Element{};
  if (g.augmented) {
    changed_part(g, change, row, first, count, part);
  } else {
    for (std::int64_t i = 0; i < count; ++i) part[i] = row[first + i];
  }
}

// Where the columns of one panel can be read: mostly in the row itself.
template <class T, class Element>
__attribute__((always_inline)) inline const Element* columns_of_panel(
    const Gather<T>& g, const Change& change, const Element* row, std::int64_t panel,
    Element (&part)[panel_width]) {
  if (!g.augmented && (panel + 1) * panel_width <= g.inputs) return row + panel * panel_width;
  make_part(g, change, row, panel, part);
  return part;
}

template <class T>
Change change_of_sample(const Gather<T>& g, std::int64_t n) {
  return g.augmented ? change_of(g.augmentation, n) : Change{};
}

// One panel of one row of the batch.
template <class T, class Element>
__attribute__((always_inline)) inline void normalize(const Gather<T>& g, std::int64_t panel,
                                                     const Element* from, T* to) {
  using S = Vec<T>;
  const std::int64_t column = panel * panel_width;
  for (std::int64_t i = 0; i < panel_width; i += S::width) {
    normalized(g, column + i, from + i).store(to + i);
  }
}

// Rows that are not contiguous are read by blocks: some rows of a panel, column by column. So of a
// matrix that lies column by column every line of neighbouring rows is read once; and to jump from
// column to column in each row, by a power of two perhaps, would lose them from the cache.
inline constexpr std::int64_t rows_of_block = 16;

template <class T, class Element>
__attribute__((noinline)) void make_block(const Gather<T>& g, std::int64_t first,
                                          std::int64_t count, std::int64_t panel,
                                          Element (&block)[rows_of_block][panel_width]) {
  const auto row = [&](std::int64_t n) {
    return StridedRow<Element>{row_of(g, n), g.x.column_stride};
  };
  if (g.augmented) {
    for (std::int64_t n = first; n < first + count; ++n) {
      make_part(g, change_of_sample(g, n), row(n), panel, block[n - first]);
    }
    return;
  }
  const char* rows[rows_of_block];
  for (std::int64_t r = 0; r < count; ++r) {
    rows[r] = (row(first + r) + panel * panel_width).first;
  }
  const std::int64_t columns = columns_to_gather(g, panel);
  for (std::int64_t i = 0; i < panel_width; ++i) {
    for (std::int64_t r = 0; r < count; ++r) {
      block[r][i] = i < columns ? StridedRow<Element>{rows[r], g.x.column_stride}[i] : Element{};
    }
  }
}

template <class T, class Element>
__attribute__((noinline)) void gather_by_blocks(const Gather<T>& g, Range panels) {
  for (std::int64_t n = 0; n < g.samples; n += rows_of_block) {
    const std::int64_t rest = g.samples - n;
    const std::int64_t count = rest < rows_of_block ? rest : rows_of_block;
    for (std::int64_t p = panels.begin; p < panels.end; ++p) {
      Element block[rows_of_block][panel_width];
      make_block(g, n, count, p, block);
      T* to = g.batch + (p * g.samples + n) * panel_width;
      for (std::int64_t r = 0; r < count; ++r) normalize(g, p, block[r], to + r * panel_width);
    }
  }
}

template <class T, class Element>
__attribute__((noinline)) void gather_as(const Gather<T>& g, Range panels) {
  if (g.x.column_stride != sizeof(Element)) return gather_by_blocks<T, Element>(g, panels);
  for (std::int64_t n = 0; n < g.samples; ++n) {
    const Element* from = reinterpret_cast<const Element*>(row_of(g, n));
    const Element* later =
        reinterpret_cast<const Element*>(row_of(g, n + 2 < g.samples ? n + 2 : n));
    const Change change = change_of_sample(g, n);
    for (std::int64_t p = panels.begin; p < panels.end; ++p) {
      __builtin_prefetch(later + p * panel_width);
      Element part[panel_width];
      const Element* source = columns_of_panel(g, change, from, p, part);
      normalize(g, p, source, g.batch + (p * g.samples + n) * panel_width);
    }
  }
}

template <class T>
void gather(const Gather<T>& g, Range panels) {
  twolayer::with_element(g.x.type, [&]<class Element>() { gather_as<T, Element>(g, panels); });
}

}  // namespace
