#include "cli/log_file.hpp"

#include "messages/base/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace banger::cli {

namespace {

class reader {
public:
  reader(const std::filesystem::path& file, const std::function<bool(std::string_view)>& sink)
      : path_(file), sink_(sink) {}

  expected<void> open() {
    fd_.reset(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (fd_)
      return {};
    if (errno == ENOENT)
      return fail(errc::not_found, "there is no daemon log yet", path_.string() + " does not exist",
                  "the first command that needs the daemon starts it");
    return fail_errno("cannot open " + path_.string(), errno);
  }

  /// False when the sink wants no more.
  expected<bool> drain() {
    std::array<char, 65536> piece;
    for (;;) {
      const auto n = ::read(fd_.get(), piece.data(), piece.size());
      if (n < 0 && errno != EINTR)
        return fail_errno("cannot read " + path_.string(), errno);
      if (n == 0)
        return true;
      if (n > 0 && !sink_({piece.data(), static_cast<std::size_t>(n)}))
        return false;
    }
  }

  /// The name may have come to mean another file, or ours may have been cut.
  expected<void> catch_up() {
    struct stat named {
    }, ours{};
    if (::stat(path_.c_str(), &named) != 0 || ::fstat(fd_.get(), &ours) != 0)
      return {};
    if (named.st_ino != ours.st_ino || named.st_dev != ours.st_dev)
      return open();
    if (ours.st_size < ::lseek(fd_.get(), 0, SEEK_CUR))
      ::lseek(fd_.get(), 0, SEEK_SET);
    return {};
  }

private:
  const std::filesystem::path& path_;
  const std::function<bool(std::string_view)>& sink_;
  unique_fd fd_;
};

} // namespace

expected<void> read_log(const std::filesystem::path& file, bool follow,
                        const std::function<bool(std::string_view)>& sink) {
  // Watched before it is read: what is written in between is not missed.
  const unique_fd watch(follow ? ::inotify_init1(IN_CLOEXEC) : -1);
  constexpr std::uint32_t what = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE;
  if (follow && ::inotify_add_watch(watch.get(), file.parent_path().c_str(), what) < 0 &&
      errno != ENOENT)
    return fail_errno("cannot watch " + file.parent_path().string(), errno);
  reader log(file, sink);
  if (auto ok = log.open(); !ok)
    return ok;
  for (;;) {
    const auto more = log.drain();
    if (!more)
      return tl::unexpected(more.error());
    if (!*more || !follow)
      return {};
    alignas(inotify_event) std::array<char, 4096> events;
    if (::read(watch.get(), events.data(), events.size()) < 0 && errno != EINTR)
      return fail_errno("cannot watch " + file.string(), errno);
    if (const auto rest = log.drain(); !rest)
      return tl::unexpected(rest.error());
    else if (!*rest)
      return {};
    if (auto ok = log.catch_up(); !ok)
      return ok;
  }
}

} // namespace banger::cli
