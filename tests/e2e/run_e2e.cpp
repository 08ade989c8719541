// Commands in a VM: exit codes, streams, what goes through them and how much of it is held.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"
#include "tests/support/procfs.hpp"

#include <chrono>
#include <csignal>

using namespace banger::test;
using Catch::Contains;

namespace {

constexpr std::uint64_t MB = 1'000'000;

// Bytes that depend on their position, so that one lost, doubled or moved is seen.
class pattern {
public:
  std::string next(std::size_t size) {
    std::string bytes(size, '\0');
    for (auto& b : bytes) {
      state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
      b = static_cast<char>(state_ >> 56);
    }
    return bytes;
  }

private:
  std::uint64_t state_ = 1;
};

// A source of `total` bytes of the pattern.
std::function<std::string()> source(std::uint64_t total) {
  auto left = std::make_shared<std::uint64_t>(total);
  auto bytes = std::make_shared<pattern>();
  return [left, bytes] {
    const auto size = std::min<std::uint64_t>(*left, 256 * 1024);
    *left -= size;
    return bytes->next(size);
  };
}

} // namespace

TEST_CASE("the exit code of the command is the exit code of banger", "[both][vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const auto status = [&](const words& command) {
    words all{"vm", "exec", "a", "--"};
    all.insert(all.end(), command.begin(), command.end());
    return h.banger(all).status;
  };
  CHECK(status({"true"}) == 0);
  CHECK(status({"sh", "-c", "exit 42"}) == 42);
  CHECK(status({"sh", "-c", "exit 255"}) == 255);
  CHECK(status({"sh", "-c", "kill -TERM $$"}) == 128 + SIGTERM);
  CHECK(status({"no-such-program"}) == 127);
  CHECK(status({"/no/such/program"}) == 127);
  CHECK(status({"/etc"}) == 126);
  CHECK(status({"/etc/passwd"}) == 126);
}

TEST_CASE("stdout and stderr of the command stay apart", "[vm]") {
  home h;
  const auto r = h.banger({"vm", "run", "-q", "--rm", "--image", "tiny", "--", "sh", "-c",
                           "echo out; echo err >&2; exit 42"});
  CHECK(r.status == 42);
  CHECK(r.out == "out\n");
  CHECK(r.err == "err\n");
}

TEST_CASE("words of the command arrive as they were given, without a shell", "[vm]") {
  home h;
  CHECK(h.good({"vm", "run", "--image", "tiny", "--rm", "--", "printf", "%s|", "a b", "", "$HOME",
                "*", "'q\"", "--rm", "\xc3\xa9"}) == "a b||$HOME|*|'q\"|--rm|\xc3\xa9|");
}

TEST_CASE("stdin that is closed, empty or a pipe that ends is the end of input in the guest",
          "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  for (const auto kind : {input::closed, input::empty}) {
    auto cat = h.start({"vm", "exec", "a", "--", "cat"}, kind);
    CHECK(cat.wait(short_time) == 0);
    CHECK(cat.out().empty());
  }
  CHECK(h.good({"vm", "exec", "a", "--", "cat"}, "to be continued") == "to be continued");
  // A command that does not read its input ends all the same.
  auto ends = h.start({"vm", "exec", "a", "--", "true"}, input::pipe);
  CHECK(ends.wait(short_time) == 0);
}

