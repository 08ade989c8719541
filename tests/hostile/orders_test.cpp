// Every order with every kind of bad field: refused, told, and without effect.
#include "privhelper/paths/paths.hpp"
#include "privhelper/rules/describe.hpp"
#include "tests/hostile/scene.hpp"

#include <csignal>
#include <regex>
#include <set>

using namespace banger;
using namespace banger::hostile;

namespace {

struct refusal {
  std::string verb, field, expected, names;
};

/// All attacks on a role, each of them refused as it has to be.
std::vector<refusal> attack_all(owner_process& owner, const std::string& command) {
  std::vector<refusal> all;
  owner.say(command);
  for (auto line = owner.answer(); !line.contains("done"); line = owner.answer()) {
    const refusal one{line["verb"], line["field"], line["expected"], line["names"]};
    INFO(one.verb << " order, " << one.field << " = " << line["said"] << ": " << line.dump());
    CHECK(line["code"] == one.expected);
    CHECK(line.value("text", "").find(one.names) != std::string::npos);
    CHECK(line["size"] < 600);
    CHECK(line["plain"] == true); // whatever was said, a terminal may show it
    all.push_back(one);
  }
  return all;
}

// What text alone tells is refused before anything is done; the rest when it is carried out.
void check_log(helper_process& helper, const std::vector<refusal>& all) {
  std::vector<json> refused, failed;
  CHECK(helper.until([&] {
    for (auto& line : helper.log("order_refused"))
      refused.push_back(std::move(line));
    for (auto& line : helper.log("order_failed"))
      failed.push_back(std::move(line));
    return refused.size() + failed.size() >= all.size();
  }));
  REQUIRE(refused.size() + failed.size() == all.size());
  std::size_t r = 0, f = 0;
  for (const auto& one : all) {
    const auto& line = one.expected == "bad_request" ? refused.at(r++) : failed.at(f++);
    INFO(line.dump());
    CHECK(line["verb"] == one.verb);
    CHECK(line["code"] == one.expected);
    CHECK(line["text"].get<std::string>().find(one.names) != std::string::npos);
  }
}

/// Fields of the role's gates that no attack was about. A flag has no bad value.
std::set<std::string> not_attacked(const std::vector<helper::verb_gates>& gates,
                                   const std::vector<refusal>& all) {
  std::set<std::string> left;
  for (const auto& verb : gates)
    for (const auto& gate : verb.gates)
      if (gate.text != "true or false")
        left.insert(verb.verb + " " + gate.field);
  for (const auto& one : all)
    left.erase(one.verb + " " + std::regex_replace(one.field, std::regex("[0-9]+(?=\\])"), ""));
  return left;
}

/// A process that sleeps as a hypervisor would run.
struct sleeper {
  test::child process{
      {{"/bin/sleep", "600"}, {}, test::input::empty, std::int64_t{first_hypervisor_id} + 7}};
  std::uint32_t pid() const { return static_cast<std::uint32_t>(process.pid()); }
};

} // namespace

TEST_CASE("every bad field of every network order is refused, logged, and changes nothing") {
  if (!test::may_make_namespaces())
    return;
  host h;
  h.make_foreign_links();
  helper_process helper(h);
  owner_process owner(h, helper);
  REQUIRE(owner.ask("bridge br-fc 10.88.0.0/24")["code"] == "none");
  REQUIRE(owner.ask("policy 3")["code"] == "none");
  const auto taps = owner.ask("taps br-fc tap-fc-a");
  REQUIRE(owner.ask("fetch " + taps["token"].get<std::string>() + " 1")["code"] == "none");
  const auto before = h.network();
  REQUIRE(before.find("tap-fc-a") != std::string::npos);
  const auto all = attack_all(owner, "orders network");
  CHECK(h.network() == before);
  CHECK(not_attacked(helper::network_gates(), all) == std::set<std::string>{});
  check_log(helper, all);
  CHECK(owner.ask("inventory")["links"] == 2);
}

TEST_CASE("every bad field, path and process of every machine order is refused, logged, and "
          "changes nothing") {
  if (!test::may_make_namespaces())
    return;
  host h;
  h.make_state();
  helper_process helper(h);
  owner_process owner(h, helper);
  sleeper hypervisor;
  const auto files = h.files(), network = h.network();
  auto command = "orders machine " + h.state().native() + " " + std::to_string(hypervisor.pid());
  for (const auto* role : {"network", "machine"})
    command += " " + owner.ask(std::string("hello ") + role)["pid"].dump();
  command += " " + std::to_string(::getpid()) + " " + std::to_string(helper.pid());
  const auto all = attack_all(owner, command);
  CHECK(h.files() == files);
  CHECK(h.network() == network);
  CHECK(hypervisor.process.running());
  CHECK(helper.running());
  CHECK(not_attacked(helper::machine_gates(), all) == std::set<std::string>{});
  check_log(helper, all);
  // The same order with nothing wrong in it.
  const auto started = helper::start_time_of(hypervisor.pid());
  REQUIRE(started);
  const auto good = owner.ask("signal " + std::to_string(hypervisor.pid()) + " " +
                              std::to_string(*started) + " KILL");
  CHECK(good["code"] == "none");
  CHECK(hypervisor.process.wait(10s) == 128 + SIGKILL);
}

TEST_CASE("a state folder that is a link, or that others may write to, is not gone into") {
  if (!test::may_make_namespaces())
    return;
  host h;
  h.make_state();
  namespace fs = std::filesystem;
  fs::create_directory_symlink(h.state(), h.top / "link");
  fs::create_directory_symlink(h.top.top(), h.top / "above");
  const auto launch = [&](const fs::path& state) {
    helper_process helper(h, {.role = "machine", .failpoint = {}, .state = state});
    owner_process owner(h, helper);
    return owner.ask("launch")["code"].get<std::string>();
  };
  CHECK(launch(h.state()) == "unavailable"); // as far as it goes in this version
  CHECK(launch(h.top / "link") == "unauthorized");
  CHECK(launch(h.top / "above/state") == "unauthorized");
  CHECK(launch(h.top / "outside") == "unauthorized");
  CHECK(launch(h.top / "nothing") == "not_found");
  fs::permissions(h.state(), fs::perms(0770));
  CHECK(launch(h.state()) == "unauthorized");
  fs::permissions(h.state(), fs::perms(0700));
  fs::rename(h.state() / "vms", h.top / "moved");
  fs::create_directory_symlink("../moved", h.state() / "vms");
  CHECK(launch(h.state()) == "unauthorized");
}
