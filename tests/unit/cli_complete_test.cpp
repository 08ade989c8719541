#include "cli/complete.hpp"
#include "tests/support/catch.hpp"

using namespace banger;
using namespace banger::cli;

namespace {

const surroundings host{{8, 16 * GiB}, nullptr, {}, false};

std::vector<std::string> names_of(const std::vector<candidate>& all) {
  std::vector<std::string> names;
  for (const auto& c : all)
    names.push_back(c.text);
  return names;
}

std::vector<std::string> offered(const std::vector<std::string>& words) {
  return names_of(complete(words, host).fixed);
}

messages::vm_view vm(const char* name, const char* state) {
  messages::vm_view view;
  view.name = name;
  view.state = state;
  view.image = "tiny";
  return view;
}

const std::vector<messages::vm_view> three = {vm("otter", "running"), vm("owl", "stopped"),
                                              vm("box", "error")};

} // namespace

using names = std::vector<std::string>;

TEST_CASE("the first word is completed to groups and commands") {
  CHECK(offered({"d"}) == names{"daemon", "debug"});
  CHECK(offered({"c"}) == names{"config", "completion"});
  CHECK(offered({"vm", "sto"}) == names{"stop"});
  CHECK(offered({"help", "vm", "st"}) == names{"start", "stop", "stats"});
  CHECK(offered({"--ver"}) == names{"--version"});
  CHECK(offered({"zzz"}).empty());
  CHECK(offered({"nosuch", ""}).empty());
  CHECK(offered({"vm", "nosuch", ""}).empty());
  CHECK(offered({}).empty());
}

TEST_CASE("a group without a name is not a group") { CHECK(offered({"", ""}).empty()); }

TEST_CASE("flags are offered once a dash is typed, those that were given no more") {
  CHECK(offered({"vm", "list", "-"}) == names{"--help", "--quiet", "--json"});
  CHECK(offered({"vm", "list", "--json", "-"}) == names{"--help", "--quiet"});
  CHECK(offered({"vm", "list", ""}).empty());
  CHECK(offered({"vm", "run", "--qu"}) == names{"--quiet"});
  CHECK(offered({"vm", "run", "-q"}) == names{"-q"});
  CHECK(offered({"vm", "run", "-q", "--qu"}).empty());
  CHECK(offered({"vm", "run", "--env", "A=1", "--en"}) == names{"--env"});
  CHECK(offered({"vm", "rm", "--q"}) == names{"--quiet"});
}

TEST_CASE("a flag's value is completed by its kind, with or without the sign between them") {
  auto c = complete({"vm", "run", "--image", "ti"}, host);
  CHECK(c.names == wanted_names::images);
  CHECK(c.prefix == "ti");
  c = complete({"vm", "run", "--image=ti"}, host);
  CHECK(c.names == wanted_names::images);
  CHECK(names_of(name_candidates(c, {{"tiny", ""}, {"debian", ""}})) == names{"--image=tiny"});
  c = complete({"vm", "run", "--name", ""}, host);
  CHECK(c.names == wanted_names::none);
  CHECK(c.fixed.empty());
  CHECK(offered({"completion", ""}) == names{"bash", "zsh", "fish"});
  CHECK(offered({"completion", "f"}) == names{"fish"});
  CHECK(offered({"completion", "fish", ""}).empty());
}

TEST_CASE("the words after -- are a command in the VM and none of ours") {
  const auto c = complete({"vm", "exec", "otter", "--", "--he"}, host);
  CHECK(c.fixed.empty());
  CHECK(c.names == wanted_names::none);
  CHECK_FALSE(c.files);
}

TEST_CASE("a VM is offered where a verb can use it, and once") {
  const auto of = [](const std::vector<std::string>& words) {
    return names_of(vm_candidates(complete(words, host), three));
  };
  CHECK(of({"vm", "stop", ""}) == names{"otter"});
  CHECK(of({"vm", "exec", "o"}) == names{"otter"});
  CHECK(of({"vm", "start", ""}) == names{"owl", "box"});
  CHECK(of({"vm", "delete", "o"}) == names{"otter", "owl"});
  CHECK(of({"vm", "delete", "otter", "o"}) == names{"owl"});
  CHECK(of({"vm", "logs", "-f", "b"}) == names{"box"});
  CHECK(complete({"vm", "exec", "otter", ""}, host).names == wanted_names::none);
  CHECK(complete({"vm", "show", "otter", ""}, host).names == wanted_names::none);
}

TEST_CASE("the flag --config takes a file and steps aside") {
  CHECK(complete({"--config", "/et"}, host).files);
  CHECK(offered({"--config", "x.toml", "vm", "sto"}) == names{"stop"});
  CHECK(offered({"--config=x.toml", "vm", "sto"}) == names{"stop"});
}

TEST_CASE("what a candidate is about cannot break the line that carries it") {
  CHECK(candidate_lines({{"a", "x\ty\nz"}}) == "a\tx?y?z\n");
}
