// `completion`, what it calls behind the scenes, and `config show`. None of them starts a daemon.
#include "cli/complete.hpp"
#include "cli/config_view.hpp"
#include "cli/exit_codes.hpp"
#include "cli/print.hpp"
#include "cli/session.hpp"
#include "cli/verbs.hpp"

#include <csignal>
#include <sys/time.h>
#include <unistd.h>

namespace banger::cli {

using namespace messages;

namespace {

// Nobody who types wants to wait, whatever the daemon is doing.
constexpr suseconds_t patience_us = 300'000;

void end_in_time() {
  struct sigaction leave {};
  leave.sa_handler = [](int) { ::_exit(exit_ok); };
  ::sigaction(SIGALRM, &leave, nullptr);
  const itimerval once{{0, 0}, {0, patience_us}};
  ::setitimer(ITIMER_REAL, &once, nullptr);
}

std::vector<candidate> images_of(const expected<std::vector<image_view>>& all) {
  std::vector<candidate> images;
  if (all)
    for (const auto& i : *all)
      images.push_back({i.name, i.about});
  return images;
}

std::vector<candidate> operations_of(const expected<std::vector<operation_view>>& all) {
  std::vector<candidate> operations;
  if (all)
    for (const auto& o : *all)
      operations.push_back({o.op, o.kind + " " + o.target + ", " + o.state});
  return operations;
}

std::vector<candidate> live_candidates(const completion& asked, const folders& where) {
  auto daemon = find_daemon(where);
  if (!daemon || (*daemon)->daemon().protocol != protocol_version)
    return {};
  if (asked.names == wanted_names::operations)
    return name_candidates(asked, operations_of((*daemon)->operations()));
  if (asked.names == wanted_names::images)
    return name_candidates(asked, images_of((*daemon)->images()));
  const auto vms = (*daemon)->list();
  return vms ? vm_candidates(asked, *vms) : std::vector<candidate>{};
}

} // namespace

int perform(const completion_options& asked, context& ctx) {
  return print(ctx, completion_script(asked.shell));
}

// What is known at once is printed at once; names follow if the daemon is quick.
int perform(const complete_options& asked, context& ctx) {
  const auto offered = complete(asked.words, ctx.around);
  const int code =
      print(ctx, (offered.files ? "files\n" : "names\n") + candidate_lines(offered.fixed));
  if (code != exit_ok || offered.names == wanted_names::none)
    return code;
  end_in_time();
  return print(ctx, candidate_lines(live_candidates(offered, ctx.where)));
}

int perform(const config_show_options& asked, context& ctx) {
  return print(ctx, asked.json ? config_json(ctx.around) : config_page(ctx.around));
}

} // namespace banger::cli
