// bangerd, as a table of contents: what is prepared, who lives, who is told, how it ends.
#include "actors/daemon/connection.hpp"
#include "actors/daemon/door_watch.hpp"
#include "actors/daemon/host.hpp"
#include "actors/daemon/inheritance.hpp"
#include "actors/daemon/options.hpp"
#include "actors/gateway/gateway.hpp"
#include "actors/image/images.hpp"
#include "actors/io/line_feed.hpp"
#include "actors/io/reactor.hpp"
#include "actors/vms/recall.hpp"
#include "messages/base/failpoint.hpp"
#include "messages/base/version.hpp"
#include "messages/config/report.hpp"
#include "messages/transport/transport.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <sys/epoll.h>
#include <sys/signalfd.h>

namespace {

using namespace banger;
using namespace banger::daemon;

using leave_atom = caf::atom_constant<caf::atom("leave")>;

constexpr int incompatible = 2;

// The one line that the CLI waits for.
void announce(const options& o, const std::string& line) {
  if (o.ready_fd < 0) {
    std::fprintf(stderr, "bangerd: %s\n", line.c_str());
    return;
  }
  const auto text = line + "\n";
  if (::write(o.ready_fd, text.data(), text.size()) < 0)
    log::warn({}, "ready_pipe_closed");
  ::close(o.ready_fd);
  if (o.lock_fd >= 0)
    ::close(o.lock_fd);
}

int give_up(const options& o, const failure& why) {
  log::failed({}, "start_failed", why);
  announce(o, "error " + describe(why));
  ::_exit(1); // as at the end of serve: actors are not taken apart
}

int check_migrations() {
  const auto where = find_folders();
  const auto report =
      where ? store::check_schema(where->state / "state.db") : tl::unexpected(where.error());
  std::puts(report ? report->line.c_str() : describe(report.error()).c_str());
  return report ? static_cast<int>(report->state) : incompatible;
}

int print_version() {
  const auto& build = this_build();
  std::printf("bangerd v%s (commit %s)\n", build.version.c_str(), build.commit.c_str());
  return 0;
}

// TERM, INT and HUP become a message like any other.
unique_fd block_signals() {
  sigset_t ends;
  ::sigemptyset(&ends);
  for (int s : {SIGTERM, SIGINT, SIGHUP})
    ::sigaddset(&ends, s);
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  return unique_fd(::signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK));
}

// What has to be there before the first actor; each part may say no.
struct ground {
  folders where;
  config::settings settings;
  config::report report; ///< of what our starter wanted, before the file is heeded
  unique_fd state_lock;
  back_ends found;
  std::optional<store::database> database;
  std::vector<vms::found_vm> vms;
  std::optional<connection> connected;
  std::vector<messages::orphan_view> orphans;
  std::set<std::string> set_aside;
  bool all_vms_known = true;
};

expected<ground> prepare(options& o) {
  ground g;
  if (auto ok = work::arm_failpoints(std::getenv("BANGER_FAILPOINT")); !ok)
    return tl::unexpected(ok.error());
  if (const auto wanted = find_folders())
    g.report = config::present(*wanted);
  auto settings = read_config(o);
  if (!settings)
    return tl::unexpected(settings.error());
  g.settings = std::move(*settings);
  auto where = prepare_folders(o);
  if (!where)
    return tl::unexpected(where.error());
  g.where = *where;
  for (const auto& line : o.left_as_inherited)
    log::warn({}, "inherited", {{"text", line}});
  auto lock = lock_state(g.where);
  if (!lock)
    return tl::unexpected(lock.error());
  g.state_lock = std::move(*lock);
  auto found = find_back_ends(g.where, o, g.settings);
  if (!found)
    return tl::unexpected(found.error());
  g.found = std::move(*found);
  auto db = store::database::open(g.where.state / "state.db");
  if (!db)
    return tl::unexpected(db.error());
  auto recorded = db->load();
  if (!recorded)
    return tl::unexpected(recorded.error());
  for (const auto& row : recorded->quarantined)
    log::error({}, "row_quarantined", {{"text", row}});
  for (const auto& line : damaged_intents(*recorded))
    log::error({}, "row_quarantined", {{"text", line}});
  g.set_aside = set_aside(*recorded);
  g.orphans = find_orphans(*recorded, g.found.site.vms, g.where.state / "images");
  for (const auto& orphan : g.orphans)
    log::error({}, "unknown_vm", {{"text", describe_orphan(orphan)}});
  g.all_vms_known = recorded->quarantined.empty() && g.orphans.empty();
  if (!g.all_vms_known)
    log::info({}, "images_kept", {{"text", "a VM that is not known may stand on any of them"}});
  g.vms = take_stock(*recorded, g.found.site.vms);
  g.connected = choose_connection(g.settings, g.vms);
  g.found.site.bridged = g.connected->bridged;
  g.found.site.why_not_bridged = g.connected->why_not;
  g.found.site.name_servers = name_servers_of_host;
  g.database.emplace(std::move(*db));
  return g;
}

