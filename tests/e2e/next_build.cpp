// What a later build says that it is. It stands before the library's own answer at the link.
#include "messages/base/version.hpp"

namespace banger {

const build_info& this_build() {
  static const build_info info{"99.0.0", "later", 4'000'000'000};
  return info;
}

} // namespace banger
