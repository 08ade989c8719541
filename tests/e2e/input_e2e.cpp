// Bad input gets a clear error, and nothing is changed by it.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"

#include <set>

using namespace banger::test;
using Catch::Contains;

namespace {

struct bad {
  words args;
  std::string says;
};

// Usage errors: found by the CLI, exit code 2, one line that names the rule. Different rules,
// different lines.
void check_refused(home& h, const std::vector<bad>& all) {
  std::set<std::string> rules, messages;
  for (const auto& each : all) {
    const auto r = h.banger(each.args);
    INFO(r.err);
    CHECK(r.status == 2);
    CHECK(r.out.empty());
    CHECK_THAT(r.err, Contains(each.says));
    CHECK_THAT(r.err, Catch::StartsWith("banger: "));
    rules.insert(each.says);
    messages.insert(r.err);
  }
  CHECK(messages.size() >= rules.size());
  CHECK(h.list().empty());
}

} // namespace

TEST_CASE("each rule for names has its own message, and nothing is made", "[none]") {
  home h;
  check_refused(h, {{{"vm", "create", "--image", "tiny", "--name", "Upper"}, "'U' at position 1"},
                    {{"vm", "create", "--image", "tiny", "--name", "-a"}, "start or end with '-'"},
                    {{"vm", "create", "--image", "tiny", "--name", "a-"}, "start or end with '-'"},
                    {{"vm", "create", "--image", "tiny", "--name", "a/../b"}, "'/' at position 2"},
                    {{"vm", "create", "--image", "tiny", "--name", std::string(64, 'x')},
                     "64 characters; max is 63"},
                    {{"vm", "create", "--image", "../tiny"}, "image name"}});
}

TEST_CASE("sizes that are nought, negative, absurd or above the host's are refused one by one",
          "[none]") {
  home h;
  check_refused(h, {{{"vm", "create", "--image", "tiny", "--vcpu", "0"}, "must be positive"},
                    {{"vm", "create", "--image", "tiny", "--vcpu=-1"}, "-1"},
                    {{"vm", "create", "--image", "tiny", "--vcpu", "two"}, "two"},
                    {{"vm", "create", "--image", "tiny", "--vcpu", "1.5"}, "1.5"},
                    {{"vm", "create", "--image", "tiny", "--vcpu", "100000"}, "this host has"},
                    {{"vm", "create", "--image", "tiny", "--vcpu", "99999999999999999999"},
                     "99999999999999999999"},
                    {{"vm", "create", "--image", "tiny", "--memory", "0"}, "0"},
                    {{"vm", "create", "--image", "tiny", "--memory=-256"}, "-256"},
                    {{"vm", "create", "--image", "tiny", "--memory", "64"}, "at least 128 MiB"},
                    {{"vm", "create", "--image", "tiny", "--memory", "100T"}, "this host has"},
                    {{"vm", "create", "--image", "tiny", "--disk-size", "0"}, "must be positive"},
                    {{"vm", "create", "--image", "tiny", "--disk-size", "1M"}, "smallest"},
                    {{"vm", "create", "--image", "tiny", "--disk-size", "17T"}, "largest"},
                    {{"vm", "create", "--image", "tiny", "--disk-size", "8Q"}, "unknown unit"},
                    {{"vm", "create", "--image", "tiny", "--disk-size", "99999999999999999999G"},
                     "too large"}});
}

TEST_CASE("unknown flags, verbs and groups are named", "[none]") {
  home h;
  check_refused(h, {{{"vm", "create", "--image", "tiny", "--colour"}, "--colour"},
                    {{"vm", "frobnicate"}, "frobnicate"},
                    {{"frobnicate"}, "frobnicate"},
                    {{"vm", "run", "--image", "tiny", "--rm"}, "command is required"},
                    {{"vm", "run", "--image", "tiny", "--rm", "--"}, "command is required"},
                    {{"vm", "exec", "--", "true"}, "VM"},
                    {{"vm", "delete"}, "VM"},
                    {{"vm", "show"}, "VM is required"},
                    {{"daemon", "restart"}, "restart"}});
}

TEST_CASE("what is not there is not found, by every verb", "[none]") {
  home h;
  for (const auto* verb : {"stop", "start", "delete", "show", "logs"}) {
    const auto r = h.banger({"vm", verb, "nobody"});
    CHECK(r.status == 1);
    CHECK_THAT(r.err, Contains("nobody"));
  }
  CHECK(h.banger({"vm", "exec", "nobody", "--", "true"}).status == 125);
  const auto image = h.banger({"vm", "create", "--image", "debian-99"});
  CHECK(image.status == 1);
  CHECK_THAT(image.err, Contains("debian-99") && Contains("tiny"));
  const auto run = h.banger({"vm", "run", "--rm", "--image", "debian-99", "--", "true"});
  CHECK(run.status == 125);
  CHECK(run.out.empty());
  CHECK(h.list().empty());
}

TEST_CASE("a name that is taken is refused, and the VM that has it lives on", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const auto again = h.banger({"vm", "create", "--image", "tiny", "--name", "a"});
  CHECK(again.status == 1);
  CHECK_THAT(again.err, Contains("a"));
  CHECK(h.list().size() == 1);
  h.good({"vm", "exec", "a", "--", "true"});
}

TEST_CASE("a VM is found by its id and by the beginning of its name", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "otter"});
  const auto id = h.show("otter").at("id").get<std::string>();
  CHECK(h.show(id).at("name") == "otter");
  CHECK(h.show(id.substr(0, 6)).at("name") == "otter");
  CHECK(h.show("ott").at("name") == "otter");
}

TEST_CASE("help and version need no daemon and start none", "[none]") {
  home h;
  CHECK_THAT(h.good({"--help"}), Contains("vm run"));
  CHECK_THAT(h.good({"vm", "run", "--help"}), Contains("--rm"));
  CHECK_THAT(h.good({"--version"}), Contains("banger"));
  CHECK(h.read({"version", "--json"}).contains("version"));
  CHECK(h.banger({"daemon", "status"}).status == 1);
  CHECK_FALSE(std::filesystem::exists(h.runtime() / "bangerd.sock"));
}

TEST_CASE("output that is piped has no colour and no progress in it", "[vm]") {
  home h;
  const auto r = h.banger({"vm", "create", "--image", "tiny", "--name", "a"});
  CHECK(r.status == 0);
  CHECK(r.out == "a\n");
  CHECK(r.err.find('\x1b') == std::string::npos);
  CHECK(r.err.find('\r') == std::string::npos);
}
