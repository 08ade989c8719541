#include "actors/log/log.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <set>
#include <sys/stat.h>
#include <thread>
#include <vector>

using namespace banger;
using nlohmann::json;

namespace {

struct folder {
  folder() {
    char name[] = "/tmp/banger-test-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

std::vector<json> lines_of(const std::filesystem::path& file) {
  std::vector<json> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    lines.push_back(json::parse(line)); // throws if a line is not whole
  return lines;
}

} // namespace

TEST_CASE("a log line is one JSON object with its members in a fixed order") {
  CHECK(
      log::format(1767323045678, log::level::warn, {.op = "op-1a2b3c", .vm = "a"}, "vm_started",
                  {{"pid", 77}, {"ok", true}, {"bytes", std::uint64_t{1} << 63}, {"text", "hi"}}) ==
      R"({"ts":"2026-01-02T03:04:05.678Z","level":"warn","op":"op-1a2b3c","vm":"a",)"
      R"("event":"vm_started","pid":77,"ok":true,"bytes":9223372036854775808,"text":"hi"})");
  CHECK(log::format(0, log::level::info, {}, "x", {}) ==
        R"({"ts":"1970-01-01T00:00:00.000Z","level":"info","event":"x"})");
}

TEST_CASE("whatever a text holds, the line stays JSON on one line") {
  std::string every;
  for (int c = 0; c < 256; ++c)
    every += static_cast<char>(c);
  for (const std::string& text :
       {std::string("quote \" back \\ line \n tab \t"), every,
        std::string("gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x9f"),
        std::string("\xed\xa0\x80 \xc0\xaf \xf5 \xe2\x82"), std::string(100000, 'x')}) {
    const auto line = log::format(0, log::level::info, {}, "e", {{"text", text}});
    CHECK(line.find('\n') == std::string::npos);
    CHECK(line.size() < 40000);
    REQUIRE(json::accept(line));
  }
  const auto back = json::parse(
      log::format(0, log::level::info, {}, "e", {{"text", "gr\xc3\xbc\xc3\x9f \"\\\n\x01"}}));
  CHECK(back["text"] == "gr\xc3\xbc\xc3\x9f \"\\\n\x01");
}

TEST_CASE("levels are read by name, and others are refused with the choices") {
  CHECK(log::parse_level("warn") == log::level::warn);
  const auto bad = log::parse_level("loud");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().code == errc::bad_request);
  CHECK(bad.error().remedy.find("debug") != std::string::npos);
}

TEST_CASE("many threads write whole lines while the log rotates, and its size is bounded") {
  folder f;
  const auto file = f.path / "bangerd.log";
  REQUIRE(log::open({.file = file, .least = log::level::info, .max_bytes = 64 * 1024}));
  struct stat s {};
  REQUIRE(::stat(file.c_str(), &s) == 0);
  CHECK((s.st_mode & 0777) == 0600);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([t] {
      for (int i = 0; i < 1000; ++i) {
        log::info({}, "tick", {{"thread", t}, {"i", i}});
        log::debug({}, "hidden");
      }
    });
  for (auto& t : threads)
    t.join();
  std::set<std::pair<int, int>> seen;
  std::size_t count = 0;
  for (const auto* name : {"bangerd.log.1", "bangerd.log"}) {
    // What others write during a rotation still goes to the old file, up to as much again.
    CHECK(std::filesystem::file_size(f.path / name) < 130 * 1024);
    for (const auto& line : lines_of(f.path / name)) {
      CHECK(line["event"] == "tick");
      seen.emplace(line["thread"], line["i"]);
      ++count;
    }
  }
  CHECK(count == seen.size());
  CHECK(count > 500);
  CHECK_FALSE(log::open({.file = f.path / "none" / "x"}));
}
