// What to do about the daemon that runs, once both have said what they are. Pure.
#pragma once

#include "messages/base/version.hpp"
#include "messages/models.hpp"

namespace banger::cli {

enum class handover {
  use,    ///< same protocol, and not older than we are
  retire, ///< built from earlier sources: it leaves, VMs live on, ours takes over
  refuse, ///< newer than we are, and speaks another protocol
};
handover decide(const build_info& ours, std::uint32_t our_protocol,
                const messages::hello_reply& theirs);

} // namespace banger::cli
