#include "tests/hostile/scene.hpp"

#include "messages/transport/socket.hpp"
#include "tests/support/procfs.hpp"

#include <algorithm>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace banger::hostile {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

void make_socket(const fs::path& path) {
  const unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{AF_UNIX, {}};
  path.native().copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

void give_to_owner(const fs::path& path) {
  REQUIRE(::lchown(path.c_str(), owner_uid, owner_uid) == 0);
}

void fill_vm(const fs::path& folder, const fs::path& secret) {
  for (const auto* name : {"good", "sub/good", "hard", "roots", "setuid", "setgid"})
    test::put(folder / name, name);
  make_socket(folder / "api.sock");
  make_socket(folder / "roots.sock");
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  fs::create_symlink("good", folder / "link");
  fs::create_symlink("/etc/shadow", folder / "absolute");
  fs::create_symlink("nowhere", folder / "dangling");
  fs::create_symlink("/proc/self/fd/0", folder / "magic");
  fs::create_symlink("api.sock", folder / "socklink");
  fs::create_directory_symlink(".", folder / "sublink");
  fs::create_hard_link(folder / "hard", folder / "hard-too");
  fs::create_hard_link(secret, folder / "hard-outside");
}

std::string kind_and_size(const fs::path& path) {
  struct stat s {};
  if (::lstat(path.c_str(), &s) != 0)
    return "gone";
  std::ostringstream text;
  text << std::oct << s.st_mode << std::dec << ' ' << s.st_uid << ':' << s.st_gid << ' '
       << s.st_nlink << ' ' << s.st_size << ' ' << s.st_mtim.tv_sec << '.' << s.st_mtim.tv_nsec
       << ' ' << s.st_ctim.tv_sec << '.' << s.st_ctim.tv_nsec;
  if (S_ISREG(s.st_mode))
    text << ' ' << test::slurp(path);
  return text.str();
}

test::program command(std::vector<std::string> argv, std::uint32_t uid,
                      std::map<std::string, std::string> env = {}) {
  test::program p;
  p.argv = std::move(argv);
  p.env = std::move(env);
  p.in = test::input::pipe;
  p.uid = uid == 0 ? -1 : static_cast<std::int64_t>(uid);
  return p;
}

test::program helper(const host& where, const helper_process::options& o) {
  // Nobody would end it if a deadline of ctest's ended us.
  std::vector<std::string> argv{"/usr/bin/setpriv",
                                "--pdeathsig",
                                "KILL",
                                HOSTILE_HELPER,
                                "--role",
                                o.role,
                                "--owner-uid",
                                std::to_string(owner_uid),
                                "--socket-dir",
                                where.sockets().native(),
                                "--state-dir",
                                o.state.empty() ? where.state().native() : o.state};
  std::map<std::string, std::string> env;
  if (!o.failpoint.empty())
    env["BANGER_FAILPOINT"] = o.failpoint;
  return command(std::move(argv), 0, std::move(env));
}

} // namespace

host::host() { fs::permissions(top.top(), fs::perms(0755)); }

void host::make_state() {
  const auto secret = top / "outside/secret";
  test::put(secret, "nobody else's");
  const auto vms = state() / "vms";
  fill_vm(vms / vm, secret);
  fs::create_directory_symlink(vm, vms / linked_vm);
  test::put(vms / foreign_vm / "good", "");
  test::put(vms / file_vm, "");
  test::put(state() / "kernels/6.1/vmlinuz", "");
  test::put(state() / "kernels/6.1/initramfs", "");
  fs::create_directory_symlink("vms", state() / "top");
  fs::create_directory_symlink("../outside", state() / "outside");
  give_to_owner(state());
  fs::permissions(state(), fs::perms::owner_all);
  for (const auto& entry : fs::recursive_directory_iterator(state())) {
    const auto name = entry.path().filename().native();
    if (!name.starts_with("roots") && name != foreign_vm && name != "hard-outside")
      give_to_owner(entry.path());
  }
  fs::permissions(vms / vm / "setuid", fs::perms(04700));
  fs::permissions(vms / vm / "setgid", fs::perms(02710));
}

