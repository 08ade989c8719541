// banger: parse what was asked, do it, end with its exit code.
#include "cli/exit_codes.hpp"
#include "cli/print.hpp"
#include "cli/verbs.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <malloc.h>
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
         !std::holds_alternative<version_options>(asked);
}

int run(const std::vector<std::string>& words, context& ctx) {
  const auto asked = parse(words, this_host());
  if (!asked) {
    ctx.failure_code = exit_usage;
    return ctx.report(asked.error());
  }
  if (passes_exit_code(*asked))
    ctx.failure_code = exit_own_failure;
  if (needs_folders(*asked)) {
    auto where = find_folders();
    if (!where)
      return ctx.report(where.error());
    ctx.where = std::move(*where);
  }
  return std::visit([&](const auto& options) { return perform(options, ctx); }, *asked);
}

} // namespace

int main(int argc, char** argv) {
  context ctx;
  ctx.stdin_closed = fill_closed_descriptors();
  ::signal(SIGPIPE, SIG_IGN);
  // CAF's threads share our heap: one of their own each costs them more than all they do.
  ::mallopt(M_ARENA_MAX, 1);
  ctx.screen = look_at_terminal();
  const int code = run({argv + (argc > 0 ? 1 : 0), argv + argc}, ctx);
  // Nothing of ours is buffered, and taking the actor system apart costs more than a request.
  ::_exit(code);
}
