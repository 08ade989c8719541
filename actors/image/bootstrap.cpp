#include "actors/image/bootstrap.hpp"

#include "actors/image/bootstrap_plan.hpp"
#include "actors/image/lines.hpp"
#include "actors/storage/process.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <future>
#include <sys/stat.h>
#include <unistd.h>

namespace banger::image {

namespace fs = std::filesystem;
using storage::find_program;
using namespace std::chrono_literals;

namespace {

constexpr auto bootstrap_deadline = 1h;
constexpr auto unwinding = 10s; // mmdebstrap removes what it made when it is told to end
constexpr std::string_view scratch_start = "banger-image-";

bool succeeds(std::vector<std::string> argv, const std::stop_token& stop) {
  return storage::run({.argv = std::move(argv), .cwd = "/", .deadline = 20s}, stop).has_value();
}

bootstrap_facts look_at_host(const std::stop_token& stop) {
  bootstrap_facts facts;
  facts.root = ::geteuid() == 0;
  facts.mmdebstrap = !find_program("mmdebstrap").empty();
  if (facts.root || !facts.mmdebstrap)
    return facts;
  if (find_program("newuidmap").empty())
    facts.namespaces = "newuidmap (package uidmap) is not installed";
  else if (!succeeds({"mmdebstrap", "--unshare-helper", "true"}, stop))
    facts.namespaces = "user namespaces with subordinate ids do not work here";
  facts.fakechroot = !find_program("fakechroot").empty();
  facts.fakeroot = !find_program("fakeroot").empty();
  return facts;
}

// Not below a folder of ours: in a user namespace nobody may enter those.
fs::path work_place() {
  const char* told = std::getenv("TMPDIR");
  return told != nullptr && *told == '/' ? told : "/var/tmp";
}

std::string draw_name() {
  std::array<unsigned char, 8> bytes{};
  [[maybe_unused]] const auto got = ::getentropy(bytes.data(), bytes.size());
  std::string name(scratch_start);
  for (const auto b : bytes) {
    name += "0123456789abcdef"[b >> 4];
    name += "0123456789abcdef"[b & 15];
  }
  return name;
}

bool has_mounts_below(const fs::path& folder) {
  const auto text = storage::read_file("/proc/self/mountinfo", 64 << 20);
  bool found = !text;
  each_line(text.value_or(""), [&](std::string_view line) {
    found = found || line.find(" " + folder.string() + "/") != std::string_view::npos;
  });
  return found;
}

expected<void> remove_scratch(const fs::path& folder) {
  struct stat info {};
  if (::lstat(folder.c_str(), &info) != 0)
    return {};
  if (!S_ISDIR(info.st_mode) || info.st_uid != ::geteuid() ||
      !folder.filename().string().starts_with(scratch_start))
    return fail(errc::operation_failed, "cannot remove " + folder.string(),
                "it is no folder of ours");
  if (has_mounts_below(folder))
    return fail(errc::operation_failed, "cannot remove " + folder.string(),
                "something is mounted in it", "umount what is below it, then delete it");
  const std::vector<std::string> rm = {"rm", "-rf", "--one-file-system", "--"};
  const auto with = [](std::vector<std::string> words, const fs::path& path) {
    words.push_back(path.string());
    return storage::command{.argv = std::move(words), .cwd = "/", .deadline = 5min};
  };
  if (storage::run(with(rm, folder)))
    return {};
  // What is left belongs to subordinate ids: only root of their namespace may remove it.
  std::vector<std::string> helper = {"mmdebstrap", "--unshare-helper"};
  helper.insert(helper.end(), rm.begin(), rm.end());
  std::error_code bad;
  for (fs::directory_iterator at(folder, bad), end; !bad && at != end; at.increment(bad))
    static_cast<void>(storage::run(with(helper, at->path())));
  if (auto gone = storage::run(with(rm, folder)); !gone)
    return tl::unexpected(gone.error());
  return {};
}

// The folder where mmdebstrap works, and the record of it.
class work_folder {
public:
  expected<void> make(const fs::path& record) {
    record_ = record;
    path_ = work_place() / draw_name();
    if (auto ok = storage::write_file(record_, path_.string()); !ok)
      return ok;
    // Others may pass through it: mmdebstrap is somebody else in its namespace.
    if (::mkdir(path_.c_str(), 0711) != 0 || ::chmod(path_.c_str(), 0711) != 0)
      return fail_errno("cannot make the folder " + path_.string(), errno);
    return {};
  }
  ~work_folder() {
    if (!record_.empty())
      static_cast<void>(sweep_bootstrap(record_));
  }
  work_folder() = default;
  work_folder(const work_folder&) = delete;
  work_folder& operator=(const work_folder&) = delete;
  const fs::path& path() const { return path_; }

private:
  fs::path record_, path_;
};

// As root it mounts things: then in a namespace of its own, so that neither mounts nor processes
// outlive it, or us. Otherwise it ends by itself when nobody listens to it any more.
std::vector<std::string> confine(std::vector<std::string> words, bootstrap_mode mode,
                                 const std::stop_token& stop) {
  std::vector<std::string> around;
  if (mode == bootstrap_mode::root &&
      succeeds({"unshare", "--mount", "--pid", "--fork", "true"}, stop))
    around = {"setpriv", "--pdeathsig", "KILL",   "--",           "unshare",
              "--mount", "--pid",       "--fork", "--kill-child", "--"};
  around.insert(around.end(), words.begin(), words.end());
  return around;
}

// mmdebstrap's archive is unpacked while it comes.
expected<tar_content> run_bootstrap(storage::command run, const fs::path& tree,
                                    const tar_options& options, bootstrap_watch& watch,
                                    const std::stop_token& stop) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return fail_errno("cannot make a pipe for mmdebstrap", errno);
  unique_fd out(ends[0]), in(ends[1]);
  std::stop_source halt;
  const std::stop_callback passed_on(stop, [&] { halt.request_stop(); });
  auto unpacking = std::async(std::launch::async, [&]() -> expected<tar_content> {
    auto content = unpack_tar(out.get(), tree, options, halt.get_token());
    out.reset();
    if (!content)
      halt.request_stop();
    return content;
  });
  run.output = in.get();
  const auto ended = storage::run(run, halt.get_token());
  in.reset();
  auto content = unpacking.get();
  if (stop.stop_requested())
    return fail(errc::cancelled, "making the image was cancelled");
  if (!ended && ended.error().code != errc::cancelled)
    return tl::unexpected(watch.explain(ended.error(), debian_suite));
  return content;
}

} // namespace

