// The part of a machine that brings its files to the host's disk, and removes them.
#include "actors/vm/machine_state.hpp"

namespace banger::vm {

// The end of the operation waits for the disk; the boot does not.
void machine_state::flush() {
  if (flushed_ || build_->made.empty())
    return;
  flushed_ = std::make_shared<std::optional<expected<void>>>();
  work::submit(
      *room_->flushers, machine_actor(self_),
      [folder = build_->folder(), keep = presence_] { return flush_files(folder); },
      [this, mine = flushed_](expected<void> outcome) {
        *mine = std::move(outcome);
        if (mine == flushed_ && waits_for_ == waiting::flushed)
          finish(**mine);
      });
}

void machine_state::await_flush() {
  flush();
  if (!flushed_)
    return finish({});
  if (*flushed_)
    return finish(**flushed_);
  await(waiting::flushed, at_most_, at_most_);
}

void machine_state::remove_sockets() {
  in_pool(
      [folder = build_->folder()] {
        std::error_code ignored;
        for (const auto* socket : {"qmp.sock", "agent.sock", "console.sock"})
          std::filesystem::remove(folder / socket, ignored);
        return 0;
      },
      [this](int) { finish({}); });
}

void machine_state::remove_files() {
  in_pool(
      [folder = build_->folder()]() -> expected<void> {
        std::error_code why;
        std::filesystem::remove_all(folder, why);
        if (why)
          return fail(errc::operation_failed, "cannot remove " + folder.string(), why.message());
        return std::filesystem::exists(folder.parent_path(), why)
                   ? storage::flush(folder.parent_path())
                   : expected<void>();
      },
      [this](expected<void> outcome) {
        if (outcome && room_->network)
          actor::tell(self_, room_->network, network::forget_atom::value, build_->vm.id.str());
        finish(std::move(outcome));
      });
}

} // namespace banger::vm
