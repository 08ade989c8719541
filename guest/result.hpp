// How things go wrong in the guest: an errno and one line for people. No exceptions here.
#pragma once

#include "messages/base/unique_fd.hpp"

#include <tl/expected.hpp>

#include <cerrno>
#include <string>
#include <utility>

namespace banger::guest {

struct problem {
  int number = 0; ///< errno, 0 if there is none
  std::string text;
};

template <class T>
using result = tl::expected<T, problem>;
using done = result<void>;

/// `return failed_to("mount /dev/vda");` answers "mount /dev/vda: Invalid argument".
tl::unexpected<problem> failed_to(std::string what, int number = errno);

inline tl::unexpected<problem> refused(std::string text, int number = EINVAL) {
  return tl::unexpected(problem{number, std::move(text)});
}

} // namespace banger::guest
