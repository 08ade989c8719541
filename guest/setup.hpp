// From `configure` to `configured`: makes this machine the one that the host asked for.
#pragma once

#include "guest/loop.hpp"
#include "guest/mounts.hpp"

#include <functional>
#include <string>
#include <vector>

namespace banger::guest {

class setup {
public:
  /// Called once, with a problem if the machine cannot be used.
  using finished = std::function<void(done)>;

  setup(loop& events, std::vector<std::string> modules)
      : events_(events), modules_(std::move(modules)) {}

  /// Seeds at once, then loads modules beside mounting, then the rest.
  void begin(configure_body order, finished then);
  /// For another agent of the same boot: what `begin` has done.
  void resume(configure_body order, configured_body outcome);
  /// For a machine that runs: all but the disks.
  done again(const configure_body& order);
  /// Grows the file system of `disk`; its device may become larger only a moment later.
  void grow_later(const disk_body& disk, std::function<void(result<std::uint64_t>)> then);

  bool begun() const { return begun_; }
  const configured_body& outcome() const { return outcome_; }
  const configure_body& order() const { return order_; }
  void note(std::string text) { outcome_.notes.push_back(std::move(text)); }

private:
  void modules_came();
  void proceed();
  done make_root();
  bool disks_there() const;
  void free_modules();

  loop& events_;
  std::vector<std::string> modules_;
  configure_body order_;
  configured_body outcome_;
  finished then_;
  unique_fd loading_, folder_;
  std::string lines_;
  std::uint64_t began_us_ = 0;
  bool begun_ = false, rooted_ = false, loaded_ = false;
};

} // namespace banger::guest