// The threads beside the actors', and what all machines share. Lives as long as any actor may call
// on it.
struct house {
  work::pool workers{2};
  work::pool clerks{2};   ///< what is quick: images, figures of VMs; it never waits for the others
  work::pool flushers{2}; ///< what waits for the disk
  work::pool builders{4}; ///< images and kernels, which take minutes
  io::reactor loop;
  std::unique_ptr<io::stream_server> streams;
  std::unique_ptr<privileged::own_helper>
      own_helper;                        ///< where this process is root, and no helper is there
  std::unique_ptr<dns::responder> names; ///< none where there is no bridge, or its port is taken
  std::atomic<std::shared_ptr<const std::string>> no_names; ///< why NAME.vm is not answered for
  events::events_actor events;
  operations::operations_actor operations;
  vm::machine_room room;
};

events::events_actor tell_events(house& h, caf::actor_system& system) {
  const auto feed = std::make_shared<io::line_feed>(
      h.loop, io::line_ring(events::most_remembered, events::most_bytes), events::missed);
  return events::spawn_events(
      system, {[feed](std::string line) { feed->append(std::move(line)); },
               [feed, &streams = *h.streams](std::optional<std::size_t> follow_after) {
                 return streams.offer_lines(feed, follow_after);
               }});
}

// Never fatal: VMs are reached by their addresses, too.
void serve_names_of_vms(house& h, const ground& g) {
  if (!g.connected->attended)
    return;
  dns::responder_options options;
  options.port =
      static_cast<std::uint16_t>(g.settings.network.dns_port.value_or(config::builtin_dns_port));
  auto names = dns::serve_names(h.loop, options);
  if (names) {
    h.names = std::move(*names);
    return;
  }
  log::failed({}, "names_not_served", names.error());
  h.no_names.store(std::make_shared<const std::string>(describe(names.error())));
}

network::network_actor connect_network(house& h, const ground& g, caf::actor_system& system) {
  if (!g.connected->attended)
    return {};
  auto names = name_service_of(h.names.get());
  names.why_not = *h.no_names.load();
  names.trouble = [&h](const std::string& why) {
    h.no_names.store(std::make_shared<const std::string>(why));
  };
  return network::spawn_network(system,
                                {g.connected->bridge, g.connected->net,
                                 line_of(*g.connected, system, g.where.runtime, h.own_helper),
                                 [&h](work::pool::task t) { h.clerks.submit(std::move(t)); },
                                 std::move(names), g.connected->known});
}

