// Rows of the data set on their way into a batch: gathered, converted, normalised and laid out in
// panels in one pass. The data set itself stays as it came.
#pragma once

#include "augment.hpp"
#include "table.hpp"

namespace {

using twolayer::ElementType;
using twolayer::Gather;
using twolayer::panel_width;
using twolayer::Range;

inline constexpr std::int64_t cache_line = 64;

inline std::int64_t size_of(ElementType type) {
  return type == ElementType::uint8 ? 1 : type == ElementType::float32 ? 4 : 8;
}

template <class T>
const char* row_of(const Gather<T>& g, std::int64_t n) {
  const std::int64_t row = g.rows != nullptr ? g.rows[n] : g.first_row + n;
  return static_cast<const char*>(g.x) + row * g.row_stride;
}

// Brings the rows of a batch near, a few lines at a time, while something else is computed: they
// lie anywhere in memory, and to wait for them takes longer than to convert them.
template <class T>
class RowPrefetch {
 public:
  // In `calls` calls of advance() all is asked for.
  RowPrefetch(const Gather<T>* g, Range panels, std::int64_t calls) : gather_(g) {
    if (g == nullptr) return;
    const std::int64_t size = size_of(g->type);
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

// Columns first ... first + count - 1 of a changed image. A cutout leaves what normalisation turns
// into zero, or for bytes what comes nearest to it.
template <class T, class Element>
void changed_part(const Gather<T>& g, const Change& change, const Element* from, std::int64_t first,
                  std::int64_t count, Element* to) {
  const auto blank = [&](std::int64_t column) {
    const T shift = g.shift[column];
    if constexpr (sizeof(Element) > 1) return static_cast<Element>(shift);
    const T bounded = shift < 0 ? T(0) : shift > 255 ? T(255) : shift;
    return static_cast<Element>(bounded + T(0.5));
  };
  changed(g.augmentation, change, from, first, count, blank, to);
}

// Columns of one panel that are to be changed, or among which the row ends, put into `part`. Out of
// line, so that what has nothing to do with them stays small.
template <class T, class Element>
__attribute__((noinline)) void make_part(const Gather<T>& g, const Change& change,
                                         const Element* row, std::int64_t panel,
                                         Element (&part)[panel_width]) {
  const std::int64_t first = panel * panel_width;
  const std::int64_t rest = g.inputs - first;
  const std::int64_t count = rest < panel_width ? rest : panel_width;
  for (std::int64_t i = count; i < panel_width; ++i) part[i] = 0;
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

template <class T, class Element>
void gather_as(const Gather<T>& g, Range panels) {
  using S = Vec<T>;
  for (std::int64_t n = 0; n < g.samples; ++n) {
    const Element* from = reinterpret_cast<const Element*>(row_of(g, n));
    const Element* later =
        reinterpret_cast<const Element*>(row_of(g, n + 2 < g.samples ? n + 2 : n));
    const Change change = change_of_sample(g, n);
    for (std::int64_t p = panels.begin; p < panels.end; ++p) {
      const std::int64_t column = p * panel_width;
      __builtin_prefetch(later + column);
      Element part[panel_width];
      const Element* source = columns_of_panel(g, change, from, p, part);
      T* to = g.batch + p * g.samples * panel_width + n * panel_width;
      for (std::int64_t i = 0; i < panel_width; i += S::width) {
        const S centred = S::convert(source + i) - S::load(g.shift + column + i);
        (centred * S::load(g.inverse_scale + column + i)).store(to + i);
      }
    }
  }
}

template <class T>
void gather(const Gather<T>& g, Range panels) {
  switch (g.type) {
    case ElementType::uint8:
      return gather_as<T, std::uint8_t>(g, panels);
    case ElementType::float32:
      return gather_as<T, float>(g, panels);
    case ElementType::float64:
      return gather_as<T, double>(g, panels);
  }
}

}  // namespace
