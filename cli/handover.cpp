#include "cli/handover.hpp"

namespace banger::cli {

handover decide(const build_info& ours, std::uint32_t our_protocol,
                const messages::hello_reply& theirs) {
  if (newer(ours, {theirs.version, theirs.commit, theirs.build}))
    return handover::retire;
  return theirs.protocol == our_protocol ? handover::use : handover::refuse;
}

} // namespace banger::cli
