#include "actors/daemon/host.hpp"

#include "actors/hypervisor/launcher.hpp"
#include "actors/hypervisor/process.hpp"
#include "actors/hypervisor/proving.hpp"
#include "actors/log/log.hpp"
#include "actors/ssh/keys.hpp"
#include "actors/storage/files.hpp"
#include "actors/vm/vm_file.hpp"
#include "messages/base/version.hpp"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <sys/file.h>
#include <thread>

namespace banger::daemon {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto last_moments = 3s;

expected<config::settings> read_config(options& o) {
  const auto where = find_folders();
  if (!where)
    return tl::unexpected(where.error());
  auto settings = config::load(*where);
  const char* helper = std::getenv("BANGER_NETWORK_HELPER");
  if (settings && helper != nullptr && *helper != '\0') {
    if (*helper != '/')
      return fail(errc::bad_request, "BANGER_NETWORK_HELPER: the path must begin with /", helper);
    settings->network.helper = helper;
  }
  if (settings)
    if (auto ok = settle(o, *settings); !ok)
      return tl::unexpected(ok.error());
  return settings;
}

expected<folders> prepare_folders(const options& o) {
  auto where = find_folders();
  if (!where)
    return where;
  for (const auto& folder : {where->runtime, where->state, where->state / "images", where->cache})
    if (auto ok = secure_folder(folder); !ok)
      return tl::unexpected(ok.error());
  if (auto ok = log::open({.file = daemon_log(*where), .least = o.log_level}); !ok)
    return tl::unexpected(ok.error());
  return where;
}

expected<unique_fd> lock_state(const folders& where) {
  // A daemon that was killed lets go of its sockets first: its lock may last a moment longer.
  auto lock = storage::lock_file(where.state / "bangerd.lock", {}, last_moments);
  if (lock || lock.error().code != errc::timed_out)
    return lock;
  return fail(errc::already_exists, "another daemon keeps the VMs in " + where.state.string(),
              "it may serve another XDG_RUNTIME_DIR", "end it with `banger daemon stop` there");
}

namespace {

expected<std::string> chosen_key(const fs::path& key) {
  const auto refuse = [&](std::string why, std::string remedy) {
    return fail(errc::bad_request, "ssh_key_path: cannot use " + key.string(), std::move(why),
                std::move(remedy));
  };
  auto line = ssh::read_public_line(key);
  if (!line)
    return refuse("its public half cannot be read: " + describe(line.error()),
                  "make both with `ssh-keygen -t ed25519 -f " + key.string() + "`");
  if (!line->starts_with("ssh-ed25519 ") || line->find('\n') != std::string::npos)
    return refuse(key.string() + ".pub is no ed25519 key", "make one with `ssh-keygen -t ed25519`");
  return line;
}

} // namespace

expected<key_source> find_key(const folders& where, const std::optional<fs::path>& chosen) {
  using lines = std::vector<std::string>;
  if (!chosen)
    return [folder = where.state / "ssh"] {
      return ssh::ensure_key(folder).map([](const std::string& line) { return lines{line}; });
    };
  const auto line = chosen_key(*chosen);
  if (!line)
    return tl::unexpected(line.error());
  return [keys = lines{*line}]() -> expected<lines> { return keys; };
}

namespace {

hypervisor::boot_limits scaled(hypervisor::boot_limits limits, double scale) {
  const auto stretch = [&](std::chrono::milliseconds& t) {
    t = std::chrono::duration_cast<std::chrono::milliseconds>(t * scale);
  };
  stretch(limits.silence);
  stretch(limits.total);
  return limits;
}

} // namespace

expected<back_ends> find_back_ends(const folders& where, const options& o,
                                   const config::settings& settings) {
  const auto facts = hypervisor::probe_host(where.cache);
  auto disk = storage::choose_root_disk(where.state, o.root_disk);
  if (!disk)
    return tl::unexpected(disk.error());
  auto key = find_key(where, settings.ssh_key_path);
  if (!key)
    return tl::unexpected(key.error());
  back_ends found;
  found.site.vms = where.state / "vms";
  found.site.driver = hypervisor::make_proving_driver(
      facts, where.cache, scaled(hypervisor::boot_limits{}, o.time_scale));
  found.site.launcher = hypervisor::make_direct_launcher(facts);
  found.site.root_disk = disk->kind;
  found.site.authorized_keys = std::move(*key);
  found.site.time_scale = o.time_scale;
  if (settings.boot_wait)
    found.site.boot_wait = std::chrono::duration_cast<std::chrono::seconds>(*settings.boot_wait);
  if (settings.default_dns)
    found.site.dns = {*settings.default_dns};
  found.root_disk = std::string(storage::to_string(disk->kind));
  if (!disk->passed_over.empty())
    found.root_disk += " (" + disk->passed_over + ")";
  found.confinement =
      facts.landlock_abi > 0 ? "landlock, seccomp" : "seccomp; this kernel offers no landlock";
  return found;
}

messages::daemon_status describe_daemon(const folders& where, const back_ends& found,
                                        const config::settings& settings) {
  const auto& build = this_build();
  messages::daemon_status s;
  s.pid = static_cast<std::uint32_t>(::getpid());
  s.protocol = protocol_version;
  s.version = build.version;
  s.commit = build.commit;
  s.root_disk = found.root_disk;
  s.confinement = found.confinement;
  s.state_folder = where.state.string();
  s.runtime_folder = where.runtime.string();
  s.config_file = settings.file.string();
  return s;
}

namespace {

std::optional<vm::verb> unfinished_verb(const store::snapshot& recorded, const std::string& id) {
  const auto cut_off = std::find_if(recorded.unfinished.begin(), recorded.unfinished.end(),
                                    [&](const auto& i) { return i.vm == id; });
  if (cut_off != recorded.unfinished.end())
    if (auto parsed = vm::parse_verb(cut_off->verb))
      return *parsed;
  return {};
}

// Of a create that was cut off: was its guest launched, and on an earlier boot? A torn vm.json is
// the work of a loss of power, since it comes by a rename.
void look_at_launch(const fs::path& folder, vm::evidence& found) {
  const auto file = vm::read_vm_file(folder);
  const auto process = hypervisor::read_record(folder / hypervisor::identity_file);
  std::error_code ignored;
  found.launched = fs::exists(folder / vm::vm_file_name, ignored) ||
                   fs::exists(folder / hypervisor::identity_file, ignored);
  const auto boot_id = file ? file->boot_id : process ? process->process.boot_id : std::string();
  found.host_rebooted = found.launched && boot_id != hypervisor::host_boot_id();
}

// Its record is from before its disks were made: vm.json has what came after.
void complete(vm::record& vm, const fs::path& folder) {
  vm.last_error =
      "the host went down while the VM was created: its disks are as after a loss of power";
  const auto file = vm::read_vm_file(folder);
  if (file)
    vm.machine = file->vm.machine;
  const auto usable = file ? vm::check_disks(vm, folder) : tl::unexpected(file.error());
  vm.now = usable ? vm::state::stopped : vm::state::error;
  if (!usable)
    vm.last_error += "; it cannot be started: " + describe(usable.error());
}

} // namespace

std::vector<vms::found_vm> take_stock(const store::snapshot& recorded, const fs::path& vms) {
  std::vector<vms::found_vm> found;
  for (auto vm : recorded.vms) {
    const auto folder = vms / vm.id.str();
    const auto is_alive = [](const auto& p) { return p.pid != 0 && hypervisor::alive(p); };
    // A crash between the start of a hypervisor and its record leaves this file as the only trace.
    if (!is_alive(vm.machine.process))
      if (auto traced = hypervisor::recorded_process(folder); traced && is_alive(*traced))
        vm.machine.process = *traced;
    const auto& boot_id = vm.machine.process.boot_id;
    vm::evidence seen{unfinished_verb(recorded, vm.id.str()), is_alive(vm.machine.process),
                      !boot_id.empty() && boot_id != hypervisor::host_boot_id()};
    if (!seen.process_lives)
      vm.machine.process = {};
    if (seen.unfinished == vm::verb::create)
      look_at_launch(folder, seen);
    const auto then = vm::recover(vm, seen);
    if (then == vm::recovery::rescue)
      complete(vm, folder);
    found.push_back({std::move(vm), then});
  }
  return found;
}

std::vector<std::string> damaged_intents(const store::snapshot& recorded) {
  std::vector<std::string> lines;
  for (const auto& i : recorded.unfinished)
    if (!vm::parse_verb(i.verb) || !vm_id::parse(i.vm))
      lines.push_back("the journal has a damaged row: operation '" + i.op.substr(0, 32) +
                      "', verb '" + i.verb.substr(0, 32) + "', VM '" + i.vm.substr(0, 32) + "'");
  return lines;
}

// A row that could not be read is told by itself; the VM's folder is not an orphan for it.
std::set<std::string> set_aside(const store::snapshot& recorded) {
  std::set<std::string> ids;
  for (const auto& row : recorded.quarantined)
    ids.insert(row.substr(0, row.find(':')));
  return ids;
}

std::vector<messages::orphan_view> find_orphans(const store::snapshot& recorded,
                                                const fs::path& vms, const fs::path& images) {
  auto known = set_aside(recorded);
  for (const auto& vm : recorded.vms)
    known.insert(vm.id.str());
  std::vector<messages::orphan_view> found;
  std::error_code ignored;
  for (const auto& folder : fs::directory_iterator(vms, ignored))
    if (const auto id = folder.path().filename().string(); vm_id::parse(id) && known.count(id) == 0)
      if (auto orphan = vms::look_at_orphan(folder.path(), images); !orphan.view.folder.empty())
        found.push_back(std::move(orphan.view));
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return found;
}

std::string describe_orphan(const messages::orphan_view& orphan) {
  auto line = "the database knows no VM " + orphan.id + ", but there is " + orphan.folder;
  if (orphan.pid != 0)
    line += ", and its hypervisor runs: pid " + std::to_string(orphan.pid);
  return line;
}

fs::path find_banger_init() {
  if (const char* given = std::getenv("BANGER_INIT"))
    return given;
  std::error_code ignored;
  const auto folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  const auto beside = folder / "banger-init";
  const auto installed = folder.parent_path() / "libexec/banger/banger-init";
  return !fs::exists(beside, ignored) && fs::exists(installed, ignored) ? installed : beside;
}

} // namespace banger::daemon
