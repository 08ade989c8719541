// What is said, and how it arrives.
#include "tests/support/catch.hpp"
#include "tests/transport/client_side.hpp"
#include "tests/transport/peers.hpp"

#include "messages/base/version.hpp"
#include "messages/transport/socket.hpp"

#include <algorithm>
#include <atomic>

#include <sys/socket.h>

using namespace banger;
using namespace banger::test;

namespace {

struct conversation {
  folder home;
  std::filesystem::path socket = home.path / "d.sock";
  server_process server{socket};
  client self{socket};

  create_request vm(std::string name, std::int64_t steps = 0) {
    create_request request;
    request.name = std::move(name);
    request.vcpu = steps;
    return request;
  }
};

// A listener that writes down what it is told; the promise is kept at the end of the operation.
struct heard {
  std::vector<std::string> details;
  std::promise<void> over;
};

client_actor::behavior_type listen(client_actor::pointer self, const vms_facet& vms,
                                   const create_request& request, heard* all) {
  self->request(vms, 5s, begin_atom::value, request).then([](const op_ticket&) {});
  return {
      [all](const progress& news) { all->details.push_back(news.detail); },
      [all](const finished&) { all->over.set_value(); },
  };
}

// An actor that does not outlive the test, whatever happens.
struct ended_by_then {
  template <class Handle>
  explicit ended_by_then(const Handle& h) : handle(caf::actor_cast<caf::actor>(h)) {}
  ended_by_then(const ended_by_then&) = delete;
  ended_by_then& operator=(const ended_by_then&) = delete;
  ~ended_by_then() { caf::anon_send_exit(handle, caf::exit_reason::kill); }
  caf::actor handle;
};

// One accepted connection gets `greeting` and is kept, or is closed if there is none.
struct impostor {
  folder home;
  std::filesystem::path socket = home.path / "d.sock";
  local::listener door;
  std::thread thread;
  int connection = -1;

  explicit impostor(const std::string& greeting, bool hang_up = false) {
    auto made = local::listen(socket);
    REQUIRE(made);
    door = std::move(*made);
    thread = std::thread([this, greeting, hang_up] {
      connection = ::accept(door.socket(), nullptr, nullptr);
      static_cast<void>(::send(connection, greeting.data(), greeting.size(), MSG_NOSIGNAL));
      if (hang_up)
        ::shutdown(connection, SHUT_RDWR);
    });
  }
  ~impostor() {
    thread.join();
    ::close(connection);
  }

  errc error_of_connect(std::chrono::milliseconds deadline = 5s) {
    client_node node;
    auto connected = transport::connect(node.system, socket, deadline);
    return connected ? errc::none : connected.error().code;
  }
};

std::string greeting(std::uint64_t version, const std::string& interface) {
  const auto payload = bytes{}
                           .raw(node_of(1))
                           .length(1)
                           .text("generic-caf-app")
                           .number(1, 8)
                           .length(1)
                           .text(interface)
                           .data;
  return frame(frames::operation::server_handshake, 0, version, 0, 0, payload);
}

} // namespace

TEST_CASE_METHOD(conversation, "an error arrives with all that it said") {
  const auto answer =
      actor::call<op_ticket>(self.system, self.session.vms, 5s, begin_atom::value, vm("taken"));
  REQUIRE_FALSE(answer);
  const auto& why = answer.error();
  CHECK(why.code == errc::already_exists);
  CHECK(why.what == "there is a VM 'taken'");
  CHECK(why.why == "names are unique");
  CHECK(why.remedy == "choose another name");
  CHECK(why.operation == "op-00002a");
  CHECK(self.system.render(actor::to_error(why)) == describe(why));
}

TEST_CASE_METHOD(conversation, "progress arrives in order and before the end") {
  heard all;
  auto end = all.over.get_future();
  const ended_by_then listener(self.system.spawn(listen, self.session.vms, vm("a", 1000), &all));
  REQUIRE(end.wait_for(5s) == std::future_status::ready);
  REQUIRE(all.details.size() == 1000);
  for (std::size_t i = 0; i < all.details.size(); ++i)
    CHECK(all.details[i] == std::to_string(i));
}

