// What is read of a machine: figures from the host, answers of the guest's agent. None of it waits
// for the step that runs, and none of it changes anything.
#include "actors/hypervisor/process.hpp"
#include "actors/vm/machine_state.hpp"
#include "actors/vm/ports.hpp"

#include <algorithm>

namespace banger::vm {

using namespace std::chrono_literals;
using guest::frame_type;

namespace {

constexpr auto health_patience = 2s, ports_patience = 5s;

std::string seconds(std::chrono::milliseconds t) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(t).count()) + " s";
}

messages::vm_stats to_stats(const record& vm, const usage& now, const cpu_rate& rate) {
  messages::vm_stats s;
  s.id = vm.id.str();
  s.name = vm.name.str();
  s.state = to_string(vm.now);
  s.pid = now.process.pid;
  s.uptime_us = now.of.uptime_us;
  s.cpu_us = now.of.cpu_us;
  s.cpu_tenths = rate.tenths;
  s.cpu_over_us = rate.over_us;
  s.rss_bytes = now.of.rss_bytes;
  s.memory_mib = vm.wanted.memory_mib;
  for (const auto& d : now.disks)
    s.disks.push_back({d.name, d.bytes, d.used_bytes});
  return s;
}

messages::vm_ports to_ports(const record& vm, const guest::ports_body& body,
                            std::string_view address) {
  messages::vm_ports all{vm.id.str(), vm.name.str(), {}, body.left_out};
  for (const auto& l : body.listeners)
    all.ports.push_back({std::string(to_string(l.protocol)), l.address, l.port, l.process, l.pid,
                         endpoint_of(l, address)});
  return all;
}

messages::vm_health to_health(const record& vm, const guest::health_body& body,
                              std::uint64_t answer_us) {
  messages::vm_health h;
  h.id = vm.id.str();
  h.name = vm.name.str();
  h.verdict = "healthy";
  h.answer_us = answer_us;
  h.uptime_us = body.uptime_us;
  h.load_1 = body.load_1;
  h.load_5 = body.load_5;
  h.load_15 = body.load_15;
  h.memory_bytes = body.memory_bytes;
  h.memory_free_bytes = body.memory_free_bytes;
  return h;
}

messages::vm_health no_sign(const record& vm, const failure& why) {
  messages::vm_health h;
  h.id = vm.id.str();
  h.name = vm.name.str();
  h.verdict = why.code == errc::not_running   ? "stopped"
              : why.code == errc::unavailable ? "paused"
              : why.code == errc::bad_version ? "unknown"
                                              : "silent";
  h.why = why.why.empty() ? why.what : why.what + ": " + why.why;
  h.remedy = why.remedy;
  return h;
}

} // namespace

// -- from the host --------------------------------------------------------------------------------

caf::result<messages::vm_stats> machine_state::stats(const record_ptr& vm) {
  auto answer = self_->make_response_promise<messages::vm_stats>();
  in_reading_pool([process = vm->machine.process,
                   folder = room_->site.vms / vm->id.str()] { return read_usage(process, folder); },
                  [this, vm, answer](const usage& now) mutable {
                    answer.deliver(to_stats(*vm, now, meter_.look(now)));
                  });
  return answer;
}

caf::result<messages::stream_ticket> machine_state::console(const record_ptr& vm) {
  auto answer = self_->make_response_promise<messages::stream_ticket>();
  in_reading_pool([process = vm->machine.process] { return hypervisor::open_process(process); },
                  [this, vm, answer](expected<unique_fd> process) mutable {
                    const auto id = vm->id.str();
                    if (process)
                      answer.deliver(messages::stream_ticket{
                          room_->streams->offer_console(room_->site.vms / id / "console.log",
                                                        std::move(*process)),
                          id, 0});
                    else
                      answer.deliver(actor::to_error(not_running(*vm)));
                  });
  return answer;
}

// -- from the guest -------------------------------------------------------------------------------

caf::result<messages::vm_ports> machine_state::ports(const record_ptr& vm) {
  auto answer = self_->make_response_promise<messages::vm_ports>();
  const auto heard = [this, vm, answer](const io::link_event& event, std::uint64_t) mutable {
    const auto& m = vm->machine;
    answer.deliver(to_ports(*vm, std::get<io::event::ports>(event).body,
                            m.bridge.empty() ? room_->site.driver->network().address : m.address));
  };
  const auto failed = [answer](const failure& why) mutable {
    answer.deliver(actor::to_error(why));
  };
  ask_guest(*vm, ports_patience, {frame_type::ask_ports, {}, heard, failed});
  return answer;
}

