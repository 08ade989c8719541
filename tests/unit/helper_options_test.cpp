#include "privhelper/program/options.hpp"

#include "tests/support/catch.hpp"

#include <iostream>
#include <sstream>

using namespace banger::helper;
using Catch::Contains;

namespace {

struct outcome {
  int exit_code;
  std::string said;
};

outcome parse(std::vector<std::string> words) {
  words.insert(words.begin(), "banger-privhelper");
  std::vector<char*> argv;
  argv.reserve(words.size());
  for (auto& word : words)
    argv.push_back(word.data());
  std::ostringstream said;
  auto* before = std::cerr.rdbuf(said.rdbuf());
  const auto o = parse_options(static_cast<int>(argv.size()), argv.data());
  std::cerr.rdbuf(before);
  return {o.exit_code, said.str()};
}

} // namespace

TEST_CASE("an owner who is root is refused with the way that root has") {
  const auto got = parse({"--role", "network", "--owner-uid", "0"});
  CHECK(got.exit_code == 2);
  CHECK_THAT(got.said, Contains("needs no helper"));
  CHECK_THAT(got.said, Contains("network.mode = \"bridge\""));
}

TEST_CASE("an owner who is anybody else is taken") {
  CHECK(parse({"--role", "network", "--owner-uid", "4294967295"}).exit_code == 2);
  CHECK(parse({"--role", "network", "--owner-uid", "x"}).exit_code == 2);
  CHECK(parse({"--role", "network", "--owner-uid", "1234"}).exit_code == -1);
}