TEST_CASE_METHOD(conversation, "every clause of the facets passes the filter") {
  const auto& [gateway, daemon, vms, operations, images, system] = self.session;
  const auto ask = [&](auto... words) {
    return actor::call<stream_ticket>(self.system, self.session.vms, 5s, words...);
  };
  exec_request exec;
  exec.ref = "vm-1";
  exec.argv = {"sh", "-c", std::string(100'000, 'x')};
  exec.env = {"A=b"};
  exec.cwd = "/root";
  CHECK(ask(exec_atom::value, exec)->token == "3");
  CHECK(ask(logs_atom::value, logs_request{"vm-1", true})->token == "0");
  CHECK(actor::call<void>(self.system, vms, 5s, crash_atom::value, std::string("vm-1")));
  CHECK(actor::call<stream_ticket>(self.system, system, 5s, events_atom::value,
                                   events_request{true}));
  CHECK(actor::call<std::vector<actor_view>>(self.system, system, 5s, actors_atom::value));
  CHECK(actor::call<bool>(self.system, self.session.operations, 5s, cancel_atom::value,
                          std::string("op-1")) == true);
  const image_request build{"work", {"nodejs", "ripgrep"}, true};
  CHECK(actor::call<op_ticket>(self.system, images, 5s, begin_atom::value, build)->op == "op-work");
  CHECK(actor::call<std::vector<image_view>>(self.system, images, 5s, list_atom::value));
  CHECK(actor::call<void>(self.system, images, 5s, delete_atom::value, std::string("work")));
  CHECK(actor::call<std::vector<vm_view>>(self.system, vms, 5s, list_atom::value)->size() == 2);
  CHECK(
      actor::call<vm_detail>(self.system, vms, 5s, show_atom::value, std::string("abc"))->folder ==
      "3");
  const auto retired = actor::call<void>(self.system, gateway, 5s, retire_atom::value,
                                         hello_request{protocol_version, "0", "", 0});
  REQUIRE_FALSE(retired);
  CHECK(retired.error().code == errc::bad_version);
  CHECK(actor::call<void>(self.system, system, 5s, halt_atom::value));
}

TEST_CASE_METHOD(conversation, "a large answer arrives whole") {
  const auto detail = actor::call<vm_detail>(self.system, self.session.vms, 5s, show_atom::value,
                                             std::string("large"));
  REQUIRE(detail);
  CHECK(detail->folder.size() == 256u << 10);
}

TEST_CASE_METHOD(conversation,
                 "a client of another protocol learns who the daemon is, and gets no facets") {
  using answer = std::tuple<hello_reply, vms_facet, operations_facet, images_facet, system_facet>;
  const auto greeted = actor::call<answer>(self.system, self.session.gateway, 5s, hello_atom::value,
                                           hello_request{protocol_version + 1, "9.9.9", "abc", 1});
  REQUIRE(greeted);
  CHECK(std::get<0>(*greeted).protocol == protocol_version);
  CHECK_FALSE(std::get<1>(*greeted));
  CHECK_FALSE(std::get<2>(*greeted));
}

TEST_CASE("a daemon with another gateway, or another CAF, is of a bad version") {
  CHECK(impostor(greeting(4, "caf::replies_to<@str>::with<@str>")).error_of_connect() ==
        errc::bad_version);
  CHECK(impostor(greeting(0, "x")).error_of_connect() == errc::bad_version);
}

TEST_CASE("a daemon that hangs up, or does not greet, is told apart") {
  CHECK(impostor("", true).error_of_connect() == errc::busy);
  CHECK(impostor("").error_of_connect(200ms) == errc::timed_out);
}

TEST_CASE("a daemon that crashes clients is not let through to BASP") {
  const auto empty = frame(frames::operation::server_handshake, 0, 4, 0, 0, "");
  CHECK(impostor(empty).error_of_connect() == errc::busy);
  auto huge = greeting(4, "x");
  huge.replace(4, 4, "\xff\xff\xff\xff");
  CHECK(impostor(huge).error_of_connect() == errc::busy);
}

TEST_CASE_METHOD(
    conversation,
    "what was answered does not fail when the daemon is lost, what was not does, once") {
  struct count {
    std::atomic<int> answers{0}, failures{0};
    std::promise<void> first, all;
  };
  auto seen = std::make_shared<count>();
  auto answered = seen->first.get_future(), over = seen->all.get_future();
  const ended_by_then asks(self.system.spawn([&](caf::event_based_actor* asker) -> caf::behavior {
    auto calls = std::make_shared<actor::remote_calls>();
    actor::on_down(asker, [calls](const caf::down_msg& gone) { calls->lost(gone); });
    calls->ask(asker, self.session.system, 5s, status_atom::value)
        .then(
            [seen](const daemon_status&) {
              ++seen->answers;
              seen->first.set_value();
            },
            [seen](const failure&) { ++seen->failures; });
    for (int i = 0; i < 3; ++i)
      calls->ask(asker, self.session.vms, 2s, begin_atom::value, verb_request{"stop", "vm"})
          .then([seen](const op_ticket&) { ++seen->answers; },
                [seen](const failure& why) {
                  CHECK(why.code == errc::disconnected);
                  if (++seen->failures == 3)
                    seen->all.set_value();
                });
    return {[](int) {}};
  }));
  REQUIRE(answered.wait_for(5s) == std::future_status::ready);
  server.kill();
  REQUIRE(over.wait_for(1s) == std::future_status::ready);
  std::this_thread::sleep_for(2500ms); // beyond the deadline of the requests
  CHECK(seen->answers == 1);
  CHECK(seen->failures == 3);
}

TEST_CASE_METHOD(conversation, "how long a request takes", "[.measure]") {
  caf::scoped_actor asker{self.system};
  std::vector<double> micros;
  for (int i = 0; i < 5000; ++i) {
    const auto start = std::chrono::steady_clock::now();
    asker->request(self.session.system, 5s, status_atom::value)
        .receive([](const daemon_status&) {}, [](const caf::error&) { FAIL("no answer"); });
    micros.push_back(micros_since(start));
  }
  std::sort(micros.begin(), micros.end());
  WARN("status: p50 " << micros[2500] << " us, p99 " << micros[4950] << " us");
  std::vector<double> whole;
  for (int i = 0; i < 51; ++i) {
    const auto start = std::chrono::steady_clock::now();
    client another(socket);
    whole.push_back(micros_since(start));
  }
  std::sort(whole.begin(), whole.end());
  WARN("actor system, connect and hello: p50 " << whole[25] << " us");
}
