// A stream whose far end is a log file on the host.
#include "actors/io/console_log.hpp"
#include "actors/io/stream_client.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <sys/inotify.h>

namespace banger::io {

namespace {

using guest::frame_type;
using guest::header;
using guest::stream_id;

constexpr std::uint64_t screenful = 4096;
// What a machine said last may be read from its console a moment after its end was noticed.
constexpr auto last_words_pause = std::chrono::milliseconds(200);

class log_source final : public telling_stream, public std::enable_shared_from_this<log_source> {
public:
  log_source(reactor& loop, std::filesystem::path file, bool follow)
      : loop_(loop), folder_(file.parent_path()), name_(file.filename()), source_(std::move(file)),
        follow_(follow) {}
  /// From a line near the end, until this process has ended.
  log_source(reactor& loop, std::filesystem::path file, unique_fd process)
      : log_source(loop, std::move(file), true) {
    process_ = std::move(process);
  }

  void begin(stream_client& client) override;
  void end() override;

private:
  bool watch_folder();
  void watch_process();
  bool watch_file();
  void on_change();
  void pump() override;
  void finish();

  reactor& loop_;
  std::filesystem::path folder_;
  std::filesystem::path name_;
  log_follower source_;
  bool follow_;

  unique_fd changes_; ///< inotify
  int folder_watch_ = -1;
  int file_watch_ = -1;
  std::uint64_t watched_files_ = 0;

  unique_fd process_; ///< a pidfd: the log ends with it
  reactor::timer_id end_timer_ = 0;
};

void log_source::begin(stream_client& client) {
  client_ = &client;
  if (follow_ && !watch_folder())
    return client.fail_with("cannot follow the log in " + folder_.string() + ": " +
                            std::strerror(errno));
  if (process_)
    watch_process();
  pump();
}

void log_source::watch_process() {
  source_.begin_near_end(screenful);
  loop_.watch(process_.get(), EPOLLIN, [self = shared_from_this()](std::uint32_t) {
    self->loop_.unwatch(self->process_.get());
    self->process_.reset();
    self->end_timer_ = self->loop_.at(reactor::clock::now() + last_words_pause, [self] {
      self->end_timer_ = 0;
      self->follow_ = false;
      self->pump();
    });
  });
}

// The folder tells of new files and of the end, the file of what is appended. (A folder's own end
// is not told as long as somebody has a file of it open, so the removal of the file counts too.)
bool log_source::watch_folder() {
  changes_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!changes_)
    return false;
  constexpr auto what =
      IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
  folder_watch_ = ::inotify_add_watch(changes_.get(), folder_.c_str(), what);
  if (folder_watch_ < 0)
    return false;
  loop_.watch(changes_.get(), EPOLLIN,
              [self = shared_from_this()](std::uint32_t) { self->on_change(); });
  return true;
}

/// True if the file was not watched yet: then it has to be read once more.
bool log_source::watch_file() {
  if (watched_files_ == source_.files())
    return false;
  watched_files_ = source_.files();
  if (file_watch_ >= 0)
    ::inotify_rm_watch(changes_.get(), file_watch_);
  const auto name = "/proc/self/fd/" + std::to_string(source_.fd());
  file_watch_ = ::inotify_add_watch(changes_.get(), name.c_str(), IN_MODIFY);
  return true;
}

void log_source::on_change() {
  alignas(inotify_event) std::array<char, 4096> buffer;
  const auto got = ::read(changes_.get(), buffer.data(), buffer.size());
  for (ssize_t at = 0; at < got;) {
    inotify_event event{};
    std::memcpy(&event, buffer.data() + at, sizeof event);
    const auto* name = buffer.data() + at + sizeof event;
    constexpr std::uint32_t over = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;
    if (event.wd == folder_watch_ &&
        ((event.mask & over) != 0 || ((event.mask & IN_DELETE) != 0 && name_ == name)))
      follow_ = false; // nothing is appended any more
    at += static_cast<ssize_t>(sizeof event + event.len);
  }
  pump();
}

// What is not acknowledged stays within the window, what waits here within one frame.
void log_source::pump() {
  std::array<char, guest::max_payload> buffer;
  while (has_room()) {
    if (const auto got = source_.read(buffer.data(), room()); got > 0) {
      send({buffer.data(), got});
      continue;
    }
    if (!follow_)
      return finish();
    if (!watch_file())
      break;
  }
  if (client_ != nullptr)
    client_->written();
}

void log_source::finish() {
  send_eof();
  header h;
  h.type = frame_type::eof;
  h.stream = stream_id::err;
  client_->out().control(h, {});
  h = {};
  h.type = frame_type::exited;
  client_->out().control(h, guest::encode(guest::exited_body{}));
  client_->finish();
}

void log_source::end() {
  client_ = nullptr;
  loop_.post([keep = shared_from_this()] {}); // the handler may hold the last reference
  loop_.cancel(std::exchange(end_timer_, 0));
  if (process_)
    loop_.unwatch(process_.get());
  process_.reset();
  if (!changes_)
    return;
  loop_.unwatch(changes_.get());
  changes_.reset();
}

} // namespace

std::shared_ptr<stream> log_stream(reactor& loop, std::filesystem::path file, bool follow) {
  return std::make_shared<log_source>(loop, std::move(file), follow);
}

std::shared_ptr<stream> console_stream(reactor& loop, std::filesystem::path file,
                                       unique_fd process) {
  return std::make_shared<log_source>(loop, std::move(file), std::move(process));
}

} // namespace banger::io
