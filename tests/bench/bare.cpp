#include "tests/bench/bare.hpp"

#include "actors/boot/kernel.hpp"
#include "actors/hypervisor/launcher.hpp"
#include "actors/hypervisor/probe.hpp"
#include "actors/hypervisor/qemu.hpp"
#include "actors/image/shelf.hpp"
#include "actors/vm/capability.hpp"

#include <array>
#include <chrono>
#include <poll.h>

namespace banger::bench {

namespace fs = std::filesystem;
using clock = std::chrono::steady_clock;

struct bare::parts {
  vm::host site;
  boot::boot_set kernel;
  image::image_info image;
  std::uint64_t memory_mib = 256;
  std::vector<vm::capability> capabilities = vm::standard_capabilities();
};

namespace {

double ms_since(clock::time_point begun) {
  return std::chrono::duration<double, std::milli>(clock::now() - begun).count();
}

// The guest's agent at the other end of a socket, spoken to as the daemon does, but waiting.
class agent {
public:
  explicit agent(const hypervisor::running_machine& machine) : machine_(machine) {}

  void say(guest::frame_type type, std::uint32_t session, std::string_view body) {
    std::string bytes;
    guest::encode(bytes, {type, guest::stream_id::in, session, 0, 0}, body);
    for (std::size_t at = 0; at < bytes.size();) {
      const auto sent = ::write(machine_.agent.get(), bytes.data() + at, bytes.size() - at);
      if (sent > 0)
        at += static_cast<std::size_t>(sent);
      else
        wait();
    }
  }

  // The frame of this type; what comes before it is dropped.
  expected<guest::frame> hear(guest::frame_type type) {
    for (const auto end = clock::now() + std::chrono::seconds(300); clock::now() < end; wait())
      while (auto frame = parser_.next()) {
        if (frame->head.type == type)
          return std::move(*frame);
        if (frame->head.type == guest::frame_type::failed)
          return fail(errc::operation_failed, "the guest refused");
      }
    return fail(errc::timed_out, "no answer from the guest");
  }

  void wait_for_end() {
    while (!ended_)
      wait();
  }

private:
  void wait() {
    std::array<pollfd, 4> set = {{{machine_.agent.get(), POLLIN, 0},
                                  {machine_.console.get(), POLLIN, 0},
                                  {machine_.qmp.get(), POLLIN, 0},
                                  {machine_.pidfd.get(), POLLIN, 0}}};
    ::poll(set.data(), set.size(), 1000);
    std::array<char, 65536> buffer{};
    for (std::size_t i = 0; i < 3; ++i) {
      if ((set[i].revents & POLLIN) == 0)
        continue;
      const auto got = ::read(set[i].fd, buffer.data(), buffer.size());
      if (i == 0 && got > 0)
        parser_.feed({buffer.data(), static_cast<std::size_t>(got)});
    }
    ended_ = set[3].revents != 0;
  }

  const hypervisor::running_machine& machine_;
  guest::parser parser_{guest::frame_type::hello};
  bool ended_ = false;
};

expected<void> wait_for_boot(agent& guest) {
  guest.say(guest::frame_type::await_boot, 0, {});
  if (auto booted = guest.hear(guest::frame_type::booted); !booted)
    return tl::unexpected(booted.error());
  return {};
}

expected<bare_times> drive(const vm::build& b, bool until_booted) {
  const auto begun = clock::now();
  bare_times times;
  auto planned = b.site.driver->plan(b.machine);
  if (!planned)
    return tl::unexpected(planned.error());
  auto machine = b.site.launcher->launch(std::move(*planned));
  if (!machine)
    return tl::unexpected(machine.error());
  agent guest(*machine);
  using guest::frame_type;
  guest.say(frame_type::sync, 0, guest::encode(guest::sync_body{4711}));
  if (auto hello = guest.hear(frame_type::hello); !hello)
    return tl::unexpected(hello.error());
  times.hello_ms = ms_since(begun);
  guest.say(frame_type::configure, 0, guest::encode(b.guest));
  if (auto configured = guest.hear(frame_type::configured); !configured)
    return tl::unexpected(configured.error());
  times.root_ms = ms_since(begun);
  if (until_booted)
    if (auto ok = wait_for_boot(guest); !ok)
      return tl::unexpected(ok.error());
  times.boot_ms = ms_since(begun);
  guest::open_body command;
  command.argv = {"true"};
  command.has_stdin = false;
  guest.say(frame_type::open, 1, guest::encode(command));
  if (auto exited = guest.hear(frame_type::exited); !exited)
    return tl::unexpected(exited.error());
  times.true_ms = ms_since(begun);
  guest.say(frame_type::poweroff, 0, {});
  guest.wait_for_end();
  times.off_ms = ms_since(begun);
  return times;
}

} // namespace

bare::bare(std::unique_ptr<parts> p) : parts_(std::move(p)) {}
bare::bare(bare&&) noexcept = default;
bare::~bare() = default;

expected<bare> bare::make(const fs::path& state, const fs::path& cache, const fs::path& init,
                          const fs::path& folder, const std::string& name,
                          std::uint64_t memory_mib) {
  auto p = std::make_unique<parts>();
  const auto facts = hypervisor::probe_host(cache);
  const auto silent = [](std::string_view, std::string_view) {};
  auto kernel = boot::ensure_boot_set({cache / "kernels", init, {}}, silent);
  if (!kernel)
    return tl::unexpected(kernel.error());
  const auto family = name == "tiny" ? image::family::tiny : image::family::debian;
  auto image = image::ensure_image(state / "images" / name, {name, family, {}}, silent);
  if (!image)
    return tl::unexpected(image.error());
  auto disk = storage::choose_root_disk(state);
  if (!disk)
    return tl::unexpected(disk.error());
  fs::create_directories(folder);
  p->site.vms = folder;
  p->site.driver = hypervisor::make_qemu_driver(facts);
  p->site.launcher = hypervisor::make_direct_launcher(facts);
  p->site.root_disk = disk->kind;
  p->kernel = *kernel;
  p->image = *image;
  p->memory_mib = memory_mib;
  return bare(std::move(p));
}

expected<bare_times> bare::run(bool until_booted) {
  vm::record record{
      *vm_id::parse("ba2eba2eba2e"),
      *vm_name::parse("bare"),
      {*image_name::parse(parts_->image.name), 1, parts_->memory_mib, 8 * GiB, false, true},
      {},
      {},
      {},
      0,
      std::string(32, 'a')};
  vm::build b{record, parts_->site, parts_->kernel, parts_->image, {}, {}, {}, {}};
  for (const auto& c : parts_->capabilities)
    for (const auto& step : c.prepare)
      if (auto done = step.act(b, {}); !done)
        return tl::unexpected(done.error());
  vm::shape(b, parts_->capabilities);
  auto times = drive(b, until_booted);
  std::error_code ignored;
  fs::remove_all(b.folder(), ignored);
  return times;
}

} // namespace banger::bench
