#include "actors/io/console_log.hpp"
#include "io_fakes.hpp"

#include <fstream>
#include <sstream>

using namespace banger;
using namespace banger::io;
using namespace banger::io::test;

namespace {

std::string content(const std::filesystem::path& file) {
  std::ostringstream out;
  out << std::ifstream(file).rdbuf();
  return out.str();
}

std::string read_all(log_follower& f, std::size_t piece = 7) {
  std::string all(piece, '\0');
  std::string out;
  while (const auto n = f.read(all.data(), piece))
    out.append(all, 0, n);
  return out;
}

} // namespace

TEST_CASE("a console log keeps at most its limit in each of two files, and loses nothing newer") {
  temporary_folder folder;
  const auto file = folder.path / "console.log";
  auto log = console_log::open(file, 100);
  REQUIRE(log);
  std::string all;
  for (int i = 0; i < 57; ++i) {
    const auto line = "line " + std::to_string(i) + "\n";
    log->append(line);
    all += line;
    CHECK(content(file).size() <= 100);
    CHECK(content(folder.path / "console.log.1").size() <= 100);
  }
  const auto kept = content(folder.path / "console.log.1") + content(file);
  CHECK(kept.size() > 100);
  CHECK(kept == all.substr(all.size() - kept.size()));
  CHECK(log->total_bytes() == all.size());
  log->append(std::string(1000, 'x')); // more than both files at once
  CHECK(content(file).size() <= 100);
}

TEST_CASE("a console log goes on where an earlier daemon stopped") {
  temporary_folder folder;
  const auto file = folder.path / "console.log";
  console_log::open(file)->append("one\n");
  auto log = console_log::open(file);
  log->append("two\n");
  CHECK(content(file) == "one\ntwo\n");
  CHECK(log->total_bytes() == 4);
  CHECK_FALSE(console_log::open(folder.path / "none" / "console.log"));
}

TEST_CASE("the tail is made of whole lines and reaches over a rotation") {
  temporary_folder folder;
  auto log = console_log::open(folder.path / "console.log", 16);
  for (int i = 0; i < 7; ++i)
    log->append("abc" + std::to_string(i) + "\n");
  CHECK(log->tail(1) == "abc6\n");
  CHECK(log->tail(3) == "abc4\nabc5\nabc6\n");
  CHECK(log->tail(0).empty());
  log->append("open");
  CHECK(log->tail(1) == "open");
}

TEST_CASE("what a guest prints cannot drive the terminal of the reader") {
  CHECK(harmless("plain\n\ttext") == "plain\n\ttext");
  CHECK(harmless("\x1b[31mred\x1b[0m\r\n") == "red\n");
  CHECK(harmless("\x1b]0;title\aafter") == "after");
  CHECK(harmless("\x1b]0;title\x1b\\after") == "after");
  CHECK(harmless("\x1b"
                 "Pdcs\x1b\\x\x1b"
                 "cy") == "xy");
  CHECK(harmless(std::string("a\0b\bc\x7f", 6)) == "abc");
  CHECK(harmless("\xc2\x9b"
                 "31mx") == "31mx");
  CHECK(harmless("a\x9b"
                 "31mx") == "a31mx");
  CHECK(harmless("gr\xc3\xbc\xc3\x9f, it\xe2\x80\x99s") == "gr\xc3\xbc\xc3\x9f, it\xe2\x80\x99s");
  CHECK(harmless("cut \x1b[31") == "cut ");
  CHECK(harmless("\x1b") == "");
}

TEST_CASE("a follower reads the old file, the new one, and on across rotations, nothing twice") {
  temporary_folder folder;
  const auto file = folder.path / "console.log";
  log_follower follower(file);
  CHECK(read_all(follower).empty()); // not there yet
  auto log = console_log::open(file, 50);
  std::string all, seen;
  for (int i = 0; i < 40; ++i) {
    const auto line = std::to_string(i) + " some line\n";
    log->append(line);
    all += line;
    if (i % 3 == 0)
      seen += read_all(follower);
  }
  seen += read_all(follower);
  CHECK(seen == all);
  CHECK(read_all(follower).empty());

  log_follower late(file);
  const auto rest = read_all(late);
  CHECK(rest.size() > 50);
  CHECK(rest == all.substr(all.size() - rest.size()));
}

TEST_CASE("a follower that slept through two rotations goes on with the oldest that is left") {
  temporary_folder folder;
  const auto file = folder.path / "console.log";
  auto log = console_log::open(file, 10);
  log_follower follower(file);
  log->append("aaaaaaaaa\n");
  CHECK(read_all(follower) == "aaaaaaaaa\n");
  for (const char c : {'b', 'c', 'd'})
    log->append(std::string(9, c) + "\n");
  CHECK(read_all(follower) == "ccccccccc\nddddddddd\n");
}

TEST_CASE("a follower that begins near the end begins at a line, across a rotation if need be") {
  temporary_folder folder;
  const auto file = folder.path / "console.log";
  const auto from = [&](std::uint64_t bytes) {
    log_follower follower(file);
    follower.begin_near_end(bytes);
    return read_all(follower);
  };
  CHECK(from(10).empty()); // not there yet
  auto log = console_log::open(file, 20);
  log->append("aaaa\nbbbb\ncccc\n");
  CHECK(from(100) == "aaaa\nbbbb\ncccc\n");
  CHECK(from(10) == "bbbb\ncccc\n");
  CHECK(from(9) == "cccc\n");
  CHECK(from(4) == "ccc\n");   // no line begins there
  log->append("dddd\neeee\n"); // turns over after dddd
  CHECK(from(11) == "dddd\neeee\n");
  CHECK(from(10) == "dddd\neeee\n");
  CHECK(from(7) == "eeee\n");
}
