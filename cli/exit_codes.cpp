#include "cli/exit_codes.hpp"

#include <algorithm>
#include <csignal>

namespace banger::cli {

ending ending_of(guest::exit_kind kind) {
  switch (kind) {
  case guest::exit_kind::exited: break;
  case guest::exit_kind::signalled: return ending::signalled;
  case guest::exit_kind::not_found: return ending::not_found;
  case guest::exit_kind::not_runnable: return ending::not_runnable;
  }
  return ending::exited;
}

int exit_code(const outcome& end) {
  const auto value = static_cast<int>(end.value & 0x7f);
  switch (end.how) {
  case ending::exited: return static_cast<int>(end.value & 0xff);
  case ending::signalled:
  case ending::gave_up:
  case ending::left: return exit_signal + value;
  case ending::not_found: return exit_not_found;
  case ending::not_runnable: return exit_not_runnable;
  case ending::output_closed: return exit_signal + SIGPIPE;
  case ending::log_end: break;
  }
  return exit_ok;
}

int worst(const std::vector<int>& codes) {
  return codes.empty() ? exit_ok : *std::max_element(codes.begin(), codes.end());
}

} // namespace banger::cli
