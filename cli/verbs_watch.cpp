// `vm stats`: once, or again and again.
#include "cli/exit_codes.hpp"
#include "cli/print.hpp"
#include "cli/signals.hpp"
#include "cli/targets.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <poll.h>

namespace banger::cli {

using namespace messages;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds watch_pause{2000};

// A table that is drawn over the last one where the terminal can, and below it elsewhere.
class redrawn {
public:
  explicit redrawn(const context& ctx) : ctx_(ctx) {
    const char* kind = ctx.around.env != nullptr ? ctx.around.env("TERM") : nullptr;
    live_ = ctx.around.seen_output && kind != nullptr && std::string_view(kind) != "dumb";
  }

  int draw(const std::string& text) {
    std::string out;
    if (live_ && lines_ > 0)
      out = "\x1b[" + std::to_string(lines_) + "A\x1b[J";
    lines_ = std::count(text.begin(), text.end(), '\n');
    return print(ctx_, out + text);
  }

private:
  const context& ctx_;
  bool live_ = false;
  std::ptrdiff_t lines_ = 0;
};

// What ended the wait: a signal; 0: the time is up. `disconnected`.
expected<int> wait_a_while(client& daemon, signal_source& signals) {
  const auto until = std::chrono::steady_clock::now() + watch_pause;
  for (;;) {
    const auto left =
        std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now()).count();
    if (left <= 0)
      return 0;
    std::array<pollfd, 2> ready = {{{signals.fd(), POLLIN, 0}, {daemon.events(), POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), static_cast<int>(left)) < 0 && errno != EINTR)
      return fail_errno("cannot wait", errno);
    if (const auto number = signals.next())
      return *number;
    while (const auto news = daemon.next())
      if (const auto* end = std::get_if<lost>(&*news))
        return tl::unexpected(end->why);
  }
}

std::string shown(const stats_options& asked, const std::vector<vm_stats>& all) {
  return asked.json ? stats_json(all, asked.watch) : stats_table(all);
}

int once(const stats_options& asked, context& ctx) {
  auto found = find_targets(ctx, asked.refs);
  if (!found)
    return ctx.report(found.error());
  const auto all = good_ones(ctx, ctx.daemon->stats(found->refs), found->codes);
  if (!all.empty() || asked.refs.empty())
    found->codes.push_back(print(ctx, shown(asked, all)));
  return worst(found->codes);
}

int again_and_again(const stats_options& asked, context& ctx) {
  signal_source signals;
  ctx.interrupt_is_end = true;
  redrawn screen(ctx);
  for (;;) {
    auto found = find_targets(ctx, asked.refs);
    if (!found)
      return ctx.report(found.error());
    const auto all = good_ones(ctx, ctx.daemon->stats(found->refs), found->codes);
    // A name that means nothing any more would be an error line every two seconds.
    if (!found->codes.empty())
      return worst(found->codes);
    if (const int code = screen.draw(shown(asked, all)); code != exit_ok)
      return code;
    const auto signal = wait_a_while(*ctx.daemon, signals);
    if (!signal)
      return ctx.report(signal.error());
    if (*signal != 0)
      return *signal == SIGINT ? exit_ok : exit_signal + *signal;
  }
}

} // namespace

int perform(const stats_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  return asked.watch ? again_and_again(asked, ctx) : once(asked, ctx);
}

} // namespace banger::cli
