// What is told of the conversations of operations and VMs.
#include "tests/actor/town.hpp"

#include <nlohmann/json.hpp>

using namespace banger;
using namespace banger::test;
using namespace banger::messages;

namespace {

struct chronicled_town : supervised_town {
  /// "vm/otter begin vm.create", "vm/otter step image", ...
  std::vector<std::string> told() const {
    std::vector<std::string> all;
    for (const auto& line : lines) {
      const auto e = nlohmann::json::parse(line);
      auto text = e.at("actor").get<std::string>() + " " + e.at("event").get<std::string>();
      for (const auto* field : {"kind", "step", "state"})
        if (e.contains(field) && (std::string(field) != "kind" || e.at("event") == "begin"))
          text += " " + e.at(field).get<std::string>();
      all.push_back(text);
    }
    return all;
  }
};

using told_lines = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(chronicled_town, "a create is told from its begin over each step to its end") {
  create("otter");
  CHECK(told() ==
        told_lines{"vm/otter state created", "vm/otter begin vm.create", "vm/otter step image",
                   "vm/otter step folder", "vm/otter step root-disk", "vm/otter step work-disk",
                   "vm/otter step launch", "vm/otter step hello", "vm/otter step configure",
                   "vm/otter state running", "vm/otter step flush", "vm/otter end done"});
  std::uint64_t number = 0;
  for (const auto& line : lines)
    CHECK(nlohmann::json::parse(line).at("number") == ++number);
}

TEST_CASE_METHOD(chronicled_town, "a failure is told with its reason, a deletion as a state") {
  create("otter");
  s.breaks_at = "shutdown";
  order("stop", "otter");
  const auto end = nlohmann::json::parse(lines.back());
  CHECK(end.at("state") == "failed");
  CHECK(end.at("error").at("what") == "shutdown broke");
  CHECK(end.at("op") == ends.back().op);
  s.breaks_at.clear();
  order("delete", "otter");
  const auto all = told();
  CHECK(std::count(all.begin(), all.end(), "vm/otter state deleted") == 1);
}

TEST_CASE_METHOD(chronicled_town, "an actor that dies and comes back is told") {
  create("otter");
  lines.clear();
  kill(made.front());
  CHECK(told() == told_lines{"vm/otter actor died", "vm/otter actor restarted"});
}

TEST_CASE_METHOD(chronicled_town, "news of one step are many, its event is one") {
  s.hangs = {"image"};
  create("otter");
  const auto op = nlohmann::json::parse(lines.at(1)).at("op").get<std::string>();
  lines.clear();
  for (int i = 0; i < 50; ++i)
    client->send(vms, progress{op, "image", "part " + std::to_string(i), 0});
  scheduler.run();
  CHECK(lines.empty());
}