expected<void> furnish(house& h, const ground& g, const options& o, caf::actor_system& system) {
  auto streams = io::serve_streams(h.loop, stream_socket(g.where));
  if (!streams)
    return tl::unexpected(streams.error());
  h.streams = std::move(*streams);
  h.events = tell_events(h, system);
  h.operations = operations::spawn_operations(system, h.events);
  const image::image_crew crew{
      image::make_workshop({g.where.state / "images", g.where.cache / "kernels", find_banger_init(),
                            o.kernel_package}),
      [&h](work::pool::task t) { h.clerks.submit(std::move(t)); },
      [&h](work::pool::task t) { h.builders.submit(std::move(t)); }, h.operations, g.all_vms_known};
  serve_names_of_vms(h, g);
  if (auto ok = config::write_report(g.report, g.where); !ok)
    log::failed({}, "report_not_written", ok.error());
  h.room = {g.found.site,
            vm::standard_capabilities(),
            image::spawn_images(system, crew),
            &h.loop,
            h.streams.get(),
            &h.workers,
            &h.clerks,
            &h.flushers,
            connect_network(h, g, system)};
  return {};
}

struct residents {
  operations::operations_actor operations;
  image::images_actor images;
  vms::vms_actor vms;
  gateway::system_actor itself;
  messages::gateway_actor gate;
};

residents move_in(house& h, ground& g, const options& o, caf::actor_system& system,
                  const caf::actor& waiting) {
  residents r;
  r.operations = h.operations;
  r.images = h.room.images;
  auto store = store::spawn_store(system, std::move(*g.database));
  const auto recall = vms::spawn_recall(
      system, store, [&h](work::pool::task t) { h.workers.submit(std::move(t)); },
      [folder = h.room.site.vms](const store::snapshot& one) { return take_stock(one, folder); });
  h.room.attend = [recall](const std::string& vm) { return vms::attend(recall, vm); };
  vms::surroundings around;
  around.make_vm = [&system, &room = h.room, store](vm::record vm, vm::vm_listener directory,
                                                    vm::recovery then) {
    return vm::spawn_vm(system, std::move(vm), store, room, std::move(directory), then);
  };
  around.offer_log = [&room = h.room](const std::string& id, bool follow) {
    return room.streams->offer_log(room.site.vms / id / "console.log", follow);
  };
  around.limits = limits_of_host();
  around.check_nested = [driver = h.room.site.driver](std::uint32_t vcpu) {
    hypervisor::machine_config wished;
    wished.vcpu = vcpu;
    wished.nested = true;
    return driver->check(wished);
  };
  around.operations = r.operations;
  around.stale_after = g.settings.auto_stop_stale_after.value_or(std::chrono::milliseconds::zero());
  around.images = caf::actor_cast<image::catalogue_actor>(r.images);
  around.events = h.events;
  around.recall = caf::actor_cast<vms::recall_actor>(recall);
  around.orphans = {h.room.site.vms,
                    g.where.state / "images",
                    [&h](work::pool::task t) { h.workers.submit(std::move(t)); },
                    store,
                    std::move(g.orphans),
                    std::move(g.set_aside)};
  const char* debug = std::getenv("BANGER_DEBUG_VERBS");
  around.debug_verbs = debug != nullptr && debug == std::string_view("1");
  r.vms = vms::spawn_vms(system, std::move(g.vms), std::move(around));
  actor::tell_from_outside(r.images, image::meet_atom::value,
                           caf::actor_cast<messages::vms_facet>(r.vms));
  gateway::system_options options;
  options.about = describe_daemon(g.where, g.found, g.settings);
  options.no_names = [&h] { return *h.no_names.load(); };
  options.hypervisor = [driver = h.room.site.driver] { return driver->describe(); };
  options.reprobe = [&h](std::function<void(std::string)> done) {
    h.builders.submit(
        [driver = h.room.site.driver, done = std::move(done)] { done(driver->reprobe()); });
  };
  options.idle_exit = o.idle_exit;
  options.streams = h.streams.get();
  options.events = h.events;
  options.store = store;
  options.network = caf::actor_cast<caf::strong_actor_ptr>(h.room.network);
  options.leave = [waiting] { caf::anon_send(waiting, leave_atom::value); };
  r.itself = gateway::spawn_system(system, r.vms, r.operations, r.images, std::move(options));
  r.gate = gateway::spawn_gateway(system, r.vms, r.operations,
                                  caf::actor_cast<messages::images_facet>(r.images), r.itself);
  return r;
}

