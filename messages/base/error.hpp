// What can go wrong, and how it is told: a code for programs; what, why and what to do for people.
#pragma once

#include <tl/expected.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace banger {

/// Codes that travel and that scripts may rely on. Never renumber; 0 means no error.
enum class errc : std::uint8_t {
  none = 0,
  not_found = 1,
  already_exists = 2,
  bad_request = 3, ///< the input is wrong; nothing was changed
  bad_version = 4, ///< the two programs, or program and database, do not understand each other
  unauthorized = 5,
  unknown_method = 6,
  operation_failed = 7, ///< tried, and undone
  not_running = 8,
  ambiguous = 9, ///< a reference names several VMs
  cancelled = 10,
  timed_out = 11,    ///< the stage that was waited for is in `what`
  busy = 12,         ///< a bound was reached: queue, connections, streams
  unavailable = 13,  ///< the machine lacks something; the remedy names it
  corrupted = 14,    ///< a file of ours is damaged
  disconnected = 15, ///< the peer went away before it answered
};

/// The code as it is printed: `not_found`, `bad_request`, ...
std::string_view to_string(errc code);

/// An error. `what` is one clause without a final stop; `why` and `remedy` may be empty.
struct failure {
  errc code = errc::operation_failed;
  std::string what;
  std::string why;
  std::string remedy;
  std::string operation; ///< `op-xxxxxx`, empty outside operations
};

/// For people, in one line: "WHAT: WHY; REMEDY (op-xxxxxx)".
std::string describe(const failure& f);

template <class T>
using expected = tl::expected<T, failure>;

/// `return fail(errc::not_found, "no VM is called 'x'", "", "see `banger vm list`");`
inline tl::unexpected<failure> fail(errc code, std::string what, std::string why = {},
                                    std::string remedy = {}) {
  return tl::unexpected(failure{code, std::move(what), std::move(why), std::move(remedy), {}});
}

/// As `fail`, with the text of an errno value as the reason. ENOSPC and EDQUOT get their remedy.
tl::unexpected<failure> fail_errno(std::string what, int error_number);

} // namespace banger
