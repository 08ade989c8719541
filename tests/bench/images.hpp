// The row about images, which takes minutes.
#pragma once

#include "tests/support/home.hpp"

namespace banger::bench {

/// `image build --force` beside mmdebstrap and mke2fs alone, with the same packages from the same
/// source, in turn.
void bench_images(test::home& h);

} // namespace banger::bench
