#include "actors/daemon/door_watch.hpp"

#include "actors/log/log.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <future>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace banger::daemon {

namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t departures = IN_DELETE | IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF;

/// A file as it was when we came.
struct landmark {
  fs::path file;
  dev_t device = 0;
  ino_t inode = 0;

  explicit landmark(fs::path f) : file(std::move(f)) {
    struct stat info {};
    if (::lstat(file.c_str(), &info) == 0) {
      device = info.st_dev;
      inode = info.st_ino;
    }
  }
  bool stands() const {
    const landmark now(file);
    return now.inode != 0 && now.inode == inode && now.device == device;
  }
};

// What they say does not matter: we look ourselves.
void forget_news(int fd) {
  std::array<char, 4096> some;
  while (::read(fd, some.data(), some.size()) > 0)
    continue;
}

} // namespace

door_watch::door_watch(io::reactor& loop, const std::vector<fs::path>& files,
                       std::function<void()> gone)
    : loop_(loop), news_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  const auto folder = files.front().parent_path();
  if (!news_ || ::inotify_add_watch(news_.get(), folder.c_str(), departures) < 0) {
    log::warn({}, "sockets_not_watched", {{"text", std::strerror(errno)}});
    return;
  }
  const std::vector<landmark> marks(files.begin(), files.end());
  loop_.post([&loop, fd = news_.get(), marks, gone = std::move(gone)] {
    loop.watch(fd, EPOLLIN, [&loop, fd, marks, gone](std::uint32_t) {
      forget_news(fd);
      if (std::all_of(marks.begin(), marks.end(), [](const auto& m) { return m.stands(); }))
        return;
      loop.unwatch(fd);
      log::warn({}, "sockets_removed", {{"text", marks.front().file.parent_path().string()}});
      gone();
    });
  });
}

door_watch::~door_watch() {
  std::promise<void> done;
  loop_.post([this, &done] {
    if (news_)
      loop_.unwatch(news_.get());
    done.set_value();
  });
  done.get_future().wait();
}

} // namespace banger::daemon
