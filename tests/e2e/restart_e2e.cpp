// Daemons that are killed, ended and replaced while people work: VMs stay, streams go on.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"
#include "tests/support/procfs.hpp"

#include <csignal>

using namespace banger::test;
using Catch::Contains;

namespace {

const std::string boot_id = "/proc/sys/kernel/random/boot_id";

void end_daemon(home& h) { ::kill(h.daemon_pid(), SIGTERM); }

void upgrade_daemon(home& h) {
  auto newer = h.command({"vm", "list"});
  newer.argv[0] = bin("../next/banger");
  const auto listed = run(newer, {}, short_time);
  INFO(listed.err);
  REQUIRE(listed.status == 0);
  REQUIRE(h.status()->at("version") == "99.0.0");
}

// Checks an endless repetition of `line` as it passes by: a byte that is missing or comes twice
// breaks the pattern, since its length is prime.
class pattern {
public:
  explicit pattern(std::string line) : line_(std::move(line)) {}
  void take(std::string_view bytes) {
    for (const char c : bytes)
      good_ = good_ && c == line_[size_++ % line_.size()];
  }
  std::uint64_t size() const { return size_; }
  bool good() const { return good_; }

private:
  std::string line_;
  std::uint64_t size_ = 0;
  bool good_ = true;
};

std::string prime_line() {
  std::string line;
  for (int i = 0; line.size() < 1008; ++i)
    line += std::to_string(i) + ' ';
  line.resize(1008);
  return line + '\n';
}

// A good 200 MB out of `vm`, with `disturb` somewhere in the middle of it.
void stream_through(home& h, const std::string& vm, const std::function<void(home&)>& disturb) {
  constexpr std::uint64_t times = 199;
  const auto line = prime_line();
  std::string file;
  for (int i = 0; i < 1000; ++i)
    file += line;
  const auto whole = times * file.size();
  h.good({"vm", "exec", vm, "--", "sh", "-c", "cat > /tmp/pattern"}, file);
  auto client =
      h.start({"vm", "exec", vm, "--", "sh", "-c",
               "for i in $(seq " + std::to_string(times) + "); do cat /tmp/pattern; done"});
  pattern seen(line);
  client.drain([&](std::string_view bytes) { seen.take(bytes); });
  REQUIRE(client.until([&] { return seen.size() > whole / 10; }, boot_time));
  disturb(h);
  const auto before = seen.size();
  const int status = client.wait(boot_time);
  INFO(client.err());
  CHECK(status == 0);
  CHECK(before < whole); // it was in the middle
  CHECK(seen.size() == whole);
  CHECK(seen.good());
}

} // namespace

TEST_CASE("three VMs and a stream of 200 MB survive kill -9, TERM and an upgrade of the daemon",
          "[both][two-vms][restart]") {
  home h;
  const words names{"a", "b", "c"};
  std::map<std::string, std::string> boots;
  std::map<std::string, json> pids;
  for (const auto& name : names) {
    h.good({"vm", "create", "--image", "tiny", "--name", name});
    boots[name] = h.good({"vm", "exec", name, "--", "cat", boot_id});
    pids[name] = h.show(name).at("pid");
  }
  stream_through(h, "a", [](home& x) { x.kill_daemon(); });
  stream_through(h, "b", end_daemon);
  stream_through(h, "c", upgrade_daemon);
  for (const auto& name : names) {
    CHECK(h.good({"vm", "exec", name, "--", "cat", boot_id}) == boots[name]);
    CHECK(h.show(name).at("pid") == pids[name]);
    h.good({"vm", "exec", name, "--", "sh", "-c", "echo still here > /dev/ttyS0"});
    CHECK(h.eventually([&] {
      return h.good({"vm", "logs", name}).find("still here") != std::string::npos;
    }));
    h.good({"vm", "stop", name});
    CHECK(h.show(name).at("state") == "stopped");
  }
}

TEST_CASE("input that is on its way when the daemon is killed arrives once and whole",
          "[vm][restart]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const auto line = prime_line();
  std::string all;
  while (all.size() < 60'000'000)
    all += line;
  const auto expected = h.good({"vm", "exec", "a", "--", "sha256sum"}, all);
  auto client = h.start({"vm", "exec", "a", "--", "sha256sum"}, input::pipe);
  std::size_t given = 0;
  client.feed([&] {
    const auto piece = all.substr(given, 256 * 1024);
    given += piece.size();
    return piece;
  });
  REQUIRE(client.until([&] { return given > all.size() / 3; }, boot_time));
  h.kill_daemon();
  CHECK(given < all.size());
  CHECK(client.wait(boot_time) == 0);
  CHECK(client.out() == expected);
}

