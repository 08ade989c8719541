// The part of a machine that its hypervisor has halted: it goes on by itself once it can.
#include "actors/log/log.hpp"
#include "actors/vm/machine_state.hpp"

#include <sys/statvfs.h>

namespace banger::vm {

using namespace std::chrono_literals;

namespace {

// A write that fails again halts the machine again within this time.
constexpr auto trial = 500ms;

bool has_room(const std::filesystem::path& folder) {
  struct statvfs info {};
  return ::statvfs(folder.c_str(), &info) == 0 &&
         std::uint64_t{info.f_bavail} * info.f_frsize >= least_room_bytes;
}

} // namespace

void machine_state::heard_pause(const io::pause& why) {
  ++pauses_;
  const auto text = describe_pause(why, room_->site.vms);
  if (!paused_ || describe_pause(*paused_, room_->site.vms) != text) {
    log::warn({.vm = build_->vm.id.str()}, "machine_paused", {{"text", text}});
    actor::tell(self_, owner_, machine_paused{text, may_resume(why)});
  }
  paused_ = why;
  if (may_resume(why))
    look_for_room();
}

void machine_state::look_for_room() {
  look_pause_ = next_look(look_pause_);
  later(look_pause_, [this, pause = pauses_] {
    if (!paused_ || pause != pauses_)
      return;
    const bool full = paused_->of == io::pause::cause::disk_full;
    in_reading_pool([folder = room_->site.vms, full] { return !full || has_room(folder); },
                    [this, pause](bool room) {
                      if (paused_ && pause == pauses_)
                        resume_if(room);
                    });
  });
}

void machine_state::resume_if(bool room) {
  if (!room || !link_)
    return look_for_room();
  link_->resume();
  look_for_room(); // in case that it has no effect
}

void machine_state::heard_resume() {
  later(trial, [this, pause = pauses_] {
    if (paused_ && pause == pauses_)
      unpause();
  });
}

void machine_state::forget_pause() {
  paused_.reset();
  look_pause_ = {};
  ++pauses_;
}

void machine_state::unpause() {
  forget_pause();
  log::info({.vm = build_->vm.id.str()}, "machine_resumed", {});
  actor::tell(self_, owner_, machine_paused{});
  // A guest that was halted when it was taken over can speak now.
  if (!hello_ && adopting_ > 0)
    later(adopt_patience, [this] { doubt(); });
}

} // namespace banger::vm
