// The door: who is greeted how, who may ask the daemon to leave, and when it leaves by itself.
#include "actors/gateway/gateway.hpp"
#include "messages/base/version.hpp"
#include "tests/actor/stage.hpp"

using namespace banger;
using namespace banger::test;
using namespace banger::messages;

namespace {

/// Streams that only have numbers.
struct streams_double : io::stream_server {
  io::stream_stats now;
  io::stream_offer offer_exec(std::shared_ptr<io::machine_link>, guest::open_body) override {
    return {};
  }
  std::string offer_attach(std::shared_ptr<io::machine_link>, std::uint32_t,
                           guest::attach_body) override {
    return {};
  }
  std::string offer_log(std::filesystem::path, bool) override { return {}; }
  std::string offer_console(std::filesystem::path, unique_fd) override { return {}; }
  std::string offer_lines(std::shared_ptr<io::line_feed>, std::optional<std::size_t>) override {
    return {};
  }
  void stats(std::function<void(io::stream_stats)> f) override { f(now); }
};

hello_request asker(std::uint32_t protocol, const std::string& version) {
  return {protocol, version, "abc", 1};
}

struct door : stage {
  script s;
  streams_double streams;
  int left = 0;
  std::string hypervisor = "QEMU (TCG)";
  vms::vms_actor vms;
  gateway::system_actor itself;
  gateway_actor gate;

  door() {
    vms::surroundings around;
    around.make_vm = [this](vm::record r, vm::vm_listener directory, vm::recovery then) {
      return keep(vm::spawn_vm(system, std::move(r), store, machine(s),
                               vm::compose(vm::standard_capabilities()), "/vms",
                               std::move(directory), then));
    };
    around.limits = {4, 8 * GiB};
    around.operations = operations;
    around.images = caf::actor_cast<image::catalogue_actor>(images);
    vms = keep(vms::spawn_vms(system, {}, std::move(around)));
    gateway::system_options options;
    options.streams = &streams;
    options.hypervisor = [this] { return hypervisor; };
    options.no_names = [] { return "the port is taken"; };
    options.reprobe = [this](const std::function<void(std::string)>& done) {
      hypervisor = "QEMU (KVM)";
      done(hypervisor);
    };
    options.idle_exit = 60s;
    options.leave = [this] { ++left; };
    itself = keep(gateway::spawn_system(system, vms, operations, images, std::move(options)));
    gate = keep(gateway::spawn_gateway(system, vms, operations,
                                       caf::actor_cast<images_facet>(images), itself));
    scheduler.run();
  }

  errc retire(const hello_request& who) {
    auto outcome = errc::none;
    client->send(gate, retire_atom::value, who);
    scheduler.run();
    client->receive([] {}, [&](const caf::error& e) { outcome = actor::from_error(e).code; },
                    caf::after(0s) >> [] { FAIL("no answer"); });
    return outcome;
  }

  std::string begin(const std::string& name) {
    std::string op;
    client->send(vms, begin_atom::value,
                 create_request{name, "tiny", 1, 256, 64 * MiB, false, false});
    scheduler.run();
    client->receive([&](const op_ticket& t) { op = t.op; },
                    caf::after(0s) >> [] { FAIL("no answer"); });
    return op;
  }

  void pass(std::chrono::seconds time) {
    scheduler.advance_time(time);
    scheduler.run();
  }
};

} // namespace

TEST_CASE_METHOD(
    door, "a client of the same protocol gets the facets, one of another learns only who we are") {
  for (const auto protocol : {protocol_version, protocol_version + 1}) {
    bool greeted = false;
    client->send(gate, hello_atom::value, asker(protocol, "9.9.9"));
    scheduler.run();
    client->receive(
        [&](const hello_reply& reply, const vms_facet& v, const operations_facet& o,
            const images_facet& i, const system_facet& d) {
          greeted = true;
          CHECK(reply.protocol == protocol_version);
          CHECK(reply.version == this_build().version);
          CHECK((v != nullptr) == (protocol == protocol_version));
          CHECK((o != nullptr) == (protocol == protocol_version));
          CHECK((i != nullptr) == (protocol == protocol_version));
          CHECK((d != nullptr) == (protocol == protocol_version));
        },
        caf::after(0s) >> [] {});
    CHECK(greeted);
  }
}

TEST_CASE_METHOD(door, "only a newer banger may take the place") {
  CHECK(retire(asker(1, "0.0.1")) == errc::bad_version);
  CHECK(retire(asker(1, "nonsense")) == errc::bad_version);
  CHECK(left == 0);
  CHECK(retire(asker(1, "99.0.0")) == errc::none);
  CHECK(left == 1);
}

