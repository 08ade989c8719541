// What a reference to a VM means. Pure.
#pragma once

#include "messages/base/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace banger::vms {

struct known_vm {
  std::string_view id, name; ///< of whoever asks
};

/// The id that `ref` stands for: an exact id, else an exact name, else a prefix of either that fits
/// one VM only. `not_found`; `ambiguous` names the VMs that it fits.
expected<std::string> resolve(const std::vector<known_vm>& all, std::string_view ref);

/// A name for a VM whose user gave none, such as "quiet-otter"; `taken` tells whether one is in
/// use. `draw` is any number. After many collisions a number is added.
std::string make_up_name(std::uint64_t draw, const std::vector<known_vm>& taken);

} // namespace banger::vms
