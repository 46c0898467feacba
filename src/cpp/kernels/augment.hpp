// Images changed at random on their way into the batch: mirrored, shifted with reflection at the
// edges, blotted out in part (cutout, DeVries and Taylor 2017). The data set stays as it is, and
// nothing but the columns asked for is computed.
#pragma once

#include "random.hpp"
#include "table.hpp"

namespace {

using twolayer::Augmentation;

// What happens to one image.
struct Change {
  bool flip;
  std::int64_t down;  // the pixel shown at (y, x) is the one at (y + down, x + right)
  std::int64_t right;
  std::int64_t top;  // of the cutout, which is empty without one
  std::int64_t bottom;
  std::int64_t left;
  std::int64_t end;
};

inline Change change_of(const Augmentation& a, std::int64_t sample) {
  const std::uint64_t bits = twolayer::random_bits(a.key, static_cast<std::uint64_t>(sample));
  // A number in [0, count): of few from 12 of the bits, which is uniform to 1 in 64; of more from
  // 32 bits of a number drawn for it, whose own key the bits are.
  const auto draw = [&](std::uint64_t from, std::int64_t count) {
    constexpr std::int64_t few = 64;
    if (count <= few) return static_cast<std::int64_t>(bits >> from & 0xfff) * count >> 12;
    const std::uint64_t drawn = twolayer::random_bits(bits, from) >> 32;
    return static_cast<std::int64_t>(drawn * static_cast<std::uint64_t>(count) >> 32);
  };
  Change change;
  change.flip = a.flip == Augmentation::Flip::always ||
                (a.flip == Augmentation::Flip::at_random && (bits & 1) != 0);
  change.down = draw(4, 2 * a.shift + 1) - a.shift;
  change.right = draw(16, 2 * a.shift + 1) - a.shift;
  change.top = draw(28, a.height) - a.cutout / 2;
  change.bottom = change.top + a.cutout;
  change.left = draw(40, a.width) - a.cutout / 2;
  change.end = change.left + a.cutout;
  return change;
}

// Mirrored at the first and the last pixel, which are not repeated.
inline std::int64_t reflected(std::int64_t i, std::int64_t size) {
  if (i < 0) return -i;
  return i < size ? i : 2 * (size - 1) - i;
}

// Pixels first ... first + count - 1 of an image's row, shifted and perhaps mirrored. Few of them
// are beyond its edges; the others lie side by side, in one order or the other.
template <class Row, class Element>
void moved(const Change& change, const Row& row, std::int64_t width, std::int64_t first,
           std::int64_t count, Element* to) {
  const auto bounded = [&](std::int64_t i) { return i < 0 ? 0 : i > count ? count : i; };
  const std::int64_t begin = bounded(-change.right - first);
  const std::int64_t end = bounded(width - change.right - first);
  const auto at_edge = [&](std::int64_t i) {
    const std::int64_t x = reflected(first + i + change.right, width);
    to[i] = row[change.flip ? width - 1 - x : x];
  };
  for (std::int64_t i = 0; i < begin; ++i) at_edge(i);
  if (change.flip) {
    const Row last = row + (width - 1 - change.right - first);
    for (std::int64_t i = begin; i < end; ++i) to[i] = last[-i];
  } else {
    const Row start = row + (first + change.right);
    for (std::int64_t i = begin; i < end; ++i) to[i] = start[i];
  }
  for (std::int64_t i = end > begin ? end : begin; i < count; ++i) at_edge(i);
}

// Columns first ... first + count - 1 of a changed image, whose type is a pointer to its elements
// or can be indexed and moved as one; `blank` gives what a cutout leaves there.
template <class Row, class Element, class Blank>
void changed(const Augmentation& a, const Change& change, const Row& image, std::int64_t first,
             std::int64_t count, const Blank& blank, Element* to) {
  std::int64_t done = 0;
  while (done < count) {  // row by row of the image
    const std::int64_t row = (first + done) / a.width;
    const std::int64_t x0 = (first + done) % a.width;
    const std::int64_t y = row % a.height;
    const std::int64_t rest = a.width - x0;
    const std::int64_t length = rest < count - done ? rest : count - done;
    const Row source = image + (row - y + reflected(y + change.down, a.height)) * a.width;
    moved(change, source, a.width, x0, length, to + done);
    if (change.top <= y && y < change.bottom) {
      const std::int64_t begin = change.left > x0 ? change.left - x0 : 0;
      const std::int64_t end = change.end - x0 < length ? change.end - x0 : length;
      for (std::int64_t i = begin; i < end; ++i) to[done + i] = blank(first + done + i);
    }
    done += length;
  }
}

}  // namespace
