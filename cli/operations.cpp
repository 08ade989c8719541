#include "cli/operations.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace banger::cli {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

class watcher {
public:
  watcher(client& daemon, const std::vector<std::string>& ops, const watch_options& options)
      : daemon_(daemon), ops_(ops), options_(options), left_(ops.size()) {
    result_.ends.resize(ops.size());
    if (options.deadline)
      end_ = clock::now() + *options.deadline;
  }

  expected<watched> run() {
    for (;;) {
      while (auto news = daemon_.next())
        if (auto ok = std::visit([this](auto& x) { return hear(x); }, *news); !ok)
          return tl::unexpected(ok.error());
      if (left_ == 0 || result_.gave_up)
        return std::move(result_);
      if (end_ && clock::now() >= *end_)
        return fail(errc::timed_out, "the operation has not ended in time",
                    "the daemon goes on with it", "see `banger vm list`");
      if (auto ok = wait(); !ok)
        return tl::unexpected(ok.error());
    }
  }

private:
  std::optional<std::size_t> place(const std::string& op) const {
    const auto at = std::find(ops_.begin(), ops_.end(), op);
    if (at == ops_.end())
      return std::nullopt;
    return static_cast<std::size_t>(at - ops_.begin());
  }

  expected<void> hear(const messages::progress& news) {
    if (options_.line != nullptr && result_.signal == 0 && place(news.op))
      options_.line->show(news);
    return {};
  }

  expected<void> hear(const messages::finished& end) {
    const auto at = place(end.op);
    if (at && result_.ends[*at].op.empty()) {
      result_.ends[*at] = end;
      --left_;
    }
    return {};
  }

  expected<void> hear(const lost& end) { return tl::unexpected(end.why); }

  expected<void> wait() {
    std::array<pollfd, 2> ready = {{{daemon_.events(), POLLIN, 0}, {options_.signals, POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), patience()) < 0 && errno != EINTR)
      return fail_errno("cannot wait for the daemon", errno);
    if ((ready[1].revents & POLLIN) != 0)
      take_signals();
    if (options_.line != nullptr)
      options_.line->tick();
    return {};
  }

  int patience() const {
    int ms = options_.line != nullptr ? options_.line->wait_ms() : -1;
    if (end_) {
      const auto left = std::chrono::duration_cast<milliseconds>(*end_ - clock::now()).count() + 1;
      const auto bound = static_cast<int>(std::clamp<long>(left, 0, 1000L * 1000));
      ms = ms < 0 ? bound : std::min(ms, bound);
    }
    return ms;
  }

  void take_signals() {
    signalfd_siginfo info{};
    while (::read(options_.signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (result_.signal != 0) {
        result_.gave_up = true;
        return;
      }
      result_.signal = static_cast<int>(info.ssi_signo);
      // One that does not hear that would not tell the end either.
      for (const auto& op : ops_)
        if (!daemon_.cancel(op)) {
          result_.gave_up = true;
          return;
        }
      if (options_.line != nullptr)
        options_.line->show({"", "cancel", "undoing; Ctrl-C again to leave at once", 0});
    }
  }

  client& daemon_;
  const std::vector<std::string>& ops_;
  const watch_options& options_;
  std::size_t left_;
  std::optional<clock::time_point> end_;
  watched result_;
};

} // namespace

expected<watched> watch(client& daemon, const std::vector<std::string>& ops,
                        const watch_options& options) {
  return watcher(daemon, ops, options).run();
}

std::optional<failure> error_of(const messages::finished& end) {
  if (end.error.code == 0)
    return std::nullopt;
  return failure{static_cast<errc>(end.error.code), end.error.what, end.error.why, end.error.remedy,
                 end.error.operation.empty() ? end.op : end.error.operation};
}

} // namespace banger::cli