TEST_CASE_METHOD(door, "a daemon at work is not retired, but streams go on with the next one") {
  s.hangs = {"hello"};
  const auto op = begin("otter");
  CHECK(retire(asker(1, "99.0.0")) == errc::busy);
  CHECK(left == 0);
  client->send(operations, cancel_atom::value, op);
  scheduler.run();
  client->receive([](bool) {}, caf::after(0s) >> [] {});
  streams.now.open = 1;
  CHECK(retire(asker(1, "99.0.0")) == errc::none);
  CHECK(left == 1);
}

TEST_CASE_METHOD(
    door, "an idle daemon leaves at its time, not before, and not with clients or running VMs") {
  SECTION("nobody comes") {
    pass(59s);
    CHECK(left == 0);
    pass(1s);
    CHECK(left == 1);
  }
  SECTION("a client stays") {
    client->send(itself, gateway::client_atom::value, std::int32_t{1});
    scheduler.run();
    pass(600s);
    CHECK(left == 0);
    client->send(itself, gateway::client_atom::value, std::int32_t{-1});
    scheduler.run();
    pass(61s);
    CHECK(left == 1);
  }
  SECTION("a VM runs") {
    begin("otter");
    for (int i = 0; i < 5; ++i)
      pass(60s);
    CHECK(left == 0);
  }
}

TEST_CASE_METHOD(door, "a halt answers and then leaves, once the last operation has ended") {
  s.hangs = {"hello"};
  const auto op = begin("otter");
  client->send(itself, halt_atom::value);
  scheduler.run();
  CHECK(left == 0);
  client->send(operations, cancel_atom::value, op);
  scheduler.run();
  CHECK(left == 1);
}

TEST_CASE_METHOD(door, "the status counts VMs, operations and streams") {
  streams.now = {2, 4096};
  begin("otter");
  const auto now = ask<daemon_status>(itself, status_atom::value);
  CHECK(now.vms == 1);
  CHECK(now.running == 1);
  CHECK(now.operations == 0);
  CHECK(now.streams == 2);
  CHECK(now.stream_bytes_buffered == 4096);
  CHECK(now.no_names == "the port is taken");
}

TEST_CASE_METHOD(
    door, "the status has the hypervisor as it was found last, and it can be examined again") {
  CHECK(ask<daemon_status>(itself, status_atom::value).hypervisor == "QEMU (TCG)");
  hypervisor = "QEMU (TCG); KVM: a test guest did not boot";
  CHECK(ask<daemon_status>(itself, status_atom::value).hypervisor == hypervisor);
  CHECK(ask<std::string>(itself, reprobe_atom::value) == "QEMU (KVM)");
  CHECK(ask<daemon_status>(itself, status_atom::value).hypervisor == "QEMU (KVM)");
}

namespace {

/// Builds that end when the test says so.
struct slow_house : door {
  std::vector<work::pool::task> builds;

  slow_house() {
    images = keep(image::spawn_images(
        system, {std::make_shared<instant_workshop>(), [](auto task) { task(); },
                 [this](auto task) { builds.push_back(std::move(task)); }, operations}));
    scheduler.run();
    builds.clear(); // the tidying at the start
    gateway::system_options options;
    options.streams = &streams;
    options.hypervisor = [this] { return hypervisor; };
    options.no_names = [] { return "the port is taken"; };
    options.reprobe = [this](const std::function<void(std::string)>& done) {
      hypervisor = "QEMU (KVM)";
      done(hypervisor);
    };
    options.leave = [this] { ++left; };
    itself = keep(gateway::spawn_system(system, vms, operations, images, std::move(options)));
  }
};

} // namespace

TEST_CASE_METHOD(slow_house, "a halt cancels builds of images, and leaves when they are undone") {
  client->send(images, begin_atom::value, image_request{"work", {"jq"}, false});
  scheduler.run();
  client->receive([](const op_ticket&) {}, caf::after(0s) >> [] { FAIL("no answer"); });
  REQUIRE(builds.size() == 1);
  client->send(itself, halt_atom::value);
  scheduler.run();
  CHECK(left == 0);
  client->send(images, begin_atom::value, image_request{"other", {"jq"}, false});
  scheduler.run();
  client->receive([](const op_ticket&) { FAIL("it was begun"); },
                  [](const caf::error& e) { CHECK(actor::from_error(e).code == errc::busy); },
                  caf::after(0s) >> [] { FAIL("no answer"); });
  builds.front()();
  scheduler.run();
  CHECK(left == 1);
  const auto all = ask<std::vector<operation_view>>(operations, list_atom::value);
  CHECK(all.size() == 1);
}
