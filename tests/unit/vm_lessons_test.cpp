// docs/lessons.md and the tests agree.
#include "tests/support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace fs = std::filesystem;

namespace {

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

using texts = std::vector<std::string>;

texts all_matches(const std::string& text, const std::regex& what) {
  texts found;
  for (std::sregex_iterator at(text.begin(), text.end(), what), end; at != end; ++at)
    found.push_back((*at)[1]);
  return found;
}

/// The names of all test cases.
std::set<std::string> written_tests() {
  static const std::regex name(R"re(TEST_CASE(?:_METHOD)?\((?:\s*\w+,)?\s*"([^"]*)")re");
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(BANGER_SOURCE "/tests"))
    if (entry.path().extension() == ".cpp")
      for (auto& each : all_matches(content(entry.path()), name))
        names.insert(std::move(each));
  return names;
}

struct lesson {
  std::string number; ///< "17a"
  texts tests;        ///< in the last column, each in backquotes
  bool waits = false; ///< for a feature
};

std::vector<lesson> told_lessons() {
  static const std::regex number(R"(^\| (\d+[a-c]?) \|)"), quoted("`([^`]*)`");
  std::vector<lesson> all;
  std::istringstream page(content(BANGER_SOURCE "/docs/lessons.md"));
  for (std::string line; std::getline(page, line);) {
    const auto numbers = all_matches(line, number);
    if (numbers.empty())
      continue;
    const auto end = line.rfind('|'), begin = line.rfind('|', end - 1);
    const auto cell = line.substr(begin, end - begin);
    all.push_back(
        {numbers.front(), all_matches(cell, quoted), cell.find("with ") != std::string::npos});
  }
  return all;
}

/// "lesson 17a: ..." gives 17a.
std::string number_of(const std::string& test) {
  constexpr std::string_view start = "lesson ";
  return test.starts_with(start) ? test.substr(start.size(), test.find(':') - start.size()) : "";
}

} // namespace

TEST_CASE("each test that docs/lessons.md names exists") {
  const auto written = written_tests();
  REQUIRE(written.size() > 500);
  for (const auto& l : told_lessons()) {
    INFO("lesson " << l.number);
    CHECK((!l.tests.empty() || l.waits));
    for (const auto& test : l.tests) {
      INFO(test);
      CHECK(written.count(test) == 1);
      CHECK((number_of(test).empty() || number_of(test) == l.number));
    }
  }
}

TEST_CASE("each test of a lesson is in docs/lessons.md, and each lesson has its line there") {
  std::set<std::string> numbers, told;
  for (const auto& l : told_lessons()) {
    CHECK(numbers.insert(l.number).second);
    told.insert(l.tests.begin(), l.tests.end());
  }
  for (const auto& test : written_tests()) {
    INFO(test);
    CHECK((number_of(test).empty() || told.count(test) == 1));
  }
  std::set<std::string> wanted{"17a", "17b", "17c"};
  for (int n = 1; n <= 28; ++n)
    wanted.insert(std::to_string(n));
  CHECK(numbers == wanted);
}
