// A small daemon for the transport tests: the real interfaces with trivial behaviours. It tells on
// its standard output, a line each, what happens to it.
#include "messages/actor/help.hpp"
#include "messages/base/version.hpp"
#include "messages/client.hpp"
#include "messages/transport/transport.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

using namespace banger;
using namespace banger::messages;
using namespace std::chrono_literals;

namespace {

void tell_test(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

struct vms_state : actor::state_base {
  std::vector<caf::typed_response_promise<op_ticket>> hanging;
};

// `vcpu` times progress, then the end. A VM called "watched" is one whose loss of client is told.
caf::result<op_ticket> create(vms_facet::stateful_pointer<vms_state> self,
                              const create_request& request) {
  if (request.name == "taken")
    return actor::to_error({errc::already_exists, "there is a VM 'taken'", "names are unique",
                            "choose another name", "op-00002a"});
  auto client = caf::actor_cast<client_actor>(self->current_sender());
  self->monitor(client);
  for (std::int64_t i = 0; i < request.vcpu; ++i)
    self->send(client, progress{"op-00002a", "boot", std::to_string(i), 0});
  if (request.name != "watched")
    self->send(client, finished{"op-00002a", {}, {}, {}});
  return op_ticket{"op-00002a", "vm-1"};
}

vms_facet::behavior_type vms(vms_facet::stateful_pointer<vms_state> self) {
  self->set_default_handler(caf::drop);
  self->set_down_handler([](caf::down_msg&) { tell_test("lost"); });
  return {
      [self](begin_atom, const create_request& request) { return create(self, request); },
      [self](begin_atom, const verb_request&) -> caf::result<op_ticket> {
        auto promise = self->make_response_promise<op_ticket>();
        self->state.hanging.push_back(promise);
        return promise;
      },
      [](begin_atom, const set_request&) { return op_ticket{}; },
      [](touch_atom, const std::string&) {},
      [](list_atom) {
        vm_view view;
        view.id = "vm-1";
        return std::vector<vm_view>{view, view};
      },
      // Only the length: the answer must not be what a flood is made of.
      [](show_atom, const std::string& ref) -> caf::result<vm_detail> {
        vm_detail detail;
        if (ref == "large")
          detail.folder.assign(256u << 10, 'x');
        else
          detail.folder = std::to_string(ref.size());
        return detail;
      },
      [](exec_atom, const exec_request& request) {
        return stream_ticket{std::to_string(request.argv.size()), request.ref, 1};
      },
      [](attach_atom, const attach_request& request) {
        return stream_ticket{"attached", request.vm, request.session};
      },
      [](logs_atom, const logs_request&) {
        return stream_ticket{"0", "", 0};
      },
      [](stats_atom, const std::string&) { return vm_stats{}; },
      [](ports_atom, const std::string&) { return vm_ports{}; },
      [](health_atom, const std::string&) { return vm_health{}; },
      [](console_atom, const std::string&) { return stream_ticket{}; },
      [](reclaim_atom, const reclaim_request&) { return vm_view{}; },
      [](discard_atom, const std::string&) {},
      [](crash_atom, const std::string&) {},
  };
}

operations_facet::behavior_type operations_of(operations_facet::pointer self) {
  self->set_default_handler(caf::drop);
  return {
      [](list_atom) { return std::vector<operation_view>{}; },
      [](watch_atom, const std::string& op) {
        operation_view view;
        view.op = op;
        return view;
      },
      [](cancel_atom, const std::string&) { return true; },
  };
}

images_facet::behavior_type images_of(images_facet::pointer self) {
  self->set_default_handler(caf::drop);
  return {
      [](begin_atom, const image_request& request) {
        return op_ticket{"op-" + request.name, ""};
      },
      [](list_atom) { return std::vector<image_view>{}; },
      [](delete_atom, const std::string&) {},
  };
}

system_facet::behavior_type system_of(system_facet::pointer self) {
  self->set_default_handler(caf::drop);
  return {
      [](status_atom) {
        daemon_status status;
        status.pid = static_cast<std::uint32_t>(::getpid());
        return status;
      },
      [](reprobe_atom) { return std::string("QEMU"); },
      [self](halt_atom) { self->quit(caf::exit_reason::user_shutdown); },
      [](events_atom, const events_request&) {
        return stream_ticket{"events", "", 0};
      },
      [](actors_atom) { return std::vector<actor_view>(3); },
  };
}

gateway_actor::behavior_type gateway(gateway_actor::pointer self, const vms_facet& vms_handle,
                                     const operations_facet& operations_handle,
                                     const images_facet& images_handle,
                                     const system_facet& system_handle) {
  self->set_default_handler(caf::drop);
  return {
      [=](hello_atom, const hello_request& who)
          -> caf::result<hello_reply, vms_facet, operations_facet, images_facet, system_facet> {
        const hello_reply reply{protocol_version, this_build().version, this_build().commit,
                                this_build().number, static_cast<std::uint32_t>(::getpid())};
        if (who.protocol != protocol_version)
          return {reply, vms_facet{}, operations_facet{}, images_facet{}, system_facet{}};
        return {reply, vms_handle, operations_handle, images_handle, system_handle};
      },
      [](retire_atom, const hello_request&) -> caf::result<void> {
        return actor::to_error(
            {errc::bad_version, "the asker is not newer", "", "use this daemon", ""});
      },
  };
}

void read_flags(int argc, char** argv, transport::options& opts) {
  for (int i = 2; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&] { return std::atoi(argv[++i]); };
    if (flag == "--max")
      opts.max_connections = static_cast<std::size_t>(value());
    else if (flag == "--handshake-ms")
      opts.handshake_timeout = std::chrono::milliseconds(value());
    else if (flag == "--frames-per-second")
      opts.limits.frames_per_second = static_cast<std::uint32_t>(value());
    else if (flag == "--any-node")
      opts.bind_pid = false;
  }
}

// A client process to be killed: begins an operation that does not end, and waits.
int run_client(const char* socket) {
  caf::actor_system_config config;
  transport::configure(config, transport::role::client);
  caf::actor_system system{config};
  transport::prepare(system);
  auto gateway = transport::connect(system, socket, 5s);
  if (!gateway)
    return 1;
  auto session = transport::greet(system, *gateway, 5s);
  auto listener = system.spawn([&](client_actor::pointer self) -> client_actor::behavior_type {
    create_request request;
    request.name = "watched";
    self->request(session->vms, 5s, begin_atom::value, request).then([](const op_ticket&) {
      tell_test("began");
    });
    return {[](const progress&) {}, [](const finished&) {}};
  });
  std::getchar();
  caf::anon_send_exit(listener, caf::exit_reason::kill);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 2)
    return 2;
  std::signal(SIGPIPE, SIG_IGN);
  if (argc > 2 && std::strcmp(argv[2], "--client") == 0)
    return run_client(argv[1]);
  caf::actor_system_config config;
  transport::configure(config, transport::role::daemon);
  caf::actor_system system{config};
  transport::prepare(system);
  auto vms_handle = system.spawn(vms);
  auto system_handle = system.spawn(system_of);
  auto operations_handle = system.spawn(operations_of);
  auto images_handle = system.spawn(images_of);
  auto gateway_handle =
      system.spawn(gateway, vms_handle, operations_handle, images_handle, system_handle);
  transport::options opts;
  opts.socket = argv[1];
  read_flags(argc, argv, opts);
  opts.opened = [](const transport::client_info& who) {
    tell_test("opened " + std::to_string(who.pid));
  };
  opts.closed = [](const transport::client_info&, const std::string& why) {
    tell_test("closed " + why);
  };
  opts.refused = [](const transport::client_info&, const std::string& why) {
    tell_test("refused " + why);
  };
  auto server = transport::publish(
      system, std::move(opts), gateway_handle,
      {transport::admit(system, vms_handle), transport::admit(system, operations_handle),
       transport::admit(system, images_handle), transport::admit(system, system_handle)});
  const auto end_all = [&] {
    for (const auto& each :
         {caf::actor_cast<caf::actor>(vms_handle), caf::actor_cast<caf::actor>(system_handle),
          caf::actor_cast<caf::actor>(operations_handle),
          caf::actor_cast<caf::actor>(images_handle), caf::actor_cast<caf::actor>(gateway_handle)})
      caf::anon_send_exit(each, caf::exit_reason::kill);
  };
  if (!server) {
    end_all();
    tell_test("failed " + std::string(to_string(server.error().code)) + " " +
              describe(server.error()));
    return 1;
  }
  tell_test("ready " + std::to_string(gateway_handle.id()) + " " + std::to_string(vms_handle.id()) +
            " " + std::to_string(system_handle.id()) + " " +
            std::to_string(operations_handle.id()) + " " + std::to_string(images_handle.id()));
  std::getchar(); // ends with the test that started it
  end_all();
  return 0;
}
