#include "guest/succession.hpp"
#include "tests/support/catch.hpp"

#include <filesystem>

using namespace banger::guest;

TEST_CASE("only an init that is systemd behind its links can start another agent") {
  char folder[] = "/tmp/banger-init-XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  const std::string systemd = std::string(folder) + "/systemd",
                    link = std::string(folder) + "/init";
  CHECK_FALSE(is_systemd(link));
  REQUIRE(::symlink("systemd", link.c_str()) == 0);
  CHECK_FALSE(is_systemd(link));
  std::filesystem::create_directory(systemd);
  CHECK(is_systemd(link));
  CHECK_FALSE(is_systemd("/bin/sh"));
  std::filesystem::remove_all(folder);
}

TEST_CASE("the unit starts the agent again however often it is killed, and outlives nothing less") {
  const auto unit = successor_unit("/run/banger/agent");
  for (const auto* line :
       {"ExecStart=@/run/banger/agent @banger-agent\n", "Restart=always\n",
        "StartLimitIntervalSec=0\n", "OOMScoreAdjust=-1000\n", "DefaultDependencies=no\n"})
    CHECK(unit.find(std::string("\n") + line) != std::string::npos);
}
