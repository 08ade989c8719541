#include "tests/e2e/storm_weather.hpp"
#include "tests/support/catch.hpp"

#include "cli/exec_stream.hpp"
#include "messages/base/names.hpp"
#include "tests/vmm/script.hpp"

#include <algorithm>
#include <fcntl.h>
#include <poll.h>
#include <set>
#include <thread>

namespace banger::storm {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t vms = 200, most_outstanding = 12;

// Of one length: none is a prefix of another.
std::string name_of(std::size_t vm) { return "s" + std::to_string(1000 + vm); }

vm::record made(const messages::op_ticket& ticket, const messages::create_request& asked) {
  return {*vm_id::parse(ticket.vm),
          *vm_name::parse(asked.name),
          {*image_name::parse(asked.image), static_cast<std::uint32_t>(asked.vcpu),
           static_cast<std::uint64_t>(asked.memory_mib), asked.disk_bytes},
          vm::state::created,
          {},
          {},
          1,
          std::string(32, '0')};
}

vm::order order_of(const std::string& op, vm::verb what) {
  vm::order asked;
  asked.op = op;
  asked.what = what;
  return asked;
}

} // namespace

weather::weather(crash::scene& home, std::uint32_t seed) : home_(home), random_(seed), model_(vms) {
  for (auto& c : clients_) {
    c = std::make_unique<cli::client>();
    const auto ok = c->connect(home.runtime() / "bangerd.sock");
    REQUIRE(ok);
  }
  null_.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
}

void weather::blow(unsigned words) {
  for (unsigned i = 0; i < words; ++i) {
    do_something();
    hear();
    make_room();
  }
  calm();
  compare();
}

void weather::delete_all() {
  for (std::size_t i = 0; i < vms; ++i)
    if (model_.at(i).exists()) {
      begin(i, vm::verb::remove);
      make_room();
    }
  calm();
  const auto left = some_client().list();
  REQUIRE(left);
  CHECK(left->empty());
}

// While its name is about to change, only its id is sure.
std::string weather::called(std::size_t vm) {
  const auto& m = model_.at(vm);
  if (!m.exists())
    return name_of(vm);
  return m.renaming() ? m.is->id.str() : m.is->name.str();
}

std::uint64_t weather::some_memory() {
  if (draw(20) == 0)
    return memory_without_boot;
  return scripted::memory_for(scripted::behaviour::good) + draw(2);
}

// -- what is said ---------------------------------------------------------------------------------

// Half of the words go to whom the last one went to: it has hardly heard that yet.
void weather::do_something() {
  if (draw(2) == 0)
    last_ = draw(vms);
  const auto vm = last_;
  const auto dice = draw(100);
  if (dice < 5)
    return cancel();
  if (dice < 9)
    return list();
  if (dice < 15)
    return show(vm);
  if (dice < 18)
    return touch(vm);
  if (!model_.at(vm).exists() || dice < 20) // a name that is taken, at times
    return create(vm);
  if (dice < 36)
    return begin(vm, vm::verb::start);
  if (dice < 45)
    return begin(vm, vm::verb::stop);
  if (dice < 53)
    return begin(vm, vm::verb::restart);
  if (dice < 58)
    return begin(vm, vm::verb::kill);
  if (dice < 64)
    return begin(vm, vm::verb::kill, true);
  if (dice < 73)
    return begin(vm, vm::verb::remove);
  if (dice < 83)
    return set(vm);
  if (dice < 87)
    return rename(vm);
  exec(vm);
}

template <class Ask>
auto weather::timed(const std::string& word, Ask ask) {
  ++said[word];
  const auto begun = test::clock::now();
  auto answer = ask();
  millis.push_back(std::chrono::duration<double, std::milli>(test::clock::now() - begun).count());
  return answer;
}

void weather::refused(std::size_t vm, vm::verb what, const failure& why) {
  INFO(to_string(what) << " of " << called(vm) << ": " << describe(why));
  CHECK(model_.may_refuse(vm, what, why.code));
}

void weather::create(std::size_t vm) {
  if (model_.at(vm).renaming())
    return; // nobody knows which name is taken
  const bool boot = draw(4) != 0;
  const messages::create_request request{
      called(vm), "tiny", 1,   static_cast<std::int64_t>(some_memory()), 64 * MiB, false,
      false,      false,  boot};
  const auto got = timed("create", [&] { return some_client().begin(request); });
  if (!got)
    return refused(vm, vm::verb::create, got.error());
  // Whoever had the name before has gone, though its end is still to be heard.
  while (!model_.at(vm).idle())
    wait();
  CHECK_FALSE(model_.at(vm).exists());
  auto asked = order_of(got->op, vm::verb::create);
  asked.boot = boot;
  model_.created(vm, asked, made(*got, request));
}

void weather::begin(std::size_t vm, vm::verb what, bool force) {
  messages::verb_request request{std::string(to_string(what)), called(vm)};
  request.force = force;
  const auto got =
      timed(request.verb + (force ? " --force" : ""), [&] { return some_client().begin(request); });
  if (!got)
    return refused(vm, what, got.error());
  auto asked = order_of(got->op, what);
  asked.force = force;
  model_.begun(vm, asked);
}

