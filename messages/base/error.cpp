#include "messages/base/error.hpp"

#include <cerrno>
#include <system_error>

namespace banger {

std::string_view to_string(errc code) {
  switch (code) {
  case errc::none: return "none";
  case errc::not_found: return "not_found";
  case errc::already_exists: return "already_exists";
  case errc::bad_request: return "bad_request";
  case errc::bad_version: return "bad_version";
  case errc::unauthorized: return "unauthorized";
  case errc::unknown_method: return "unknown_method";
  case errc::operation_failed: return "operation_failed";
  case errc::not_running: return "not_running";
  case errc::ambiguous: return "ambiguous";
  case errc::cancelled: return "cancelled";
  case errc::timed_out: return "timed_out";
  case errc::busy: return "busy";
  case errc::unavailable: return "unavailable";
  case errc::corrupted: return "corrupted";
  case errc::disconnected: return "disconnected";
  }
  return "operation_failed";
}

std::string describe(const failure& f) {
  auto text = f.what;
  if (!f.why.empty())
    text += ": " + f.why;
  if (!f.remedy.empty())
    text += "; " + f.remedy;
  if (!f.operation.empty())
    text += " (" + f.operation + ")";
  return text;
}

tl::unexpected<failure> fail_errno(std::string what, int error_number) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT;
  return fail(errc::operation_failed, std::move(what),
              std::generic_category().message(error_number),
              full ? "free some space, or delete a VM with `banger vm delete NAME`" : "");
}

} // namespace banger