TEST_CASE("what is piped in has the same checksum in the guest", "[both][vm]") {
  home h;
  std::string text;
  for (int i = 1; i <= 100'000; ++i)
    text += std::to_string(i) + "\n";
  const auto here = run({{"sha256sum"}, h.env}, text, short_time);
  REQUIRE(here.status == 0);
  CHECK(h.good({"vm", "run", "--rm", "--image", "tiny", "--", "sha256sum"}, text) == here.out);
}

TEST_CASE("commands of a script share its standard input, line by line", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const auto in_shell = [&](const std::string& script) {
    program p{{"sh", "-c",
               "printf 'one\\ntwo\\nthree\\n' > " + h.top().string() + "/lines\n" +
                   "lines=" + h.top().string() + "/lines\n" + script},
              h.env};
    p.env["PATH"] = bin("banger").parent_path().string() + ":/usr/bin:/bin";
    const auto r = run(p, {}, boot_time);
    INFO(r.err);
    CHECK(r.status == 0);
    return r.out;
  };
  const std::string all = "one\ntwo\nthree\n";
  CHECK(in_shell("while read -r x; do banger exec a -n -- echo $x; done < $lines") == all);
  CHECK(in_shell("while read -r x; do banger exec a -- echo $x; done < $lines") == all);
  CHECK(in_shell("cat $lines | while read -r x; do banger exec a -- echo $x; done") == all);
  CHECK(in_shell("{ banger exec a -- sh -c 'read -r x'; cat; } < $lines") == "two\nthree\n");
  CHECK(in_shell("cat $lines | { banger exec a -- sh -c 'read -r x'; cat; }") == "two\nthree\n");
}

TEST_CASE("100 MB go through stdin and come back through stdout, every byte in its place", "[vm]") {
  home h;
  auto cat = h.start({"vm", "run", "--image", "tiny", "--rm", "--", "cat"}, input::pipe);
  cat.feed(source(100 * MB));
  pattern wanted;
  std::uint64_t got = 0, wrong = 0;
  cat.drain([&](std::string_view bytes) {
    got += bytes.size();
    wrong += wanted.next(bytes.size()) == bytes ? 0 : 1;
  });
  CHECK(cat.wait(4 * boot_time) == 0);
  CHECK(got == 100 * MB);
  CHECK(wrong == 0);
}

TEST_CASE("a reader that stalls costs the daemon at most 1 MiB, and others are served", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  h.good({"vm", "exec", "a", "--", "true"});
  const auto daemon = h.daemon_pid();
  const auto before = status_number(daemon, "VmRSS");
  auto stalled = h.start({"vm", "exec", "a", "--", "dd", "if=/dev/zero", "bs=64k", "count=320"});
  std::uint64_t got = 0;
  stalled.drain([&](std::string_view bytes) { got += bytes.size(); });
  REQUIRE(stalled.until([&] { return got > 0; }, short_time));
  stalled.read_output(false);
  const auto end = clock::now() + std::chrono::seconds(10);
  std::uint64_t served = 0, most = 0;
  while (clock::now() < end) {
    CHECK(h.good({"vm", "exec", "a", "--", "echo", "served"}) == "served\n");
    ++served;
    const auto status = h.status();
    REQUIRE(status);
    most = std::max(most, status->at("stream_bytes_buffered").get<std::uint64_t>());
  }
  const auto after = status_number(daemon, "VmRSS");
  CHECK(served > 3);
  CHECK(most <= 1024 * 1024);
  CHECK(after - before <= 1024);
  stalled.read_output(true);
  CHECK(stalled.wait(boot_time) == 0);
  CHECK(got == 320ULL * 64 * 1024);
}

TEST_CASE("two VMs run side by side", "[both][two-vms]") {
  home h;
  auto one = h.start(
      {"vm", "run", "--image", "tiny", "--rm", "--", "cat", "/proc/sys/kernel/random/boot_id"});
  auto two = h.start(
      {"vm", "run", "--image", "tiny", "--rm", "--", "cat", "/proc/sys/kernel/random/boot_id"});
  CHECK(one.wait(boot_time) == 0);
  CHECK(two.wait(boot_time) == 0);
  CHECK(one.out().size() == 37);
  CHECK(one.out() != two.out());
  CHECK(h.list().empty());
}

TEST_CASE("environment and working folder of a command are those that were asked for", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  CHECK(h.good({"vm", "exec", "a", "--", "pwd"}) == "/root\n");
  CHECK(h.good({"vm", "exec", "a", "--cwd", "/tmp", "--env", "A=1 2", "--", "sh", "-c",
                "pwd; echo \"$A\""}) == "/tmp\n1 2\n");
  CHECK(h.good({"vm", "exec", "a", "--", "hostname"}) == "a\n");
}

TEST_CASE("limits and streams of a command are those of a login, also for another user",
          "[vm][debian][faults]") {
  home h(home::images::debian);
  for (const std::string image : {"tiny", "debian-bookworm"}) {
    INFO(image);
    const auto name = image.substr(0, 4);
    h.good({"vm", "create", "--image", image, "--name", name});
    CHECK(h.good({"vm", "exec", name, "--", "sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -Sc"}) ==
          "1024\n524288\n0\n");
    CHECK(h.good({"vm", "exec", name, "--", "su", "-s", "/bin/sh", "nobody", "-c",
                  "ulimit -Hn; echo x > /dev/stdout; echo y > /dev/stderr"}) == "524288\nx\n");
    h.good({"vm", "delete", name});
  }
}

TEST_CASE("Ctrl-C during a command goes to the command", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  auto caught =
      h.start({"vm", "exec", "a", "--", "sh", "-c",
               "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.1; done"});
  REQUIRE(caught.until([&] { return caught.out() == "ready\n"; }, short_time));
  caught.signal(SIGINT);
  CHECK(caught.wait(short_time) == 9);
  CHECK(caught.out() == "ready\ncaught\n");
  auto plain = h.start({"vm", "exec", "a", "--", "sh", "-c", "echo ready; exec sleep 1000"});
  REQUIRE(plain.until([&] { return plain.out() == "ready\n"; }, short_time));
  plain.signal(SIGINT);
  CHECK(plain.wait(short_time) == 128 + SIGINT);
}

TEST_CASE("a command whose client is gone does not run on", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  auto sleeper = h.start({"vm", "exec", "a", "--", "sh", "-c", "echo ready; exec sleep 4711"});
  REQUIRE(sleeper.until([&] { return sleeper.out() == "ready\n"; }, short_time));
  sleeper.signal(SIGKILL);
  sleeper.wait(short_time);
  CHECK(h.eventually([&] {
    return h.banger({"vm", "exec", "a", "--", "sh", "-c", "ps | grep '[s]leep 4711'"}).status == 1;
  }));
}
