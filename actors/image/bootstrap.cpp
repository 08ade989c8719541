#include "actors/image/bootstrap.hpp"

#include "actors/image/bootstrap_plan.hpp"
#include "actors/image/tar_pipe.hpp"
#include "actors/log/log.hpp"
#include "actors/storage/lines.hpp"
#include "actors/storage/process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <gnu/libc-version.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace banger::image {

namespace fs = std::filesystem;
using storage::find_program;
using namespace std::chrono_literals;

namespace {

constexpr auto bootstrap_deadline = 1h;

bool succeeds(std::vector<std::string> argv, const std::stop_token& stop) {
  return storage::run({.argv = std::move(argv), .cwd = "/", .deadline = 20s}, stop).has_value();
}

// Whether a program can be confined so is tried, not guessed.
bool can_confine(bootstrap_mode mode, const std::stop_token& stop) {
  auto words = confinement(mode);
  words.emplace_back("true");
  return succeeds(std::move(words), stop);
}

bootstrap_facts look_at_host(const std::stop_token& stop) {
  bootstrap_facts facts;
  facts.root = ::geteuid() == 0;
  facts.mmdebstrap = !find_program("mmdebstrap").empty();
  if (facts.root || !facts.mmdebstrap)
    return facts;
  facts.newuidmap = !find_program("newuidmap").empty();
  facts.subordinates = facts.newuidmap && can_confine(bootstrap_mode::unshare, stop);
  facts.fakechroot = !find_program("fakechroot").empty();
  facts.fakeroot = !find_program("fakeroot").empty();
  facts.newer_libc = ::strverscmp(::gnu_get_libc_version(), debian_libc) > 0;
  return facts;
}

bool has_mounts_below(const fs::path& folder) {
  const auto text = storage::read_file("/proc/self/mountinfo", 64 << 20);
  bool found = !text;
  storage::each_line(text.value_or(""), [&](std::string_view line) {
    found = found || line.find(" " + folder.string() + "/") != std::string_view::npos;
  });
  return found;
}

fs::path link_of(const fs::path& link) {
  std::error_code bad;
  auto target = fs::read_symlink(link, bad);
  return bad ? fs::path() : target;
}

// Where namespaces do not work, processes may outlive a daemon that was killed. They are known by
// what we gave them, and by where they are.
bool works_in(const fs::path& process, const fs::path& work) {
  const auto environment = storage::read_file(process / "environ", 1 << 20);
  return is_of_bootstrap({environment.value_or(""), link_of(process / "root").string(),
                          link_of(process / "cwd").string()},
                         work.string());
}

// True if there were some.
bool end_strays(const fs::path& work) {
  bool found = false;
  std::error_code bad;
  for (fs::directory_iterator at("/proc", bad), end; !bad && at != end; at.increment(bad)) {
    const auto number = at->path().filename().string();
    const auto pid = static_cast<pid_t>(std::strtol(number.c_str(), nullptr, 10));
    if (pid <= 1 || pid == ::getpid() || !works_in(at->path(), work))
      continue;
    // Held by a descriptor and looked at again: the number may be another's by now.
    const unique_fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (process && works_in(at->path(), work))
      found = ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) == 0 || found;
  }
  return found;
}

struct swept_folder {
  fs::path path;
  ~swept_folder() { static_cast<void>(sweep_bootstrap(path)); }
};

// One bootstrap: how programs are called for it, and what they say.
class bootstrapper {
public:
  bootstrapper(bootstrap_plan plan, const fs::path& work, const storage::progress_fn& progress,
               const std::stop_token& stop)
      : plan_(std::move(plan)), work_(work), progress_(progress), stop_(stop) {
    // In `unshare` that was tried when it was chosen.
    if (plan_.mode == bootstrap_mode::unshare ||
        (plan_.mode == bootstrap_mode::root && can_confine(plan_.mode, stop)))
      around_ = confinement(plan_.mode);
  }