void host::make_foreign_links() {
  test::cable({space, "eth0", "203.0.113.1/24"}, {outside, "eth0", "203.0.113.2/24"});
  test::add_link(space, "docker0", "bridge");
  test::add_address(space, "docker0", "172.17.0.1/16");
}

std::string host::run(std::vector<std::string> argv) const {
  return space.in([&] {
    const auto done = test::run(
        {std::move(argv), {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}}, test::input::empty, -1}, {},
        20s);
    INFO(done.err);
    REQUIRE(done.status == 0);
    return done.out;
  });
}

std::string host::network() const {
  return run({"/usr/sbin/nft", "list", "ruleset"}) + run({"/usr/sbin/ip", "-o", "addr"}) +
         run({"/usr/sbin/ip", "-o", "link"}) +
         run({"/usr/sbin/ip", "route", "show", "table", "all"}) +
         test::proc_of(space, "/proc/sys/net/ipv4/ip_forward");
}

std::string host::files() const {
  std::vector<std::string> all;
  for (auto at = fs::recursive_directory_iterator(top.top());
       at != fs::recursive_directory_iterator(); ++at)
    if (at->path() == sockets())
      at.disable_recursion_pending();
    else
      all.push_back(at->path().native() + ' ' + kind_and_size(at->path()));
  std::sort(all.begin(), all.end());
  std::string text;
  for (const auto& line : all)
    text += line + '\n';
  return text;
}

std::vector<std::string> host::our_links() const {
  std::vector<std::string> ours;
  for (const auto& line : lines_of(run({"/usr/sbin/ip", "-o", "link"})))
    if (line.find(": br-fc") != line.npos || line.find(": tap-fc-") != line.npos)
      ours.push_back(line);
  return ours;
}

helper_process::helper_process(const host& where, const options& o)
    : process_(where.space.in([&] { return test::child(helper(where, o)); })) {
  std::size_t serving = 0;
  const bool up = until([&] {
    serving += log("serving").size();
    return serving == (o.role == "both" ? 2 : 1) || !running();
  });
  INFO(process_.err());
  REQUIRE((up && running()));
}

std::vector<json> helper_process::log(const std::string& event) {
  auto& from = read_[event];
  const auto end = process_.err().rfind('\n') + 1;
  std::vector<json> found;
  if (end <= from)
    return found;
  for (const auto& line : lines_of(process_.err().substr(from, end - from)))
    if (auto one = json::parse(line, nullptr, false);
        one.is_object() && one.value("event", "") == event)
      found.push_back(std::move(one));
  from = end;
  return found;
}

bool helper_process::logs(const std::string& event, const std::function<bool(const json&)>& fits) {
  return until([&] {
    const auto lines = log(event);
    return std::any_of(lines.begin(), lines.end(), fits);
  });
}

owner_process::owner_process(const host& where, helper_process& helper, std::uint32_t uid)
    : helper_(helper), process_(command({HOSTILE_OWNER, where.sockets().native()}, uid)) {}

bool owner_process::answered() const {
  return process_.out().find('\n', read_) != std::string::npos;
}

// Nobody else reads the helper's log meanwhile, and a full pipe would stop it.
bool owner_process::until(const std::function<bool()>& met, std::chrono::milliseconds deadline) {
  return process_.until(
      [&] {
        const bool there = met();
        if (!there)
          helper_.read_log();
        return there;
      },
      deadline);
}

json owner_process::answer() {
  const bool came = until([this] { return answered(); }, 60s);
  INFO(process_.err());
  REQUIRE(came);
  const auto end = process_.out().find('\n', read_);
  const auto line = process_.out().substr(read_, end - read_);
  read_ = end + 1;
  return json::parse(line);
}

json owner_process::ask(const std::string& command) {
  INFO(command);
  say(command);
  return answer();
}

std::int64_t rss_kib(pid_t pid) { return test::status_number(pid, "VmRSS"); }

bool stopped(pid_t pid) { return test::status_line(pid, "State").value_or("").starts_with("T"); }

std::size_t descriptors(pid_t pid) {
  return static_cast<std::size_t>(std::distance(
      fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd"), fs::directory_iterator()));
}

} // namespace banger::hostile