expected<tar_content> bootstrap(const recipe& what, const fs::path& tree, const fs::path& record,
                                const tar_options& options, const storage::progress_fn& progress,
                                const std::stop_token& stop) {
  const auto mode = choose_mode(look_at_host(stop));
  if (!mode)
    return tl::unexpected(mode.error());
  bootstrap_plan plan{*mode, what, ask_apt(debian_suite, stop), {}};
  work_folder scratch;
  if (auto ok = scratch.make(record); !ok)
    return tl::unexpected(ok.error());
  if (!plan.from.options.empty()) {
    plan.options_file = scratch.path() / "apt.conf";
    if (auto ok = storage::write_file(plan.options_file, plan.from.options, 0644); !ok)
      return tl::unexpected(ok.error());
  }
  bootstrap_watch watch;
  storage::command run{.argv = confine(bootstrap_arguments(plan), *mode, stop),
                       .env = {"TMPDIR=" + scratch.path().string()},
                       .cwd = "/",
                       .deadline = bootstrap_deadline,
                       .grace = unwinding,
                       .max_output = 64 << 10};
  run.on_error_line = [&](std::string_view line) {
    if (const auto news = watch.hear(line); news && progress)
      progress("packages", *news);
  };
  return run_bootstrap(std::move(run), tree, options, watch, stop);
}

expected<void> sweep_bootstrap(const fs::path& record) {
  const auto path = storage::read_file(record, 4096);
  if (!path)
    return path.error().code == errc::not_found ? expected<void>{} : tl::unexpected(path.error());
  if (auto ok = remove_scratch(*path); !ok)
    return ok;
  std::error_code ignored;
  fs::remove(record, ignored);
  return {};
}

} // namespace banger::image
