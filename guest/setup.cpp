#include "guest/setup.hpp"

#include "guest/cgroups.hpp"
#include "guest/disks.hpp"
#include "guest/identity.hpp"
#include "guest/modules.hpp"
#include "guest/network.hpp"
#include "guest/port.hpp"
#include "guest/text.hpp"

#include <algorithm>
#include <dirent.h>
#include <fcntl.h>
#include <sys/epoll.h>

namespace banger::guest {

namespace {

// How long the kernel may take to notice that a disk became larger.
constexpr std::uint64_t resize_ms = 2000;

} // namespace

void setup::begin(configure_body order, finished then) {
  begun_ = true;
  began_us_ = monotonic_us();
  order_ = std::move(order);
  then_ = std::move(then);
  if (auto ok = seed_entropy(order_.seed); !ok)
    note(std::move(ok.error().text));
  folder_.reset(::open("/modules", O_DIRECTORY | O_CLOEXEC));
  auto loading = load_in_background(modules_);
  if (!loading)
    return then_(tl::unexpected(std::move(loading.error())));
  loading_ = std::move(*loading);
  if (auto ok = events_.watch(loading_.get(), EPOLLIN, [this](std::uint32_t) { modules_came(); });
      !ok)
    return then_(std::move(ok));
  if (auto ok = bring_up_loopback(); !ok)
    note(std::move(ok.error().text));
}

void setup::modules_came() {
  char text[1024];
  for (;;) {
    const auto size = ::read(loading_.get(), text, sizeof text);
    if (size < 0)
      break;
    if (size == 0) {
      events_.forget(loading_.get());
      loading_.reset();
      loaded_ = true;
      for (auto& line : split(lines_, '\n'))
        note(std::move(line));
      break;
    }
    lines_.append(text, static_cast<std::size_t>(size));
  }
  proceed();
}

bool setup::disks_there() const {
  return std::all_of(order_.disks.begin(), order_.disks.end(), [](const disk_body& disk) {
    return ::access(disk_path(disk.index).c_str(), F_OK) == 0;
  });
}

void setup::proceed() {
  if (!rooted_ && (loaded_ || disks_there())) {
    if (auto ok = make_root(); !ok)
      return then_(std::move(ok));
    rooted_ = true;
  }
  if (!rooted_ || !loaded_)
    return;
  if (auto ok = set_network(order_); !ok)
    note(std::move(ok.error().text));
  free_modules();
  outcome_.uptime_us = monotonic_us();
  then_({});
}

done setup::make_root() {
  auto& said = outcome_.notes;
  if (auto ok = enter_root(order_.disks); !ok)
    return ok;
  outcome_.root_us = monotonic_us() - began_us_;
  mount_common(order_.init.empty(), said);
  prepare_cgroups();
  outcome_.work_bytes = mount_work(order_.disks, said);
  mount_modules(order_.disks, said);
  bind_container_stores(order_.disks, said);
  write_identity(order_, said);
  return {};
}

// The initramfs is memory; its modules are in the kernel now.
void setup::free_modules() {
  DIR* folder = ::fdopendir(folder_.release());
  if (folder == nullptr)
    return;
  while (const dirent* entry = ::readdir(folder))
    ::unlinkat(::dirfd(folder), entry->d_name, 0);
  ::closedir(folder);
}

void setup::resume(configure_body order, configured_body outcome) {
  begun_ = rooted_ = loaded_ = true;
  order_ = std::move(order);
  outcome_ = std::move(outcome);
}

done setup::again(const configure_body& order) {
  if (auto ok = seed_entropy(order.seed); !ok)
    return ok;
  notes said;
  write_identity(order, said);
  if (!said.empty())
    return refused(said.front());
  return set_network(order);
}

namespace {

struct growth {
  loop& events;
  std::string device, mount_point;
  std::function<void(result<std::uint64_t>)> then;
  unique_fd uevents;
  loop::timer timer = 0;

  void end() {
    events.cancel(timer);
    events.forget(uevents.get());
    then(grow(device, mount_point));
  }
  bool ready() const {
    const auto size = measure(device, mount_point);
    return !size || size->device > size->file_system;
  }
};

} // namespace

void setup::grow_later(const disk_body& disk, std::function<void(result<std::uint64_t>)> then) {
  const auto mount_point = mount_point_of(disk.role);
  if (mount_point.empty())
    return then(refused("a disk of this role does not grow"));
  auto uevents = open_uevents();
  if (!uevents)
    return then(tl::unexpected(uevents.error()));
  auto g = std::make_shared<growth>(
      growth{events_, disk_path(disk.index), mount_point, std::move(then), std::move(*uevents)});
  if (g->ready())
    return g->end();
  g->timer = events_.after_ms(resize_ms, [g] { g->end(); });
  const auto ok = events_.watch(g->uevents.get(), EPOLLIN, [g](std::uint32_t) {
    while (!read_uevent(g->uevents.get()).empty()) {
    }
    if (g->ready())
      g->end();
  });
  if (!ok)
    g->end();
}

} // namespace banger::guest
