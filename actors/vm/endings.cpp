#include "actors/vm/endings.hpp"

#include "actors/storage/lines.hpp"

#include <algorithm>

namespace banger::vm {

namespace {

constexpr std::size_t shown_lines = 10;
constexpr std::string_view panic = "Kernel panic - not syncing";

std::string_view first_lines(std::string_view text) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < shown_lines && end < text.size(); ++i)
    end = std::min(text.find('\n', end), text.size() - 1) + 1;
  return text.substr(0, end);
}

// The kernel prints its panic before its registers and stack.
std::string_view panic_in(std::string_view console) {
  const auto at = console.rfind(panic);
  if (at == std::string_view::npos)
    return {};
  const auto newline = console.rfind('\n', at);
  return first_lines(console.substr(newline == std::string_view::npos ? 0 : newline + 1));
}

} // namespace

end_of_machine judge_end(io::ending how, bool said, std::string_view console) {
  using kind = end_of_machine::kind;
  const auto last = std::string(storage::last_lines(console, shown_lines));
  if (how == io::ending::power_off)
    return {kind::off, {}, last};
  // A kernel that panics reboots, by its command line.
  const auto panicked = panic_in(console);
  if (how == io::ending::panic || (how == io::ending::reset && !panicked.empty()))
    return {kind::failed, "the guest's kernel panicked",
            panicked.empty() ? last : std::string(panicked)};
  if (how == io::ending::reset)
    return {kind::reboot, {}, last};
  if (said)
    return {kind::off, {}, last};
  if (how == io::ending::host)
    return {kind::failed, "a signal or a command on the host ended the hypervisor", last};
  return {kind::failed, ended_unasked, last};
}

std::string describe_pause(const io::pause& why, const std::string& folder) {
  using cause = io::pause::cause;
  const auto reason = why.reason.empty() ? std::string() : " (" + why.reason + ")";
  switch (why.of) {
  case cause::disk_full: return "no space left on " + folder;
  case cause::disk: return "a disk error on " + folder + reason;
  case cause::internal: return "an internal error of the hypervisor";
  case cause::ordered: return "by a command on the host" + reason;
  }
  return {};
}

bool may_resume(const io::pause& why) {
  return why.of == io::pause::cause::disk_full || why.of == io::pause::cause::disk;
}

std::chrono::milliseconds next_look(std::chrono::milliseconds last) {
  using namespace std::chrono_literals;
  return std::clamp<std::chrono::milliseconds>(last * 2, 1s, 10s);
}

} // namespace banger::vm