void weather::set(std::size_t vm) {
  vm::change to;
  if (draw(2) == 0)
    to.vcpu =
        static_cast<std::uint32_t>(1 + draw(std::min(2U, std::thread::hardware_concurrency())));
  if (draw(2) == 0)
    to.memory_mib = some_memory();
  if (draw(3) == 0)
    to.disk_bytes = (64 + draw(4)) * MiB;
  if (const auto ok = change(vm, "set", to); !ok)
    refused(vm, vm::verb::set, ok.error());
}

void weather::rename(std::size_t vm) {
  const auto& other = model_.at(draw(vms));
  const bool taken = draw(4) == 0 && other.exists() && other.idle();
  vm::change to;
  to.name = taken ? other.is->name : *vm_name::parse("r" + std::to_string(100'000 + names_++));
  const auto ok = change(vm, "rename", to);
  if (!ok && !(taken && ok.error().code == errc::already_exists))
    refused(vm, vm::verb::set, ok.error());
  if (ok)
    CHECK_FALSE(taken);
}

expected<void> weather::change(std::size_t vm, const std::string& word, const vm::change& to) {
  const messages::set_request request{
      called(vm), to.name ? to.name->str() : "", to.vcpu.value_or(0),
      static_cast<std::int64_t>(to.memory_mib.value_or(0)), to.disk_bytes.value_or(0)};
  const auto got = timed(word, [&] { return some_client().begin(request); });
  if (!got)
    return tl::unexpected(got.error());
  auto asked = order_of(got->op, vm::verb::set);
  asked.to = to;
  model_.begun(vm, asked);
  return {};
}

void weather::cancel() {
  const auto running = model_.cancellable();
  if (running.empty())
    return;
  const auto& op = running[draw(running.size())];
  model_.cancelled(op);
  const auto got = timed("cancel", [&] { return some_client().try_cancel(op); });
  CHECK((got || got.error().code == errc::not_found));
}

void weather::list() {
  const auto all = timed("list", [&] { return some_client().list(); });
  CHECK(all);
}

void weather::show(std::size_t vm) {
  const auto& m = model_.at(vm);
  const auto got = timed("show", [&] { return some_client().show(called(vm)); });
  INFO("show " << called(vm) << (got ? ": " + got->view.state : ": " + describe(got.error())));
  if (!m.idle())
    CHECK((got || got.error().code == errc::not_found));
  else if (m.exists())
    CHECK((got && summary(got->view) == summary(*m.is)));
  else
    CHECK((!got && got.error().code == errc::not_found));
}

void weather::touch(std::size_t vm) {
  const auto got = timed("touch", [&] { return some_client().touch(called(vm)); });
  INFO("touch " << called(vm) << (got ? "" : ": " + describe(got.error())));
  const auto& m = model_.at(vm);
  CHECK((got || got.error().code == errc::not_found));
  if (m.idle())
    CHECK(got.has_value() == m.exists());
}

void weather::exec(std::size_t vm) {
  const auto& m = model_.at(vm);
  const bool sure = m.idle();
  const auto got = timed("exec", [&]() -> expected<cli::outcome> {
    const auto ticket = some_client().exec({called(vm), {"true"}, {}, {}, false});
    if (!ticket)
      return tl::unexpected(ticket.error());
    auto connection = cli::open_stream(home_.runtime() / "streams.sock", ticket->token);
    if (!connection)
      return tl::unexpected(connection.error());
    return cli::run_exec_stream(std::move(*connection), {-1, null_.get(), null_.get()});
  });
  INFO("exec in " << called(vm) << (got ? "" : ": " + describe(got.error())));
  if (got)
    CHECK(((got->how == cli::ending::exited && got->value == 0) || !sure));
  else if (sure)
    CHECK((m.is->now != vm::state::running && got.error().code == errc::not_running));
  else // its VM may go at any moment of it
    CHECK((got.error().code == errc::not_running || got.error().code == errc::not_found ||
           got.error().code == errc::operation_failed || got.error().code == errc::disconnected));
}

// -- what is heard --------------------------------------------------------------------------------

void weather::hear() {
  for (auto& c : clients_)
    while (auto news = c->next()) {
      REQUIRE_FALSE(std::holds_alternative<cli::lost>(*news));
      if (const auto* end = std::get_if<messages::finished>(&*news)) {
        ++heard[std::string(to_string(static_cast<errc>(end->error.code)))];
        const auto wrong = model_.ended(*end);
        if (!wrong.empty())
          FAIL_CHECK(wrong);
      }
    }
}

void weather::wait() {
  std::array<pollfd, connections> ready{};
  for (std::size_t i = 0; i < connections; ++i)
    ready[i] = {clients_[i]->events(), POLLIN, 0};
  REQUIRE(::poll(ready.data(), ready.size(), 60'000) > 0); // else something hangs
  hear();
}

void weather::make_room() {
  while (model_.outstanding() >= most_outstanding)
    wait();
}

void weather::calm() {
  while (model_.outstanding() > 0)
    wait();
}

void weather::compare() {
  const auto all = some_client().list();
  REQUIRE(all);
  std::set<std::string> listed, known;
  for (const auto& v : *all)
    listed.insert(summary(v));
  for (std::size_t i = 0; i < vms; ++i) {
    if (!model_.at(i).exists())
      continue;
    const auto& is = *model_.at(i).is;
    known.insert(summary(is));
    INFO(summary(is));
    std::error_code gone;
    CHECK(fs::file_size(home_.state() / "vms" / is.id.str() / "work.img", gone) ==
          is.wanted.disk_bytes);
  }
  CHECK(listed == known);
}

} // namespace banger::storm