TEST_CASE("a --rm run goes on without its daemon, and its VM goes at its end", "[vm][restart]") {
  home h;
  auto client = h.start({"vm", "run", "--rm", "--image", "tiny", "--", "sh", "-c",
                         "echo up; read word; echo $word; exit 5"},
                        input::pipe);
  REQUIRE(client.until([&] { return client.out() == "up\n"; }, boot_time));
  h.kill_daemon();
  client.write("on\n");
  CHECK(client.wait(boot_time) == 5);
  CHECK(client.out() == "up\non\n");
  CHECK(h.list().empty());
}

TEST_CASE("a command that ended while no daemon was there still tells its exit status",
          "[vm][restart]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  auto client =
      h.start({"vm", "exec", "a", "--", "sh", "-c", "echo up; sleep 1; echo end; exit 9"});
  REQUIRE(client.until([&] { return client.out() == "up\n"; }, boot_time));
  client.signal(SIGSTOP); // it cannot come back at once
  h.kill_daemon();
  client.run_for(milliseconds(1500));
  client.signal(SIGCONT);
  CHECK(client.wait(boot_time) == 9);
  CHECK(client.out() == "up\nend\n");
}

TEST_CASE("input that a command left is the next one's also when the daemon died between",
          "[vm][restart]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  for (const std::string source : {"printf '1\\n2\\n3\\n' > lines; exec < lines;", ""}) {
    INFO(source);
    auto p = h.command({});
    const auto banger = p.argv.front();
    p.argv = {"/bin/sh", "-c",
              "cd \"$HOME\"; " + source +
                  "\"$0\" vm exec a -- sh -c 'read -r x; echo got $x; sleep 3; exit 4' ||"
                  " \"$0\" vm exec a -- cat",
              banger};
    p.in = input::pipe;
    child client(p);
    client.write("1\n2\n3\n");
    client.end_input();
    REQUIRE(client.until([&] { return client.out() == "got 1\n"; }, boot_time));
    h.kill_daemon();
    CHECK(client.wait(boot_time) == 0);
    CHECK(client.out() == "got 1\n2\n3\n");
  }
}

TEST_CASE("the VM of a --rm run whose client died with the daemon goes after a while",
          "[vm][restart][user]") {
  home h;
  auto client = h.start(
      {"vm", "run", "--rm", "--image", "tiny", "--", "sh", "-c", "echo up; exec sleep 1000"});
  REQUIRE(client.until([&] { return client.out() == "up\n"; }, boot_time));
  client.signal(SIGSTOP);
  h.kill_daemon();
  client.signal(SIGKILL);
  CHECK(h.list().size() == 1); // its client might still come
  CHECK(h.eventually([&] { return h.list().empty(); }, milliseconds(60'000)));
}

TEST_CASE("a create whose client was killed can be waited for by another, and goes on",
          "[vm][restart]") {
  home h;
  h.good({"vm", "list"});
  auto client = h.start({"vm", "create", "--image", "tiny", "--name", "a"});
  json running;
  REQUIRE(client.until(
      [&] {
        running = h.read({"operations", "--json"});
        return !running.empty();
      },
      short_time));
  client.signal(SIGKILL);
  const auto op = running.front();
  CHECK(op.at("kind") == "vm.create");
  CHECK(op.at("target") == "a");
  CHECK(op.at("state") == "running");
  CHECK(h.good({"operations", "wait", op.at("op").get<std::string>()}) == "a\n");
  CHECK(h.show("a").at("state") == "running");
  CHECK(h.read({"operations", "--json"}).front().at("state") == "done");
}

TEST_CASE("an operation is cancelled by whoever knows its id, and what it made is gone",
          "[vm][restart]") {
  home h;
  h.good({"vm", "list"});
  auto client = h.start({"vm", "create", "--image", "tiny", "--name", "a"});
  json running;
  REQUIRE(client.until(
      [&] {
        running = h.read({"operations", "--json"});
        return !running.empty() && running.front().at("stage") == "hello";
      },
      boot_time));
  const auto op = running.front().at("op").get<std::string>();
  CHECK(h.good({"operations", "cancel", op}) == op + "\n");
  CHECK(client.wait(boot_time) == 1);
  CHECK_THAT(client.err(), Contains("cancelled") && Contains(op));
  CHECK(h.list().empty());
  CHECK(h.banger({"operations", "cancel", op}).status == 1);
  CHECK(h.banger({"operations", "wait", op}).status == 1);
  CHECK(h.banger({"operations", "wait", "op-nothere"}).status == 1);
}
