// What each command does, once it is known what was asked. Every function answers the exit code.
#pragma once

#include "cli/client.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "messages/base/duration.hpp"
#include "messages/base/paths.hpp"

#include <memory>
#include <string>

namespace banger::cli {

/// What the verbs share. It lives until the process ends.
struct context {
  folders where;
  surroundings around;
  terminal screen;
  bool stdin_closed = false;
  std::unique_ptr<client> daemon; ///< made by `reach`, kept when it is called again
  int failure_code = 1;           ///< of our own failures: 125 for run and exec
  bool compared = false;          ///< the daemon's settings with ours

  /// Connects, and starts a daemon if there is none. Again after the last one was lost.
  expected<void> reach();
  /// Says, once, which settings of ours the daemon was started without.
  void compare_settings();
  /// Prints the error; answers `failure_code`, or 128 and the number of the signal that ended our
  /// waiting.
  int report(const failure& f) const;

  bool interrupt_is_end = false; ///< Ctrl-C is how the verb is usually left

private:
  int interrupted(const failure& f, int signal) const;
};

/// To standard output, whole. Answers 0, 141 if nobody reads it, 1 (and an error) if it is full.
int print(const context& ctx, std::string_view text);
/// To standard error; nothing is done if that fails.
void note(std::string_view text);

int perform(const run_options& asked, context& ctx);
int perform(const exec_options& asked, context& ctx);
int perform(const create_options& asked, context& ctx);
int perform(const verb_options& asked, context& ctx);
int perform(const set_options& asked, context& ctx);
int perform(const touch_options& asked, context& ctx);
int perform(const list_options& asked, context& ctx);
int perform(const show_options& asked, context& ctx);
int perform(const logs_options& asked, context& ctx);
int perform(const daemon_status_options& asked, context& ctx);
int perform(const daemon_stop_options& asked, context& ctx);
int perform(const daemon_probe_options& asked, context& ctx);
int perform(const daemon_logs_options& asked, context& ctx);
int perform(const version_options& asked, context& ctx);
int perform(const completion_options& asked, context& ctx);
int perform(const complete_options& asked, context& ctx);
int perform(const config_show_options& asked, context& ctx);
int perform(const image_build_options& asked, context& ctx);
int perform(const image_list_options& asked, context& ctx);
int perform(const image_delete_options& asked, context& ctx);
int perform(const operations_options& asked, context& ctx);
int perform(const operation_options& asked, context& ctx);
int perform(const ps_options& asked, context& ctx);
int perform(const stats_options& asked, context& ctx);
int perform(const ports_options& asked, context& ctx);
int perform(const health_options& asked, context& ctx);
int perform(const console_options& asked, context& ctx);
int perform(const prune_options& asked, context& ctx);
int perform(const adopt_options& asked, context& ctx);
int perform(const events_options& asked, context& ctx);
int perform(const debug_actors_options& asked, context& ctx);
int perform(const debug_crash_options& asked, context& ctx);
int perform(const help_page& asked, context& ctx);

} // namespace banger::cli
