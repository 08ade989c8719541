#include "actors/image/tiny_tree.hpp"

#include "actors/image/elf.hpp"
#include "actors/storage/files.hpp"
#include "actors/storage/process.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <set>
#include <string_view>

namespace banger::image {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t max_program = 64 << 20;
constexpr const char* remedy = "run scripts/bootstrap";

struct folder_entry {
  const char* path;
  unsigned mode;
};
constexpr std::array folders{
    folder_entry{"bin", 0755},           folder_entry{"sbin", 0755},
    folder_entry{"usr/bin", 0755},       folder_entry{"usr/sbin", 0755},
    folder_entry{"usr/local/bin", 0755}, folder_entry{"lib/modules", 0755},
    folder_entry{"etc/dropbear", 0700},  folder_entry{"dev", 0755},
    folder_entry{"proc", 0555},          folder_entry{"sys", 0555},
    folder_entry{"run", 0755},           folder_entry{"tmp", 01777},
    folder_entry{"root", 0700},          folder_entry{"home", 0755},
    folder_entry{"mnt", 0755},           folder_entry{"opt", 0755},
    folder_entry{"srv", 0755},           folder_entry{"var/lib", 0755},
    folder_entry{"var/log", 0755},       folder_entry{"var/tmp", 01777},
};

struct file_entry {
  const char* path;
  unsigned mode;
  const char* content;
};
constexpr std::array files{
    file_entry{"etc/passwd", 0644,
               "root:x:0:0:root:/root:/bin/sh\n"
               "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
    file_entry{"etc/shadow", 0640, "root:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n"},
    file_entry{"etc/group", 0644, "root:x:0:\ntty:x:5:\nshadow:x:42:\nnogroup:x:65534:\n"},
    file_entry{"etc/shells", 0644, "/bin/sh\n/bin/ash\n"},
    file_entry{"etc/hosts", 0644, "127.0.0.1 localhost\n::1 localhost\n"},
    file_entry{"etc/nsswitch.conf", 0644,
               "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"},
    file_entry{"etc/profile", 0644,
               "export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
               "[ -z \"$PS1\" ] || PS1='\\u@\\h:\\w\\$ '\n"},
    file_entry{"etc/os-release", 0644,
               "ID=banger-tiny\nNAME=\"banger tiny\"\nPRETTY_NAME=\"banger tiny (busybox)\"\n"
               "VERSION_ID=1\n"},
};

// banger-init is the first process here, and nothing in the image knows Debian's package formats.
constexpr std::array<std::string_view, 6> unwanted_applets{"busybox", "init",     "linuxrc",
                                                           "dpkg",    "dpkg-deb", "rpm"};

expected<void> check(std::string what, const std::error_code& bad) {
  if (bad)
    return fail_errno(std::move(what), bad.value());
  return {};
}

expected<void> set_mode(const fs::path& file, unsigned mode) {
  std::error_code bad;
  fs::permissions(file, static_cast<fs::perms>(mode), bad);
  return check("cannot set the mode of " + file.string(), bad);
}

// By mke2fs the tree's modes become the image's: the umask must not show.
expected<void> make_folder(const fs::path& tree, const fs::path& name, unsigned mode) {
  auto path = tree;
  for (const auto& part : name) {
    path /= part;
    std::error_code bad;
    if (fs::create_directory(path, bad))
      if (auto ok = set_mode(path, 0755); !ok)
        return ok;
    if (bad)
      return check("cannot make the folder " + path.string(), bad);
  }
  return mode == 0755 ? expected<void>{} : set_mode(path, mode);
}

expected<void> make_file(const fs::path& tree, const fs::path& name, std::string_view content,
                         unsigned mode) {
  if (auto ok = make_folder(tree, name.parent_path(), 0755); !ok)
    return ok;
  return storage::write_file(tree / name, content, mode);
}

// Copies programs, and the libraries that they need, to where they are on the host: there its
// dynamic linker looks for them.
class copier {
public:
  explicit copier(const fs::path& tree) : tree_(tree) {}

  expected<void> copy(const fs::path& from, const fs::path& to) {
    if (auto ok = copy_one(from, to); !ok)
      return ok;
    while (!libraries_.empty()) {
      const auto next = libraries_.front();
      libraries_.pop_front();
      if (seen_.insert(next).second)
        if (auto ok = copy_library(next); !ok)
          return ok;
    }
    return {};
  }

private:
  expected<void> copy_one(const fs::path& from, const fs::path& to) {
    const auto bytes = storage::read_file(from, max_program);
    if (!bytes)
      return tl::unexpected(bytes.error());
    const auto dynamic = read_dynamic(*bytes);
    if (!dynamic)
      return fail(errc::unavailable, "cannot use " + from.string() + " of this machine",
                  dynamic.error().why, remedy);
    if (!dynamic->interpreter.empty())
      libraries_.push_back(dynamic->interpreter);
    libraries_.insert(libraries_.end(), dynamic->needed.begin(), dynamic->needed.end());
    return make_file(tree_, to.relative_path(), *bytes, 0755);
  }

  expected<void> copy_library(const std::string& name) {
    constexpr std::array places{"/lib/x86_64-linux-gnu",
                                "/usr/lib/x86_64-linux-gnu",
                                "/lib64",
                                "/usr/lib64",
                                "/lib",
                                "/usr/lib"};
    if (name.find('/') != std::string::npos)
      return copy_one(name, name);
    for (const fs::path place : places) {
      std::error_code ignored;
      if (fs::is_regular_file(place / name, ignored))
        return copy_one(place / name, place / name);
    }
    return fail(errc::unavailable, "the library " + name + " is not installed",
                "a program of the image tiny needs it", remedy);
  }

  const fs::path& tree_;
  std::deque<std::string> libraries_;
  std::set<std::string> seen_;
};

expected<void> link_applets(const fs::path& tree, const fs::path& busybox,
                            const std::stop_token& stop) {
  const storage::command list{.argv = {busybox.string(), "--list-full"}, .remedy = remedy};
  const auto listed = storage::run(list, stop);
  if (!listed)
    return tl::unexpected(listed.error());
  std::string_view rest = listed->out;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const fs::path applet(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const auto name = applet.filename().string();
    if (name.empty() || applet.is_absolute() || *applet.begin() == ".." ||
        std::find(unwanted_applets.begin(), unwanted_applets.end(), name) != unwanted_applets.end())
      continue;
    if (auto ok = make_folder(tree, applet.parent_path(), 0755); !ok)
      return ok;
    std::error_code bad;
    fs::create_symlink("/bin/busybox", tree / applet, bad);
    if (bad && bad != std::errc::file_exists)
      return check("cannot make the link " + applet.string(), bad);
  }
  return {};
}

} // namespace

expected<tiny_parts> find_tiny_parts() {
  tiny_parts parts;
  parts.busybox = storage::find_program("busybox");
  if (parts.busybox.empty())
    return fail(errc::unavailable, "cannot build the image tiny",
                "busybox (package busybox-static) is not installed", remedy);
  for (const auto* name : {"dropbear", "dropbearkey", "dbclient"}) {
    const auto program = storage::find_program(name);
    if (program.empty())
      return fail(errc::unavailable, "cannot build the image tiny",
                  std::string(name) + " (package dropbear-bin) is not installed", remedy);
    parts.dropbear.push_back(program);
  }
  return parts;
}

expected<void> fill_tiny_tree(const fs::path& tree, const tiny_parts& parts,
                              const std::stop_token& stop) {
  if (auto ok = set_mode(tree, 0755); !ok)
    return ok;
  for (const auto& [path, mode] : folders)
    if (auto ok = make_folder(tree, path, mode); !ok)
      return ok;
  for (const auto& [path, mode, content] : files)
    if (auto ok = make_file(tree, path, content, mode); !ok)
      return ok;
  copier copy(tree);
  if (auto ok = copy.copy(parts.busybox, "bin/busybox"); !ok)
    return ok;
  for (const auto& program : parts.dropbear) {
    const auto place = program.filename() == "dropbear" ? "usr/sbin" : "usr/bin";
    if (auto ok = copy.copy(program, place / program.filename()); !ok)
      return ok;
  }
  return link_applets(tree, parts.busybox, stop);
}

owner_map tiny_owners() { return {{"/etc/shadow", {0, 42, 0640}}}; }

} // namespace banger::image
