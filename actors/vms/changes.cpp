// What VMs are to be: names and sizes as they are asked for, and a rest when nobody uses them.
#include "actors/log/log.hpp"
#include "actors/operations/ids.hpp"
#include "actors/vms/vms_state.hpp"
#include "messages/base/duration.hpp"

#include <algorithm>
#include <charconv>

namespace banger::vms {

using namespace std::chrono_literals;
using namespace messages;

constexpr std::size_t most_vms = 10'000;
constexpr auto stale_check = 1min;

namespace {

std::uint64_t draw() {
  const auto hex = operations::random_hex(8);
  std::uint64_t number = 0;
  std::from_chars(hex.data(), hex.data() + hex.size(), number, 16);
  return number;
}

} // namespace

expected<vm::record> vms_state::check(const create_request& request) const {
  if (auto open = check_open(); !open)
    return tl::unexpected(open.error());
  auto called = vm_name::parse(request.name.empty() ? make_up_name(draw(), known()) : request.name);
  if (!called)
    return tl::unexpected(called.error());
  if (auto ok = check_name(called->str()); !ok)
    return tl::unexpected(ok.error());
  auto image = image_name::parse(request.image);
  if (!image)
    return tl::unexpected(image.error());
  if (auto ok = check_vcpu(request.vcpu, around_.limits); !ok)
    return tl::unexpected(ok.error());
  if (auto ok = check_memory_mib(request.memory_mib, around_.limits); !ok)
    return tl::unexpected(ok.error());
  if (auto ok = check_disk_bytes(request.disk_bytes); !ok)
    return tl::unexpected(ok.error());
  if (request.nested)
    if (auto ok = around_.check_nested(static_cast<std::uint32_t>(request.vcpu)); !ok)
      return tl::unexpected(ok.error());
  if (vms_.size() >= most_vms)
    return fail(errc::busy, "there are too many VMs", std::to_string(most_vms) + " at most");
  const auto id = vm_id::parse(operations::random_hex(12));
  const auto now = unix_ms();
  return vm::record{*id,
                    *called,
                    {*image, static_cast<std::uint32_t>(request.vcpu),
                     static_cast<std::uint64_t>(request.memory_mib), request.disk_bytes,
                     request.nat, request.ephemeral, request.autostart, request.nested},
                    vm::state::created,
                    {},
                    {},
                    now,
                    operations::random_hex(32),
                    now};
}

caf::result<op_ticket> vms_state::begin(const set_request& request) {
  if (auto open = check_open(); !open)
    return actor::to_error(open.error());
  const auto id = find(request.ref);
  if (!id)
    return actor::to_error(id.error());
  auto to = check(request);
  if (!to)
    return actor::to_error(to.error());
  const auto& now = vms_.at(*id).view;
  if (to->nested.value_or(now.nested) && (to->nested || to->vcpu))
    if (auto ok = around_.check_nested(to->vcpu.value_or(now.vcpu)); !ok)
      return actor::to_error(ok.error());
  vm::order set{{}, vm::verb::set};
  set.to = *to;
  auto ticket = order(*id, set, self_->current_sender());
  if (ticket && to->name && operations_.count(ticket->op) > 0) // or it has ended already
    promised_[ticket->op] = to->name->str();
  return actor::answer(std::move(ticket));
}

expected<vm::change> vms_state::check(const set_request& request) const {
  vm::change to;
  if (!request.name.empty()) {
    auto called = vm_name::parse(request.name);
    if (!called)
      return tl::unexpected(called.error());
    if (auto ok = check_name(called->str()); !ok)
      return tl::unexpected(ok.error());
    to.name = *called;
  }
  if (request.vcpu != 0) {
    if (auto ok = check_vcpu(request.vcpu, around_.limits); !ok)
      return tl::unexpected(ok.error());
    to.vcpu = static_cast<std::uint32_t>(request.vcpu);
  }
  if (request.memory_mib != 0) {
    if (auto ok = check_memory_mib(request.memory_mib, around_.limits); !ok)
      return tl::unexpected(ok.error());
    to.memory_mib = static_cast<std::uint64_t>(request.memory_mib);
  }
  if (request.disk_bytes != 0) {
    if (auto ok = check_disk_bytes(request.disk_bytes); !ok)
      return tl::unexpected(ok.error());
    to.disk_bytes = request.disk_bytes;
  }
  if (request.nat >= 0)
    to.nat = request.nat > 0;
  if (request.autostart >= 0)
    to.autostart = request.autostart > 0;
  if (request.nested >= 0)
    to.nested = request.nested > 0;
  return to;
}

expected<void> vms_state::check_name(const std::string& wished) const {
  const auto has_it = [&](const auto& vm) { return vm.second.view.name == wished; };
  const auto gets_it = [&](const auto& promise) { return promise.second == wished; };
  if (std::none_of(vms_.begin(), vms_.end(), has_it) &&
      std::none_of(promised_.begin(), promised_.end(), gets_it))
    return {};
  return fail(errc::already_exists, "there is a VM " + wished + " already", {},
              "choose another name, or delete it with `banger vm delete " + wished + "`");
}

caf::result<void> vms_state::touch(const std::string& ref) {
  const auto id = find(ref);
  if (!id)
    return actor::to_error(id.error());
  actor::tell(self_, vms_.at(*id).actor, vm::touch_atom::value);
  return caf::unit;
}

// Nobody who reads only keeps a VM awake; who runs commands, does.
void vms_state::stop_stale() {
  for (const auto& [id, e] : vms_)
    if (e.stands == standing::there && is_stale(e))
      actor::ask(self_, e.actor, 10s, vm::in_use_atom::value)
          .then(
              [this, vm = id](bool in_use) {
                if (!in_use)
                  stop_unused(vm);
              },
              [](caf::error&) {});
  actor::after(self_, std::min<std::chrono::milliseconds>(around_.stale_after, stale_check),
               stale_atom::value);
}

bool vms_state::is_stale(const entry& e) const {
  return e.view.state == "running" && e.view.operation.empty() &&
         self_->clock().now() - e.used >= around_.stale_after;
}

void vms_state::stop_unused(const std::string& id) {
  const auto it = vms_.find(id);
  if (it == vms_.end() || !is_stale(it->second))
    return;
  log::info({.vm = id}, "vm_is_stale", {{"text", "stopping what nobody makes use of"}});
  if (auto stop = order(id, {{}, vm::verb::stop}, {}); !stop)
    log::failed({.vm = id}, "stale_stop_failed", stop.error());
}

} // namespace banger::vms