caf::result<messages::vm_health> machine_state::health(const record_ptr& vm) {
  auto answer = self_->make_response_promise<messages::vm_health>();
  const auto heard = [vm, answer](const io::link_event& event, std::uint64_t took_us) mutable {
    answer.deliver(to_health(*vm, std::get<io::event::health>(event).body, took_us));
  };
  const auto failed = [vm, answer](const failure& why) mutable {
    answer.deliver(no_sign(*vm, why));
  };
  ask_guest(*vm, health_patience, {frame_type::ask_health, {}, heard, failed});
  return answer;
}

void machine_state::ask_guest(const record& vm, milliseconds patience, question q) {
  if (vm.machine.process.pid == 0)
    return q.failed(not_running(vm));
  if (paused_)
    return q.failed(
        paused(vm.name.str(), describe_pause(*paused_, room_->site.vms), may_resume(*paused_)));
  const auto called = vm.name.str();
  const auto number = ++last_question_;
  questions_.emplace(number, std::move(q));
  actor::after(self_, scaled(patience), work::thunk{[this, number, called, patience] {
                 give_up(number,
                         {errc::timed_out,
                          "the guest's agent did not answer within " + seconds(scaled(patience)),
                          {},
                          "`banger vm console " + called +
                              "` shows what the guest says; "
                              "`banger vm kill " +
                              called + "` ends it if it hangs",
                          {}});
               }});
  // A guest that was just taken over, or starts its agent again, may need a moment.
  if (expects_hello())
    opens_.emplace_back([this, number, called] { put_question(number, called); });
  else
    put_question(number, called);
}

void machine_state::put_question(std::uint64_t number, const std::string& called) {
  const auto found = questions_.find(number);
  if (found == questions_.end())
    return;
  if (!link_ || !hello_)
    return give_up(number, {errc::disconnected,
                            "the guest's agent does not speak",
                            "it boots, or hangs",
                            "`banger vm console " + called + "` shows what the guest says",
                            {}});
  if (hello_->protocol < guest::questions_since)
    return give_up(number, {errc::bad_version,
                            "the guest's agent is too old to be asked this",
                            "it came with the banger that started the VM: " + hello_->agent,
                            "stop and start the VM " + called,
                            {}});
  found->second.asked = self_->clock().now();
  link_->ask(found->second.what, number);
}

void machine_state::give_up(std::uint64_t number, const failure& why) {
  if (auto q = questions_.extract(number))
    q.mapped().failed(why);
}

void machine_state::heard_number(std::uint64_t number, frame_type asked,
                                 const io::link_event& event) {
  const auto found = questions_.find(number);
  if (found == questions_.end() || found->second.what != asked)
    return; // it came too late
  const auto q = std::move(found->second);
  questions_.erase(found);
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(self_->clock().now() - q.asked);
  q.heard(event, static_cast<std::uint64_t>(took.count()));
}

bool machine_state::heard_answer(const io::link_event& event) {
  if (const auto* ports = std::get_if<io::event::ports>(&event)) {
    heard_number(ports->body.number, frame_type::ask_ports, event);
    return true;
  }
  if (const auto* health = std::get_if<io::event::health>(&event)) {
    heard_number(health->body.number, frame_type::ask_health, event);
    return true;
  }
  if (const auto* refused = std::get_if<io::event::refused>(&event)) {
    const auto what = refused->body.request;
    if (what != frame_type::ask_ports && what != frame_type::ask_health)
      return false;
    give_up_all(what,
                {errc::operation_failed, "the guest's agent refused", refused->body.text, {}, {}});
    return true;
  }
  if (std::holds_alternative<io::event::channel_lost>(event) ||
      std::holds_alternative<io::event::exited>(event))
    for (const auto what : {frame_type::ask_ports, frame_type::ask_health})
      give_up_all(what, {errc::disconnected, "the guest's agent went away", {}, {}, {}});
  return false;
}

void machine_state::give_up_all(frame_type what, const failure& why) {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, q] : questions_)
    if (q.what == what)
      numbers.push_back(number);
  for (const auto number : numbers)
    give_up(number, why);
}

} // namespace banger::vm