  expected<void> prepare() {
    if (::mkdir(work_.c_str(), 0700) != 0)
      return fail_errno("cannot make the folder " + work_.string(), errno);
    if (plan_.from.options.empty())
      return {};
    plan_.options_file = work_ / "apt.conf";
    return storage::write_file(plan_.options_file, plan_.from.options);
  }

  // mmdebstrap passes its archive on by the kilobyte: where its folder means the same to a second
  // program, that one writes the archive. Under fakechroot only mmdebstrap knows who owns what.
  expected<tar_content> run(const fs::path& tree, const tar_options& options) {
    const auto explain = [this](const failure& f) { return watch_.explain(f, debian_suite); };
    if (plan_.mode == bootstrap_mode::fakechroot)
      return unpack_output(command(bootstrap_arguments(plan_)), tree, options, explain, stop_);
    plan_.target = work_ / "root";
    if (auto made = storage::run(command(bootstrap_arguments(plan_)), stop_); !made)
      return tl::unexpected(explain(made.error()));
    if (progress_)
      progress_("packages", "collecting the files");
    return unpack_output(command(archive_arguments(plan_.target)), tree, options, explain, stop_);
  }

  std::string last_words() const { return watch_.last_words(); }

private:
  storage::command command(const std::vector<std::string>& words) {
    storage::command c{.argv = around_,
                       .env = {"TMPDIR=" + work_.string()},
                       .cwd = "/",
                       .deadline = bootstrap_deadline,
                       .max_output = 64 << 10};
    c.argv.insert(c.argv.end(), words.begin(), words.end());
    c.on_error_line = [this](std::string_view line) {
      if (const auto news = watch_.hear(line); news && progress_)
        progress_("packages", *news);
    };
    return c;
  }

  bootstrap_plan plan_;
  const fs::path& work_;
  const storage::progress_fn& progress_;
  const std::stop_token& stop_;
  std::vector<std::string> around_;
  bootstrap_watch watch_;
};

} // namespace

expected<tar_content> bootstrap(const recipe& what, const fs::path& tree, const fs::path& work,
                                const tar_options& options, const storage::progress_fn& progress,
                                const std::stop_token& stop) {
  const auto mode = choose_mode(look_at_host(stop));
  if (!mode)
    return tl::unexpected(mode.error());
  const swept_folder swept{work};
  bootstrapper b({*mode, what, ask_apt(debian_suite, stop), {}, {}}, work, progress, stop);
  if (auto ok = b.prepare(); !ok)
    return tl::unexpected(ok.error());
  auto content = b.run(tree, options);
  if (!content && content.error().code == errc::cancelled)
    return fail(errc::cancelled, "making the image was cancelled");
  if (!content)
    log::warn({}, "image_build_failed", {{"text", b.last_words()}});
  return content;
}

expected<void> sweep_bootstrap(const fs::path& work) {
  struct stat info {};
  if (::lstat(work.c_str(), &info) != 0)
    return {};
  for (int i = 0; i < 10 && end_strays(work); ++i) {
  }
  // A mount that was left there leads to what is not ours to remove.
  if (has_mounts_below(work))
    return fail(errc::operation_failed, "cannot remove " + work.string(),
                "something is mounted below it", "umount that, then delete the folder");
  std::vector<std::string> rm = {"rm", "-rf", "--one-file-system", "--", work.string()};
  auto gone = storage::run({.argv = rm, .cwd = "/", .deadline = 5min});
  if (gone || ::geteuid() == 0)
    return gone ? expected<void>{} : tl::unexpected(gone.error());
  // What is left belongs to subordinate ids: only root of their namespace may remove it.
  const auto around = confinement(bootstrap_mode::unshare);
  rm.insert(rm.begin(), around.begin(), around.end());
  gone = storage::run({.argv = rm, .cwd = "/", .deadline = 5min});
  return gone ? expected<void>{} : tl::unexpected(gone.error());
}

} // namespace banger::image
