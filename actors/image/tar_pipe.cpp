#include "actors/image/tar_pipe.hpp"

#include "messages/base/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <future>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace banger::image {

namespace fs = std::filesystem;

namespace {

// The reading end. `over`: the program has ended, so whatever is not there now never comes.
class archive_pipe {
public:
  archive_pipe(int fd, const std::stop_token& stop, const std::stop_token& over)
      : fd_(fd), stop_(stop), over_(over), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        on_stop_(stop, waker{this}), on_over_(over, waker{this}) {
    ::fcntl(fd_, F_SETFL, O_NONBLOCK);
  }

  // As read(2), but it blocks; ECANCELED after a stop.
  ssize_t read(char* to, std::size_t most) {
    for (;;) {
      const bool over = over_.stop_requested();
      if (stop_.stop_requested()) {
        errno = ECANCELED;
        return -1;
      }
      const auto got = ::read(fd_, to, most);
      if (got > 0)
        return got;
      if (got == 0 || (errno == EAGAIN && over)) {
        ended_ = true;
        return 0;
      }
      if (errno != EAGAIN && errno != EINTR)
        return -1;
      std::array<pollfd, 2> fds{{{fd_, POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
      ::poll(fds.data(), fds.size(), -1);
    }
  }

  // Takes what comes after the archive, so that who writes it is not told that nobody reads.
  void drain() {
    std::array<char, 16384> chunk;
    while (!over_.stop_requested() && read(chunk.data(), chunk.size()) > 0) {
    }
  }

  bool ended() const { return ended_; }

private:
  struct waker {
    archive_pipe* self;
    void operator()() const { ::eventfd_write(self->wake_.get(), 1); }
  };

  int fd_;
  std::stop_token stop_, over_;
  unique_fd wake_;
  bool ended_ = false;
  std::stop_callback<waker> on_stop_, on_over_;
};

} // namespace

expected<tar_content> unpack_output(storage::command run, const fs::path& tree,
                                    const tar_options& options, const explain_fn& explain,
                                    const std::stop_token& stop) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return fail_errno("cannot make a pipe for " + run.argv.front(), errno);
  unique_fd out(ends[0]), in(ends[1]);
  std::stop_source halt, over;
  const std::stop_callback passed_on(stop, [&] { halt.request_stop(); });
  archive_pipe pipe(out.get(), stop, over.get_token());
  auto unpacking = std::async(std::launch::async, [&]() -> expected<tar_content> {
    auto content = unpack_tar([&](char* to, std::size_t most) { return pipe.read(to, most); }, tree,
                              options, stop);
    if (content)
      pipe.drain();
    else if (!pipe.ended())
      halt.request_stop(); // before the pipe is closed: a program that is cut off has no say
    return content;
  });
  run.output = in.get();
  const auto ended = storage::run(run, halt.get_token());
  in.reset();
  over.request_stop();
  auto content = unpacking.get();
  if (stop.stop_requested())
    return fail(errc::cancelled, "making the image was cancelled");
  // An archive that is cut short is what becomes of a program that fails, not the cause.
  if (!ended && (content || pipe.ended()))
    return tl::unexpected(explain(ended.error()));
  return content;
}

} // namespace banger::image