expected<transport::server> open_door(const ground& g, const residents& r,
                                      caf::actor_system& system) {
  const auto count = [itself = r.itself](std::int32_t change) {
    actor::tell_from_outside(itself, gateway::client_atom::value, change);
  };
  transport::options door;
  door.socket = daemon_socket(g.where);
  door.opened = [count](const auto&) { count(1); };
  door.closed = [count](const auto&, const auto&) { count(-1); };
  door.refused = [](const auto& who, const auto& why) {
    log::warn({}, "client_refused", {{"pid", who.pid}, {"uid", who.uid}, {"text", why}});
  };
  return transport::publish(
      system, door, r.gate,
      {transport::admit(system, caf::actor_cast<messages::vms_facet>(r.vms)),
       transport::admit(system, caf::actor_cast<messages::operations_facet>(r.operations)),
       transport::admit(system, caf::actor_cast<messages::images_facet>(r.images)),
       transport::admit(system, caf::actor_cast<messages::system_facet>(r.itself))});
}

void halt_on_signal(io::reactor& loop, int signals, const gateway::system_actor& itself) {
  loop.post([&loop, signals, itself] {
    loop.watch(signals, EPOLLIN, [&loop, signals, itself](std::uint32_t) {
      loop.unwatch(signals);
      actor::tell_from_outside(itself, messages::halt_atom::value);
    });
  });
}

// As after a signal: what nobody can reach any more, the next daemon takes over.
std::unique_ptr<door_watch> halt_without_sockets(io::reactor& loop, const folders& where,
                                                 const gateway::system_actor& itself) {
  return std::make_unique<door_watch>(
      loop, std::vector{daemon_socket(where), stream_socket(where)},
      [itself] { actor::tell_from_outside(itself, messages::halt_atom::value); });
}

// The streams' socket is taken away in the reactor's thread.
void close_sockets(house& h) {
  if (h.own_helper)
    h.own_helper->close();
  h.streams.reset();
  std::promise<void> closed;
  h.loop.post([&closed] { closed.set_value(); });
  closed.get_future().wait();
}

int serve(options o, const unique_fd& signals) {
  auto g = prepare(o);
  if (!g)
    return give_up(o, g.error());
  caf::actor_system_config config;
  transport::configure(config, transport::role::daemon);
  caf::actor_system system{config};
  transport::prepare(system);
  house h;
  h.no_names.store(std::make_shared<const std::string>());
  if (auto ok = furnish(h, *g, o, system); !ok)
    return give_up(o, ok.error());
  caf::scoped_actor self{system};
  const auto r = move_in(h, *g, o, system, self);
  auto server = open_door(*g, r, system);
  if (!server)
    return give_up(o, server.error());
  halt_on_signal(h.loop, signals.get(), r.itself);
  auto watch = halt_without_sockets(h.loop, g->where, r.itself);
  log::info({}, "started",
            {{"version", this_build().version}, {"hypervisor", g->found.site.driver->describe()}});
  announce(o, "ready");
  self->receive([](leave_atom) {});
  // Everything that lasts is committed by now, and VMs do not need us: the sockets, the bridge that
  // nobody is on and the locks go, then the process ends at once, without taking the actors apart.
  watch.reset();
  log::info({}, "left");
  { const auto closing = std::move(*server); }
  close_sockets(h);
  config::remove_report(g->where);
  part_from_network(h.room.network, system);
  g->state_lock.reset();
  std::fflush(nullptr);
  ::_exit(0);
}

} // namespace

int main(int argc, char** argv) {
  auto o = parse_options(argc, argv);
  if (o.exit_code >= 0)
    return o.exit_code;
  if (o.version)
    return print_version();
  if (o.check_migrations)
    return check_migrations();
  o.left_as_inherited = shed_inheritance(o.ready_fd >= 0);
  return serve(o, block_signals());
}
