#include "actors/image/debian_tree.hpp"

#include "actors/image/bootstrap_plan.hpp"
#include "actors/storage/files.hpp"
#include "actors/storage/lines.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace banger::image {

namespace fs = std::filesystem;

namespace {

// A name that ends in '/' stands for all that is in the folder, one that ends in '*' for all that
// begin so.
constexpr std::array<std::string_view, 19> unwanted = {
    "dev/",
    "etc/hostname",
    "etc/resolv.conf",
    "etc/machine-id",
    "etc/fstab",
    "etc/.pwd.lock",
    "etc/ssh/ssh_host_*",
    "etc/apt/sources.list.d/",
    "etc/apt/auth.conf*",
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
    "etc/systemd/system/timers.target.wants/",
    "etc/systemd/system/getty.target.wants/",
    "run/",
    "tmp/",
    "var/tmp/",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    "var/log/journal*",
};

constexpr const char* sources_list = "etc/apt/sources.list";

// Folders whose programs want to find them, empty.
constexpr std::array<std::string_view, 3> emptied = {"var/cache/apt/", "var/lib/apt/lists/",
                                                     "var/log/"};

struct text_file {
  const char* path;
  const char* text;
};

constexpr std::array files = {
    // Written for each VM before systemd starts.
    text_file{"etc/machine-id", ""},
    text_file{"etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"},
    text_file{"etc/fstab", "# The root and /root are mounted before systemd starts.\n"},
    text_file{"etc/default/locale", "LANG=C.UTF-8\n"},
    text_file{"etc/apt/apt.conf.d/90banger", "Acquire::Languages \"none\";\n"},
    text_file{"etc/ssh/sshd_config.d/99-banger.conf",
              "PermitRootLogin prohibit-password\n"
              "PubkeyAuthentication yes\n"
              "PasswordAuthentication no\n"
              "KbdInteractiveAuthentication no\n"
              "AuthorizedKeysFile /root/.ssh/authorized_keys\n"},
    text_file{
        "etc/systemd/system/banger-ssh-key.service",
        "[Unit]\n"
        "Description=SSH host key of this machine\n"
        "Before=ssh.service\n"
        "ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key\n"
        "\n"
        "[Service]\n"
        "Type=oneshot\n"
        "ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N \"\" -f /etc/ssh/ssh_host_ed25519_key\n"
        "RemainAfterExit=yes\n"},
    text_file{"etc/tmpfiles.d/banger.conf", "d /run/sshd 0755 root root -\n"},
    text_file{"etc/systemd/journald.conf.d/90banger.conf",
              "[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n"},
    text_file{"etc/systemd/system.conf.d/90banger.conf", "[Manager]\nDefaultTimeoutStopSec=10s\n"},
    // For the packages of these names, if they are included: the address is there already.
    text_file{"etc/NetworkManager/conf.d/90banger.conf",
              "[keyfile]\nunmanaged-devices=interface-name:eth0\n"},
    text_file{"etc/cloud/cloud.cfg.d/90banger.cfg", "network: {config: disabled}\n"},
};

struct link {
  const char* path;
  const char* to;
};

constexpr std::array links = {
    link{"etc/systemd/system/default.target", "/lib/systemd/system/multi-user.target"},
    link{"etc/systemd/system/ssh.service.requires/banger-ssh-key.service",
         "/etc/systemd/system/banger-ssh-key.service"},
    // The interface keeps the name that it has when systemd starts.
    link{"etc/systemd/network/99-default.link", "/dev/null"},
};

// What would fight with what is done already, wait 90 s for what is not there, or work in vain.
constexpr std::array<std::string_view, 19> masked = {
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-networkd-wait-online.service",
    "systemd-resolved.service",
    "networking.service",
    "systemd-firstboot.service",
    "systemd-machine-id-commit.service",
    "dev-ttyS0.device",
    "dev-hvc0.device",
    "serial-getty@ttyS0.service",
    "serial-getty@hvc0.service",
    "e2scrub_reap.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "man-db.timer",
    "motd-news.timer",
};

// A folder in the tree, and those above it; one that the archive brought stays as it is.
expected<void> make_folders(const fs::path& tree, const fs::path& path) {
  auto here = tree;
  for (const auto& part : path) {
    here /= part;
    struct stat info {};
    // The umask is the daemon's, and must not show.
    if (::mkdir(here.c_str(), 0755) == 0 && ::chmod(here.c_str(), 0755) == 0)
      continue;
    if (errno != EEXIST || ::lstat(here.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
      return fail(errc::operation_failed,
                  "cannot make the folder " + path.string() + " of an image",
                  "something else is there");
  }
  return {};
}

expected<void> put_link(const fs::path& tree, const fs::path& path, const char* to) {
  if (auto ok = make_folders(tree, path.parent_path()); !ok)
    return ok;
  ::unlink((tree / path).c_str());
  if (::symlink(to, (tree / path).c_str()) != 0)
    return fail_errno("cannot make the link " + path.string() + " of an image", errno);
  return {};
}

bool wants(const fs::path& tree, std::string_view path) {
  for (const std::string_view optional : {"etc/NetworkManager/", "etc/cloud/"})
    if (path.starts_with(optional))
      return fs::is_directory(tree / optional);
  return true;
}

// With what an image was made of, more is to be had from the same place.
expected<void> put_sources(const fs::path& tree) {
  const auto made_from = storage::read_file(tree / sources_list, 1 << 20);
  if (!made_from)
    return tl::unexpected(made_from.error());
  return storage::write_file(tree / sources_list, guest_sources(*made_from), 0644);
}

std::string kept_away() {
  std::string text = "# Delete this file to have them with the packages that you install.\n";
  for (const auto* rule : path_rules)
    text += std::string(rule) + "\n";
  return text;
}

expected<void> put_file(const fs::path& tree, const fs::path& path, std::string_view text) {
  if (auto ok = make_folders(tree, path.parent_path()); !ok)
    return ok;
  return storage::write_file(tree / path, text, 0644);
}

std::string_view value_of(std::string_view line, std::string_view key) {
  return line.starts_with(key) ? line.substr(key.size()) : std::string_view{};
}

} // namespace

bool is_unwanted_in_debian(std::string_view path, bool folder) {
  const auto inside = [&](std::string_view rule) { return path.starts_with(rule); };
  if (!folder && std::any_of(emptied.begin(), emptied.end(), inside))
    return true;
  return std::any_of(unwanted.begin(), unwanted.end(), [&](std::string_view rule) {
    if (rule.ends_with('*'))
      return path.starts_with(rule.substr(0, rule.size() - 1));
    if (rule.ends_with('/'))
      return path.size() > rule.size() && path.starts_with(rule);
    return path == rule;
  });
}

expected<void> dress_debian(const fs::path& tree) {
  for (const auto& f : files)
    if (wants(tree, f.path))
      if (auto ok = put_file(tree, f.path, f.text); !ok)
        return ok;
  if (auto ok = put_file(tree, "etc/dpkg/dpkg.cfg.d/90banger", kept_away()); !ok)
    return ok;
  if (auto ok = put_sources(tree); !ok)
    return ok;
  for (const auto& l : links)
    if (auto ok = put_link(tree, l.path, l.to); !ok)
      return ok;
  for (const auto unit : masked)
    if (auto ok = put_link(tree, "etc/systemd/system/" + std::string(unit), "/dev/null"); !ok)
      return ok;
  // No machine offers a console to log in at: root has no password.
  for (const auto* generator : {"systemd-getty-generator", "systemd-gpt-auto-generator"})
    if (auto ok =
            put_link(tree, fs::path("etc/systemd/system-generators") / generator, "/dev/null");
        !ok)
      return ok;
  return {};
}

std::string guest_sources(std::string_view made_from) {
  std::string text;
  storage::each_line(made_from, [&](std::string_view line) {
    const auto open = line.find('['), close = line.find("] ");
    std::string source(line);
    if (open != std::string_view::npos && close != std::string_view::npos)
      source.erase(open, close + 2 - open);
    const auto host = source.find("://"), at = source.find('@');
    if (host != std::string::npos && at < source.find('/', host + 3))
      source.erase(host + 3, at - host - 2);
    text += source + "\n";
  });
  return text;
}

std::vector<std::string> installed_packages(std::string_view status) {
  std::vector<std::string> all;
  std::string name, version;
  bool installed = false;
  const auto close = [&] {
    if (installed && !name.empty())
      all.push_back(name + " " + version);
    name.clear();
    version.clear();
    installed = false;
  };
  storage::each_line(status, [&](std::string_view line) {
    if (line.empty())
      close();
    else if (const auto n = value_of(line, "Package: "); !n.empty())
      name = n;
    else if (const auto v = value_of(line, "Version: "); !v.empty())
      version = v;
    else if (line.starts_with("Status: "))
      installed = line.ends_with(" installed");
  });
  close();
  return all;
}

} // namespace banger::image
