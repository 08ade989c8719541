// banger: parse what was asked, do it, end with its exit code.
#include "cli/exit_codes.hpp"
#include "cli/print.hpp"
#include "cli/verbs.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace banger;
using namespace banger::cli;

namespace {

// A descriptor that was closed must not become a socket of ours: the command's output would go
// there. True if standard input was closed.
bool fill_closed_descriptors() {
  const bool stdin_closed = ::fcntl(STDIN_FILENO, F_GETFD) < 0;
  int fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO)
    fd = ::open("/dev/null", O_RDWR);
  ::close(fd);
  return stdin_closed;
}

bool needs_folders(const command& asked) {
  return !std::holds_alternative<help_page>(asked) &&
         !std::holds_alternative<version_options>(asked) &&
         !std::holds_alternative<completion_options>(asked);
}

// The others work with a damaged file as well, so that nobody is kept from stopping a VM by it.
bool needs_config(const command& asked) {
  return std::holds_alternative<run_options>(asked) ||
         std::holds_alternative<create_options>(asked) ||
         std::holds_alternative<config_show_options>(asked);
}

int usage_error(context& ctx, const failure& why) {
  ctx.failure_code = exit_usage;
  return ctx.report(why);
}

// `bangerd`, if we start it, reads the same file.
expected<void> heed_config_flag(std::vector<std::string>& words) {
  const auto given = take_config_flag(words);
  if (!given)
    return tl::unexpected(given.error());
  if (!given->empty())
    ::setenv("BANGER_CONFIG", given->c_str(), 1);
  return {};
}

int run(std::vector<std::string> words, context& ctx) {
  if (auto ok = heed_config_flag(words); !ok)
    return usage_error(ctx, ok.error());
  auto around = this_host();
  auto where = find_folders();
  auto settings = where ? config::load(*where) : config::settings{};
  if (settings)
    around.config = *settings;
  if (where)
    around.emulated = !kvm_is_proven(where->cache);
  const auto asked = parse(words, around);
  if (!asked)
    return usage_error(ctx, asked.error());
  if (passes_exit_code(*asked))
    ctx.failure_code = exit_own_failure;
  if (!where && needs_folders(*asked))
    return ctx.report(where.error());
  if (!settings && needs_config(*asked))
    return ctx.report(settings.error());
  ctx.where = where.value_or(folders{});
  ctx.around = std::move(around);
  return std::visit([&](const auto& options) { return perform(options, ctx); }, *asked);
}

} // namespace

int main(int argc, char** argv) {
  context ctx;
  ctx.stdin_closed = fill_closed_descriptors();
  ::signal(SIGPIPE, SIG_IGN);
  ::umask(077); // what we make is for its owner, who needs to reach it
  // CAF's threads share our heap: one of their own each costs them more than all they do.
  ::mallopt(M_ARENA_MAX, 1);
  ctx.screen = look_at_terminal();
  const int code = run({argv + (argc > 0 ? 1 : 0), argv + argc}, ctx);
  // Nothing of ours is buffered, and taking the actor system apart costs more than a request.
  ::_exit(code);
}
