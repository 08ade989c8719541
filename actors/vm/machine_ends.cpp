// The part of a machine whose hypervisor has ended: why, and with what evidence.
#include "actors/io/console_log.hpp"
#include "actors/log/log.hpp"
#include "actors/vm/machine_state.hpp"

namespace banger::vm {

constexpr auto rebooted_early = "the guest rebooted while it was being started";

void machine_state::heard_end(const io::event::exited& end) {
  drop_link();
  how_ended_ = end.status;
  answer_opens();
  const auto waited_for = waits_for_;
  // Both are of a machine that is to end.
  if (waited_for == waiting::exit || waited_for == waiting::takeover)
    return finish({});
  const auto verdict = judge_end(end.how, stopping_, end.last_lines);
  const bool reboots = verdict.is == end_of_machine::kind::reboot;
  if (waited_for != waiting::nothing)
    finish_ended(reboots ? rebooted_early : verdict.why.empty() ? ended_unasked : verdict.why);
  // The end of a start is told by its step; that of a VM which is running already, by itself.
  if (waited_for != waiting::nothing && waited_for != waiting::booted)
    return;
  leave_network();
  auto why = verdict.why;
  if (end.how == io::ending::unsaid && !why.empty() && !how_ended_.empty())
    why += ": " + how_ended_;
  actor::tell(self_, owner_, machine_ended{std::move(why), verdict.evidence, reboots});
}

namespace {

std::string last_of_console(const std::filesystem::path& folder) {
  const auto console = io::console_log::open(folder / "console.log");
  const auto lines = console ? console->tail(5) : std::string{};
  return lines.empty() ? "its console is empty" : "last console lines:\n" + lines;
}

} // namespace

// What its guest said last.
void machine_state::finish_with_evidence(errc code, const std::string& what,
                                         const std::string& remedy) {
  waits_for_ = waiting::nothing;
  ++turn_;
  if (paused_)
    return finish(
        fail(code, what, "the VM is paused: " + describe_pause(*paused_, room_->site.vms)));
  in_pool([folder = build_->folder()] { return last_of_console(folder); },
          [this, code, what, remedy](const std::string& why) {
            finish(fail(code, what, why, remedy));
          });
}

// How it ended and what it said of itself, else what its guest said last. Also for the log: the
// folder of a VM that could not be made goes.
void machine_state::finish_ended(const std::string& what) {
  waits_for_ = waiting::nothing;
  ++turn_;
  in_pool(
      [folder = build_->folder()]() -> std::string {
        const auto words = io::harmless(hypervisor::last_words(folder));
        return words.empty() ? last_of_console(folder) : "it said:\n" + words;
      },
      [this, what](const std::string& said) {
        const auto why = how_ended_.empty() ? said : how_ended_ + "; " + said;
        log::warn({.op = op_, .vm = build_->vm.id.str()}, "hypervisor_ended", {{"text", why}});
        finish(fail(errc::operation_failed, what, why, kept_console));
      });
}

} // namespace banger::vm
