#include "dispatch.hpp"

#include <cstdlib>
#include <stdexcept>

namespace twolayer {

const std::vector<const Target*>& built_targets() {
  static const std::vector<const Target*> targets = {
#define TWOLAYER_TARGET(name) &target_##name,
      TWOLAYER_TARGETS
#undef TWOLAYER_TARGET
  };
  return targets;
}

namespace {

Choice choose() {
  const char* forced = std::getenv("TWOLAYER_ISA");
  const std::string name = forced != nullptr ? forced : "";
  std::string names;
  for (const Target* target : built_targets()) {
    if (name.empty() && target->supported()) {
      return {target, "the best one this CPU supports"};
    }
    if (name == target->name) {
      if (!target->supported()) {
        throw std::runtime_error("TWOLAYER_ISA=" + name + ": this CPU does not support it");
      }
      return {target, "forced by TWOLAYER_ISA"};
    }
    names += names.empty() ? "" : ", ";
    names += target->name;
  }
  throw std::runtime_error("TWOLAYER_ISA=" + name + ": unknown; built in are " + names);
}

}  // namespace

const Choice& chosen_target() {
  static const Choice choice = choose();
  return choice;
}

bool has_native_bfloat16() {
  const NativeBfloat16* native = chosen_target().target->native_bfloat16;
  return native != nullptr && native->supported();
}

const Bfloat16Kernels& bfloat16_kernels() {
  static const Bfloat16Kernels& kernels = has_native_bfloat16()
                                              ? chosen_target().target->native_bfloat16->kernels
                                              : chosen_target().target->emulated_bfloat16;
  return kernels;
}

}  // namespace twolayer
