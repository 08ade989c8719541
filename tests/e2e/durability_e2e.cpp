// The order in which things come to the host's disk: read off the system calls of the daemon.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"

#include <algorithm>
#include <csignal>
#include <fstream>

using namespace banger::test;

namespace {

// What a daemon does while this exists, by strace.
class trace {
public:
  explicit trace(home& h) : file_(h.top() / "trace"), strace_(order(h)) {
    REQUIRE(strace_.until([&] { return strace_.err().find("attached") != std::string::npos; },
                          short_time));
  }

  /// Ends it. One line for each call, in the order of their beginnings.
  void end() {
    strace_.signal(SIGINT);
    strace_.wait(short_time);
    std::ifstream in(file_);
    for (std::string line; std::getline(in, line);)
      lines_.push_back(line);
  }

  /// The line after `after` where a call with both words in it begins; -1: there is none.
  long begin_of(const std::string& call, const std::string& what, long after = -1) const {
    return find(after + 1, [&](const std::string& line) {
      return line.find(call + "(") != std::string::npos && line.find(what) != std::string::npos;
    });
  }

  /// The line where it ends, which may be a later one of the same thread.
  long end_of(const std::string& call, const std::string& what, long after = -1) const {
    const auto begin = begin_of(call, what, after);
    const auto line = begin < 0 ? std::string() : lines_[static_cast<std::size_t>(begin)];
    if (line.find("<unfinished") == std::string::npos)
      return begin;
    const auto resumed = "<... " + call + " resumed";
    return find(begin + 1, [&](const std::string& later) {
      return later.starts_with(line.substr(0, line.find(' ') + 1)) &&
             later.find(resumed) != std::string::npos;
    });
  }

  std::string text() const {
    std::string all;
    for (const auto& line : lines_)
      all += line + '\n';
    return all;
  }

private:
  template <class Fits>
  long find(long from, Fits fits) const {
    const auto at = std::find_if(lines_.begin() + from, lines_.end(), fits);
    return at == lines_.end() ? -1 : at - lines_.begin();
  }

  program order(home& h) {
    program p{{"strace", "-f", "-y", "-p", std::to_string(h.daemon_pid()), "-o", file_, "-e",
               "trace=fsync,fdatasync,unlink,unlinkat,rmdir"},
              h.env};
    p.uid = h.command({}).uid;
    return p;
  }

  std::string file_;
  child strace_;
  std::vector<std::string> lines_;
};

} // namespace

TEST_CASE("what makes a VM known is on the disk after its files, and what forgets it before them",
          "[vm][faults]") {
  home h;
  h.good({"vm", "list"});
  trace made(h);
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  made.end();
  INFO(made.text());
  const auto folder = "/vms/" + h.show("a").at("id").get<std::string>();
  long files = -1;
  for (const std::string& what : {folder + "/root.", folder + "/work.img>", folder + "/vm.json>",
                                  folder + ">", std::string("/vms>")}) {
    const auto done = made.end_of("fsync", what);
    INFO(what);
    CHECK(done >= 0);
    files = std::max(files, done);
  }
  CHECK(made.begin_of("fdatasync", "state.db-wal", files) > files);

  trace gone(h);
  h.good({"vm", "delete", "a"});
  gone.end();
  INFO(gone.text());
  const auto intent = gone.end_of("fdatasync", "state.db-wal");
  const auto removed = gone.begin_of("unlinkat", "root.");
  const auto names = gone.end_of("fsync", "/vms>", removed);
  CHECK(intent >= 0);
  CHECK(removed > intent);
  CHECK(names > removed);
  CHECK(gone.begin_of("fdatasync", "state.db-wal", names) > names);
}
