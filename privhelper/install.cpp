#include "privhelper/install.hpp"

#include "messages/base/paths.hpp"
#include "messages/base/unique_fd.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>

namespace banger::helper {

namespace fs = std::filesystem;

namespace {

constexpr const char* by_flag = "name the owner on the command line";
constexpr std::size_t largest = std::size_t{64} * 1024;

std::string stamp(std::chrono::sys_seconds when) {
  using namespace std::chrono;
  const auto date = floor<days>(when);
  const year_month_day day(date);
  const hh_mm_ss time(when - date);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ",
                static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                static_cast<unsigned>(day.day()), static_cast<int>(time.hours().count()),
                static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()));
  return text.data();
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text)
    out += (c == '"' || c == '\\' ? "\\" : "") + std::string(1, c);
  return out + "\"";
}

expected<struct stat> look_at(const unique_fd& fd, mode_t type, const std::string& name,
                              uid_t trusted) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0)
    return fail_errno("cannot look at " + name, errno);
  const auto refuse = [&](std::string why, std::string remedy) {
    return fail(errc::unauthorized, "will not trust " + name, std::move(why), std::move(remedy));
  };
  if ((info.st_mode & S_IFMT) != type)
    return refuse("it is not what it should be: a file in a folder",
                  std::string("remove it, and ") + by_flag);
  if (info.st_uid != trusted)
    return refuse("it belongs to user " + std::to_string(info.st_uid), "chown root " + name);
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return refuse("others than its owner may write it", "chmod go-w " + name);
  return info;
}

tl::unexpected<failure> cannot_open(const std::string& name, int error) {
  if (error == ENOENT)
    return fail(errc::not_found, "cannot read " + name, "it is not there",
                std::string(by_flag) + ": --owner-uid UID");
  if (error == ELOOP || error == ENOTDIR)
    return fail(errc::unauthorized, "will not trust " + name, "it is a link, or below a file",
                std::string("remove it, and ") + by_flag);
  return fail_errno("cannot read " + name, error);
}

} // namespace

std::string to_toml(const install& i) {
  return "# Only root may change it.\n[owner]\nuser = " + quoted(i.user) +
         "\nuid = " + std::to_string(i.uid) + "\ngid = " + std::to_string(i.gid) +
         "\nhome = " + quoted(i.home.string()) + "\n\n[build]\nversion = " + quoted(i.version) +
         "\ncommit = " + quoted(i.commit) + "\nbuilt_at = " + stamp(i.built_at) +
         "\n\n[install]\ninstalled_at = " + stamp(i.installed_at) +
         "\n\n[ids]\nfirst = " + std::to_string(i.ids.first) +
         "\ncount = " + std::to_string(i.ids.count) + "\n";
}

// Whoever may write the folder may put another file of root's in this one's place.
expected<install> load_install(const fs::path& file, uid_t trusted) {
  const auto folder = file.parent_path();
  const unique_fd in(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!in)
    return cannot_open(file.string(), errno);
  if (auto ok = look_at(in, S_IFDIR, folder.string(), trusted); !ok)
    return tl::unexpected(ok.error());
  const unique_fd fd(::openat(in.get(), file.filename().c_str(),
                              O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!fd)
    return cannot_open(file.string(), errno);
  if (auto ok = look_at(fd, S_IFREG, file.string(), trusted); !ok)
    return tl::unexpected(ok.error());
  const auto text = read_all(fd.get(), file.string(), largest);
  if (!text)
    return tl::unexpected(text.error());
  return parse_install(*text, file);
}

} // namespace banger::helper
