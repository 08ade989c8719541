#include "guest/boot.hpp"

#include "guest/files.hpp"
#include "guest/spawn.hpp"
#include "guest/succession.hpp"
#include "guest/text.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace banger::guest {

namespace {

constexpr const char* folder = "/run/systemd";
constexpr const char* socket = "/run/systemd/private"; ///< made when PID 1 listens
constexpr std::uint64_t ask_again_ms = 500;

} // namespace

std::string boot_state(std::string_view printed) {
  const auto words = split(printed, '\n');
  if (words.empty() || words.front() == "offline" || words.front() == "unknown")
    return {};
  return words.front();
}

void boot_watch::begin(const std::string& init, told then) {
  then_ = std::move(then);
  if (std::exchange(busy_, true))
    return;
  if (init.empty())
    return finish("running");
  if (!is_systemd(init))
    return finish("unknown");
  // systemd takes the folder as it finds it.
  changes_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!make_folder(folder) || !changes_ ||
      ::inotify_add_watch(changes_.get(), folder, IN_CREATE) < 0 ||
      !events_.watch(changes_.get(), EPOLLIN, [this](std::uint32_t) { look(); }))
    return finish("unknown");
  look();
}

void boot_watch::look() {
  char names[4096];
  while (::read(changes_.get(), names, sizeof names) > 0) {
  }
  if (::access(socket, F_OK) != 0)
    return;
  events_.forget(changes_.get());
  changes_.reset();
  ask();
}

void boot_watch::ask() {
  open_body order;
  order.argv = {"systemctl", "is-system-running", "--wait"};
  order.has_stdin = false;
  auto child = spawn(order, -1);
  if (!child)
    return finish("unknown");
  asking_ = child->pid;
  answer_ = std::move(child->out);
  failure_ = std::move(child->failure);
}

bool boot_watch::child_ended(pid_t pid) {
  if (asking_ == 0 || pid != asking_)
    return false;
  asking_ = 0;
  char text[64];
  const auto size = ::read(answer_.get(), text, sizeof text);
  const bool missing = read_failure(failure_.get()).has_value();
  answer_.reset();
  failure_.reset();
  auto state = boot_state({text, size > 0 ? static_cast<std::size_t>(size) : 0});
  if (missing)
    finish("unknown");
  else if (state.empty())
    events_.after_ms(ask_again_ms, [this] { ask(); });
  else
    finish(std::move(state));
  return true;
}

void boot_watch::finish(std::string state) {
  busy_ = false;
  if (const auto then = std::exchange(then_, nullptr))
    then(std::move(state));
}

} // namespace banger::guest
