// What comes in several kinds (activations, losses, optimizers) has one struct a kind, with a
// `name`, and one list of them: names, numbers and dispatch all follow from the list. A kind is
// known outside the kernels by its number in it.
#pragma once

namespace twolayer {

template <class... Kinds>
struct List {
  static constexpr int size = sizeof...(Kinds);
  static constexpr const char* names[] = {Kinds::name...};

  // Calls body.template operator()<Kind>() for kind number `index`.
  template <class Body>
  __attribute__((always_inline)) static void with(int index, const Body& body) {
    int i = 0;
    ((i++ == index ? (body.template operator()<Kinds>(), true) : false) || ...);
  }

  // The number of a kind.
  template <class Kind>
  static constexpr int index_of() {
    constexpr bool same[] = {__is_same(Kind, Kinds)...};
    for (int i = 0; i < size; ++i) {
      if (same[i]) return i;
    }
    return -1;
  }
};

}  // namespace twolayer
